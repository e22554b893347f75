"""The board as one HTML file: no script, nothing loaded from elsewhere, readable on a phone and in the dark."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import palio
from palio.cli.leaderboard import rank_text
from palio.core.bundle.model import Column
from palio.core.errors import counted
from palio.core.leaderboard.axis import Axis
from palio.core.leaderboard.from_runs import Place, Standings

PHANTOM = "The images are synthetic pictures, not medical ones: these scores say nothing of any real task."
_STYLE = Path(__file__).with_suffix(".css")
_SHOWN_FREQUENCIES = 30  # runs; beyond that the picture is a carpet


def board_page(standings: Standings, remarks: Sequence[str]) -> str:
    """A whole HTML document. Whatever comes from a run folder is escaped."""
    lock = standings.lock
    title = f"{lock.bundle.title}{' on PHANTOM images' if lock.phantom else ''}"
    runs = counted(len(standings.places) + len(standings.unplaced), "run")
    cases = f", compared on {counted(standings.certainty.cases, 'case')}" if standings.certainty.cases else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
            f'<p class="phantom" role="note">{PHANTOM}</p>' if lock.phantom else "",
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(lock.phase)}: {runs}{cases}. ↑ higher is better, ↓ lower is.</p>',
            f'<ul class="remarks">{"".join(f"<li>{escape(said)}</li>" for said in remarks)}</ul>',
            _board(standings),
            _frequencies(standings),
            _unplaced(standings),
            _footer(standings),
            "</body></html>\n",
        ]
    )


def _board(standings: Standings) -> str:
    primary, columns = standings.primary, standings.columns
    intervals = [place.interval for place in standings.places if place.interval] if primary in columns else []
    axis = Axis.around([end for found in intervals for end in (found.low, found.high)]) if intervals else None
    others = [column for column in columns if column != primary]
    head = ['<th class="rank" scope="col">Rank</th><th class="run" scope="col">Run</th>']
    if primary in columns:
        head.append(f'<th scope="col">{_title(primary)}</th>')
    if axis:
        head.append(f'<th class="strip" scope="col">95 % interval{_ticks(axis)}</th>')
    head += [f'<th scope="col">{_title(column)}</th>' for column in others]
    rows = [_row(place, primary if primary in columns else None, others, axis) for place in standings.places]
    return (
        f'<div class="card"><table class="board"><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(place: Place, primary: Column | None, others: Sequence[Column], axis: Axis | None) -> str:
    cells = [
        f'<td class="rank">{rank_text(place, dash="–")}</td>',
        f'<th class="run" scope="row">{escape(place.label)}</th>',
    ]
    if primary:
        score = f"{_value(place, primary)}{_interval_text(place, primary)}"
        cells.append(f'<td class="primary" data-title="{_title(primary)}">{score}</td>')
    if axis:
        cells.append(f'<td class="strip">{_strip(place, axis, place.values[primary.key]) if primary else ""}</td>')
    cells += [f'<td class="other" data-title="{_title(column)}">{_value(place, column)}</td>' for column in others]
    return f"<tr>{''.join(cells)}</tr>"


def _title(column: Column) -> str:
    return f"{escape(column.title)} {'↑' if column.descending else '↓'}"


def _value(place: Place, column: Column) -> str:
    value = place.values.get(column.key)
    return "n/a" if value is None else f"{value:.{column.precision}f}"


def _interval_text(place: Place, column: Column) -> str:
    if not place.interval:
        return ""
    low, high = (f"{end:.{column.precision}f}" for end in (place.interval.low, place.interval.high))
    return f'<span class="interval">{low} – {high}</span>'


def _strip(place: Place, axis: Axis, value: float) -> str:
    """The interval on the common axis. Strokes keep their width while the picture is stretched to its cell."""
    fixed = 'vector-effect="non-scaling-stroke"'
    lines = [f'<path class="grid" {fixed} d="M{axis.at(float(tick))} 0V10"/>' for tick in axis.ticks]
    if place.interval:
        low, high = axis.at(place.interval.low), axis.at(place.interval.high)
        lines.append(f'<path class="whisker" {fixed} d="M{low} 5H{high}"/>')
        lines.append(f'<path class="dot" {fixed} d="M{axis.at(value)} 5h.001"/>')
    return f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{"".join(lines)}</svg>'


def _ticks(axis: Axis) -> str:
    marks = [f'<span style="left:{axis.at(float(tick))}%">{tick}</span>' for tick in axis.ticks]
    return f'<span class="axis" aria-hidden="true">{"".join(marks)}</span>'


def _frequencies(standings: Standings) -> str:
    frequencies, places = standings.certainty.frequencies, standings.places
    if not frequencies or not 1 < len(places) <= _SHOWN_FREQUENCIES:
        return ""
    head = "".join(f'<th scope="col">{number}</th>' for number in range(1, len(places) + 1))
    rows = [
        f'<tr><th class="run" scope="row">{escape(place.label)}</th>'
        + "".join(f'<td style="--share:{share:.3f}">{_often(share)}</td>' for share in shares)
        + "</tr>"
        for place, shares in zip(places, frequencies, strict=True)
    ]
    return (
        "<h2>If the cases were drawn anew</h2>"
        '<p class="soft">How often each run would take each place. A picture of chance, not a range to quote.</p>'
        '<div class="card scroll"><table class="often"><thead><tr><th class="run" scope="col">Run</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _often(share: float) -> str:
    return "" if not share else "&lt;1 %" if share < 0.01 else f"{share * 100:.0f} %"


def _unplaced(standings: Standings) -> str:
    if not standings.unplaced:
        return ""
    rows = "".join(
        f'<tr><th class="run" scope="row">{escape(run.label)}</th><td>{escape(run.reason)}</td></tr>'
        for run in standings.unplaced
    )
    return f'<h2>Without a rank</h2><div class="card"><table class="failed"><tbody>{rows}</tbody></table></div>'


def _footer(standings: Standings) -> str:
    lock = standings.lock
    reference = (
        f", reference data <code>{escape(lock.reference_data.digest[:12])}</code>" if lock.reference_data else ""
    )
    intervals = "Intervals: Jeffreys-Dirichlet on the confusion matrix, 95 %. "
    ranks = (
        "Ranks: paired tests on the same cases, Holm-adjusted at 5 %; a rank is the range of places that these leave "
        "open. "
    )
    return (
        f'<footer class="soft">{intervals if any(standings.certainty.intervals) else ""}'
        f"{ranks if standings.certainty.ranges else ''}Challenge "
        f"<code>{escape(lock.bundle.digest[:12])}</code>{reference}. Palio {palio.__version__}.</footer>"
    )

"""A leaderboard of run folders as one HTML file without scripts and outside resources, for phones and dark mode too."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import palio
from palio.core.bundle.model import Column
from palio.core.errors import counted
from palio.core.leaderboard.axis import Axis
from palio.core.leaderboard.from_runs import RankedRun, RunLeaderboard
from palio.core.leaderboard.ranking import rank_text

PHANTOM = "The images are synthetic, not medical: these scores say nothing about any real task."
_STYLE = Path(__file__).with_suffix(".css")
_SHOWN_FREQUENCIES = 30  # runs; a larger table is unreadable


def leaderboard_page(ranking: RunLeaderboard, notes: Sequence[str]) -> str:
    """A whole HTML document. Everything from a run folder is escaped."""
    lock = ranking.lock
    title = f"{lock.bundle.title}{' on PHANTOM images' if lock.phantom else ''}"
    runs = counted(len(ranking.ranked) + len(ranking.unranked), "run")
    cases = f", compared on {counted(ranking.statistics.cases, 'case')}" if ranking.statistics.cases else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
            f'<p class="phantom" role="note">{PHANTOM}</p>' if lock.phantom else "",
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(lock.phase)}: {runs}{cases}. ↑ higher is better, ↓ lower is better.</p>',
            f'<ul class="notes">{"".join(f"<li>{escape(said)}</li>" for said in notes)}</ul>',
            _table(ranking),
            _frequencies(ranking),
            _unranked(ranking),
            _footer(ranking),
            "</body></html>\n",
        ]
    )


def _table(ranking: RunLeaderboard) -> str:
    primary, columns = ranking.primary, ranking.columns
    drawn = [
        value
        for run in ranking.ranked
        if primary in columns and (interval := run.intervals.get(primary.key))
        for value in (run.row.values[primary.key], interval.low, interval.high)
    ]
    axis = Axis.around(drawn) if drawn else None
    others = [column for column in columns if column != primary]
    head = ['<th class="rank" scope="col">Rank</th><th class="run" scope="col">Run</th>']
    if primary in columns:
        head.append(f'<th scope="col">{_title(primary)}</th>')
    if axis:
        head.append(f'<th class="strip" scope="col">95 % interval{_ticks(axis)}</th>')
    head += [f'<th scope="col">{_title(column)}</th>' for column in others]
    rows = [_row(run, primary if primary in columns else None, others, axis) for run in ranking.ranked]
    return (
        f'<div class="card"><table class="leaderboard"><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(run: RankedRun, primary: Column | None, others: Sequence[Column], axis: Axis | None) -> str:
    cells = [
        f'<td class="rank">{rank_text(run.row.rank, run.rank_range)}</td>',
        f'<th class="run" scope="row">{escape(run.row.name)}</th>',
    ]
    if primary:
        score = _value(run, primary)
        cells.append(f'<td class="primary" data-title="{_title(primary)}">{score}</td>')
    if axis:
        cells.append(f'<td class="strip">{_strip(run, axis, primary) if primary else ""}</td>')
    cells += [f'<td class="other" data-title="{_title(column)}">{_value(run, column)}</td>' for column in others]
    return f"<tr>{''.join(cells)}</tr>"


def _title(column: Column) -> str:
    return f"{escape(column.title)} {'↑' if column.descending else '↓'}"


def _value(run: RankedRun, column: Column) -> str:
    """With its interval, if it has one."""
    value, found, digits = run.row.values.get(column.key), run.intervals.get(column.key), f".{column.precision}f"
    text = "n/a" if value is None else f"{value:{digits}}"
    return f'{text}<span class="interval">{found.low:{digits}} – {found.high:{digits}}</span>' if found else text


def _strip(run: RankedRun, axis: Axis, column: Column) -> str:
    """The interval on the common axis. Strokes keep their width when the drawing is stretched."""
    fixed = 'vector-effect="non-scaling-stroke"'
    lines = [f'<path class="grid" {fixed} d="M{axis.at(float(tick))} 0V10"/>' for tick in axis.ticks]
    if found := run.intervals.get(column.key):
        low, high = axis.at(found.low), axis.at(found.high)
        lines.append(f'<path class="whisker" {fixed} d="M{low} 5H{high}"/>')
        lines.append(f'<path class="dot" {fixed} d="M{axis.at(run.row.values[column.key])} 5h.001"/>')
    return f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{"".join(lines)}</svg>'


def _ticks(axis: Axis) -> str:
    marks = [f'<span style="left:{axis.at(float(tick))}%">{tick}</span>' for tick in axis.ticks]
    return f'<span class="axis" aria-hidden="true">{"".join(marks)}</span>'


def _frequencies(ranking: RunLeaderboard) -> str:
    frequencies, ranked = ranking.statistics.frequencies, ranking.ranked
    if frequencies is None or not 1 < len(ranked) <= _SHOWN_FREQUENCIES:
        return ""
    head = "".join(f'<th scope="col">{number}</th>' for number in range(1, len(ranked) + 1))
    rows = [
        f'<tr><th class="run" scope="row">{escape(run.row.name)}</th>'
        + "".join(f'<td style="--share:{share:.3f}">{_often(share)}</td>' for share in shares)
        + "</tr>"
        for run, shares in zip(ranked, frequencies, strict=True)
    ]
    return (
        "<h2>If the cases were drawn again</h2>"
        '<p class="soft">How often each run would have each rank: an illustration of chance. Quote the rank range.</p>'
        '<div class="card scroll"><table class="often"><thead><tr><th class="run" scope="col">Run</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _often(share: float) -> str:
    return "" if not share else "&lt;1 %" if share < 0.01 else f"{share * 100:.0f} %"


def _unranked(ranking: RunLeaderboard) -> str:
    if not ranking.unranked:
        return ""
    rows = "".join(
        f'<tr><th class="run" scope="row">{escape(run.name)}</th><td>{escape(run.reason)}</td></tr>'
        for run in ranking.unranked
    )
    return f'<h2>Without a rank</h2><div class="card"><table class="failed"><tbody>{rows}</tbody></table></div>'


def _footer(ranking: RunLeaderboard) -> str:
    lock = ranking.lock
    reference = (
        f", reference data <code>{escape(lock.reference_data.digest[:12])}</code>" if lock.reference_data else ""
    )
    intervals = f"Intervals, 95 %: {'; '.join(ranking.methods)}. " if ranking.methods else ""
    ranks = f"Rank ranges: {ranking.statistics.test} on the same cases, Holm-adjusted at 5 %. "
    return (
        f'<footer class="soft">{intervals}'
        f"{ranks if ranking.statistics.ranges else ''}Challenge "
        f"<code>{escape(lock.bundle.digest[:12])}</code>{reference}. Palio {palio.__version__}.</footer>"
    )

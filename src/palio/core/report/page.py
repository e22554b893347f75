"""The report as one HTML file, without scripts and other files, that a browser prints to PDF."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import palio
from palio.core.errors import counted
from palio.core.leaderboard.axis import Axis
from palio.core.leaderboard.comparison_texts import percent
from palio.core.leaderboard.notes import listed
from palio.core.leaderboard.ranking import rank_text
from palio.core.quantities import duration_text, size_text
from palio.core.report.citation import bibtex
from palio.core.report.content import Content, Failed
from palio.core.report.exported import Board, Place
from palio.core.report.robustness import Order, Robustness
from palio.core.report.words import (
    ACCESS,
    DATA,
    KINDS,
    dates,
    ranking_rule,
    separable,
    statistics_sentences,
    submission_limit,
)
from palio.core.statistics.ranks import REDRAWS

_STYLE = Path(__file__).with_suffix(".css")
_SHOWN_FREQUENCIES = 20  # teams; a wider table does not fit on paper
_NO_REASON = '<span class="soft">no reason was given</span>'
_MOST_VALUES = 200  # characters of a change that are shown


def report_page(content: Content) -> str:
    """A whole HTML document. Everything from the export is escaped."""
    facts = content.facts
    sections = [
        ("Design", _design(content)),
        ("Data", _data(facts)),
        ("Metrics", _metrics(content.boards)),
        ("Ranking", "".join(_ranking(board) for board in content.boards)),
        ("Robustness of the ranking", "".join(_robustness(*each) for each in content.robustness)),
        ("Participation", _participation(content)),
        ("Failures by responsible party", _failures(content.failures)),
        ("Teams", _teams(content)),
        ("Change register", _versions(content.versions)),
        ("Statistical methods", _list(statistics_sentences(facts))),
        ("Citation", f"<pre>{escape(bibtex(facts))}</pre>"),
    ]
    places = enumerate(sections, start=1)
    listed_sections = "".join(f'<li><a href="#s{number}">{title}</a></li>' for number, (title, _) in places)
    body = "".join(
        f'<section aria-labelledby="s{number}"><h2 id="s{number}">{number}. {title}</h2>{text}</section>'
        for number, (title, text) in enumerate(sections, start=1)
    )
    title = escape(facts["title"])
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}: report</title>",
            f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
            f"<header><h1>{title}</h1><p>{escape(facts['description'])}</p>",
            f'<p class="soft">{escape(_subtitle(facts))}</p></header>',
            _warning(content.still_open),
            f"<main>{_list(content.findings)}<nav aria-label='Sections'><ol>{listed_sections}</ol></nav>{body}</main>",
            f'<footer class="soft"><p>{_footer(facts)}</p></footer>',
            "</body></html>\n",
        ]
    )


def _subtitle(facts: Mapping[str, Any]) -> str:
    version = f", version {facts['version']}" if facts.get("version") else ""
    return f"Report of the challenge{version}, sha256:{facts['digest'][:16]}"


def _warning(phases: Sequence[str]) -> str:
    if not phases:
        return ""
    are = "are" if len(phases) > 1 else "is"
    return (
        f'<p class="warning" role="note"><b>For organizers only.</b> {escape(listed(phases))} {are} still open on '
        "hidden data. This report has exact scores; the table of single cases is left out unless asked for.</p>"
    )


def _footer(facts: Mapping[str, Any]) -> str:
    exported = f" from an export of {escape(str(facts['exported'])[:10])}" if facts.get("exported") else ""
    return f"Made by Palio {palio.__version__}{exported}. Times are UTC. ↑ higher is better, ↓ lower is better."


# -- design and data


def _design(content: Content) -> str:
    facts = content.facts
    pairs = [
        ("Organizers", ", ".join(facts.get("organizers") or ()) or "not known"),
        ("Platform", f"Palio {facts.get('platform') or palio.__version__}"),
        ("Registration", ACCESS.get(facts.get("joining") or facts["registration"], facts["registration"])),
        ("Address", facts.get("url") or "not known"),
        ("Bundle", f"sha256:{facts['digest']}"),
    ]
    return _facts(pairs) + "".join(_phase(phase) for phase in facts["phases"])


def _phase(phase: Mapping[str, Any]) -> str:
    limits = phase["limits"]
    rows = [
        [
            stage,
            duration_text(own["time_s"]),
            size_text(own["memory_bytes"]),
            f"{own['cpus']:g}" if "cpus" in own else "–",
            str(own.get("gpus", "–")),
            ("yes" if own["network"] else "no") if "network" in own else "no",
        ]
        for stage, own in limits.items()
    ]
    pairs = [
        ("Dates", dates(phase)),
        ("Submissions", f"{submission_limit(phase)}; {', '.join(KINDS[kind] for kind in phase['submissions'])}"),
        ("Data", DATA[phase["data"]] + ("; inputs have random names" if phase["hides_names"] else "")),
        ("Public cases first", "yes, with full logs" if phase["sample"] else "no"),
        ("Feedback", phase["feedback"]["says"] or "Participants see exact scores."),
        ("Ranking", "; ".join(dict.fromkeys(ranking_rule(board) for board in phase["leaderboards"]))),
    ]
    if phase["takes_over"]:
        pairs.append(("Taken over", "submissions of the phase before, when this phase opens"))
    head = ["Stage", "Time", "Memory", "CPUs", "GPUs", "Network"]
    return (
        f"<h3>{escape(phase['name'])}</h3>{_paragraph(phase['description'])}{_facts(pairs)}"
        f"{_table(head, rows, 'Limits of each submission')}"
    )


def _data(facts: Mapping[str, Any]) -> str:
    rows = []
    for task in facts["tasks"]:
        rows.append([task["name"], "hidden inputs", *_counts(task["inputs"])])
        rows.append([task["name"], "reference", *_counts(task["reference"])])
    for phase in facts["phases"]:
        for name, title in (("public_data", "public data"), ("sample", "public cases run first")):
            if phase[name]:
                rows.append([phase["name"], title, *_counts(phase[name])])
    return _table(["Task or phase", "Part", "Files", "Formats"], rows, "Files by part", (2,)) + _classes(facts)


def _counts(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return ["–", "–"]
    return [f"{found['files']:,}", ", ".join(f"{count:,} {suffix}" for suffix, count in found["formats"].items())]


def _classes(facts: Mapping[str, Any]) -> str:
    splits: dict[str, Mapping[str, int]] = {}
    for phase in facts["phases"]:
        splits |= {f"{split} ({phase['name']})": counts for split, counts in phase["public_classes"].items()}
    splits |= {f"hidden: {task['name']}": each for task in facts["tasks"] if (each := task["reference_classes"])}
    classes = list(dict.fromkeys(name for counts in splits.values() for name in counts))
    if not classes:
        return '<p class="soft">The layout of the data does not tell classes.</p>'
    rows = [
        [split, *(f"{counts.get(name, 0):,}" for name in classes), f"{sum(counts.values()):,}"]
        for split, counts in splits.items()
    ]
    return _table(["Split", *classes, "All"], rows, "Cases by class and split", range(1, len(classes) + 2))


def _metrics(boards: Sequence[Board]) -> str:
    rows = []
    for board in boards:
        for column in board.board["columns"]:
            metric = column["metric"] or (
                f"{column['computation']} of {', '.join(column['computation_keys'])}"
                if column["computation"]
                else "as the scoring program writes it"
            )
            role = "ranks" if column["key"] == board.board["primary"] else ""
            rows.append(
                [
                    board.title,
                    column["title"] + (" (hidden)" if column["hidden"] else ""),
                    metric,
                    "higher" if column["descending"] else "lower",
                    role,
                    column["interval"] or "–",
                ]
            )
    return _table(["Leaderboard", "Column", "Metric", "Better", "", "95 % interval"], rows, "Columns and their metrics")


# -- ranking


def _ranking(board: Board) -> str:
    primary, ranked = board.primary, board.ranked
    heading = f"<h3>{escape(board.title)}</h3>"
    if not ranked:
        return f"{heading}<p>No submission has a rank.</p>"
    ends = [
        value
        for place in ranked
        if primary and primary.key in place.intervals
        for value in (place.values[primary.key], *place.intervals[primary.key])
    ]
    axis = Axis.around(ends) if ends else None
    columns = sorted(board.columns, key=lambda column: column != primary)
    head = ['<th scope="col" class="number">Rank</th><th scope="col">Team</th>']
    for column in columns:
        head.append(f'<th scope="col" class="number">{escape(column.title)} {"↑" if column.descending else "↓"}</th>')
        if column == primary and axis:
            head.append(f'<th scope="col" class="strip">95 % interval, {axis.ticks[0]} to {axis.ticks[-1]}</th>')
    head.append('<th scope="col" class="number">Entries</th>')
    apart = next((number for number, place in enumerate(ranked) if (place.first or 1) > 1), None)
    rows = "".join(_place(place, board, axis, is_after=number == apart) for number, place in enumerate(ranked))
    return (
        f"{heading}{_list(separable(board))}"
        f'<div class="scroll"><table><caption>{escape(board.title)}</caption><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_unranked(board)}"
    )


def _place(place: Place, board: Board, axis: Axis | None, *, is_after: bool) -> str:
    ranks = (place.first, place.last) if place.first and place.last else None
    name = escape(place.team) + (' <span class="baseline">baseline</span>' if place.is_baseline else "")
    cells = [f'<td class="number">{rank_text(place.rank, ranks)}</td><th scope="row">{name}</th>']
    for column in sorted(board.columns, key=lambda column: column != board.primary):
        digits, value = f".{column.precision}f", place.values.get(column.key)
        text = "–" if value is None else f"{value:{digits}}"
        if found := place.intervals.get(column.key):
            text += f'<span class="interval">{found[0]:{digits}} – {found[1]:{digits}}</span>'
        cells.append(f'<td class="number">{text}</td>')
        if column == board.primary and axis:
            cells.append(f'<td class="strip">{_strip(place, column.key, axis)}</td>')
    cells.append(f'<td class="number">{place.entries}</td>')
    return f"<tr{' class=top' if is_after else ''}>{''.join(cells)}</tr>"


def _strip(place: Place, key: str, axis: Axis) -> str:
    """The interval on the common axis. Strokes keep their width when the drawing is stretched."""
    fixed = 'vector-effect="non-scaling-stroke"'
    lines = [f'<path class="grid" {fixed} d="M{axis.at(float(tick))} 0V10"/>' for tick in axis.ticks]
    if found := place.intervals.get(key):
        lines.append(f'<path class="whisker" {fixed} d="M{axis.at(found[0])} 5H{axis.at(found[1])}"/>')
        lines.append(f'<path class="dot" {fixed} d="M{axis.at(place.values[key])} 5h.001"/>')
    return f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{"".join(lines)}</svg>'


def _unranked(board: Board) -> str:
    names = [
        f"{place.team} ({'disqualified' if place.is_disqualified else 'no score in the ranking column'})"
        for place in board.places
        if place.rank is None
    ]
    return f'<p class="soft">Without a rank: {escape(listed(names))}.</p>' if names else ""


def _robustness(board: Board, found: Robustness) -> str:
    parts = [f"<h3>{escape(board.title)}</h3>"]
    if found.reason:
        parts.append(_paragraph(found.reason))
    orders = [*found.by_metric, *found.by_aggregation]
    if len(board.ranked) > 1 and orders:
        parts.append(_orders(board, orders))
    frequencies = found.statistics.frequencies
    if frequencies is not None and 1 < len(board.ranked) <= _SHOWN_FREQUENCIES:
        parts.append(_frequencies(board, frequencies.tolist()))
    return "".join(parts)


def _orders(board: Board, orders: Sequence[Order]) -> str:
    rows = [
        [place.team, f"{place.rank}", *(_rank(order.ranks[number]) for order in orders)]
        for number, place in enumerate(board.ranked)
    ]
    rows.append(["Kendall's tau with the leaderboard", "1", *(_tau(order.tau) for order in orders)])
    head = ["Team", "Leaderboard", *(order.title for order in orders)]
    return _table(head, rows, "Ranks by other metrics and aggregations", range(1, len(head)))


def _rank(rank: float | None) -> str:
    return "–" if rank is None else f"{rank:g}"


def _tau(tau: float | None) -> str:
    return "–" if tau is None else f"{tau:.2f}"


def _frequencies(board: Board, frequencies: Sequence[Sequence[float]]) -> str:
    head = "".join(f'<th scope="col">{rank}</th>' for rank in range(1, len(board.ranked) + 1))
    rows = "".join(
        f'<tr><th scope="row">{escape(place.team)}</th>'
        + "".join(
            f'<td style="--share:{float(share):.3f}">{percent(float(share)) if share else ""}</td>' for share in shares
        )
        + "</tr>"
        for place, shares in zip(board.ranked, frequencies, strict=True)
    )
    return (
        f'<div class="scroll"><table class="often"><caption>How often each team would have each rank in {REDRAWS:,} '
        "redraws of the cases: an illustration of chance. Quote the rank range.</caption>"
        f'<thead><tr><th scope="col">Team</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


# -- people and failures


def _participation(content: Content) -> str:
    rows = [
        [each.phase, f"{each.teams:,}", f"{each.submissions:,}", f"{each.scored:,}", f"{each.failed:,}",
         f"{each.cancelled:,}", f"{each.withdrawn:,}", each.first, each.last]
        for each in content.participation
    ]  # fmt: skip
    head = ["Phase", "Teams", "Submissions", "Scored", "Failed", "Cancelled", "Withdrawn", "First", "Last"]
    people = f"{counted(content.teams_count, 'team')} with {counted(content.members, 'member')} joined."
    return _paragraph(people) + _table(head, rows, "Submissions by phase", range(1, 7))


def _failures(failures: Sequence[Failed]) -> str:
    if not failures:
        return "<p>No attempt failed.</p>"
    rows = [[each.party, each.code, each.stage or "–", f"{each.attempts:,}", f"{each.teams:,}"] for each in failures]
    head = ["Responsible", "Failure", "Stage", "Attempts", "Teams"]
    return _table(head, rows, "All failed attempts, including retries", (3, 4))


def _teams(content: Content) -> str:
    if not content.teams:
        return "<p>No team.</p>"
    questions = content.facts["questions"]
    rows = [
        [each.name, ", ".join(each.members), *(each.answers.get(question["key"], "–") for question in questions)]
        for each in content.teams
    ]
    note = (
        ""
        if questions
        else _paragraph(
            "The challenge asked for no affiliations or method descriptions. Add such questions to its fact sheet."
        )
    )
    return note + _table(["Team", "Members", *(each["title"] for each in questions)], rows, "Teams and their answers")


def _versions(versions: Sequence[Mapping[str, Any]]) -> str:
    if not versions:
        return "<p>No version was published on a platform.</p>"
    rows = "".join(
        f'<tr><td class="number">{escape(each["number"])}</td><td>{escape(each["published"][:16].replace("T", " "))}'
        f"</td><td><code>{escape(each['digest'][:16])}</code></td>"
        f"<td>{escape(each['note']) or _NO_REASON}{_changes(each['changes'])}</td></tr>"
        for each in versions
    )
    return (
        '<div class="scroll"><table><caption>Every published version of the bundle with its reason</caption><thead><tr>'
        '<th scope="col" class="number">No.</th><th scope="col">Published</th><th scope="col">Digest</th>'
        f'<th scope="col">Reason and changes</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _changes(changes: Sequence[Mapping[str, Any]]) -> str:
    if not changes:
        return ""
    shown = [f"{each['what']}: {_short(each['old'])} → {_short(each['new'])}" for each in changes]
    return _list(shown)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_VALUES else f"{text[:_MOST_VALUES]}…"


# -- pieces


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str, numbers: Iterable[int] = ()) -> str:
    """The first cell of a row heads it. `numbers` are the columns that are aligned to the right."""
    right = {*numbers}
    marks = [' class="number"' if number in right else "" for number in range(len(head))]
    heads = "".join(f'<th scope="col"{mark}>{escape(title)}</th>' for title, mark in zip(head, marks, strict=True))
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{mark}>{escape(text)}</td>" for text, mark in zip(row[1:], marks[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _facts(pairs: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in pairs)}</dl>"


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>" if sentences else ""


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""

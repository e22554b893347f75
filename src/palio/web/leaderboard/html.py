"""The rows of a leaderboard as HTML, in the reader's language. A template would be several times slower."""

from collections.abc import Iterator, Sequence

from django.urls import reverse
from django.utils.html import escape
from django.utils.translation import get_language, gettext

from palio.core.bundle.model import Column
from palio.core.leaderboard.axis import Axis
from palio.core.leaderboard.ranking import Row, rank_text
from palio.core.leaderboard.standing import leading_group
from palio.web.http.time_html import time_html
from palio.web.language.middleware import ENGLISH
from palio.web.language.numbers import figure
from palio.web.language.words import word
from palio.web.leaderboard.formats import receipt_address
from palio.web.leaderboard.leaderboard import Leaderboard
from palio.web.leaderboard.statistics import Statistics
from palio.web.leaderboard.visibility import Visibility

_FIXED = 'vector-effect="non-scaling-stroke"'  # strokes keep their width when the drawing is stretched


class _Words:
    """The words of the rows in the reader's language, looked up once for all rows."""

    def __init__(self) -> None:
        self.receipt, self.receipt_of = gettext("receipt"), escape(gettext("Receipt of %(team)s"))
        self.failed, self.new, self.rank_here = (
            gettext("%(count)s failed"),
            gettext("new"),
            gettext("rank in this column"),
        )
        self.up, self.down = gettext("up %(places)s"), gettext("down %(places)s")
        self.baseline, self.disqualified = word("baseline"), word("disqualified")
        self.is_english = get_language() == ENGLISH


def rows_html(leaderboard: Leaderboard, statistics: Statistics, axis: Axis | None) -> Iterator[str]:
    """A `<tr>` for each row, escaped. With `axis`, intervals are drawn."""
    columns = primary_first(leaderboard.columns, leaderboard.primary)
    group = leading_group(
        [statistics.compared_range(row.entry.attempt, leaderboard.primary) for row in leaderboard.rows if row.rank]
    )
    words = _Words()
    has_line = 0 < group < len(leaderboard.rows)
    return (
        _row(row, leaderboard, columns, statistics, axis, words, is_last_of_group=has_line and place == group)
        for place, row in enumerate(leaderboard.rows, start=1)
    )


def primary_first(columns: Sequence[Column], primary: Column) -> list[Column]:
    """The columns in the page's order: the primary one is visible on a phone, too."""
    return sorted(columns, key=lambda column: column != primary)


def _row(
    row: Row,
    leaderboard: Leaderboard,
    columns: Sequence[Column],
    known: Statistics,
    axis: Axis | None,
    words: "_Words",
    *,
    is_last_of_group: bool,
) -> str:
    cells = [
        f'<td class="rank">{rank_text(row.rank, known.ranges.get(row.entry.attempt))}</td>',
        f'<th scope="row" class="team">{_name(row, leaderboard, words)}</th>',
    ]
    for column in columns:
        is_primary = column == leaderboard.primary
        interval = known.interval(row.entry.attempt, column) if row.rank else None
        cells.append(_cell(row, column, interval, words, is_primary=is_primary))
        if is_primary and axis:
            drawn = _drawn(row.values[column.key], interval, axis) if interval else ""
            cells.append(f'<td class="strip">{drawn}</td>')
    cells += [
        f'<td class="number">{_entries(row, leaderboard, words)}</td>',
        f'<td class="last">{time_html(row.last)}</td>',
    ]
    if leaderboard.movements:
        cells.append(f'<td class="moved">{_moved(row, leaderboard, words)}</td>')
    answers = leaderboard.answers.get(row.entry.label, {})
    cells += [f"<td>{_answer(answers.get(question.key, '–'))}</td>" for question in leaderboard.questions]
    if leaderboard.visibility is Visibility.ALL:
        address = receipt_address(row)
        link = (
            f'<a href="{address}" aria-label="{words.receipt_of % {"team": escape(row.name)}}">{words.receipt}</a>'
            if address
            else "–"
        )
        cells.append(f"<td>{link}</td>")
    marks = " ".join([*["out"] * bool(row.entry.disqualified), *["group-end"] * is_last_of_group])
    start = f'<tr class="{marks}">' if marks else "<tr>"
    return f"{start}{''.join(cells)}</tr>"


def _answer(text: str) -> str:
    """An answer that is a web address is a link, such as to the description of a method."""
    shown: str = escape(text)
    if not text.startswith(("https://", "http://")) or any(sign.isspace() for sign in text):
        return shown
    host = escape(text.split("/")[2][:40])
    return f'<a href="{shown}" rel="nofollow noopener ugc" title="{shown}">{host}</a>'


def _entries(row: Row, leaderboard: Leaderboard, words: _Words) -> str:
    failed = leaderboard.failed_of(row)
    if not failed:
        return f"{row.entries}"
    return f'{row.entries}<span class="failed-count">{words.failed % {"count": failed}}</span>'


def _moved(row: Row, leaderboard: Leaderboard, words: _Words) -> str:
    if row.entry.label not in leaderboard.movements:
        return ""
    places = leaderboard.movements[row.entry.label]
    if places is None:
        return f'<span class="badge busy">{words.new}</span>'
    if places == 0:
        return '<span class="soft">–</span>'
    kind, arrow, form = ("up", "↑", words.up) if places > 0 else ("down", "↓", words.down)
    return f'<span class="{kind}" aria-label="{form % {"places": abs(places)}}">{arrow}{abs(places)}</span>'


def _name(row: Row, leaderboard: Leaderboard, words: _Words) -> str:
    name: str = escape(row.name)
    if leaderboard.has_page(row):
        name = f'<a href="{reverse("pages:team", kwargs={"team": row.entry.team})}">{name}</a>'
    elif leaderboard.visibility is not Visibility.PUBLIC:
        name = f'<a href="{reverse("pages:submission", kwargs={"submission": row.entry.label})}">{name}</a>'
    if row.entry.baseline:
        name += f' <span class="badge baseline">{words.baseline}</span>'
    if reason := row.entry.disqualified:
        name += f' <span class="badge disqualified" title="{escape(reason)}">{words.disqualified}</span>'
    if affiliation := leaderboard.affiliation_of(row):
        name += f' <span class="affiliation">{escape(affiliation)}</span>'
    return name


def _cell(row: Row, column: Column, interval: tuple[float, float] | None, words: _Words, *, is_primary: bool) -> str:
    digits = f".{column.precision}f"
    text = f"{row.values[column.key]:{digits}}" if column.key in row.values else "–"
    ends = f"{interval[0]:{digits}} – {interval[1]:{digits}}" if interval else ""
    if not words.is_english:
        text, ends = figure(text), figure(ends)
    if not is_primary:
        rank = row.ranks.get(column.key)
        shown = f' title="{words.rank_here}">#{rank}' if rank else ">"
        text += f'<span class="place"{shown}</span>'
    if ends:
        text += f'<span class="interval">{ends}</span>'
    return f'<td class="number{" primary" if is_primary else ""}">{text}</td>'


def _drawn(value: float, interval: tuple[float, float], axis: Axis) -> str:
    """Cut off at the ends of the axis; an arrow stands for an interval beyond them."""
    low, high = (min(100.0, max(0.0, axis.at(end))) for end in interval)
    grid = "".join(f'<path class="grid" {_FIXED} d="M{axis.at(float(tick))} 0V10"/>' for tick in axis.ticks)
    marks = f'<path class="whisker" {_FIXED} d="M{low} 5H{high}"/>'
    if low == high:
        marks = f'<path class="beyond" {_FIXED} d="M{abs(low - 3)} 2L{low} 5L{abs(low - 3)} 8"/>'
    if 0 <= axis.at(value) <= 100:
        marks += f'<path class="dot" {_FIXED} d="M{axis.at(value)} 5h.001"/>'
    return f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{grid}{marks}</svg>'

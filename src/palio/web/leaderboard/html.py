"""The rows of a board as HTML: made here and not by a template, as there are hundreds, and anew with each new score."""

from collections.abc import Iterator, Sequence

from django.urls import reverse
from django.utils.html import escape

from palio.core.bundle.model import Column
from palio.core.leaderboard.axis import Axis
from palio.web.leaderboard.ranked import Board, BoardRow, Sight
from palio.web.leaderboard.statistics import Answer
from palio.web.templatetags.palio import when

_TITLE = ' title="rank in this column"'
_FIXED = 'vector-effect="non-scaling-stroke"'  # strokes keep their width while the picture is stretched to its cell


def rows_html(board: Board, answer: Answer, axis: Axis | None) -> Iterator[str]:
    """Of each row its `<tr>`; with `axis` there is a strip that shows the interval. What people wrote is escaped."""
    columns = primary_first(board.columns, board.primary)
    return (_row(row, board, columns, answer, axis) for row in board.rows)


def _row(row: BoardRow, board: Board, columns: Sequence[Column], answer: Answer, axis: Axis | None) -> str:
    ends = answer.intervals.get(row.attempt) if row.rank else None
    cells = [
        f'<td class="rank">{_rank(row, answer)}</td>',
        f'<th scope="row" class="team">{_name(row, board)}</th>',
    ]
    for column in columns:
        is_primary = column == board.primary
        cells.append(_cell(row, column, ends if is_primary else None, is_primary=is_primary))
        if is_primary and axis:
            cells.append(f'<td class="strip">{_strip(row.values[column.key], ends, axis) if ends else ""}</td>')
    cells += [f'<td class="number">{row.entries}</td>', f'<td class="last">{when(row.last)}</td>']
    start = '<tr class="out">' if row.disqualified else "<tr>"
    return f"{start}{''.join(cells)}</tr>"


def primary_first(columns: Sequence[Column], primary: Column) -> list[Column]:
    """How columns stand on the page: what decides is seen first, on a phone too."""
    return sorted(columns, key=lambda column: column != primary)


def _rank(row: BoardRow, answer: Answer) -> str:
    """The range of places, which is the number on the board; one number where it is one, or no range is known."""
    first, last = answer.ranges.get(row.attempt) or (row.rank, row.rank)
    return "–" if row.rank is None else f"{first}–{last}" if first != last else str(first)


def _name(row: BoardRow, board: Board) -> str:
    name: str = escape(row.name)
    if board.sight is not Sight.PUBLIC:
        name = f'<a href="{reverse("pages:submission", kwargs={"submission": row.submission})}">{name}</a>'
    if row.baseline:
        name += ' <span class="badge baseline">baseline</span>'
    if row.disqualified:
        name += f' <span class="badge disqualified" title="{escape(row.disqualified)}">disqualified</span>'
    return name


def _cell(row: BoardRow, column: Column, ends: tuple[float, float] | None, *, is_primary: bool) -> str:
    digits = f".{column.precision}f"
    text = f"{row.values[column.key]:{digits}}" if column.key in row.values else "–"
    if not is_primary:
        rank = row.ranks.get(column.key)
        text += f'<span class="place"{_TITLE if rank else ""}>{f"#{rank}" if rank else ""}</span>'
    if ends:
        text += f'<span class="interval">{ends[0]:{digits}} – {ends[1]:{digits}}</span>'
    return f'<td class="number{" primary" if is_primary else ""}">{text}</td>'


def _strip(value: float, ends: tuple[float, float], axis: Axis) -> str:
    low, high = (axis.at(end) for end in ends)
    grid = "".join(f'<path class="grid" {_FIXED} d="M{axis.at(float(tick))} 0V10"/>' for tick in axis.ticks)
    return (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{grid}'
        f'<path class="whisker" {_FIXED} d="M{low} 5H{high}"/>'
        f'<path class="dot" {_FIXED} d="M{axis.at(value)} 5h.001"/></svg>'
    )

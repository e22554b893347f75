"""A re-score beside the current scores: changed ranks and scores, and submissions that lose theirs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count, QuerySet
from django.http import Http404
from django.utils.translation import gettext

from palio.core.attempt.states import ENDS, State
from palio.core.bundle.model import Column, Leaderboard
from palio.core.leaderboard.ranking import EQUAL
from palio.web.language.numbers import number
from palio.web.models import Attempt, Challenge, Rescore
from palio.web.verbs.rescore import RankChange, RescoreComparison, boards_of, compare

SHOWN = 200  # single submissions


@dataclass(frozen=True)
class RescoreProgress:
    """Counts submissions; a retry after a platform error does not count twice."""

    total: int
    ended: int

    @property
    def left(self) -> int:
        return self.total - self.ended


@dataclass(frozen=True)
class Cell:
    """A value before and after, rounded as on the leaderboard; `exact` is set if only more digits tell them apart."""

    old: str
    new: str
    exact: str = ""

    @property
    def changed(self) -> bool:
        return self.old != self.new or bool(self.exact)


@dataclass(frozen=True)
class RescoredRow:
    """A row before and after. `rank` is the rank before and after, `moved` the difference in words."""

    change: RankChange
    rank: Cell
    moved: str
    cells: tuple[Cell, ...]
    reason: str = ""  # why it changes, in words

    @property
    def moved_kind(self) -> str:
        """A class of badges in palio.css."""
        old, new = self.change.old, self.change.new
        before, after = old.rank if old else None, new.rank if new else None
        if before is None:
            return "busy"
        return "good" if after is not None and after < before else "bad"

    @property
    def changed(self) -> bool:
        return self.rank.changed or any(cell.changed for cell in self.cells)


def listed(challenge: Challenge) -> QuerySet[Rescore]:
    """Newest first, with the number of submissions."""
    rows = challenge.rescores.select_related("created_by", "version")
    return rows.annotate(count=Count("attempts__submission", distinct=True)).order_by("-created")


def progress(rescore: Rescore) -> RescoreProgress:
    total = rescore.attempts.values("submission").distinct().count()
    open_ones = rescore.attempts.exclude(state__in=[*ENDS]).values("submission").distinct().count()
    return RescoreProgress(total, total - open_ones)


def chosen_board(rescore: Rescore, key: str | None) -> Leaderboard:
    """The leaderboard with this key; without one, the first. Raises Http404."""
    boards = boards_of(rescore)
    board = next((board for board in boards if board.key == key), None) if key else boards[0]
    if board is None:
        raise Http404
    return board


def shown(rescore: Rescore, board: Leaderboard) -> dict[str, Any]:
    """A leaderboard before and after while there is a decision to make; afterwards only the single submissions."""
    is_open = rescore.state in (Rescore.State.RUNNING, Rescore.State.READY)
    is_running = rescore.state == Rescore.State.RUNNING
    columns = [column for column in board.columns if not column.hidden]
    given: dict[str, Any] = {
        "board": board,
        "boards": boards_of(rescore),
        "columns": columns,
        "is_open": is_open,
        "single": () if is_running else _single(rescore, columns),
    }
    if is_open:
        comparison = compare(rescore, board)
        lines = [] if is_running else lines_of(comparison, board)
        given |= {
            "lines": lines,
            "changed": sum(line.changed for line in lines),
            "losing": comparison.losing[:SHOWN],
            "losing_count": len(comparison.losing),
            "unscored": comparison.unscored[:SHOWN],
            "unscored_count": len(comparison.unscored),
            "refusal": comparison.refusal,
        }
    return given


def lines_of(comparison: RescoreComparison, board: Leaderboard) -> list[RescoredRow]:
    """Every row of the comparison, in its order, with what changes and why."""
    columns = [column for column in board.columns if not column.hidden]
    codes = {attempt.submission_id: attempt.failure_code or attempt.state for attempt in comparison.failed}
    return [_line(change, columns, board.primary, codes) for change in comparison.changes]


def _line(change: RankChange, columns: Sequence[Column], primary: Column, failed: Mapping[str, str]) -> RescoredRow:
    old, new = change.old, change.new
    before, after = old.rank if old else None, new.rank if new else None
    cells = tuple(_cell(old.values if old else {}, new.values if new else {}, column) for column in columns)
    row = RescoredRow(change, Cell(_rank(before), _rank(after)), _moved(before, after), cells)
    return replace(row, reason=_reason(row, columns, primary, failed)) if row.changed else row


def _reason(row: RescoredRow, columns: Sequence[Column], primary: Column, failed: Mapping[str, str]) -> str:
    old, new = row.change.old, row.change.new
    if new is None:
        code = failed.get(old.entry.label, "") if old else ""
        return gettext("no new score (%(code)s)") % {"code": code} if code else gettext("no new score")
    if old is None:
        return gettext("scored now, not scored before")
    if old.entry.label != new.entry.label:
        code = failed.get(old.entry.label, "")
        if code:
            return gettext("another submission counts; the one before has no new score (%(code)s)") % {"code": code}
        return gettext("another submission counts")
    changed = [column for column, cell in zip(columns, row.cells, strict=True) if cell.changed]
    if primary in changed:
        return gettext("%(columns)s changed") % {"columns": primary.title}
    if row.rank.changed:
        return gettext("others moved")
    return gettext("%(columns)s changed") % {"columns": ", ".join(column.title for column in changed)}


def _rank(rank: int | None) -> str:
    return "–" if rank is None else str(rank)


def _moved(before: int | None, after: int | None) -> str:
    if before == after:
        return ""
    if before is None:
        return gettext("new")
    if after is None:
        return gettext("loses its rank")
    if after < before:
        return gettext("up %(places)s") % {"places": before - after}
    return gettext("down %(places)s") % {"places": after - before}


def _cell(old: Mapping[str, float], new: Mapping[str, float], column: Column) -> Cell:
    before, after = old.get(column.key), new.get(column.key)
    texts = [number(value, f".{column.precision}f") if value is not None else "–" for value in (before, after)]
    is_equal = before == after or (
        before is not None and after is not None and math.isclose(before, after, rel_tol=EQUAL, abs_tol=EQUAL)
    )  # as for ranks
    exact = f"{before!r} → {after!r}" if not is_equal and texts[0] == texts[1] else ""
    return Cell(texts[0], texts[1], exact)


def _single(rescore: Rescore, columns: Sequence[Column]) -> list[tuple[Attempt, tuple[Cell, ...]]]:
    """The first submissions whose scores change or are missing."""
    rows = rescore.attempts.filter(state__in=[State.SCORED, State.FAILED]).select_related("submission__team", "source")
    latest = {attempt.submission_id: attempt for attempt in rows.order_by("submission__created", "number")}
    found = []
    for attempt in latest.values():
        before = (attempt.source.scores if attempt.source else None) or {}
        cells = tuple(_cell(before, attempt.scores or {}, column) for column in columns if not column.computation)
        if any(cell.changed for cell in cells):  # one that had no score and has none does not change
            found.append((attempt, cells))
    return found[:SHOWN]

"""Who sees what of a leaderboard. Nothing else decides this."""

from collections.abc import Collection
from enum import StrEnum

from palio.core.bundle.feedback import may_compare
from palio.core.bundle.leaderboards import leaderboards_of, score_columns, shown_leaderboards
from palio.core.bundle.model import Bundle, Column, Leaderboard, Phase, ScorePolicy
from palio.core.bundle.task_columns import columns_of
from palio.web.access.rules import VIEWER
from palio.web.http.request import Relation


class Visibility(StrEnum):
    ALL = "all"  # for organizers, scorers, viewers and admins
    PUBLIC = "public"  # for everybody, if nothing is hidden
    OWN = "own"  # of a hidden leaderboard: a team's own scores, without ranks
    NONE = "none"  # of a phase whose scores are hidden


def visibility(relations: Collection[Relation], board: Leaderboard, phase: Phase) -> Visibility:
    """What somebody with these relations to the challenge may see."""
    if VIEWER & frozenset(relations):
        return Visibility.ALL
    if hides_scores(phase):
        return Visibility.NONE
    return Visibility.OWN if board.hidden else Visibility.PUBLIC


def listed_leaderboards(relations: Collection[Relation], bundle: Bundle, phase: Phase) -> tuple[Leaderboard, ...]:
    """The leaderboards of a phase to choose from: without hidden ones for participants, unless all are hidden."""
    return leaderboards_of(bundle, phase) if VIEWER & frozenset(relations) else shown_leaderboards(bundle, phase)


def shows_exact(relations: Collection[Relation], phase: Phase) -> bool:
    """Whether somebody may read exact scores of the phase, and what compares submissions case by case."""
    return bool(VIEWER & frozenset(relations)) or may_compare(phase.rules.feedback)


def hides_scores(phase: Phase) -> bool:
    """Whether the phase is blind: participants see no scores, not even their own."""
    return phase.rules.scores is ScorePolicy.HIDDEN


def visible_columns(bundle: Bundle, phase: Phase | None) -> tuple[Column, ...]:
    """Those of all leaderboards of a phase; without one, of all phases."""
    return tuple(column for column in score_columns(bundle, phase) if not column.hidden)


def shown_columns(board: Leaderboard, phase: Phase) -> tuple[Column, ...]:
    """Those of one leaderboard."""
    return tuple(column for column in columns_of(board.columns, phase) if not column.hidden)

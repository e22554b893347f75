"""Who sees what of a leaderboard. Nothing else decides this."""

from collections.abc import Collection
from enum import StrEnum

from palio.core.bundle.model import Bundle, Column, Phase, ScorePolicy
from palio.core.bundle.task_columns import columns_of
from palio.web.access.rules import VIEWER
from palio.web.http.request import Relation


class Visibility(StrEnum):
    ALL = "all"  # for organizers, scorers, viewers and admins
    PUBLIC = "public"  # for everybody, if nothing is hidden
    OWN = "own"  # of a hidden leaderboard: a team's own scores, without ranks
    NONE = "none"  # of a phase whose scores are hidden


def visibility(relations: Collection[Relation], bundle: Bundle, phase: Phase) -> Visibility:
    """What somebody with these relations to the challenge may see."""
    if VIEWER & frozenset(relations):
        return Visibility.ALL
    if hides_scores(phase):
        return Visibility.NONE
    return Visibility.OWN if bundle.leaderboard.hidden else Visibility.PUBLIC


def hides_scores(phase: Phase) -> bool:
    """Whether the phase is blind: participants see no scores, not even their own."""
    return phase.rules.scores is ScorePolicy.HIDDEN


def visible_columns(bundle: Bundle, phase: Phase | None) -> tuple[Column, ...]:
    """Those of a phase; without one, of all phases."""
    columns = bundle.leaderboard.columns if phase is None else columns_of(bundle.leaderboard.columns, phase)
    return tuple(column for column in columns if not column.hidden)

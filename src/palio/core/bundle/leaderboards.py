"""The leaderboards of a phase: which ones it has, their columns, and which submissions have a row in them."""

from dataclasses import replace

from palio.core.bundle.model import Bundle, Column, Leaderboard, Phase, RankingPolicy
from palio.core.bundle.task_columns import columns_of

SUBMISSION_RULES = {
    "Add": RankingPolicy(choose="team", removable=False),
    "Add_And_Delete": RankingPolicy(choose="team"),
    "Add_And_Delete_Multiple": RankingPolicy(choose="team", several=True),
    "Force_Last": RankingPolicy(choose="last"),
    "Force_Latest_Multiple": RankingPolicy(choose="all"),
    "Force_Best": RankingPolicy(choose="best"),
}
BEST = RankingPolicy(choose="best")


def leaderboards_of(bundle: Bundle, phase: Phase | None) -> tuple[Leaderboard, ...]:
    """Those that the phase names, in its order, else all. Without a phase, all."""
    by_key = {board.key: board for board in bundle.leaderboards}
    named = [by_key[key] for key in (phase.leaderboards if phase else ()) if key in by_key]
    return tuple(named) or bundle.leaderboards


def find_leaderboard(bundle: Bundle, phase: Phase, key: str | None) -> Leaderboard | None:
    """The one with this key; without a key, the first that is not hidden, else the first."""
    boards = leaderboards_of(bundle, phase)
    if key:
        return next((board for board in boards if board.key == key), None)
    return next((board for board in boards if not board.hidden), boards[0])


def ranking_of(phase: Phase, leaderboard: Leaderboard) -> RankingPolicy:
    """What `palio.ranking` of the phase says, else the submission rule of the leaderboard, else the best."""
    if phase.rules.ranking.choose:
        return phase.rules.ranking
    return SUBMISSION_RULES.get(leaderboard.submission_rule, BEST)


def score_columns(bundle: Bundle, phase: Phase | None) -> tuple[Column, ...]:
    """The columns of all leaderboards of a phase, each key once; without a phase, those of all phases.

    Where leaderboards share a key, the column of the first one is returned, preferably one with scores of its own. It
    is hidden only if it is hidden in all of them, and required if it is in any.
    """
    found: dict[str, Column] = {}
    for board in leaderboards_of(bundle, phase):
        for column in board.columns if phase is None else columns_of(board.columns, phase):
            known = found.get(column.key)
            found[column.key] = column if known is None else _merged(known, column)
    return tuple(found.values())


def primary_of(bundle: Bundle, phase: Phase | None) -> Column:
    """The primary column of the first leaderboard of a phase."""
    return leaderboards_of(bundle, phase)[0].primary


def _merged(first: Column, second: Column) -> Column:
    kept = second if first.computation and not second.computation else first
    return replace(kept, hidden=first.hidden and second.hidden, required=first.required or second.required)

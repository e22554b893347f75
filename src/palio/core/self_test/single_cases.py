"""Checks that scores follow from the file of single cases, which intervals and rank ranges are computed from."""

from collections.abc import Sequence

from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Bundle, Phase
from palio.core.bundle.task_columns import own_columns
from palio.core.leaderboard.run_cases import checked_cases
from palio.core.self_test.scoring import Check, Tried

_NEXT = (
    "Let the scoring program write one row for each case that counts toward the score, and no others. Until then, the "
    "leaderboard has no intervals and no rank ranges."
)


def check_cases(bundle: Bundle, phase: Phase, tried: Sequence[Tried]) -> Check | None:
    """Compares the scores of all that was scored with those of its single cases. None if the phase declares none.

    Right answers are not enough: with them, most metrics are 0 or 1 for any choice of cases.
    """
    policy = phase.rules.statistics
    if policy is None:
        return None
    name, keys = f"the scores follow from {policy.cases}", dict[str, None]()
    for board in leaderboards_of(bundle, phase):
        columns = [column for column in own_columns(board.columns) if policy.metric_of(column, board.primary)]
        keys |= dict.fromkeys(column.key for column in columns)
        for each in tried:
            if each.result.scores is None:
                continue
            _, faults = checked_cases(each.folder.root, policy, columns, board.primary, each.result.scores)
            if faults:
                return Check(name, False, next(iter(faults.values())), each.log, _NEXT)
    return Check(name, True, ", ".join(keys)) if keys else None

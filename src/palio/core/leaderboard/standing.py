"""What the rank ranges of a leaderboard justify saying: who cannot be told from the first, and what one case is worth.

The same for run folders, page, API and command line. Without numpy.
"""

from collections.abc import Sequence

from palio.core.bundle.case_metrics import KINDS, WrittenMetric
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import counted

_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_EXACT, _ABOUT = {"accuracy", "recall_weighted"}, {"f1_weighted", "precision_weighted"}


def leading_group(ranges: Sequence[tuple[int, int] | None]) -> int:
    """How many rows, best first, cannot be told from the first: no row is significantly better than one of them.

    Counts from the top to the last row without a gap; 0 without ranges.
    """
    group = 0
    for found in ranges:
        if found is None or found[0] > 1:
            break
        group += 1
    return group


def standing(ranges: Sequence[tuple[int, int] | None], cases: int | None) -> list[str]:
    """A sentence about the ranges of all ranked rows, best first; none if some were not compared (None)."""
    if len(ranges) < 2 or None in ranges or not cases:
        return []
    group, on = leading_group(ranges), counted(cases, "case")
    if group == len(ranges):
        everyone = "the two" if group == 2 else f"the first {group:,}" if group > 12 else f"all {_word(group)}"
        return [f"{on} cannot tell {everyone} apart."]
    if group > 1:
        return [f"{on} cannot tell the first {_word(group)} apart."]
    if ranges[0] == (1, 1):
        return [f"{on} tell the first from all others."]
    return [f"{on} cannot tell the first from some that stand below the second."]


def worth_of_case(policy: StatisticsPolicy | None, primary: Column, cases: int | None, tasks: int = 1) -> float | None:
    """How much the score changes if one more case is right: of accuracies, and about so much of weighted averages."""
    metric = policy.metric_of(primary, primary) if policy else None
    name = WrittenMetric.parse(metric).name if metric else ""
    is_known = policy is not None and policy.kind == "classification" and name in _EXACT | _ABOUT
    return 1 / cases if is_known and cases and tasks == 1 else None


def worth_text(policy: StatisticsPolicy | None, primary: Column, cases: int | None, tasks: int = 1) -> str:
    """A sentence such as "One case is worth 0.0017."; empty where a case has no fixed worth."""
    worth = worth_of_case(policy, primary, cases, tasks)
    if worth is None or policy is None:
        return ""
    name = WrittenMetric.parse(policy.metric_of(primary, primary) or "").name
    return f"One case is worth {'' if name in _EXACT else 'about '}{worth:.2g}."


def suggested_policy(primary: Column) -> str:
    """Lines of competition.yaml that would give the column an interval, guessed from its key."""
    key = primary.key.casefold().replace("-", "_")
    alias = {"f1": "f1_weighted", "precision": "precision_weighted", "recall": "recall_weighted", "auroc": "auc"}
    name = alias.get(key, key)
    for kind in ("classification", "probability", "pairs"):
        known = KINDS[kind].get(name)
        if (known and known.argument is None) or (known and known.is_optional):
            return f"palio:\n  statistics: {{cases: cases.csv, kind: {kind}, metric: {name}}}\n"
    return f"palio:\n  statistics: {{cases: cases.csv, kind: mean, metric: mean({primary.key})}}\n"


def _word(number: int) -> str:
    return _WORDS[number - 2] if 2 <= number <= 12 else f"{number:,}"

"""What the rank ranges of a leaderboard justify saying: who cannot be told from the first, and what one case is worth.

The same for run folders, page, API and command line. Without numpy.
"""

from collections.abc import Sequence

from palio.core.bundle.case_metrics import KINDS, WrittenMetric
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.sentences import Figure, Sentence

_WORDS = (
    Sentence("two"),
    Sentence("three"),
    Sentence("four"),
    Sentence("five"),
    Sentence("six"),
    Sentence("seven"),
    Sentence("eight"),
    Sentence("nine"),
    Sentence("ten"),
    Sentence("eleven"),
    Sentence("twelve"),
)
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
    group, on = leading_group(ranges), {"cases": Figure(f"{cases:,}")}
    if group == len(ranges) == 2:
        said = Sentence.of_count(
            "%(cases)s case cannot tell the two apart.", "%(cases)s cases cannot tell the two apart.", cases, **on
        )
    elif group == len(ranges) <= 12:
        said = Sentence.of_count(
            "%(cases)s case cannot tell all %(teams)s apart.",
            "%(cases)s cases cannot tell all %(teams)s apart.",
            cases,
            **on,
            teams=_word(group),
        )
    elif group > 1:
        said = Sentence.of_count(
            "%(cases)s case cannot tell the first %(teams)s apart.",
            "%(cases)s cases cannot tell the first %(teams)s apart.",
            cases,
            **on,
            teams=_word(group),
        )
    elif ranges[0] == (1, 1):
        said = Sentence.of_count(
            "%(cases)s case tell the first from all others.",
            "%(cases)s cases tell the first from all others.",
            cases,
            **on,
        )
    else:
        said = Sentence.of_count(
            "%(cases)s case cannot tell the first from some that stand below the second.",
            "%(cases)s cases cannot tell the first from some that stand below the second.",
            cases,
            **on,
        )
    return [said]


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
    value = Figure(f"{worth:.2g}")
    if name in _EXACT:
        return Sentence("One case is worth %(worth)s.", worth=value)
    return Sentence("One case is worth about %(worth)s.", worth=value)


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
    return _WORDS[number - 2] if 2 <= number <= 12 else Figure(f"{number:,}")

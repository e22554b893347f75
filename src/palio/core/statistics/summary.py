"""Statistics of a leaderboard, from the single cases behind its scores: intervals, comparisons and rank ranges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from palio.core.statistics.cases import Answers, Cases
from palio.core.statistics.comparisons import Comparison, compare_all, is_exact
from palio.core.statistics.intervals import Interval, mean_confusion_interval
from palio.core.statistics.metrics import confusion_matrix
from palio.core.statistics.ranks import rank_frequencies, rank_ranges


@dataclass(frozen=True)
class RankStatistics:
    """For M scores, best first. What the cases do not allow is None or empty, and `reason` says why."""

    comparisons: tuple[Comparison, ...] = ()  # submissions are numbered from 0, best first
    ranges: tuple[tuple[int, int], ...] | None = None
    frequencies: tuple[tuple[float, ...], ...] | None = None  # row i: how often i takes rank 1, 2, ... M
    cases: int | None = None  # on which they were compared
    reason: str = ""
    is_exact: bool = False  # compared by exact McNemar instead of by permutation


def score_interval(tasks: Sequence[Cases], metric: str) -> Interval:
    """The interval of one submission's metric, or of its mean over several tasks. Other submissions do not matter."""
    of_tasks = [Answers.of([cases]) for cases in tasks]
    return mean_confusion_interval(
        [confusion_matrix(answers.truth, answers.predictions[0], len(answers.classes)) for answers in of_tasks], metric
    )


def rank_statistics(
    scores: Sequence[float], cases: Sequence[Sequence[Cases] | None], metric: str, *, frequencies: bool = False
) -> RankStatistics:
    """Compares all submissions with each other. `scores` are the metric's own values; higher is better. `cases` are
    those of each task, for each submission.

    A submission without cases is compared with none, which can only widen ranges; frequencies need the cases of all.
    If submissions were scored on different cases, nothing is compared.
    """
    compared = [place for place, found in enumerate(cases) if found is not None]
    if len(compared) < 2:
        return RankStatistics(reason="Fewer than two submissions have single cases to compare.")
    try:
        tasks = [Answers.of(list(one)) for one in zip(*filter(None, cases), strict=True)]
    except ValueError:
        return RankStatistics(reason="The submissions were scored on different cases and cannot be compared.")
    comparisons = tuple(replace(pair, a=compared[pair.a], b=compared[pair.b]) for pair in compare_all(tasks, metric))
    redrawn = None
    if frequencies and len(compared) == len(scores):
        redrawn = tuple(tuple(map(float, row)) for row in rank_frequencies(tasks, metric))
    count = sum(len(answers.truth) for answers in tasks)
    exact = is_exact(len(tasks), metric)
    return RankStatistics(comparisons, tuple(rank_ranges(scores, comparisons)), redrawn, count, is_exact=exact)

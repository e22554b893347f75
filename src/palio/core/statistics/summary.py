"""How certain a whole board is, from the single cases behind its scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from palio.core.statistics.cases import Answers, Cases
from palio.core.statistics.comparisons import Comparison, compare_all
from palio.core.statistics.intervals import Interval, confusion_interval
from palio.core.statistics.metrics import confusion_matrix
from palio.core.statistics.ranks import rank_frequencies, rank_ranges


@dataclass(frozen=True)
class Certainty:
    """For M scores in the order of the board; what the cases do not allow to say is None or empty."""

    intervals: tuple[Interval | None, ...]
    comparisons: tuple[Comparison, ...] = ()  # between places on the board, counted from 0
    ranges: tuple[tuple[int, int], ...] | None = None
    frequencies: tuple[tuple[float, ...], ...] | None = None  # row i: how often i takes place 1, 2, ... M
    cases: int | None = None  # on which they were compared


def certainty(scores: Sequence[float], cases: Sequence[Cases | None], metric: str) -> Certainty:
    """Intervals of the metric, and ranges and frequencies of ranks. Scores are the metric's own; higher is better.

    A submission without cases is compared with none, which can only widen ranges; frequencies need all cases. If the
    cases of some are not those of the others, nothing is compared.
    """
    intervals = tuple(None if found is None else _interval(found, metric) for found in cases)
    compared = [place for place, found in enumerate(cases) if found is not None]
    if len(compared) < 2:
        return Certainty(intervals)
    try:
        answers = Answers.of([found for found in cases if found is not None])
    except ValueError:
        return Certainty(intervals)
    comparisons = tuple(replace(pair, a=compared[pair.a], b=compared[pair.b]) for pair in compare_all(answers, metric))
    frequencies = None
    if len(compared) == len(scores):
        frequencies = tuple(tuple(map(float, row)) for row in rank_frequencies(answers, metric))
    return Certainty(intervals, comparisons, tuple(rank_ranges(scores, comparisons)), frequencies, len(answers.truth))


def _interval(cases: Cases, metric: str) -> Interval:
    """From the submission's own classes, so that it does not depend on who else stands on the board."""
    answers = Answers.of([cases])
    matrix = confusion_matrix(answers.truth, answers.predictions[0], len(answers.classes))
    return confusion_interval(matrix, metric)

"""Statistics of a leaderboard, from the single cases behind its scores: intervals, comparisons, ranks, redraws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from palio.core.statistics.cases import DIFFERENT, Answers, Compared, SingleCases, compared
from palio.core.statistics.comparisons import Comparison, columns, holm, only_right
from palio.core.statistics.intervals import Interval
from palio.core.statistics.methods import Method
from palio.core.statistics.metrics import Codes, Floats
from palio.core.statistics.ranks import (
    Ranks,
    frequencies_of_ranks,
    number_better,
    ranges_of_pairs,
    redrawn_scores,
    share_reversed,
)

NOTHING_TO_COMPARE = "Fewer than two submissions have single cases to compare."


@dataclass(frozen=True, eq=False)
class AllPairs:
    """The compared pairs of M submissions, each an array of shape (P,): a loop over 124,750 objects would be slow.

    `adjusted` are p-values after Holm. `only` of shape (P, 2) are the cases that only one of the two has right; None
    where cases are not right or wrong.
    """

    a: Codes
    b: Codes
    p_values: Floats
    adjusted: Floats
    only: Codes | None = None

    def __iter__(self) -> Iterator[Comparison]:
        only: list[tuple[int | None, int | None]] = [(None, None)] * len(self.a)
        if self.only is not None:
            only = [(of_a, of_b) for of_a, of_b in self.only.tolist()]
        numbers = zip(
            self.a.tolist(), self.b.tolist(), only, self.p_values.tolist(), self.adjusted.tolist(), strict=True
        )
        return (Comparison(a, b, of_a, of_b, p, adjusted) for a, b, (of_a, of_b), p, adjusted in numbers)


@dataclass(frozen=True, eq=False)
class RankStatistics:
    """For M scores, best first. What the cases do not allow is None or empty, and `reason` says why.

    `reversals[i]` is the chance that submission i + 1 is better than submission i, which is shown ahead of it.
    """

    pairs: AllPairs | None = None  # submissions are numbered from 0, best first
    ranges: tuple[tuple[int, int], ...] | None = None
    frequencies: Floats | None = None  # shape (M, M): how often submission i (row) takes rank 1, 2, ... M
    reversals: tuple[float | None, ...] = ()
    cases: int | None = None  # on which they were compared
    reason: str = ""
    test: str = ""  # by which they were compared

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        return tuple(self.pairs or ())


def score_value(tasks: Sequence[SingleCases], method: Method) -> float:
    """One submission's metric, or its mean over several tasks. Raises ValueError with a clause if it has none."""
    return float(np.mean([method.values(compared([cases]))[0] for cases in tasks]))


def score_interval(tasks: Sequence[SingleCases], method: Method) -> Interval:
    """The interval of that value. Other submissions do not matter. Raises ValueError with a clause if it has none."""
    return method.interval([compared([cases]) for cases in tasks])


def rank_statistics(
    scores: Sequence[float],
    cases: Sequence[Sequence[SingleCases] | None],
    method: Method | None,
    *,
    descending: bool = True,
    frequencies: bool = False,
) -> RankStatistics:
    """Compares all submissions with each other. `scores` are the metric's own values. `cases` are those of each task,
    for each submission.

    A submission without cases is compared with none, which can only widen ranges; frequencies need the cases of all.
    If submissions were scored on different cases, nothing is compared.
    """
    known = [place for place, found in enumerate(cases) if found is not None]
    if method is None or len(known) < 2:
        return RankStatistics(reason=NOTHING_TO_COMPARE)
    try:
        tasks = [compared(one) for one in zip(*filter(None, cases), strict=True)]
    except ValueError:
        return RankStatistics(reason=f"{DIFFERENT[0].upper()}{DIFFERENT[1:]}.")
    try:
        table = pair_table(tasks, method)
        redraws = Redraws.of(tasks, method, descending=descending) if frequencies else None
    except ValueError as error:
        return RankStatistics(reason=f"The submissions cannot be compared: {error}.")
    return standing(scores, known, tasks, method, table, redraws, descending=descending)


def standing(
    scores: Sequence[float],
    known: Sequence[int],
    tasks: Sequence[Compared],
    method: Method,
    table: "PairTable",
    redraws: "Redraws | None",
    *,
    descending: bool = True,
) -> RankStatistics:
    """The statistics of a leaderboard from tests and redraws of the submissions `known`, by place on the leaderboard.

    Without `redraws`, there are no frequencies, and reversals only of metrics that tell them without redraws.
    """
    places = np.asarray(known, dtype=np.intp)
    a, b = np.triu_indices(len(known), 1)
    p_values = table.p_values[a, b]
    only = None if table.only is None else np.stack([table.only[a, b], table.only[b, a]], axis=1)
    pairs = AllPairs(places[a], places[b], p_values, holm(p_values), only)
    better_first = [*scores] if descending else [-score for score in scores]
    neighbors = np.stack([np.arange(len(known) - 1), np.arange(1, len(known))], axis=1)
    chances = method.chances_reversed(tasks, neighbors)
    if chances is None and redraws is not None:
        chances = share_reversed(redraws.scores, *columns(neighbors), descending=descending)
    shares = frequencies_of_ranks(redraws.scores, redraws.better) if redraws is not None else None
    all_known = len(known) == len(scores)
    return RankStatistics(
        pairs=pairs,
        ranges=tuple(ranges_of_pairs(better_first, pairs.a, pairs.b, pairs.adjusted)),
        frequencies=shares if all_known else None,
        reversals=tuple(chances.tolist()) if chances is not None and all_known else (),
        cases=sum(task.cases for task in tasks),
        test=method.test(len(tasks)),
    )


@dataclass(frozen=True, eq=False)
class Redraws:
    """Shape (M, draws): each submission's score if the cases were drawn again, and how many are better then."""

    scores: Floats
    better: Ranks

    @classmethod
    def of(cls, tasks: Sequence[Compared], method: Method, *, descending: bool) -> "Redraws":
        scores = redrawn_scores(tasks, method)
        return cls(scores, number_better(scores, descending=descending))


@dataclass(frozen=True, eq=False)
class PairTable:
    """Symmetric p-values of shape (M, M), before Holm. `only[i, j]`: cases that only i has right, not j."""

    p_values: Floats
    only: Codes | None

    def chosen(self, places: Sequence[int]) -> "PairTable":
        """Those of some submissions, by their places."""
        if [*places] == [*range(len(self.p_values))]:
            return self
        grid = np.ix_(places, places)
        return PairTable(self.p_values[grid], None if self.only is None else self.only[grid])


def pair_table(tasks: Sequence[Compared], method: Method, before: PairTable | None = None) -> PairTable:
    """Compares every pair by the mean of the metric over the tasks, usually one.

    `before` are the first submissions, compared earlier; pairs of these are not compared again.
    """
    count, done = tasks[0].submissions, 0 if before is None else len(before.p_values)
    a, b = np.triu_indices(count, 1)
    is_new = b >= done
    new = np.stack([b[is_new], a[is_new]], axis=1)  # the new one first, of which there may be few
    p_values = np.ones((count, count))
    found = method.p_values(tasks, new, len(a)) if len(new) else np.empty(0)
    p_values[new[:, 0], new[:, 1]] = p_values[new[:, 1], new[:, 0]] = found
    answers = [task for task in tasks if isinstance(task, Answers)]
    only = np.zeros((count, count), dtype=np.intp) if answers else None
    if only is not None and len(new):
        counts = only_right(answers, new)
        only[new[:, 0], new[:, 1]], only[new[:, 1], new[:, 0]] = counts.T
    if before is not None:
        p_values[:done, :done] = before.p_values
        if only is not None and before.only is not None:
            only[:done, :done] = before.only
    return PairTable(p_values, only)

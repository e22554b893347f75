"""How far a ranking depends on the metric, on how cases are aggregated, and on which cases were drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from palio.core.bundle.case_metrics import WrittenMetric
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.leaderboard.run_cases import primary_method, run_statistics
from palio.core.report.exported import Board, Exported, Place
from palio.core.statistics.agreement import kendall_tau, mean_ranks
from palio.core.statistics.cases import Cases, Measurements, SingleCases
from palio.core.statistics.comparisons import EQUAL
from palio.core.statistics.metrics import Floats
from palio.core.statistics.summary import RankStatistics, rank_statistics

MOST_COMPARED = 60  # teams whose single cases are compared; more would take too long
MOST_NUMBERS = 6_000_000  # teams times cases


@dataclass(frozen=True)
class Order:
    """Another way to rank the same teams, with the rank of each in the order of the leaderboard."""

    title: str
    ranks: tuple[float | None, ...]
    tau: float | None  # how far it agrees with the leaderboard


@dataclass(frozen=True)
class Robustness:
    """Of the ranked rows of a leaderboard. `reason` says why the single cases were not used, if they were not."""

    by_metric: tuple[Order, ...]
    by_aggregation: tuple[Order, ...] = ()
    statistics: RankStatistics = RankStatistics()  # noqa: RUF009 - frozen
    cases: Mapping[str, tuple[SingleCases, ...]] | None = None
    reason: str = ""


def robustness_of(exported: Exported, board: Board) -> Robustness:
    """Reads the single cases of all ranked rows, where the export has them."""
    ranked, primary = board.ranked, board.primary
    if primary is None or not ranked:
        return Robustness((), reason="No submission has a rank that is shown.")
    by_metric = _by_metric(board, primary)
    policy = board.statistics
    if policy is None:
        return Robustness(by_metric, reason="The challenge names no file of single cases.")
    if not exported.has_runs:
        return Robustness(by_metric, reason="The export has no single cases; export again with --runs.")
    if len(ranked) > MOST_COMPARED:
        return Robustness(by_metric, reason=f"Single cases are compared for up to {MOST_COMPARED} teams.")
    read = {
        place.submission: run_statistics(
            exported.run_folder(place.submission), policy, [primary], primary, place.values, board.task_indexes
        ).cases
        for place in ranked
    }
    known = {submission: cases for submission, cases in read.items() if cases is not None}
    if len(known) < 2:
        return Robustness(by_metric, cases=known, reason="Fewer than two submissions have usable single cases.")
    if len(known) * sum(len(task.files) for task in next(iter(known.values()))) > MOST_NUMBERS:
        return Robustness(by_metric, cases=known, reason="There are too many single cases to compare them here.")
    scores = [place.values[primary.key] for place in ranked]
    cases = [known.get(place.submission) for place in ranked]
    statistics = rank_statistics(
        scores, cases, primary_method(policy, primary), descending=primary.descending, frequencies=True
    )
    by_aggregation = _by_aggregation(ranked, cases, policy, primary) if statistics.cases else ()
    return Robustness(by_metric, by_aggregation, statistics, known, statistics.reason)


def _by_metric(board: Board, primary: Column) -> tuple[Order, ...]:
    ranks = [place.rank for place in board.ranked]
    return tuple(
        _order(column.title, [place.ranks.get(column.key) for place in board.ranked], ranks)
        for column in board.columns
        if column != primary
    )


def _order(title: str, ranks: Sequence[float | None], shown: Sequence[int | None]) -> Order:
    both = [(a, b) for a, b in zip(ranks, shown, strict=True) if a is not None and b is not None]
    tau = kendall_tau([a for a, _ in both], [b for _, b in both]) if len(both) > 1 else None
    return Order(title, tuple(ranks), tau)


def _by_aggregation(
    ranked: Sequence[Place], cases: Sequence[tuple[SingleCases, ...] | None], policy: StatisticsPolicy, primary: Column
) -> tuple[Order, ...]:
    """Ranks by the mean and the median over cases, and by the mean of the ranks in each case (rank, then aggregate)."""
    known = [found for found in cases if found is not None]
    if len(known) < len(cases):
        return ()
    losses = [np.stack([_losses(one, policy, primary) for one in task]) for task in zip(*known, strict=True)]
    together = np.concatenate(losses, axis=1)
    orders = {
        f"Mean {_named(known[0][0])}": together.mean(axis=1),
        "Mean rank over the cases": mean_ranks(together),
    }
    if not isinstance(known[0][0], Cases):
        orders[f"Median {_named(known[0][0])}"] = np.median(together, axis=1)
    shown = [place.rank for place in ranked]
    return tuple(_order(title, _min_ranks(values), shown) for title, values in orders.items())


def _named(cases: SingleCases) -> str:
    if isinstance(cases, Cases):
        return "of right cases"
    return "error of the cases" if cases.has_truth else "of the cases"


def _losses(cases: SingleCases, policy: StatisticsPolicy, primary: Column) -> Floats:
    """One number for each case, of which lower is better."""
    if isinstance(cases, Cases):
        return np.array([a != b for a, b in zip(cases.truths, cases.predictions, strict=True)], dtype=np.float64)
    if cases.has_truth:
        half = len(cases.labels)
        return np.asarray(np.abs(cases.values[:, :half] - cases.values[:, half:]).mean(axis=1))
    column = WrittenMetric.parse(policy.metric_of(primary, primary) or "").argument
    values = cases.values[:, cases.labels.index(column) if column in cases.labels else 0]
    return -values if primary.descending else values


def _min_ranks(values: Floats) -> list[float | None]:
    """Equal values share the better rank."""
    return [1 + int((values < value - EQUAL).sum()) for value in values]


def case_rows(cases: tuple[SingleCases, ...]) -> list[tuple[int, str, str, float]]:
    """(task, case, metric, value) of one submission, for challengeR: `right` of classes; the columns of means; the
    `absolute_error` of pairs and probabilities, by label if there are several.
    """
    found: list[tuple[int, str, str, float]] = []
    for task, one in enumerate(cases):
        if isinstance(one, Cases):
            pairs = zip(one.files, one.truths, one.predictions, strict=True)
            found += [(task, name, "right", float(truth == said)) for name, truth, said in pairs]
            continue
        for number, label in enumerate(one.labels):
            named, values = _column(one, number, label)
            found += [(task, name, named, float(value)) for name, value in zip(one.files, values, strict=True)]
    return found


def _column(one: Measurements, number: int, label: str) -> tuple[str, Floats]:
    if not one.has_truth:
        return label, one.values[:, number]
    errors = np.abs(one.values[:, number] - one.values[:, number + len(one.labels)])
    return f"absolute_error_{label}" if label else "absolute_error", errors

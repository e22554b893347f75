"""Comparisons and rank frequencies of a whole leaderboard, as `summary` computes them."""

from collections.abc import Sequence

from palio.core.statistics.cases import Compared
from palio.core.statistics.comparisons import Comparison
from palio.core.statistics.methods import Method
from palio.core.statistics.metrics import Floats
from palio.core.statistics.ranks import REDRAWS, frequencies_of_ranks, number_better, redrawn_scores
from palio.core.statistics.summary import pair_table, standing


def compare_all(tasks: Sequence[Compared], method: Method) -> tuple[Comparison, ...]:
    """Compares every pair of submissions."""
    count = tasks[0].submissions
    return standing([0.0] * count, range(count), tasks, method, pair_table(tasks, method), None).comparisons


def rank_frequencies(tasks: Sequence[Compared], method: Method, draws: int = REDRAWS) -> Floats:
    redrawn = redrawn_scores(tasks, method, draws)
    return frequencies_of_ranks(redrawn, number_better(redrawn))

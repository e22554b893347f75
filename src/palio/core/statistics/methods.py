"""How each metric of bundle.case_metrics gets its value, its interval and its comparisons: one object for each metric.

`method` is the only place that knows which of them is which; everything else asks the object.
"""

from collections.abc import Sequence
from typing import Protocol

from palio.core.bundle.case_metrics import WrittenMetric, case_metric
from palio.core.statistics.cases import Compared
from palio.core.statistics.comparisons import Pairs
from palio.core.statistics.confusion_method import ConfusionMethod
from palio.core.statistics.draws import Redrawer
from palio.core.statistics.intervals import Interval, Totals
from palio.core.statistics.metrics import Floats
from palio.core.statistics.weighted_method import AreaMethod, WeightedMethod


class Method(Protocol):
    """Of one metric. `tasks` are the cases of each task, usually one; several give the mean over tasks.

    All raise ValueError with a clause if the cases do not have what the metric needs, such as its class.
    """

    def values(self, task: Compared) -> Floats:
        """The metric of each of the M submissions, of shape (M,)."""

    def interval(self, tasks: Sequence[Compared]) -> Interval:
        """Of the only submission."""

    def test(self, tasks: int) -> str:
        """The name of the test by which two submissions are compared."""

    def p_values(self, tasks: Sequence[Compared], pairs: Pairs, of: int = 0) -> Floats:
        """Two-sided, for each pair of submissions.

        `of` is the number of pairs on the leaderboard, if it has more: it decides how exact they have to be, and from
        which number on tests by random draws give way to a bound.
        """

    def redrawer(self, task: Compared, submissions: int = 0) -> Redrawer:
        """Redraws the cases, the same for all submissions. `submissions` is their number if there are more."""

    def way(self, tasks: Sequence[Compared], submissions: int) -> str:
        """How p-values and redraws of a leaderboard of so many are computed.

        While it stays the same, those of a pair and of a submission do not depend on the others.
        """

    def chances_reversed(self, tasks: Sequence[Compared], pairs: Pairs) -> Floats | None:
        """For each pair the probability that the second, which is shown behind, is the better one.

        None if the metric tells it only from redraws (`ranks.share_reversed`).
        """

    def case_values(self, task: Compared) -> Floats | None:
        """What each case says of each submission, of shape (M, n), higher or lower as the metric; None if nothing."""

    def mean_parts(self, task: Compared) -> Sequence[Totals] | None:
        """For each submission the totals whose mean is the metric; None if it is no mean over cases."""


def method(kind: str, written: str) -> Method:
    """Raises ValueError with a sentence, without its full stop, for what is not a metric of this kind."""
    known, metric = case_metric(kind, written), WrittenMetric.parse(written)
    if kind == "classification":
        return ConfusionMethod(metric, known)
    if metric.name == "auc":
        return AreaMethod(kind, metric, known)
    return WeightedMethod(kind, metric, known)

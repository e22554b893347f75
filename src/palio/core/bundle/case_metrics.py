"""The metrics that can be computed from single cases, by the kind of cases, and how a bundle writes them.

A metric is written as its name, or as `name(argument)`: `f1_weighted`, `recall(Hand)`, `mean(dice)`. How each gets its
interval is implemented in core.statistics, which imports numpy; this module does not, because `palio check` reads it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.bundle.readers import scalar
from palio.core.bundle.values import Refused, Value
from palio.core.bundle.wording import nearest, quoted

_WRITTEN = re.compile(r"(\w+)(?:\((.+)\))?", re.DOTALL)


class Argument(StrEnum):
    """What stands in parentheses behind a metric's name. The value is how the documentation writes it."""

    CLASS = "CLASS"
    LABEL = "LABEL"
    COLUMN = "COLUMN"
    SHARE = "SPECIFICITY"


@dataclass(frozen=True)
class CaseMetric:
    """`interval` and `test` name the methods in words, for pages. `is_higher_better` is None where the data decide.

    An optional argument may be left out: the metric is then the mean over all labels.
    """

    interval: str
    test: str
    is_higher_better: bool | None = True
    argument: Argument | None = None
    is_optional: bool = False


BETA = "exact Beta (Jeffreys)"
DIRICHLET = "Jeffreys-Dirichlet on the confusion matrix"
DELONG = "DeLong, on the logit scale"
STRATIFIED = "stratified bootstrap"
BIAS_CORRECTED = "stratified bootstrap, corrected for bias"
BOOTSTRAP = "percentile bootstrap"
BOOTSTRAP_OF_MEAN = "BCa bootstrap below 100 cases, percentile from 100"
ORDER = "order statistics"
MCNEMAR = "exact McNemar"
PAIRED_DELONG = "paired DeLong"
SIGN_FLIPS = "sign-flip permutation"
PERMUTATION = "paired permutation"

_CONFUSION = CaseMetric(DIRICHLET, PERMUTATION)
_OF_CLASS = CaseMetric(DIRICHLET, PERMUTATION, argument=Argument.CLASS)
_AVERAGES = tuple(f"{name}_{average}" for name in ("precision", "recall", "f1") for average in ("weighted", "macro"))

KINDS: dict[str, dict[str, CaseMetric]] = {
    "classification": {
        "accuracy": CaseMetric(BETA, MCNEMAR),
        "balanced_accuracy": _CONFUSION,
        **dict.fromkeys(_AVERAGES, _CONFUSION),
        "recall_weighted": CaseMetric(BETA, MCNEMAR),  # the same number as accuracy
        "mcc": _CONFUSION,
        "kappa": _CONFUSION,
        "precision": _OF_CLASS,
        "recall": _OF_CLASS,
        "f1": _OF_CLASS,
    },
    "probability": {
        "auc": CaseMetric(DELONG, PAIRED_DELONG, argument=Argument.LABEL, is_optional=True),
        "average_precision": CaseMetric(STRATIFIED, PERMUTATION, argument=Argument.LABEL, is_optional=True),
        "sensitivity_at_specificity": CaseMetric(STRATIFIED, PERMUTATION, argument=Argument.SHARE),
        "f1": CaseMetric(STRATIFIED, PERMUTATION, argument=Argument.LABEL, is_optional=True),
        "brier": CaseMetric(STRATIFIED, SIGN_FLIPS, False, Argument.LABEL, is_optional=True),
        "ece": CaseMetric(BIAS_CORRECTED, PERMUTATION, False, Argument.LABEL, is_optional=True),
    },
    "mean": {
        "mean": CaseMetric(BOOTSTRAP_OF_MEAN, SIGN_FLIPS, None, Argument.COLUMN),
        "median": CaseMetric(ORDER, PERMUTATION, None, Argument.COLUMN),
    },
    "pairs": {
        "mae": CaseMetric(BOOTSTRAP_OF_MEAN, SIGN_FLIPS, False),
        "mse": CaseMetric(BOOTSTRAP_OF_MEAN, SIGN_FLIPS, False),
        "rmse": CaseMetric(BOOTSTRAP_OF_MEAN, SIGN_FLIPS, False),
        "median_absolute_error": CaseMetric(ORDER, PERMUTATION, False),
        "r2": CaseMetric(BOOTSTRAP, SIGN_FLIPS),
    },
}


@dataclass(frozen=True)
class WrittenMetric:
    """A metric as a bundle writes it."""

    name: str
    argument: str | None = None

    @classmethod
    def parse(cls, written: str) -> "WrittenMetric":
        match = _WRITTEN.fullmatch(written.strip())
        return cls(match[1], match[2].strip() if match[2] else None) if match else cls(written)

    @property
    def share(self) -> float:
        """The argument as a number. Raises ValueError unless it lies between 0 and 1."""
        value = float(self.argument or "")
        if not 0 < value < 1:
            raise ValueError(self.argument)
        return value


def case_metric(kind: str, written: str) -> CaseMetric:
    """Raises ValueError with a sentence, without its full stop, for what is not a metric of this kind."""
    known, metric = KINDS[kind], WrittenMetric.parse(written)
    found = known.get(metric.name)
    if found is None:
        allowed = ", ".join(form(name, each) for name, each in known.items())
        near = nearest(metric.name, known)
        hint = f"; did you mean {quoted(form(near, known[near]))}?" if near else _other_kind(metric.name)
        raise ValueError(f"says {quoted(written)}, which is not a metric of {kind}; write one of {allowed}{hint}")
    if metric.argument is None and found.argument and not found.is_optional:
        raise ValueError(f"says {quoted(written)}; write {quoted(form(metric.name, found))}")
    if metric.argument is not None and found.argument is None:
        raise ValueError(f"says {quoted(written)}; write {quoted(metric.name)}, without parentheses")
    if found.argument is Argument.SHARE:
        try:
            _ = metric.share
        except ValueError:
            raise ValueError(
                f"says {quoted(written)}; write a specificity between 0 and 1, such as `{metric.name}(0.9)`"
            ) from None
    return found


def measured_columns(policy: StatisticsPolicy | None, columns: Sequence[Column], primary: Column) -> list[Column]:
    """The columns with a metric, those of single tasks among them, and the primary one in any case."""
    named = [column for column in columns if policy and policy.metric_of(column, primary)]
    return named if primary in named else [primary, *named]


def interval_methods(
    policy: StatisticsPolicy | None, columns: Sequence[Column], primary: Column, tasks: int = 1
) -> tuple[str, ...]:
    """The names of the methods of these columns' intervals, each once. A recorded policy may have unknown metrics."""
    if policy is None or policy.kind not in KINDS:
        return ()
    written = [policy.metric_of(column, primary) for column in columns]
    names = [WrittenMetric.parse(each).name for each in written if each]
    known = KINDS[policy.kind]
    methods = [known[name].interval for name in names if name in known]
    # A mean of several accuracies has no Beta distribution.
    return tuple(dict.fromkeys(DIRICHLET if tasks > 1 and each == BETA else each for each in methods))


def form(name: str, metric: CaseMetric) -> str:
    """How the metric is written: `auc`, `recall(CLASS)`, `mean(COLUMN)`."""
    return f"{name}({metric.argument})" if metric.argument and not metric.is_optional else name


@dataclass(frozen=True)
class MetricReader:
    """Reads a metric of a kind; see `values` for what a reader is. Of an unknown kind, itself an error, any text."""

    kind: str

    def __call__(self, value: Value) -> str:
        written = scalar(value, "write a metric of the kind, such as f1_weighted or mean(dice)")
        if self.kind in KINDS:
            try:
                case_metric(self.kind, written)
            except ValueError as fault:
                raise Refused(str(fault)) from None
        return written


def _other_kind(name: str) -> str:
    kinds = [kind for kind, known in KINDS.items() if name in known]
    return f"; {quoted(name)} is a metric of the kind {' or '.join(kinds)}" if kinds else ""

"""The single cases behind a run's scores, and the intervals computed from them. Imports numpy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.case_metrics import KINDS
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError
from palio.core.statistics.cases import SingleCases, read_cases, read_measurements
from palio.core.statistics.intervals import Interval
from palio.core.statistics.methods import Method, method
from palio.core.statistics.summary import score_interval, score_value


@dataclass(frozen=True)
class RunStatistics:
    """Of one run, by the key of the column. `no_intervals` are clauses.

    `cases` of each task are those behind the primary score; None if they cannot be used to compare runs.
    """

    intervals: Mapping[str, Interval] = field(default_factory=dict)
    no_intervals: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[SingleCases, ...] | None = None


def run_statistics(
    run_folder: Path,
    policy: StatisticsPolicy | None,
    columns: Sequence[Column],
    primary: Column,
    scores: Mapping[str, float],
    tasks: Sequence[int] = (),
) -> RunStatistics:
    """The statistics of these columns, each if it has a score.

    `tasks` are the indexes of the phase's tasks if it has several. Each then has a file of cases, and the score is the
    mean over the tasks. A column of a single task has the interval of that task's cases.
    """
    cases, reasons = checked_cases(run_folder, policy, columns, primary, scores, tasks)
    intervals = dict[str, Interval]()
    comparable = cases is not None and primary.key in scores and primary.key not in reasons
    for column in columns:
        metric = _metric(policy, column, primary)
        if cases is None or column.key not in scores or column.key in reasons or isinstance(metric, str):
            continue
        try:
            intervals[column.key] = score_interval(_of_column(cases, column, tasks), metric)
        except ValueError as reason:
            reasons[column.key] = str(reason)
    return RunStatistics(intervals, reasons, cases if comparable else None)


def checked_cases(
    run_folder: Path,
    policy: StatisticsPolicy | None,
    columns: Sequence[Column],
    primary: Column,
    scores: Mapping[str, float],
    tasks: Sequence[int] = (),
) -> tuple[tuple[SingleCases, ...] | None, dict[str, str]]:
    """The cases of each task, None if they cannot be used; and a clause for each column that they do not give.

    Arguments are those of `run_statistics`.
    """
    cases, reasons = _read(run_folder, policy, tasks), dict[str, str]()
    for column in columns:
        if column.key not in scores:
            continue
        metric = _metric(policy, column, primary)
        try:
            if isinstance(metric, str):
                raise ValueError(metric)
            if isinstance(cases, str):
                raise ValueError(cases)
            _check(_of_column(cases, column, tasks), metric, policy, column, scores[column.key], primary)
        except ValueError as reason:
            reasons[column.key] = str(reason)
    return None if isinstance(cases, str) else cases, reasons


def _of_column(cases: tuple[SingleCases, ...], column: Column, tasks: Sequence[int]) -> tuple[SingleCases, ...]:
    return cases if column.task is None else (cases[tasks.index(column.task)],)


def comparable_cases(
    run_folder: Path, policy: StatisticsPolicy, primary: Column, score: float, tasks: Sequence[int] = ()
) -> tuple[SingleCases, ...] | None:
    """The cases of each task behind the primary score; None if they cannot be used to compare runs."""
    cases, metric = _read(run_folder, policy, tasks), primary_method(policy, primary)
    if isinstance(cases, str) or metric is None:
        return None
    try:
        _check(cases, metric, policy, primary, score, primary)
    except ValueError:
        return None
    return cases


def primary_method(policy: StatisticsPolicy | None, primary: Column) -> Method | None:
    """By which runs are compared; None if the bundle names none that this version knows."""
    found = _metric(policy, primary, primary)
    return None if isinstance(found, str) else found


def _metric(policy: StatisticsPolicy | None, column: Column, primary: Column) -> Method | str:
    if policy is None:
        return "the challenge names no file of single cases (palio.statistics in competition.yaml)"
    written = policy.metric_of(column, primary)
    if written is None:
        return f"the challenge names no metric for the column {column.title} (palio.statistics in competition.yaml)"
    try:
        return method(policy.kind, written) if policy.kind in KINDS else _unknown(policy, written)
    except ValueError:
        return _unknown(policy, written)


def _unknown(policy: StatisticsPolicy, written: str) -> str:
    return f"this version of Palio has no interval for the metric {written} of {policy.kind}"


def _read(run_folder: Path, policy: StatisticsPolicy | None, tasks: Sequence[int]) -> tuple[SingleCases, ...] | str:
    """The cases of each task, or a clause that says why they cannot be used."""
    if policy is None or policy.kind not in KINDS:
        return ""
    metrics = [*filter(None, (policy.metric, *dict(policy.metrics).values()))]
    found, name = list[SingleCases](), ""
    for part in [f"{task}/" for task in tasks] or [""]:
        name = f"scores/{part}{policy.cases}"
        path = RunFolder(run_folder).scores / part / policy.cases
        try:
            if policy.kind == "classification":
                found.append(read_cases(path))
            else:
                found.append(read_measurements(path, policy.kind, metrics, policy.group))
        except FileNotFoundError:
            return f"{name} is missing"
        except PalioError as error:
            return f"{name} cannot be used ({error.failure.evidence[0]})"
    return tuple(found)


def _check(
    cases: Sequence[SingleCases],
    metric: Method,
    policy: StatisticsPolicy | None,
    column: Column,
    score: float,
    primary: Column,
) -> None:
    """Raises ValueError with a clause if the cases do not give the score, up to its rounding."""
    assert policy is not None  # noqa: S101 - else there is no metric
    value = score_value(cases, metric)
    if math.isnan(value):
        raise ValueError(f"{policy.metric_of(column, primary)} has no value for the cases of scores/{policy.cases}")
    if abs(value - score) > 0.5 * 10**-column.precision:
        digits, written = f".{column.precision}f", policy.metric_of(column, primary)
        of = f"{written} of scores/{policy.cases}" if len(cases) == 1 else f"mean {written} of {len(cases)} tasks"
        raise ValueError(f"the {of} is {value:{digits}}, but the column {column.title} shows {score:{digits}}")

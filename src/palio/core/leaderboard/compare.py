"""Two runs on the same cases: for each column with a metric, their difference and whether it may be chance.

Page, API and command line call `compare_cases`. Imports numpy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palio.core.bundle.case_metrics import measured_columns
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError
from palio.core.files.collect import printable
from palio.core.leaderboard.run_cases import checked_cases
from palio.core.leaderboard.run_results import Lock, RunResult, leaderboard_of
from palio.core.statistics.cases import SingleCases
from palio.core.statistics.differences import Difference, difference


@dataclass(frozen=True)
class ComparedColumn:
    """Without a `difference`, `reason` is a clause that says why."""

    column: Column
    difference: Difference | None
    reason: str = ""


@dataclass(frozen=True)
class Side:
    """One of the two: its name, its run folder and its scores by the key of their column."""

    name: str
    folder: Path
    scores: Mapping[str, float]


@dataclass(frozen=True)
class RunComparison:
    lock: Lock
    a: RunResult
    b: RunResult
    name_a: str
    name_b: str
    primary: Column
    columns: tuple[ComparedColumn, ...]


def compare_runs(a: RunResult, b: RunResult, board_key: str | None = None) -> RunComparison:
    """By the leaderboard with this key, by default the first.

    Raises PalioError "usage" if one has no score, or no leaderboard has the key, "compare-different-scorer",
    "compare-different-cases" and what `compare_cases` raises.
    """
    name_a, name_b = (printable(run.label) for run in (a, b))
    if name_a == name_b:
        name_a, name_b = (f"{printable(run.label)} ({printable(run.folder.name)})" for run in (a, b))
    for name, run in ((name_a, a), (name_b, b)):
        if run.lock is None or run.scores is None:
            raise PalioError(
                "usage",
                problem=f"{name} has no scores to compare: {run.failure.message if run.failure else 'not scored'}",
                next_step="Name two runs that were scored.",
            )
    assert a.lock is not None and b.lock is not None  # noqa: S101, PT018 - else refused above
    _require_same(a.lock, b.lock, name_a, name_b)
    board = leaderboard_of(a.lock, board_key)
    shown = [column for column in board.columns if not column.hidden]
    primary, policy = board.primary_column, a.lock.statistics
    measured = [column for column in measured_columns(policy, shown, primary) if column in shown]
    sides = [Side(name, run.folder, run.scores or {}) for name, run in ((name_a, a), (name_b, b))]
    found = compare_cases(sides[0], sides[1], policy, measured, primary, a.lock.task_indexes)
    return RunComparison(a.lock, a, b, name_a, name_b, primary, found)


def compare_cases(
    a: Side,
    b: Side,
    policy: StatisticsPolicy | None,
    columns: Sequence[Column],
    primary: Column,
    tasks: Sequence[int] = (),
) -> tuple[ComparedColumn, ...]:
    """The primary column first. `tasks` are the indexes of the phase's tasks if it has several.

    Raises PalioError "compare-no-cases" if one has no values for single cases, "compare-different-cases" if their cases
    differ.
    """
    if policy is None:
        reason = "the challenge names no file of single cases (palio.statistics in competition.yaml)"
        raise PalioError("compare-no-cases", name="neither", reason=reason)
    cases: list[tuple[SingleCases, ...]] = []
    reasons: list[Mapping[str, str]] = []
    for side in (a, b):
        found, why = checked_cases(side.folder, policy, columns, primary, side.scores, tasks)
        if found is None:
            of_primary = why.get(primary.key) or next(iter(why.values()), "it has no score in these columns")
            raise PalioError("compare-no-cases", name=side.name, reason=of_primary)
        cases.append(found)
        reasons.append(why)
    _require_same_cases(a, b, *cases)
    ordered = sorted(columns, key=lambda column: column.key != primary.key)
    return tuple(_compared(column, policy, primary, (a, b), cases, reasons) for column in ordered)


def _compared(
    column: Column,
    policy: StatisticsPolicy,
    primary: Column,
    sides: Sequence[Side],
    cases: Sequence[tuple[SingleCases, ...]],
    reasons: Sequence[Mapping[str, str]],
) -> ComparedColumn:
    for side, why in zip(sides, reasons, strict=True):
        if column.key not in side.scores:
            return ComparedColumn(column, None, f"{side.name} has no score in this column")
        if column.key in why:
            return ComparedColumn(column, None, f"{side.name}: {why[column.key]}")
    written = policy.metric_of(column, primary)
    try:
        found = difference(policy.kind, written or "", cases[0], cases[1], descending=column.descending)
    except ValueError as fault:
        return ComparedColumn(column, None, str(fault))
    return ComparedColumn(column, found)


def _require_same_cases(a: Side, b: Side, of_a: tuple[SingleCases, ...], of_b: tuple[SingleCases, ...]) -> None:
    for one, other in zip(of_a, of_b, strict=True):
        if one.files != other.files:
            first, second = set(one.files), set(other.files)
            raise PalioError(
                "compare-different-cases",
                a=a.name,
                b=b.name,
                reason=f"{a.name} has {len(first):,} cases, {b.name} has {len(second):,}, and {len(first & second):,} "
                "are in both",
            )
        truths = [getattr(each, "truths", None) for each in (one, other)]
        if truths[0] != truths[1]:
            reason = "the cases have the same names, but different true classes"
            raise PalioError("compare-different-cases", a=a.name, b=b.name, reason=reason)


def _require_same(a: Lock, b: Lock, name_a: str, name_b: str) -> None:
    if a.phase != b.phase or a.bundle.title != b.bundle.title:
        of_a, of_b = (f"{lock.bundle.title}, phase {lock.phase}" for lock in (a, b))
        raise PalioError(
            "usage",
            problem=f"{name_a} is of {of_a}; {name_b} is of {of_b}.",
            next_step="Name two runs of the same challenge and phase.",
        )
    if a.scorer != b.scorer or a.statistics != b.statistics:
        scorers = f"scoring program {a.scorer or 'unknown'} and {b.scorer or 'unknown'}"
        what = scorers if a.scorer != b.scorer else "different palio.statistics"
        raise PalioError("compare-different-scorer", a=name_a, b=name_b, what=what)
    data_a, data_b = ((lock.reference_data, lock.input_data, lock.data_of_tasks) for lock in (a, b))
    if data_a != data_b:
        reason = "their phases had different input or reference data"
        raise PalioError("compare-different-cases", a=name_a, b=name_b, reason=reason)

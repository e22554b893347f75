"""A board made from run folders alone: who stands where, and how certain that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palio.core.attempt.run_folder import RunFolder, Verdict
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError, counted
from palio.core.files.collect import printable
from palio.core.leaderboard.ranking import Entry, Row, rank_entries
from palio.core.leaderboard.run_results import FinishedRun, Lock
from palio.core.statistics.cases import Answers, Cases, read_cases
from palio.core.statistics.intervals import Interval
from palio.core.statistics.metrics import METRICS, Counts
from palio.core.statistics.summary import Certainty, certainty


@dataclass(frozen=True)
class Place:
    """A run that has a rank. What its cases do not allow to say is None, and `no_interval` says why."""

    label: str
    run: FinishedRun
    rank: int  # by score alone; equal scores share it
    values: Mapping[str, float]  # by column key
    rank_range: tuple[int, int] | None
    interval: Interval | None  # of the primary column
    no_interval: str | None


@dataclass(frozen=True)
class Unplaced:
    """A run without a rank, and why."""

    label: str
    run: FinishedRun
    reason: str


@dataclass(frozen=True)
class Standings:
    """`certainty` is about `places`, in their order, which is that of the board."""

    lock: Lock  # what all runs have in common, and one run's own submission
    columns: tuple[Column, ...]  # that are shown
    places: tuple[Place, ...]
    unplaced: tuple[Unplaced, ...]
    certainty: Certainty

    @property
    def primary(self) -> Column:
        return self.lock.leaderboard.primary_column


def stand(runs: Sequence[FinishedRun]) -> Standings:
    """The board of these runs. Raises PalioError "usage" if they do not belong on one, or none has a score."""
    by_label = dict(zip(_labels(runs), runs, strict=True))
    lock = _common_lock(by_label)
    columns, primary = lock.leaderboard.columns, lock.leaderboard.primary_column
    entries = [Entry(label, run.created, run.scores or {}) for label, run in by_label.items()]
    rows = rank_entries(entries, columns, primary)
    placed = [row for row in rows if row.rank is not None]
    unplaced = [_unplaced(row.entry.label, by_label[row.entry.label], primary) for row in rows if row.rank is None]
    if not placed:
        raise _nothing_to_rank(unplaced)
    found = [
        cases_behind(by_label[row.entry.label].folder, lock.statistics, primary, row.values[primary.key])
        for row in placed
    ]
    known = [cases if isinstance(cases, Cases) else None for cases in found]
    metric = lock.statistics.metric if lock.statistics else ""
    certain = certainty([row.values[primary.key] for row in placed], known, metric)
    places = [
        _place(row, by_label[row.entry.label], position, certain, excuse if isinstance(excuse, str) else None)
        for position, (row, excuse) in enumerate(zip(placed, found, strict=True))
    ]
    shown = tuple(column for column in columns if not column.hidden)
    return Standings(lock, shown, tuple(places), tuple(unplaced), certain)


def _place(row: Row, run: FinishedRun, position: int, certain: Certainty, excuse: str | None) -> Place:
    return Place(
        label=row.entry.label,
        run=run,
        rank=row.rank or 0,
        values=row.values,
        rank_range=certain.ranges[position] if certain.ranges else None,
        interval=certain.intervals[position],
        no_interval=excuse,
    )


def _labels(runs: Sequence[FinishedRun]) -> list[str]:
    """Each run's label; where several have the same, the folder's name beside it, and its path if need be."""
    labels = [printable(run.label) for run in runs]
    for more in (lambda run: run.folder.name, lambda run: str(run.folder)):
        twice = {label for label in labels if labels.count(label) > 1}
        labels = [
            f"{printable(run.label)} ({printable(more(run))})" if label in twice else label
            for label, run in zip(labels, runs, strict=True)
        ]
    return labels


def _common_lock(runs: Mapping[str, FinishedRun]) -> Lock:
    locks = {label: run.lock for label, run in runs.items() if run.lock}
    traits = {
        "challenge": {label: f"{lock.bundle.title} ({lock.bundle.digest[:12]})" for label, lock in locks.items()},
        "phase": {label: run.phase for label, run in runs.items()},
        "input data": {label: lock.input_data.digest[:12] for label, lock in locks.items() if lock.input_data},
        "reference data": {
            label: lock.reference_data.digest[:12] for label, lock in locks.items() if lock.reference_data
        },
    }
    differing = [name for name, values in traits.items() if len(set(values.values())) > 1]
    if differing:
        choose = " --phase NAME takes those of one phase." if "phase" in differing else ""
        raise PalioError(
            "usage",
            problem=f"These runs do not belong on one board: they differ in {' and '.join(differing)}.",
            next_step=f"Name only runs that were asked the same thing.{choose}",
            evidence=[
                f"{name} {value}: {', '.join(label for label, own in traits[name].items() if own == value)}"
                for name in differing
                for value in dict.fromkeys(traits[name].values())
            ],
        )
    scored = [run.lock for run in runs.values() if run.lock and run.scores is not None]
    if not scored:
        raise _nothing_to_rank([_unplaced(label, run, None) for label, run in runs.items()])
    return scored[0]


def _nothing_to_rank(unplaced: Sequence[Unplaced]) -> PalioError:
    return PalioError(
        "usage",
        problem=f"There is nothing to rank: {counted(len(unplaced), 'run was', 'runs were')} named, none with a score.",
        next_step="Name at least one run that ended with a score.",
        evidence=[f"{run.label}: {run.reason}" for run in unplaced],
    )


def _unplaced(label: str, run: FinishedRun, primary: Column | None) -> Unplaced:
    if run.failure:
        where = f"failed at {run.failure.stage}" if run.failure.stage else "failed"
        return Unplaced(label, run, f"{where}: {run.failure.message}")
    if run.verdict is Verdict.CANCELLED:
        return Unplaced(label, run, "cancelled")
    if run.verdict is Verdict.SCORED and primary:
        return Unplaced(label, run, f"has no score in the column {primary.title}")
    return Unplaced(label, run, "has not ended")


def cases_behind(run_folder: Path, policy: StatisticsPolicy | None, primary: Column, score: float) -> Cases | str:
    """The single cases behind a primary score, or why they cannot be used."""
    if policy is None:
        return "the challenge names no file of single cases (palio.statistics in competition.yaml)"
    if policy.kind != "classification" or policy.metric not in METRICS:
        return f"this version of Palio has no interval for the metric {policy.metric} of {policy.kind}"
    path = RunFolder(run_folder).scores / policy.cases
    try:
        cases = read_cases(path)
    except FileNotFoundError:
        return f"there is no scores/{policy.cases}"
    except PalioError as error:
        return f"scores/{policy.cases} cannot be used ({error.failure.evidence[0]})"
    answers = Answers.of([cases])
    counts = Counts.of_codes(answers.truth, answers.predictions[0], len(answers.classes))
    value = float(METRICS[policy.metric](counts))
    if not primary.descending or abs(value - score) > 0.5 * 10**-primary.precision:
        digits = f".{primary.precision}f"
        return (
            f"{policy.metric} of scores/{policy.cases} is {value:{digits}}, and that is not what the column "
            f"{primary.title} shows, {score:{digits}}"
        )
    return cases

"""A leaderboard of run folders: ranks, rank ranges and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palio.core.attempt.run_folder import Verdict
from palio.core.bundle.case_metrics import interval_methods, measured_columns
from palio.core.bundle.model import Column
from palio.core.errors import PalioError, counted
from palio.core.files.collect import printable
from palio.core.leaderboard.ranking import Entry, Row, rank_entries
from palio.core.leaderboard.run_cases import primary_method, run_statistics
from palio.core.leaderboard.run_results import Lock, LockedLeaderboard, RunResult, leaderboard_of
from palio.core.statistics.intervals import Interval
from palio.core.statistics.summary import RankStatistics, rank_statistics


@dataclass(frozen=True)
class RankedRun:
    """A run with a rank. `intervals` are by the key of their column; where one is missing, `no_intervals` says why."""

    row: Row
    run: RunResult
    rank_range: tuple[int, int] | None
    intervals: Mapping[str, Interval]
    no_intervals: Mapping[str, str]


@dataclass(frozen=True)
class UnrankedRun:
    """A run without a rank. `reason` is a clause."""

    name: str
    run: RunResult
    reason: str


@dataclass(frozen=True)
class RunLeaderboard:
    """`statistics` are those of `ranked`, in the same order."""

    lock: Lock  # what all runs have in common, and one run's own submission
    board: LockedLeaderboard
    columns: tuple[Column, ...]  # without hidden ones
    ranked: tuple[RankedRun, ...]
    unranked: tuple[UnrankedRun, ...]
    statistics: RankStatistics

    @property
    def primary(self) -> Column:
        return self.board.primary_column

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the methods of all intervals, each once."""
        policy = self.lock.statistics
        has_some = {key for run in self.ranked for key in run.intervals}
        columns = [column for column in self.columns if column.key in has_some]
        return interval_methods(policy, columns, self.primary, len(self.lock.tasks))


def rank_runs(runs: Sequence[RunResult], board_key: str | None = None) -> RunLeaderboard:
    """Ranks by the leaderboard with this key, by default the first.

    Raises PalioError "usage" if the runs cannot be compared, if none has a score or no leaderboard has the key.
    """
    by_name = dict(zip(_names(runs), runs, strict=True))
    lock = _common_lock(by_name)
    board = leaderboard_of(lock, board_key)
    columns, primary = board.columns, board.primary_column
    entries = [Entry(name, run.created, run.scores or {}) for name, run in by_name.items()]
    rows = rank_entries(entries, columns, primary)
    ranked = [row for row in rows if row.rank is not None]
    unranked = [_unranked(row.name, by_name[row.name], primary) for row in rows if row.rank is None]
    if not ranked:
        raise _nothing_to_rank(unranked)
    measured = measured_columns(lock.statistics, columns, primary)
    found = [
        run_statistics(by_name[row.name].folder, lock.statistics, measured, primary, row.values, lock.task_indexes)
        for row in ranked
    ]
    statistics = rank_statistics(
        [row.values[primary.key] for row in ranked],
        [each.cases for each in found],
        primary_method(lock.statistics, primary),
        descending=primary.descending,
        frequencies=True,
    )
    ranges = statistics.ranges or [None] * len(ranked)
    return RunLeaderboard(
        lock=lock,
        board=board,
        columns=tuple(column for column in columns if not column.hidden),
        ranked=tuple(
            RankedRun(
                row=row,
                run=by_name[row.name],
                rank_range=rank_range,
                intervals=each.intervals,
                no_intervals=each.no_intervals,
            )
            for row, each, rank_range in zip(ranked, found, ranges, strict=True)
        ),
        unranked=tuple(unranked),
        statistics=statistics,
    )


def _names(runs: Sequence[RunResult]) -> list[str]:
    """Each run's label; where labels are equal, with the folder's name, and with its path if those are equal too."""
    names = [printable(run.label) for run in runs]
    for more in (lambda run: run.folder.name, lambda run: str(run.folder)):
        twice = {name for name in names if names.count(name) > 1}
        names = [
            f"{printable(run.label)} ({printable(more(run))})" if name in twice else name
            for name, run in zip(names, runs, strict=True)
        ]
    return names


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _common_lock(runs: Mapping[str, RunResult]) -> Lock:
    locks = {name: run.lock for name, run in runs.items() if run.lock}
    traits = {
        "challenge": {name: f"{lock.bundle.title} ({lock.bundle.digest[:12]})" for name, lock in locks.items()},
        "phase": {name: run.phase for name, run in runs.items()},
        "input data": {name: lock.input_data.digest[:12] for name, lock in locks.items() if lock.input_data},
        "reference data": {
            name: lock.reference_data.digest[:12] for name, lock in locks.items() if lock.reference_data
        },
        "data of its tasks": {name: lock.data_of_tasks for name, lock in locks.items()},
    }
    differing = [trait for trait, values in traits.items() if len(set(values.values())) > 1]
    if differing:
        choose = ", or choose a phase with --phase NAME" if "phase" in differing else ""
        raise PalioError(
            "usage",
            problem=f"These runs cannot be ranked together: they differ in {_listed(differing)}.",
            next_step=f"Name only runs of the same challenge, phase and data{choose}.",
            evidence=[
                f"{trait} {value}: {', '.join(name for name, own in traits[trait].items() if own == value)}"
                for trait in differing
                for value in dict.fromkeys(traits[trait].values())
            ],
        )
    scored = [run.lock for run in runs.values() if run.lock and run.scores is not None]
    if not scored:
        raise _nothing_to_rank([_unranked(name, run, None) for name, run in runs.items()])
    return scored[0]


def _nothing_to_rank(unranked: Sequence[UnrankedRun]) -> PalioError:
    return PalioError(
        "usage",
        problem=f"No run to rank: {counted(len(unranked), 'run has', 'runs have')} no score.",
        next_step="Name at least one run that was scored.",
        evidence=[f"{run.name}: {run.reason}" for run in unranked],
    )


def _unranked(name: str, run: RunResult, primary: Column | None) -> UnrankedRun:
    if run.failure:
        where = f"failed at {run.failure.stage}" if run.failure.stage else "failed"
        return UnrankedRun(name, run, f"{where}: {run.failure.message}")
    if run.verdict is Verdict.CANCELLED:
        return UnrankedRun(name, run, "cancelled")
    if run.verdict is Verdict.SCORED and primary:
        return UnrankedRun(name, run, f"no score in the column {primary.title}")
    return UnrankedRun(name, run, "not finished")

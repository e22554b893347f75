"""What a leaderboard reads of a run folder. Reading is strict: another version or a person may have written it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, ValidationError, model_validator

from palio.core.attempt.run_folder import Verdict
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading

_Score = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class LockedBundle(BaseModel):
    title: str
    digest: str


class LockedData(BaseModel):
    digest: str


class LockedLeaderboard(BaseModel):
    key: str = ""  # only where there are several
    title: str
    primary: str
    columns: tuple[Column, ...]

    @property
    def primary_column(self) -> Column:
        return next(column for column in self.columns if column.key == self.primary)

    @model_validator(mode="after")
    def _primary_is_a_column(self) -> Self:
        if all(column.key != self.primary for column in self.columns):
            raise ValueError(f"primary is `{self.primary}`, which is not a column")
        return self


class LockedTask(BaseModel):
    index: int | None = None
    scoring_program: LockedData | None = None
    input_data: LockedData | None
    reference_data: LockedData | None


class Lock(BaseModel):
    """The part of lock.json that says whether runs can be ranked together, and how."""

    bundle: LockedBundle
    phase: str
    input_data: LockedData | None
    reference_data: LockedData | None
    scoring_program: LockedData | None = None
    tasks: tuple[LockedTask, ...] = ()  # if there are several
    leaderboard: LockedLeaderboard
    leaderboards: tuple[LockedLeaderboard, ...] = ()  # if there are several: all, the first again
    statistics: StatisticsPolicy | None
    phantom: bool

    @property
    def task_indexes(self) -> tuple[int, ...]:
        """Where the scores of each task are; empty if there is only one."""
        return tuple(place if task.index is None else task.index for place, task in enumerate(self.tasks))

    @property
    def scorer(self) -> str:
        """Digests of the scoring programs of all tasks; empty if none is recorded."""
        programs = [self.scoring_program, *(task.scoring_program for task in self.tasks)]
        return ", ".join(each.digest[:12] for each in programs if each)

    @property
    def data_of_tasks(self) -> str:
        """Digests of inputs and reference data; empty if there is only one task."""
        data = [each for task in self.tasks for each in (task.input_data, task.reference_data) if each]
        return ", ".join(each.digest[:12] for each in data)


class RecordedFailure(BaseModel, extra="allow"):
    """What a leaderboard shows of a failure. Other fields of result.json are passed on."""

    stage: str | None
    message: str


class _Config(BaseModel):
    label: str
    phase: str
    created: AwareDatetime


class _Result(BaseModel):
    verdict: Verdict | None = None  # None also without result.json
    scores: dict[str, _Score] | None = None
    failure: RecordedFailure | None = None


@dataclass(frozen=True)
class RunResult:
    """A run, read from its folder. A run with `scores` has a `lock`; `verdict` is None if it has not finished."""

    folder: Path
    label: str
    phase: str
    created: datetime
    verdict: Verdict | None
    scores: dict[str, float] | None
    failure: RecordedFailure | None
    lock: Lock | None


_Model = TypeVar("_Model", bound=BaseModel)


def read_run(folder: Path) -> RunResult:
    """Raises PalioError "usage" for a damaged run folder or another folder, "source-unreadable" if reading fails."""
    config = _read(folder, "config.json", _Config)
    if config is None:
        raise PalioError(
            "usage",
            problem=f"{folder} is not a run folder: it has no config.json.",
            next_step="Name folders that `palio run` wrote, such as runs/*.",
        )
    result = _read(folder, "result.json", _Result) or _Result()
    lock = _read(folder, "lock.json", Lock)
    scored = result.verdict is Verdict.SCORED
    if scored and lock is None:
        raise _damaged(folder / "lock.json", ["the file is missing, but the run was scored"])
    if scored and result.scores is None:
        raise _damaged(folder / "result.json", ["scores: missing, but the verdict is scored"])
    scores = result.scores if scored else None
    return RunResult(folder, config.label, config.phase, config.created, result.verdict, scores, result.failure, lock)


def leaderboard_of(lock: Lock, key: str | None) -> LockedLeaderboard:
    """The one with this key; without a key, the first. Raises PalioError "usage"."""
    if not key:
        return lock.leaderboard
    for board in lock.leaderboards:
        if board.key == key:
            return board
    keys = ", ".join(board.key for board in lock.leaderboards) or f"only “{lock.leaderboard.title}”"
    raise PalioError(
        "usage",
        problem=f"These runs have no leaderboard `{key}`. Their leaderboards: {keys}.",
        next_step="Name one of these with --leaderboard, or leave it out.",
    )


def _read(folder: Path, name: str, model: type[_Model]) -> _Model | None:
    """The content of the file; None if it is missing."""
    path = folder / name
    try:
        with reading(path):
            content = path.read_bytes()
    except PalioError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        raise
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        problems = [_sentence(problem["loc"], problem["msg"]) for problem in error.errors()]
        raise _damaged(path, problems) from error


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(map(str, location))
    return f"{field}: {message}" if field else message


def _damaged(path: Path, problems: list[str]) -> PalioError:
    return PalioError(
        "usage",
        problem=f"{path} cannot be used: {counted(len(problems), 'problem')}.",
        next_step="Leave this run out, or evaluate its submission again with `palio run`.",
        evidence=problems,
    )

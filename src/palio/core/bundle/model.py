"""What a bundle says, once read: frozen values with defaults filled in, units in the names, paths resolved."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from palio.core.engine import BuildLimits, Limits
from palio.core.files.globs import glob


class SubmissionKind(StrEnum):
    CONTEXT = "context"  # a zip with a Dockerfile at its root
    IMAGE = "image"  # a saved image, .tar or .tar.gz
    RESULTS = "results"  # predictions, a .csv or a zip
    CODE = "code"  # a zip run by the bundle's ingestion program
    MONAI = "monai"  # a MONAI bundle, no Dockerfile


class LogPolicy(StrEnum):
    """How much of a stage's log a participant may read. `organizer`: nothing of it."""

    NONE = "none"
    TAIL = "tail"
    FULL = "full"
    ORGANIZER = "organizer"


class ScorePolicy(StrEnum):
    """Whether participants see the scores of a phase. `hidden`: not even their own; the phase is blind."""

    VISIBLE = "visible"
    HIDDEN = "hidden"


class Severity(StrEnum):
    ERROR = "error"  # the challenge cannot be run as it is
    WARNING = "warning"  # it can, but perhaps not as its organizer thinks


@dataclass(frozen=True)
class Problem:
    """One thing wrong in competition.yaml or what it names. `line` counts from 1; None where no line fits."""

    file: str  # relative to the bundle
    line: int | None
    field: str  # dotted path of the key, such as phases[0].start
    message: str  # what was found, what is allowed, what to do
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


@dataclass(frozen=True)
class Page:
    title: str
    file: Path


@dataclass(frozen=True)
class Task:
    """Hidden inputs, reference data and the programs that run and score on them. Paths are folders or zips."""

    index: int
    name: str
    description: str
    scoring_program: Path
    ingestion_program: Path | None
    input_data: Path | None
    reference_data: Path | None
    ingestion_only_during_scoring: bool


@dataclass(frozen=True)
class SamplePolicy:
    """Public cases that run first, with complete logs."""

    input: Path
    expect: Path | None


@dataclass(frozen=True)
class Restore:
    """Where answers name inputs, so that opaque names can be mapped back: a column of a CSV file."""

    csv: str
    column: str


@dataclass(frozen=True)
class BlindPolicy:
    """Which hidden inputs (a glob over their names) appear under opaque names, and where answers name them."""

    inputs: str
    restore: tuple[Restore, ...]

    def hides(self) -> Callable[[str], bool]:
        """Whether a file of this name, without folders, is hidden; in whatever case it is written."""
        pattern = glob(re.sub(r"\*+", "*", self.inputs.lower()), negations="!^")  # raises PatternError
        return lambda name: pattern.match(name.lower())


@dataclass(frozen=True)
class StatisticsPolicy:
    """Which file of the scoring program's output holds the single cases, and what the interval is for."""

    cases: str
    kind: str
    metric: str


@dataclass(frozen=True)
class RankingPolicy:
    choose: str  # which submission of a team is ranked: "best" or "last"
    ties: str  # "min": equal scores share the better rank


@dataclass(frozen=True)
class Rules:
    """The `palio:` block, top level and phase merged, defaults filled in."""

    data: str  # "public", "held-out" or "private"
    submissions: tuple[SubmissionKind, ...]
    build: BuildLimits
    predict: Limits
    score: Limits
    logs_sample: LogPolicy
    logs_predict: LogPolicy
    logs_score: LogPolicy
    scores: ScorePolicy
    sample: SamplePolicy | None
    blind: BlindPolicy | None
    statistics: StatisticsPolicy | None
    ranking: RankingPolicy


@dataclass(frozen=True)
class Phase:
    index: int
    name: str
    description: str
    start: datetime
    end: datetime | None
    tasks: tuple[Task, ...]
    max_submissions_per_day: int | None  # None: unlimited
    max_submissions: int | None
    auto_migrate: bool
    hide_output: bool  # logs of what runs on hidden data, and what it and the scoring program write; never scores
    hide_prediction_output: bool
    hide_score_output: bool  # what the scoring program writes: its report
    starting_kit: Path | None
    public_data: Path | None
    rules: Rules


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard; `key` is the key in scores.json. `precision` is for display only."""

    key: str
    title: str
    descending: bool
    precision: int
    hidden: bool
    computation: str | None = None  # avg, sum, min, max, avg_rank, mrr
    computation_keys: tuple[str, ...] = ()  # columns it is computed from


@dataclass(frozen=True)
class Leaderboard:
    title: str
    key: str
    hidden: bool
    submission_rule: str
    columns: tuple[Column, ...]
    primary: Column


@dataclass(frozen=True)
class Bundle:
    """A challenge. `digest` is the SHA-256 over competition.yaml and what it names, without the hidden data."""

    root: Path
    digest: str
    title: str
    description: str
    logo: Path | None
    terms: Path | None
    pages: tuple[Page, ...]
    docker_image: str  # where programs without a Dockerfile of their own run
    auto_approve: bool
    tasks: tuple[Task, ...]
    phases: tuple[Phase, ...]
    leaderboard: Leaderboard
    warnings: tuple[Problem, ...]

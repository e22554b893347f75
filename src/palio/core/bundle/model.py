"""The contents of a bundle: frozen values with defaults applied, units in the names and paths resolved."""

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
    REFERENCE = "reference"  # an image in a registry, named by its digest


class LogPolicy(StrEnum):
    """How much of a stage's log participants may read. `organizer`: only organizers read it."""

    NONE = "none"
    TAIL = "tail"
    FULL = "full"
    ORGANIZER = "organizer"


class ScorePolicy(StrEnum):
    """Whether participants see the scores of a phase. `hidden`: not even their own."""

    VISIBLE = "visible"
    HIDDEN = "hidden"


class FeedbackRule(StrEnum):
    """What participants learn of the scores of a phase while it must not be optimized against."""

    EXACT = "exact"
    ROUNDED = "rounded"  # every score, rounded
    LADDER = "ladder"  # only scores that improve on the team's best shown one by more than a step, or a standard error
    NONE = "none"  # no score, not even their own


class Severity(StrEnum):
    ERROR = "error"  # the challenge cannot be run
    WARNING = "warning"  # the challenge can be run, but perhaps not as intended


@dataclass(frozen=True)
class Problem:
    """A problem in competition.yaml or a file it names. `line` counts from 1, or is None if no line applies."""

    file: str  # relative to the bundle
    line: int | None
    field: str  # dotted path of the key, such as phases[0].start
    message: str  # what was found, what is allowed, what to do
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


@dataclass(frozen=True)
class Page:
    title: str
    file: Path


@dataclass(frozen=True)
class Task:
    """Hidden inputs, reference data, and the programs that use them. Paths are folders or zips."""

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
    """Public cases that run first, with full logs; with `twice`, once more when a platform has nothing else to do."""

    input: Path
    expect: Path | None
    twice: bool = True


@dataclass(frozen=True)
class Restore:
    """The column of a CSV file in which predictions name inputs, so that opaque names can be mapped back."""

    csv: str
    column: str


@dataclass(frozen=True)
class BlindPolicy:
    """Which hidden inputs get opaque names (a glob over file names), and where predictions name them.

    `case` are patterns over paths that say which files are one case (bundle/case_names.py); without any, the layout of
    the folder tells. `restore_json` are the JSON files in which predictions name inputs.
    """

    inputs: str
    restore: tuple[Restore, ...]
    case: tuple[str, ...] = ()
    restore_json: tuple[str, ...] = ()

    def hides(self) -> Callable[[str], bool]:
        """Returns a function that tells whether a file, of which it looks at the name only, in any case, is hidden."""
        pattern = glob(re.sub(r"\*+", "*", self.inputs.lower()), negations="!^")  # raises PatternError
        return lambda name: pattern.match(name.rpartition("/")[2].lower())


@dataclass(frozen=True)
class StatisticsPolicy:
    """The file with the single cases in the scoring program's output, and the metrics computed from it.

    Metrics are written as in bundle.case_metrics. `metrics` are by the key of their column; `metric` is that of every
    primary column that is not among them, or empty. `group` is the column of cases that belong together, such as those
    of one patient.
    """

    cases: str
    kind: str
    metric: str
    metrics: tuple[tuple[str, str], ...] = ()
    group: str | None = None

    def metric_of(self, column: "Column", primary: "Column") -> str | None:
        """The metric whose value the column shows; None if the bundle names none for it. That of a single task is the
        metric of its column."""
        key = column.key if column.task is None else column.key.rpartition("@")[0]
        return dict(self.metrics).get(key) or (self.metric or None if key == primary.key else None)


@dataclass(frozen=True)
class MonaiPolicy:
    """How MONAI bundles run, and what is made of what they write: a table, or a file for each case.

    `columns` are the header of `csv`: the column with the names of inputs, then those with predictions. `classes` are
    the names of the network's output channels, in order; with them, a single predicted column gets names of classes.
    `files` is the path of each case's file, with `{case}` in it.
    """

    image: str
    csv: str | None = None  # None: what a bundle writes stays as it is
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    files: str | None = None  # None: files that are no table stay where they are


@dataclass(frozen=True)
class RankingPolicy:
    """Which submissions of a team are ranked: "best", "last", "all", or "team": those that the team has chosen.

    In a phase's rules, an empty `choose` leaves it to the leaderboard (bundle.leaderboards).
    """

    choose: str
    ties: str = "min"  # equal scores share the better rank
    several: bool = False  # where the team chooses: more than one at a time
    removable: bool = True  # where the team chooses: it may take one off again


@dataclass(frozen=True)
class FeedbackPolicy:
    """The rule with its parameter: `digits` are decimals of ROUNDED, `step` is the smallest improvement of LADDER.

    A LADDER with a step of 0 is the parameter-free one: the smallest improvement is one standard error of the paired
    difference, which needs single cases.
    """

    rule: FeedbackRule = FeedbackRule.EXACT
    digits: int = 0
    step: float = 0.0

    @property
    def is_exact(self) -> bool:
        return self.rule is FeedbackRule.EXACT

    @property
    def is_parameter_free(self) -> bool:
        return self.rule is FeedbackRule.LADDER and self.step == 0


@dataclass(frozen=True)
class Rules:
    """The rules of a phase: the `palio:` blocks of top level and phase, merged, with defaults."""

    data: str  # "public", "held-out" or "private"
    submissions: tuple[SubmissionKind, ...]
    build: BuildLimits
    predict: Limits
    score: Limits
    logs_sample: LogPolicy
    logs_predict: LogPolicy
    logs_score: LogPolicy
    scores: ScorePolicy  # HIDDEN if and only if the rule of the feedback is NONE
    feedback: FeedbackPolicy
    sample: SamplePolicy | None
    blind: BlindPolicy | None
    statistics: StatisticsPolicy | None
    ranking: RankingPolicy
    monai: MonaiPolicy
    engine: str = ""  # the name of one of the platform's engines; empty: its default


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
    hide_output: bool  # hides logs of stages on hidden data and the output of their programs, but never scores
    hide_prediction_output: bool
    hide_score_output: bool  # hides the scoring program's output: its report
    starting_kit: Path | None
    public_data: Path | None
    rules: Rules
    leaderboards: tuple[str, ...] = ()  # their keys; all if empty
    migrates_ranked: bool = False  # it takes over only what is on the leaderboard, as on CodaLab


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard. `key` is its key in scores.json; `precision` only affects display.

    A scoring program that writes no score for a `required` column has failed.
    """

    key: str
    title: str
    descending: bool
    precision: int
    hidden: bool
    computation: str | None = None  # avg, sum, min, max, avg_rank, mrr
    computation_keys: tuple[str, ...] = ()  # the columns that it is computed from
    computation_weights: tuple[float, ...] = ()  # of these columns, for a weighted sum of ranks
    task: int | None = None  # the index of the task whose score it shows (bundle.task_columns)
    required: bool = False


@dataclass(frozen=True)
class Leaderboard:
    title: str
    key: str
    hidden: bool
    submission_rule: str  # Codabench's word for who or what chooses the rows (bundle.leaderboards); empty if not given
    columns: tuple[Column, ...]
    primary: Column


@dataclass(frozen=True)
class Solution:
    """A sample submission: a folder or file, and the indexes of the tasks that it solves."""

    path: Path
    tasks: tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """A question that participants answer with each submission. The answers are its fact sheet."""

    key: str
    title: str
    type: str  # text, checkbox or select
    options: tuple[str, ...]  # of a select
    required: bool
    on_leaderboard: bool  # answers are public, as a column of the leaderboard


@dataclass(frozen=True)
class Organizer:
    """A person or group behind the challenge. `link` is an http(s) URL; it and the affiliation may be empty."""

    name: str
    affiliation: str = ""
    link: str = ""


@dataclass(frozen=True)
class Tags:
    """What a challenge is about, to find it by; any of them may be empty."""

    modality: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.modality, *self.task, *self.body_part)))


@dataclass(frozen=True)
class Presentation:
    """How the challenge is shown. None of it affects an evaluation."""

    accent: str = ""  # #rrggbb with enough contrast on light pages, or empty
    cover: Path | None = None
    tags: Tags = Tags()
    organizers: tuple[Organizer, ...] = ()
    prize: str = ""
    citation: str = ""
    discussion: str = ""  # an http(s) URL, or empty


@dataclass(frozen=True)
class Bundle:
    """A challenge. `digest` is the SHA-256 of competition.yaml and the files it names, without hidden data."""

    root: Path
    digest: str
    title: str
    description: str
    logo: Path | None
    terms: Path | None
    pages: tuple[Page, ...]
    docker_image: str  # for programs without a Dockerfile of their own
    auto_approve: bool
    tasks: tuple[Task, ...]
    phases: tuple[Phase, ...]
    leaderboard: Leaderboard  # the first
    warnings: tuple[Problem, ...]
    solutions: tuple[Solution, ...] = ()
    fact_sheet: tuple[Question, ...] = ()
    more_leaderboards: tuple[Leaderboard, ...] = ()
    presentation: Presentation = Presentation()

    @property
    def leaderboards(self) -> tuple[Leaderboard, ...]:
        return (self.leaderboard, *self.more_leaderboards)

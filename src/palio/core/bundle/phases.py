"""Reads tasks and phases, which both dialects have under different keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from palio.core.bundle.defaults import MAX_SUBMISSIONS, default_rules
from palio.core.bundle.model import Phase, Task
from palio.core.bundle.paths import Paths
from palio.core.bundle.readers import boolean, integer, text, text_up_to
from palio.core.bundle.rules import read_rules, without_output
from palio.core.bundle.times import ADVICE, moment
from palio.core.bundle.units import duration
from palio.core.bundle.values import Section, Value, merged

MAX_NAME = 256
UNKNOWN = datetime.min.replace(tzinfo=UTC)  # placeholder for a start that could not be read


@dataclass(frozen=True)
class Keys:
    """The keys of one dialect, and the default that differs."""

    name: str
    start: str
    auto_migrate: str
    ingestion_only_during_scoring: str
    max_submissions_per_day: int


@dataclass(frozen=True)
class Context:
    """What reading a phase needs from the rest of the file."""

    keys: Keys
    paths: Paths
    palio: Value | None  # the block at top level
    native: bool  # whether there is such a block, here or in a phase
    submission_rule: str


def read_task(section: Section, keys: Keys, paths: Paths, index: int, name: str) -> Task:
    return Task(
        index=index,
        name=name,
        description=section.read("description", text, ""),
        scoring_program=section.require(
            "scoring_program", paths.program, paths.root, "name the folder or .zip of the scoring program"
        ),
        ingestion_program=section.read("ingestion_program", paths.program, None),
        input_data=section.read("input_data", paths.data, None),
        reference_data=section.read("reference_data", paths.data, None),
        ingestion_only_during_scoring=section.read(keys.ingestion_only_during_scoring, boolean, False),
    )


def read_phase(
    section: Section, context: Context, *, index: int, end: datetime | None, tasks: tuple[Task, ...]
) -> Phase:
    keys, paths = context.keys, context.paths
    hide_output = section.read("hide_output", boolean, False)
    defaults = default_rules(
        tasks,
        native=context.native,
        time_limit_s=section.read("execution_time_limit", duration, None),
        submission_rule=context.submission_rule,
    )
    own = section.take("palio")
    rules = read_rules(merged(context.palio, own), defaults, paths)
    return Phase(
        index=index,
        name=section.require(keys.name, text_up_to(MAX_NAME), f"{index + 1}", "give the phase a name"),
        description=section.read("description", text, ""),
        start=section.require(keys.start, moment, UNKNOWN, ADVICE),
        end=end,
        tasks=tasks,
        max_submissions_per_day=_quota(section, "max_submissions_per_day", keys.max_submissions_per_day),
        max_submissions=_quota(section, "max_submissions", MAX_SUBMISSIONS),
        auto_migrate=section.read(keys.auto_migrate, boolean, False),
        hide_output=hide_output,
        hide_prediction_output=section.read("hide_prediction_output", boolean, False),
        hide_score_output=section.read("hide_score_output", boolean, False),
        starting_kit=section.read("starting_kit", paths.data, None),
        public_data=section.read("public_data", paths.data, None),
        rules=without_output(rules, own) if hide_output else rules,
    )


def check_sequence(read: Sequence[tuple[Section, Phase]], keys: Keys) -> None:
    """Checks that each phase ends after it starts, and no later than the next one starts."""
    for section, phase in read:
        if phase.start > UNKNOWN and phase.end is not None and phase.end <= phase.start:
            section.value.error(
                f"“{phase.name}” ends at {_shown(phase.end)}, not after its start at {_shown(phase.start)}; "
                "a phase ends after it starts"
            )
    for (_, phase), (next_section, following) in pairwise(read):
        start = next_section.take(keys.start)
        if phase.end is not None and start is not None and UNKNOWN < following.start < phase.end:
            start.error(
                f"“{following.name}” starts at {_shown(following.start)}, before “{phase.name}” ends at "
                f"{_shown(phase.end)}; phases follow each other"
            )
    if read and read[0][1].auto_migrate and (value := read[0][0].take(keys.auto_migrate)):
        value.error("says true, but there is no phase before the first; remove it")


def _quota(section: Section, key: str, default: int) -> int | None:
    """The number of submissions; None (0 and null in the file) is unlimited."""
    number = section.read(key, integer(0, 1_000_000), default)
    return None if section.is_null(key) else number or None


def _shown(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"

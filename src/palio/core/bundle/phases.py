"""Reads tasks and phases, which both dialects have under different keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from palio.core.bundle.defaults import MAX_SUBMISSIONS, default_rules
from palio.core.bundle.model import Phase, Task
from palio.core.bundle.paths import Paths
from palio.core.bundle.presentation import without_presentation
from palio.core.bundle.readers import boolean, integer, scalar, text, text_up_to
from palio.core.bundle.rules import read_rules, without_output
from palio.core.bundle.times import ADVICE, moment, shown
from palio.core.bundle.units import DURATION_ADVICE, duration
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
    zero_closes: bool  # whether `max_submissions: 0` means none; else it means any number


@dataclass(frozen=True)
class Context:
    """What reading a phase needs from the rest of the file."""

    keys: Keys
    paths: Paths
    palio: Value | None  # the block at top level
    native: bool  # whether there is such a block, here or in a phase

    @classmethod
    def of(cls, top: Section, phases: Sequence[Section], keys: Keys, paths: Paths) -> "Context":
        """Takes the `palio:` block from `top`."""
        block = top.take("palio")
        palio = without_presentation(block)
        is_written = "palio" in top and palio is block  # also if it is empty
        native = is_written or palio is not None or any("palio" in phase for phase in phases)
        return cls(keys=keys, paths=paths, palio=palio, native=native)


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
        time_limit_s=section.read("execution_time_limit", _time_limit, None),
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
        max_submissions_per_day=_quota(section, keys, "max_submissions_per_day", keys.max_submissions_per_day),
        max_submissions=_quota(section, keys, "max_submissions", MAX_SUBMISSIONS),
        auto_migrate=section.read(keys.auto_migrate, boolean, False),
        hide_output=hide_output,
        hide_prediction_output=section.read("hide_prediction_output", boolean, False),
        hide_score_output=section.read("hide_score_output", boolean, False),
        starting_kit=section.read("starting_kit", paths.data, None),
        public_data=section.read("public_data", paths.data, None),
        rules=without_output(rules, own) if hide_output else rules,
    )


def check_sequence(read: Sequence[tuple[Section, Phase]], keys: Keys) -> None:
    """Warns of phases that nobody can submit to, and if the first one is to take over submissions."""
    for section, phase in read:
        if phase.start == UNKNOWN or phase.end is None or phase.end > phase.start:
            continue
        ends = (
            f"ends when it starts, at {shown(phase.start)}"
            if phase.end == phase.start
            else f"ends at {shown(phase.end)}, before it starts at {shown(phase.start)}"
        )
        section.value.warn(f"“{phase.name}” {ends}, so nobody can submit to it; write a later end")
    if read and read[0][1].auto_migrate and (value := read[0][0].take(keys.auto_migrate)):
        value.warn("says true, but there is no phase before the first; remove it")


def _time_limit(value: Value) -> float | None:
    """Seconds. None for 0, for which CodaLab has a default, too."""
    if scalar(value, DURATION_ADVICE) == "0":
        value.warn("says `0`, which CodaLab reads as its default; write the time limit to be sure")
        return None
    return duration(value)


def _quota(section: Section, keys: Keys, key: str, default: int) -> int | None:
    """The number of submissions; None is unlimited."""
    number = section.read(key, integer(0, 1_000_000), default)
    if number or section.is_null(key):
        return number if not section.is_null(key) else None
    if keys.zero_closes and (value := section.take(key)):
        value.warn("says `0`, so nobody can submit to this phase, as on CodaLab; write a number to open it")
        return 0
    return None

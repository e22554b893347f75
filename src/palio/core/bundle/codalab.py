"""Reads the dialect of CodaLab Competitions, versions 1 to 1.8, with the meaning it had there.

Where Codabench reads a key differently, the author's platform wins: times keep their hours, a phase ends when the next
one starts (not a day earlier), registration is open unless approval is requested, submissions per day are not capped at
five, and the parallel datasets of 1.8 become the tasks of one phase.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, groupby, pairwise
from pathlib import Path

from palio.core.bundle.codalab_leaderboard import read_leaderboards
from palio.core.bundle.defaults import DOCKER_IMAGE
from palio.core.bundle.leaderboards import BEST
from palio.core.bundle.model import Bundle, Page, Phase, Task
from palio.core.bundle.paths import Paths
from palio.core.bundle.phases import MAX_NAME, UNKNOWN, Context, Keys, check_sequence, read_phase, read_task
from palio.core.bundle.presentation import read_presentation
from palio.core.bundle.readers import boolean, image_name, integer, scalar, text, text_up_to
from palio.core.bundle.task_columns import with_task_columns
from palio.core.bundle.times import ADVICE, Moment, end_moment, shown
from palio.core.bundle.unused import CODALAB, CODALAB_PARENT, CODALAB_PART, CODALAB_PHASE
from palio.core.bundle.values import Section, Value

KEYS = Keys(
    name="label",
    start="start_date",
    auto_migrate="auto_migration",
    ingestion_only_during_scoring="ingestion_program_only_during_scoring",
    max_submissions_per_day=999,
    zero_closes=True,
)
MAX_NUMBER = 10_000


def read_codalab(top: Section, root: Path) -> Bundle:
    """Reads all of competition.yaml. Problems go to the findings of `top`; the bundle then has placeholder values."""
    paths = Paths(root)
    boards = read_leaderboards(top)
    presentation = read_presentation(top.take("palio"), paths)
    phases = _phases(top, paths)
    first, *others = with_task_columns(boards, phases)
    pages = _pages(top, paths)
    bundle = Bundle(
        root=root,
        digest="",
        title=top.require("title", text_up_to(MAX_NAME), "", "give the challenge a title"),
        description=top.read("description", text, ""),
        logo=top.read("image", paths.file, None),
        terms=pages.pop("terms", None),
        pages=tuple(Page(name.replace("_", " ").capitalize(), file) for name, file in pages.items()),
        docker_image=top.read("competition_docker_image", image_name, DOCKER_IMAGE),
        auto_approve=not top.read("has_registration", boolean, False),
        tasks=tuple(task for phase in phases for task in phase.tasks),
        phases=phases,
        leaderboard=first,
        warnings=(),
        more_leaderboards=tuple(others),
        presentation=presentation,
    )
    top.drop(CODALAB)
    return bundle


def _pages(top: Section, paths: Paths) -> dict[str, Path]:
    """The files of `html` by name. Each is a page, except `terms`."""
    if top.take("html") is None:
        top.missing("html", "name the pages, as in `html: {overview: overview.html, terms: terms.html}`")
    html = top.section("html")
    pages = {name: html.read(name, paths.file, None) for name in html}
    return {name: file for name, file in pages.items() if file}


def _phases(top: Section, paths: Paths) -> tuple[Phase, ...]:
    sections = top.require_sections("phases", "name at least one phase, with its label and start_date")
    context = Context.of(top, sections, KEYS, paths)
    numbers = {section: section.read("phasenumber", integer(0, MAX_NUMBER), 0) for section in sections}
    in_order = sorted(sections, key=numbers.__getitem__)
    parts = _parallel_parts(in_order, numbers)
    tasks: list[Task] = []
    read: list[tuple[Section, Phase]] = []
    for section in in_order:
        if any(section in group for group in parts.values()):
            continue
        own = tuple(_task(part, paths, len(tasks) + n) for n, part in enumerate(parts.get(section, [section])))
        tasks += own
        section.drop(_unused_in(section))
        if section in parts:
            section.drop(CODALAB_PARENT)
        phase = read_phase(section, context, index=len(read), end=None, tasks=own)
        if section.read("force_best_submission_to_leaderboard", boolean, False) and not phase.rules.ranking.choose:
            phase = replace(phase, rules=replace(phase.rules, ranking=BEST))
        phase = replace(phase, migrates_ranked=phase.auto_migrate)
        read.append((section, phase))
    for part in chain.from_iterable(parts.values()):
        part.drop(_unused_in(part) | CODALAB_PART)
    read = _with_ends(read, _end_of_challenge(top))
    check_sequence(read, KEYS)
    return tuple(phase for _, phase in read)


def _parallel_parts(sections: Sequence[Section], numbers: dict[Section, int]) -> dict[Section, list[Section]]:
    """Returns the phases that version 1.8 calls parallel parents, each with its parts."""
    parents = {numbers[s]: s for s in sections if s.read("is_parallel_parent", boolean, False)}
    parts: dict[Section, list[Section]] = {}
    for section in sections:
        number = section.read("parent_phasenumber", integer(0, MAX_NUMBER), None)
        if number is None or section in parents.values():
            continue
        if number in parents:
            parts.setdefault(parents[number], []).append(section)
        elif value := section.take("parent_phasenumber"):
            value.error(f"says {number}, but no phase with that phasenumber has `is_parallel_parent: true`")
    return parts


def _task(section: Section, paths: Paths, index: int) -> Task:
    label = section.require("label", text_up_to(MAX_NAME), f"{index + 1}", "give the phase a name")
    return read_task(section, KEYS, paths, index, f"{label} Task")


def _unused_in(section: Section) -> dict[str, str]:
    images = [key for key in section if key.endswith("_docker_image")]
    return CODALAB_PHASE | dict.fromkeys(images, "competition_docker_image applies to all of them")


def _end_of_challenge(top: Section) -> datetime | None:
    """The end of the challenge. A day without a time counts as a whole."""

    def never_or_moment(value: Value) -> Moment | None:
        return (
            None if scalar(value, ADVICE) == "null" else end_moment(value)
        )  # a quoted null, which some exports contain

    end = top.read("end_date", never_or_moment, None)
    if end is not None and end.whole_day and (value := top.take("end_date")):
        value.warn(
            f"{value.found} without a time of day, so the challenge ends when that day does, at {shown(end.instant)}; "
            "write a time to be sure"
        )
    return end.instant if end else None


def _with_ends(read: list[tuple[Section, Phase]], end: datetime | None) -> list[tuple[Section, Phase]]:
    """Ends each phase when the next one starts, and the last one at the end of the challenge.

    Phases that start together run in parallel, and a phase with `phase_never_ends` runs until the challenge ends. One
    that starts after the challenge ends is never open, as on CodaLab.
    """
    ended = []
    starts = [phase.start for _, phase in read]
    for section, phase in read:
        later = [start for start in starts if start > max(phase.start, UNKNOWN)]
        never = section.read("phase_never_ends", boolean, False)
        ends = end if never or not later else min(later)
        ended.append((section, replace(phase, end=ends and max(ends, phase.start))))
    for start, group in groupby(sorted(ended, key=_start), key=_start):
        together = list(group)
        if len(together) > 1 and start > UNKNOWN:
            names = " and ".join(f"“{phase.name}”" for _, phase in together)
            together[0][0].value.warn(f"{names} start together, so they run in parallel")
    for (_, phase), (section, following) in pairwise(ended):
        if UNKNOWN < following.start < phase.start:
            section.value.warn(
                f"“{following.name}” starts before “{phase.name}”, which has a smaller phasenumber; check both dates"
            )
    return ended


def _start(entry: tuple[Section, Phase]) -> datetime:
    return entry[1].start

"""Reads Codabench's dialect, `version: 2`, which is also Palio's own."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path

from palio.core.bundle.codabench_leaderboard import read_leaderboards
from palio.core.bundle.defaults import DOCKER_IMAGE, MAX_SUBMISSIONS_PER_DAY
from palio.core.bundle.fact_sheet import read_fact_sheet
from palio.core.bundle.model import Bundle, Leaderboard, Page, Phase, Solution, Task
from palio.core.bundle.paths import Paths
from palio.core.bundle.phases import MAX_NAME, UNKNOWN, Context, Keys, check_sequence, read_phase, read_task
from palio.core.bundle.presentation import read_presentation
from palio.core.bundle.readers import boolean, image_name, integer, scalar, text, text_up_to
from palio.core.bundle.task_columns import with_task_columns
from palio.core.bundle.times import Moment, end_moment, moment, shown
from palio.core.bundle.unused import CODABENCH, CODABENCH_PHASE, CODABENCH_TASK
from palio.core.bundle.values import Refused, Section, Value, accept

KEYS = Keys(
    name="name",
    start="start",
    auto_migrate="auto_migrate_to_this_phase",
    ingestion_only_during_scoring="ingestion_only_during_scoring",
    max_submissions_per_day=MAX_SUBMISSIONS_PER_DAY,
    zero_closes=False,
)
MAX_INDEX = 10_000
NO_INDEX = -1  # placeholder for an index that could not be read


def read_codabench(top: Section, root: Path) -> Bundle:
    """Reads all of competition.yaml. Problems go to the findings of `top`; the bundle then has placeholder values."""
    paths = Paths(root)
    boards = read_leaderboards(top)
    tasks = _tasks(top, paths)
    presentation = read_presentation(top.take("palio"), paths)
    phases = _phases(top, paths, tasks, boards)
    first, *others = with_task_columns(boards, phases)
    bundle = Bundle(
        root=root,
        digest="",
        title=top.require("title", text_up_to(MAX_NAME), "", "give the challenge a title"),
        description=top.read("description", text, ""),
        logo=top.read("image", paths.file, None),
        terms=top.read("terms", paths.file, None),
        pages=_pages(top, paths),
        docker_image=top.read("docker_image", image_name, DOCKER_IMAGE),
        auto_approve=top.read("registration_auto_approve", boolean, False),
        tasks=tuple(tasks.values()),
        phases=phases,
        leaderboard=first,
        warnings=(),
        solutions=_solutions(top, paths, tasks),
        fact_sheet=read_fact_sheet(top),
        more_leaderboards=tuple(others),
        presentation=presentation,
    )
    top.drop(CODABENCH)
    return bundle


def _pages(top: Section, paths: Paths) -> tuple[Page, ...]:
    advice = "name at least one page as `- {title: Overview, file: pages/overview.md}`"
    return tuple(
        Page(
            title=page.require("title", text_up_to(MAX_NAME), "", "give the page a title"),
            file=page.require("file", paths.file, paths.root, "name the .md or .html file of the page"),
        )
        for page in top.require_sections("pages", advice)
    )


def _tasks(top: Section, paths: Paths) -> dict[int, Task]:
    tasks: dict[int, Task] = {}
    for section in top.require_sections("tasks", "name at least one task, with its index and scoring_program"):
        index = section.require(
            "index", integer(0, MAX_INDEX), NO_INDEX, "number the tasks from 0; phases name them so"
        )
        name = section.read("name", text_up_to(MAX_NAME), f"Task {index + 1}")
        section.drop(CODABENCH_TASK)
        if section.take("key") and not section.take("scoring_program"):
            section.value.error(
                "is the key of a task on another platform; download that task and write its scoring_program, "
                "input_data and reference_data here as paths"
            )
            tasks.setdefault(index, _no_task(index, paths))
            continue
        task = read_task(section, KEYS, paths, index, name)
        if index in tasks and index >= 0:
            section.value.error(f"has the index {index}, like another task above; give each task its own")
        tasks.setdefault(index, task)
    return tasks


def _solutions(top: Section, paths: Paths, tasks: dict[int, Task]) -> tuple[Solution, ...]:
    solutions = []
    for section in top.sections("solutions"):
        path = section.read("path", paths.data, None)
        named = _tasks_of(section, tasks)
        for key in ("index", "name", "description", "key"):
            section.take(key)
        if path is not None:
            solutions.append(Solution(path, tuple(task.index for task in named)))
    return tuple(solutions)


def _no_task(index: int, paths: Paths) -> Task:
    return Task(index, "", "", paths.root, None, None, None, False)


def _phases(top: Section, paths: Paths, tasks: dict[int, Task], boards: Sequence[Leaderboard]) -> tuple[Phase, ...]:
    sections = top.require_sections("phases", "name at least one phase, with its name, start and tasks")
    context = Context.of(top, sections, KEYS, paths)
    in_order = sorted(sections, key=lambda section: section.read("index", integer(0, MAX_INDEX), 0))
    read = []
    starts = [section.read("start", moment, UNKNOWN) for section in in_order]
    for index, section in enumerate(in_order):
        section.drop(CODABENCH_PHASE)
        end = _end(section, starts[index + 1] if index + 1 < len(starts) else None)
        own = _tasks_of(section, tasks)
        phase = read_phase(section, context, index=index, end=end, tasks=own)
        read.append((section, replace(phase, leaderboards=_leaderboards_of(section, boards))))
    for section, phase in read[:-1]:
        if section.take("end") is None:
            section.missing("end", f"only the last phase may be open-ended; write when “{phase.name}” ends")
    check_sequence(read, KEYS)
    for (_, phase), (section, following) in pairwise(read):
        start = section.take("start")
        if phase.end is not None and start is not None and UNKNOWN < following.start < phase.end:
            start.error(
                f"“{following.name}” starts at {shown(following.start)}, before “{phase.name}” ends at "
                f"{shown(phase.end)}; phases follow each other"
            )
    return tuple(phase for _, phase in read)


def _end(section: Section, next_start: datetime | None) -> datetime | None:
    """When a phase ends. A day without a time counts as a whole, unless the next phase starts on it."""
    end = section.read("end", end_moment, None)
    if end is None:
        return None
    if not end.whole_day:
        return end.instant
    if next_start is not None and end.instant - timedelta(days=1) <= next_start < end.instant:
        end = Moment(next_start, whole_day=True)
    if value := section.take("end"):
        value.warn(
            f"{value.found} without a time of day, so the phase ends when that day does, at {shown(end.instant)}; "
            "write a time to be sure"
            if end.instant != next_start
            else f"{value.found} without a time of day, so the phase ends when the next one starts, at "
            f"{shown(end.instant)}; write a time to be sure"
        )
    return end.instant


def _leaderboards_of(section: Section, boards: Sequence[Leaderboard]) -> tuple[str, ...]:
    """The keys of the leaderboards that a phase names, as a list or a single one."""
    keys = [board.key for board in boards]

    def known(value: Value) -> str:
        written = scalar(value, "write the index or the key of a leaderboard")
        if written in keys:
            return written
        if written.isascii() and written.isdigit() and len(written) < 6 and int(written) < len(keys):
            return keys[int(written)]
        listed = ", ".join(f"{index} `{key}`" for index, key in enumerate(keys))
        raise Refused(f"{value.found}, but no leaderboard has that index or key (defined: {listed})")

    named = [value for key in ("leaderboard", "leaderboards") if (value := section.take(key))]
    items = chain.from_iterable(each.items() if isinstance(each.content, tuple) else (each,) for each in named)
    return tuple(dict.fromkeys(key for item in items if (key := accept(item, known, ""))))


def _tasks_of(section: Section, tasks: dict[int, Task]) -> tuple[Task, ...]:
    def known(value: Value) -> Task | None:
        index = integer(0, MAX_INDEX)(value)
        if index not in tasks and NO_INDEX in tasks:  # it may be the one whose index could not be read
            return None
        if index not in tasks:
            there = ", ".join(str(number) for number in sorted(tasks) if number >= 0) or "none"
            raise Refused(f"{value.found}, but no task has that index (defined: {there})")
        return tasks[index]

    value = section.take("tasks")
    if value is None or value.content == ():
        section.missing("tasks", "write the indexes of its tasks as a list, such as [0]")
        return ()
    named = [task for item in value.items() if (task := accept(item, known, None))]
    return tuple(dict.fromkeys(named))

"""Checks a bundle's files: that they exist and fit together. Nothing is run or built.

Whether a scoring program works is tested by running it (core.self_test).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from palio.core.bundle.case_metrics import KINDS, WrittenMetric, case_metric
from palio.core.bundle.case_names import CasesUnclearError, name_parts
from palio.core.bundle.check_feedback import feedback_problems
from palio.core.bundle.check_monai import monai_problems
from palio.core.bundle.check_program import program_problems, program_texts
from palio.core.bundle.contents import is_zip
from palio.core.bundle.data_files import DataFiles, DataOnDisk, readable
from palio.core.bundle.leaderboards import leaderboards_of, score_columns
from palio.core.bundle.model import Bundle, Column, Phase, Problem, SubmissionKind, Task
from palio.core.bundle.own_names import file_with_own_name
from palio.core.bundle.pictures import picture_fault
from palio.core.bundle.places import Places
from palio.core.bundle.problems import changed, error, in_file_order, warning
from palio.core.bundle.read import NAME
from palio.core.bundle.task_columns import own_columns
from palio.core.bundle.wording import quoted, suggestion
from palio.core.errors import PalioError, counted
from palio.core.files.digest import UnfitFile
from palio.core.quantities import duration_text, size_text

LONG_S = 24 * 3600.0
_RUNS_A_CONTAINER = {SubmissionKind.CONTEXT, SubmissionKind.IMAGE, SubmissionKind.REFERENCE, SubmissionKind.MONAI}


def check_bundle(
    bundle: Bundle, now: datetime | None = None, data: DataFiles | None = None
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Returns errors and warnings, each once and in file order. Both are empty for a sound bundle.

    `palio check`, publishing and the server use this one verdict. `now` is aware; defaults to the present.
    `data` reads the data if it is not in the bundle's folder.
    """
    places = Places(bundle.root / NAME)
    files = data or DataOnDisk(bundle.root)
    listed = (
        *_pages(bundle),
        *_schedule(bundle, now or datetime.now(UTC)),
        *(problem for task in bundle.tasks for problem in _task(bundle, task, places, files)),
        *(problem for phase in bundle.phases for problem in _phase(bundle, phase, places, files)),
        *(problem for each in bundle.solutions for problem in _data(bundle, places, files, "path", each.path, False)),
    )
    found = in_file_order(dict.fromkeys(places.located(problem) for problem in listed))
    errors = tuple(problem for problem in found if problem.is_error)
    return errors, tuple(problem for problem in found if not problem.is_error)


def _pages(bundle: Bundle) -> Iterator[Problem]:
    named = [(f"the page “{page.title}”", page.file) for page in bundle.pages]
    named += [(name, file) for name, file in (("the terms", bundle.terms), ("the logo", bundle.logo)) if file]
    for name, file in named:
        if not file.read_bytes().strip():
            yield warning(
                "", f"is empty, but {NAME} names it as {name}; write it or remove it from {NAME}", _name(bundle, file)
            )
    if (cover := bundle.presentation.cover) and (fault := picture_fault(cover)):
        yield error("palio.cover", fault)
    if (logo := bundle.logo) and logo.stat().st_size and (fault := picture_fault(logo)):
        yield warning("image", f"{fault}. It is not shown")  # bundles of other platforms run, whatever their logo
    public = any(phase.rules.data == "public" for phase in bundle.phases)
    if public and not any(b"public" in page.file.read_bytes().lower() for page in bundle.pages):
        yield warning("palio.data", "says public, but no page does; tell participants that data and labels are public")


def _schedule(bundle: Bundle, now: datetime) -> Iterator[Problem]:
    last = bundle.phases[-1].end
    if last is not None and last <= now:
        yield warning("phases", f"all ended by {last:%Y-%m-%d %H:%M} UTC, so nobody can submit; set a later end")
    used = {task for phase in bundle.phases for task in phase.tasks}
    for task in bundle.tasks:
        if task not in used:
            yield warning("tasks", f"has {_title(task)}, which no phase uses; name it in a phase or remove it")


def _task(bundle: Bundle, task: Task, places: Places, files: DataFiles) -> Iterator[Problem]:
    yield from _data(bundle, places, files, "input_data", task.input_data)
    yield from _data(bundle, places, files, "reference_data", task.reference_data)
    for field, path in (("scoring_program", task.scoring_program), ("ingestion_program", task.ingestion_program)):
        if path is not None:
            yield from (
                places.located(problem, _name(bundle, path)) for problem in program_problems(field, path, bundle.root)
            )
    texts = program_texts(task.scoring_program, bundle.root)
    for column in own_columns(_columns_of(bundle, task)):
        if texts and not column.computation and not any(column.key.encode() in text for text in texts):
            problem = warning(
                "leaderboards",
                f"has the column `{column.key}`, but no file of {_name(bundle, task.scoring_program)} mentions that "
                "key; let the scoring program write it, or correct the key",
            )
            there = places.located(replace(problem, field="key"), column.key)
            if there.line is None:  # CodaLab's dialect
                there = places.located(replace(problem, field=f"columns.{column.key}"))
            yield there if there.line else problem


def _columns_of(bundle: Bundle, task: Task) -> tuple[Column, ...]:
    """The columns of the phases that use the task."""
    phases: list[Phase | None] = [phase for phase in bundle.phases if task in phase.tasks]
    phases = phases or [None]
    return tuple({column.key: column for phase in phases for column in score_columns(bundle, phase)}.values())


def _phase(bundle: Bundle, phase: Phase, places: Places, files: DataFiles) -> Iterator[Problem]:
    rules = phase.rules
    for stage, time_s in (
        ("build", rules.build.time_s),
        ("predict", rules.predict.time_s),
        ("score", rules.score.time_s),
    ):
        if time_s > LONG_S:
            yield warning(
                f"palio.limits.{stage}.time",
                f"is {duration_text(time_s)} in “{phase.name}”; one submission may keep a machine busy for days",
            )
    for stage, limits in (("predict", rules.predict), ("score", rules.score)):
        if limits.output_bytes > limits.memory_bytes:
            yield warning(
                f"palio.limits.{stage}.output",
                f"is {size_text(limits.output_bytes)} in “{phase.name}”, more than the memory of "
                f"{size_text(limits.memory_bytes)}; output counts as memory, so raise memory or lower output",
            )
    if rules.sample:
        yield from _data(bundle, places, files, "palio.sample.input", rules.sample.input)
        yield from _data(bundle, places, files, "palio.sample.expect", rules.sample.expect)
    for field, download in (("starting_kit", phase.starting_kit), ("public_data", phase.public_data)):
        yield from _data(bundle, places, files, field, download, download is None or not download.exists())
    during = [task for task in phase.tasks if task.ingestion_only_during_scoring and task.ingestion_program]
    # CodaLab has the key once for all tasks of a phase.
    yield from dict.fromkeys(_during_scoring(bundle, phase, task, places) for task in during)
    yield from _statistics(bundle, phase)
    yield from feedback_problems(bundle, phase, files)
    for task in phase.tasks:
        yield from _fit(phase, task, files)
        yield from monai_problems(phase, task)


def _statistics(bundle: Bundle, phase: Phase) -> Iterator[Problem]:
    """Checks that metrics belong to columns with scores, and say the same about what is better."""
    policy = phase.rules.statistics
    if policy is None or policy.kind not in KINDS:
        return
    columns = {column.key: column for column in own_columns(score_columns(bundle, phase))}
    scored = [key for key, column in columns.items() if column.computation is None]
    for key, _ in policy.metrics:
        if key not in scored:
            why = "is computed from other columns" if key in columns else "is no column of a leaderboard"
            yield error(
                f"palio.statistics.metrics.{key}", f"{why}; write one of {', '.join(scored)}{suggestion(key, scored)}"
            )
    primaries = {board.primary.key for board in leaderboards_of(bundle, phase)} if policy.metric else set()
    named = {**dict.fromkeys(sorted(primaries), ("palio.statistics.metric", policy.metric))} | {
        key: (f"palio.statistics.metrics.{key}", written) for key, written in policy.metrics
    }
    for key, (field, written) in named.items():
        is_higher_better = case_metric(policy.kind, written).is_higher_better
        if key in columns and is_higher_better not in (None, columns[key].descending):
            better = "higher" if is_higher_better else "lower"
            yield warning(
                field,
                f"is {quoted(written)}, of which {better} is better, but the column {quoted(key)} is sorted "
                f"{'desc' if columns[key].descending else 'asc'}; correct `sorting` or the metric",
            )
        if WrittenMetric.parse(written).name.startswith("median"):
            yield warning(
                field,
                f"is {quoted(written)}; the interval of a median is wide, and hardly any two submissions differ in it; "
                "prefer the mean",
            )


def _fit(phase: Phase, task: Task, files: DataFiles) -> Iterator[Problem]:
    """Checks that the rules of a phase fit the files of one of its tasks."""
    rules = phase.rules
    kinds = set(rules.submissions)
    if kinds & _RUNS_A_CONTAINER and task.input_data is None:
        yield error("input_data", f"is missing from {_title(task)}, but containers in “{phase.name}” need it; add it")
    if SubmissionKind.CODE in kinds and task.ingestion_program is None and task.input_data is None:
        yield error(
            "palio.submissions",
            f"accepts code in “{phase.name}”, but {_title(task)} has neither an ingestion_program nor input_data",
        )
    sources = [(f"in {_title(task)}", task.input_data), ("in the sample", rules.sample and rules.sample.input)]
    for where, source in sources if rules.blind else ():
        if source and source.exists() and (inputs := readable(files, source)) and inputs.names and rules.blind:
            try:
                parts = name_parts(inputs.names, rules.blind, inputs.head)
                if telling := file_with_own_name(inputs, parts):
                    yield warning(
                        "palio.blind",
                        f"hides the name of {quoted(telling)}, but the file contains it, perhaps in its metadata; "
                        f"remove it from all inputs ({where}), as `palio data split` does",
                    )
            except (UnfitFile, OSError):
                continue  # reported by another check
            except CasesUnclearError as fault:
                field, _, what = str(fault).partition(" ")
                yield error(f"palio.blind{field}", f"{what} ({where})")
    if rules.statistics:
        cases, texts = rules.statistics.cases.encode(), program_texts(task.scoring_program)
        if texts and not any(cases in text for text in texts):
            yield warning(
                "palio.statistics.cases",
                f"is {quoted(rules.statistics.cases)}, but no file of the scoring program mentions it; let the "
                "scoring program write it to its output folder",
            )


def _during_scoring(bundle: Bundle, phase: Phase, task: Task, places: Places) -> Problem:
    """What differs from Codabench, where both programs run side by side (core.attempt.before_scoring)."""
    if SubmissionKind.CODE in phase.rules.submissions:
        problem = warning(
            "",
            f"is set, so the ingestion program runs with the code of “{phase.name}” first, without the reference data, "
            "and the scoring program after it, on all that it wrote; they cannot talk to each other",
        )
    else:
        problem = warning(
            "",
            f"is set, so the ingestion program is not run for the submissions of “{phase.name}”; "
            "do its work in the scoring program, and remove the ingestion program",
        )
    codabench = f"tasks[{bundle.tasks.index(task)}].ingestion_only_during_scoring"
    codalab = "ingestion_program_only_during_scoring"
    located = [places.located(replace(problem, field=field)) for field in (codabench, codalab)]
    return next((found for found in located if found.line), located[0])


def _data(
    bundle: Bundle, places: Places, files: DataFiles, field: str, path: Path | None, is_needed: bool = True
) -> Iterator[Problem]:
    """Checks that data exists and is not empty. What no evaluation needs is only warned of."""
    if path is None:
        return
    name = _name(bundle, path)
    if fault := _data_fault(files, path):
        found = (error if is_needed else warning)(field, f"is {quoted(name)}, which {fault}")
        yield places.located(found, name)
    elif path.is_file() and is_zip(path):
        contents = files.contents(path)
        if note := _layout_note(contents.names):
            yield places.located(warning(field, f"is {quoted(name)}, which {note}"), name)
        yield from (places.located(changed(field, name, change), name) for change in contents.changes)


def _layout_note(names: Sequence[str]) -> str | None:
    """What programs may not expect of a zip, which is unpacked as it is, as on Codabench."""
    tops = {name.partition("/")[0] for name in names}
    if len(tops) > 1:
        return None
    if len(names) == 1 and names[0].lower().endswith(".zip"):
        return f"holds only another zip, {quoted(names[0])}; programs see that zip, so zip the files themselves"
    if all("/" in name for name in names):
        top = f"{tops.pop()}/"
        return f"holds everything in the folder {quoted(top)}; if programs do not expect it, zip the files without it"
    return None


def _data_fault(files: DataFiles, path: Path) -> str | None:
    if not path.exists():
        return "does not exist; put the data there, or correct the path"
    try:
        if not files.contents(path).names or (path.is_file() and path.stat().st_size == 0):
            return "is empty; put the data there"
        if pointers := files.pointers(path):
            count = counted(len(pointers), "Git LFS pointer")
            return f"has {count} instead of data, such as {quoted(pointers[0])}; run `git lfs pull` in the repository"
    except (UnfitFile, OSError) as fault:
        return f"cannot be read: {fault}"
    except PalioError as refusal:
        return f"cannot be read: {refusal.failure.message}"
    return None


def _name(bundle: Bundle, path: Path) -> str:
    return path.relative_to(bundle.root).as_posix()


def _title(task: Task) -> str:
    return f"the task “{task.name}”"

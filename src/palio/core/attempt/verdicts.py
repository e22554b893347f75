"""Turns the end of a container into a failure with a responsible party. Each function raises that failure or returns.

The evidence is the limit and the measured value; the end of the stage's log is attached. Only the first stage that
fails counts, because later stages are not reached.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from palio.core.attempt.bundle_image import BundleImage
from palio.core.attempt.run_folder import Stage
from palio.core.bundle.model import Bundle, Phase, SubmissionKind
from palio.core.engine import Build, Collected, End, Engine, Job, JobResult, Load
from palio.core.errors import PalioError, counted
from palio.core.files.entry_point import late_advice
from palio.core.files.log import last_lines
from palio.core.quantities import duration_text, size_text
from palio.core.submission.kinds import SubmissionFile

PREDICTIONS_INVALID = 10  # the exit code with which a scoring program blames the predictions
PROBLEMS_FILE = "problems.txt"
MODULES_MISSING = 3  # the exit code of submission/monai/in_image/check_packages.py
_PACKAGE_OF = {"yaml": "pyyaml", "ignite": "pytorch-ignite"}  # of a module with another name
_SHOWN = 20
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_PIP = re.compile(
    r"CalledProcessError: Command '.*\bpip3?\W+(install\b.*)' returned|No matching distribution found for (\S+)"
)
_NO_FILE = re.compile(r"No such file or directory: '(/app/(?:input/ref|program)/[^']+)'")
_READ_ONLY = re.compile(r"Read-only file system: '([^']+)'")
_LACKS = "Python in the image has no package `{}`."
_INSTALL = (
    "Install it in a Dockerfile of the scoring program (`RUN pip install`), or name a `docker_image` that has it. On "
    "the engine `bubblewrap`, `python -m pip install {}` adds it to this machine's Python."
)
_NO_NETWORK = (
    "The program runs `pip {0}`, but it has no network. Install packages in a Dockerfile of the scoring program (`RUN "
    "pip install`), or name a `docker_image` that has them. On the engine `bubblewrap`, `python -m pip {0}` adds them "
    "to this machine's Python."
)
_IS_PYTHON_2 = re.compile(
    r"^(?:SyntaxError: (?:Missing parentheses in call to '(?:print|exec)'|multiple exception types)"
    r"|TabError: inconsistent use of tabs"
    r"|NameError: name '(?:basestring|raw_input|unicode|xrange)' is not defined"
    r"|AttributeError: 'dict' object has no attribute '(?:has_key|iteritems|itervalues)'"
    r"|ModuleNotFoundError: No module named '(?:ConfigParser|Queue|StringIO|cPickle|urllib2)')",
    re.M,
)
_PYTHON_2 = (
    "The program is written for Python 2, and Python 3 runs it here. Convert it to Python 3, or name a `docker_image` "
    "that has Python 2 and use the engine `docker`."
)
_OTHER_VERSION = re.compile(
    r"(?:AttributeError: module|ImportError: cannot import name) '([\w.]+)' (?:has no attribute|from) '([\w.]+)'"
)
_INSTALL_VERSION = (
    "`{}` has no `{}` here. If it is a package, install the version that the program was written for in a Dockerfile "
    "of the scoring program (`RUN pip install`), or name a `docker_image` that has it."
)
_WHOSE = "If your code needs it, add it to your zip; if the ingestion program does, tell the organizer."
_SCORE_NEXT = "Read the last lines of its log; `palio score` runs only this stage."
_INGESTION_SKIPPED = (
    "The submission was taken for predictions, so the ingestion program did not run. If it has to, submit with `--kind "
    "code`, or accept only code: `palio: {submissions: [code]}`."
)
_NOT_BESIDE = (
    "The task has `ingestion_only_during_scoring`. Here its ingestion program runs first, without the reference data, "
    "and the scoring program after it; they cannot talk to each other."
)
_INGESTION_NEXT = (
    "Read the last lines of its log. If they name only files in /app/program, which is the ingestion program, show "
    "them to the organizer; otherwise fix your code."
)


def refuse_unfit(submission: SubmissionFile, phase: Phase) -> None:
    """Raises if the phase does not accept this kind of submission."""
    allowed = phase.rules.submissions
    if submission.kind not in allowed:
        raise PalioError(
            "submission-kind-refused",
            name=submission.name,
            kind=submission.kind,
            phase=phase.name,
            allowed=", ".join(f"`{kind}`" for kind in allowed),
        )


def refuse_unloadable(engine: Engine, kind: SubmissionKind) -> None:
    """Raises if the engine cannot load images."""
    if not engine.loads_images:
        raise unloadable(engine.name, kind)


def unloadable(engine: str, kind: SubmissionKind) -> PalioError:
    """The error for an image that was not built here, on an engine that cannot load images."""
    return PalioError(
        "submission-kind-unsupported",
        kind=kind,
        engine=engine,
        next_step="This engine runs programs on the machine's own system and cannot load images. Use the engine "
        "`docker`, or submit the folder that the image was built from, packed with `palio pack`.",
    )


def raise_if_load_failed(result: JobResult, load: Load) -> None:
    limits, log = load.limits, last_lines(load.log)
    match result.end:
        case End.TIME:
            limit = duration_text(limits.time_s)
            raise PalioError("image-load-time-limit", stage=Stage.BUILD, limit=limit, log=log)
        case End.IMAGE_SIZE:
            sizes = {"size": size_text(int(result.detail)), "limit": size_text(limits.size_bytes)}
            raise PalioError("build-image-size", stage=Stage.BUILD, **sizes)
        case _ if not result.succeeded:
            raise PalioError("image-load-failed", stage=Stage.BUILD, reason=result.detail, log=log)


def raise_if_build_failed(result: JobResult, build: Build) -> None:
    if result.succeeded:
        return
    limits, log = build.limits, last_lines(build.log)
    _raise_if_index_unreachable(result, build, Stage.BUILD)
    step, _, reason = result.detail.partition("\n")
    match result.end:
        case End.TIME:
            raise PalioError("build-time-limit", stage=Stage.BUILD, limit=duration_text(limits.time_s), log=log)
        case End.MEMORY:
            limit = size_text(limits.memory_bytes)
            raise PalioError("build-memory-limit", stage=Stage.BUILD, limit=limit, evidence=[step], log=log)
        case End.IMAGE_SIZE:
            sizes = {"size": size_text(int(result.detail)), "limit": size_text(limits.size_bytes)}
            raise PalioError("build-image-size", stage=Stage.BUILD, **sizes)
        case End.BASE_MISSING:
            raise PalioError("base-image-missing", stage=Stage.BUILD, image=step, evidence=[reason], log=log)
        case _:
            raise PalioError("build-failed", stage=Stage.BUILD, **_failed_step(result), log=log)


def raise_if_scoring_image_failed(result: JobResult, build: Build, program: Path) -> None:
    if not result.succeeded:
        _raise_if_index_unreachable(result, build, Stage.SCORE)
        facts = _failed_step(result)
        raise PalioError("score-image-failed", stage=Stage.SCORE, program=program, **facts, log=last_lines(build.log))


def raise_if_code_image_failed(result: JobResult, build: Build, program: Path | None) -> None:
    """`program` is the ingestion program with a Dockerfile."""
    if not result.succeeded:
        _raise_if_index_unreachable(result, build, Stage.BUILD)
        facts, log = _failed_step(result), last_lines(build.log)
        raise PalioError("ingestion-image-failed", stage=Stage.BUILD, program=program or "the bundle", **facts, log=log)


def raise_if_bundle_image_failed(result: JobResult, build: Build, image: BundleImage, stage: Stage) -> None:
    """For the image that the bundle names, and for its substitute."""
    if result.end is not End.BASE_MISSING:
        return
    code = "substitute-missing" if image.substitute else "bundle-image-missing"
    reason, log = result.detail.partition("\n")[2], last_lines(build.log)
    raise PalioError(code, stage=stage, image=image.name, substitute=image.substitute, evidence=[reason], log=log)


def raise_if_monai_image_failed(result: JobResult, build: Build, image: str) -> None:
    """`image` is the base image. The Dockerfile is the platform's, so only what it installs is the participant's."""
    log = last_lines(build.log)
    if result.end is End.BASE_MISSING:
        reason = result.detail.partition("\n")[2]
        raise PalioError("monai-image-missing", stage=Stage.BUILD, image=image, evidence=[reason], log=log)
    if result.end is End.EXITED and not result.succeeded:
        raise PalioError("monai-build-failed", stage=Stage.BUILD, **_failed_step(result), log=log)
    raise_if_build_failed(result, build)


def raise_if_monai_missing(result: JobResult, check: Job, image: str, engine: Engine) -> None:
    """`check` has printed the modules that the image lacks, each on a line."""
    if result.succeeded:
        return
    lines = last_lines(check.log)
    packages = [_PACKAGE_OF.get(module, module) for module in check.command or () if module in lines]
    if result.exit_code != MODULES_MISSING or not packages:
        reason = f"it could not be checked ({result.detail or result.end}, exit code {result.exit_code})"
        raise PalioError("monai-image-unfit", stage=Stage.BUILD, image=image, reason=reason, log=lines)
    if engine.loads_images:
        raise PalioError(
            "monai-image-unfit", stage=Stage.BUILD, image=image, reason=f"it has no Python package {_and(packages)}"
        )
    raise PalioError(
        "monai-not-installed",
        stage=Stage.BUILD,
        engine=engine.name,
        packages=_and(packages),
        install=" ".join(packages),
    )


def _and(words: Sequence[str]) -> str:
    words = [f"`{word}`" for word in words]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def raise_if_predict_failed(result: JobResult, job: Job, *, ingestion: bool = False, is_before: bool = False) -> None:
    """`ingestion`: the job runs the ingestion program, which runs the submission. `is_before`: the task wants it beside
    the scoring program, but it runs before it.
    """
    if result.succeeded:
        return
    limits, log = job.limits, last_lines(job.log)
    match result.end:
        case End.TIME:
            facts = {"limit": duration_text(limits.time_s), "cpus": f"{limits.cpus:g}"}
            used = f"time: {duration_text(result.wall_s)} of {duration_text(limits.time_s)}"
            why = f"{_NOT_BESIDE} If it waits for the scoring program, only the organizer can fix it."
            evidence = [used, why] if is_before else [used]
            raise PalioError("predict-time-limit", stage=Stage.PREDICT, **facts, evidence=evidence, log=log)
        case End.MEMORY:
            limit = size_text(limits.memory_bytes)
            raise PalioError(
                "predict-memory-limit", stage=Stage.PREDICT, limit=limit, evidence=[_memory(result, job)], log=log
            )
        case End.OUTPUT_SIZE:
            limit = size_text(limits.output_bytes)
            used = f"output: {result.detail}"
            raise PalioError(
                "predict-output-size", stage=Stage.PREDICT, limit=limit, folder=job.output, evidence=[used], log=log
            )
        case End.OUTPUT_FILES:
            used = f"output: {result.detail}"
            count = f"{limits.output_files:,}"
            raise PalioError(
                "predict-output-files", stage=Stage.PREDICT, limit=count, folder=job.output, evidence=[used], log=log
            )
        case End.NOT_STARTED if ingestion:
            facts = _not_started(result, "Check the `command` in its metadata.yaml and the image it runs in.")
            raise PalioError("ingestion-not-started", stage=Stage.PREDICT, **facts, log=log)
        case End.NOT_STARTED:
            facts = _not_started(
                result, "Check the CMD or ENTRYPOINT of the Dockerfile: it must name a program in the image."
            )
            raise PalioError("predict-not-started", stage=Stage.PREDICT, **facts, log=log)
        case _ if result.peak_pids is not None and result.peak_pids >= limits.pids:
            facts = {"limit": f"{limits.pids:,}", "exit_code": str(result.exit_code)}
            raise PalioError("predict-pids-limit", stage=Stage.PREDICT, **facts, log=log)
        case _ if ingestion:
            package = _missing_package(log)
            next_step = f"{_LACKS.format(package)} {_WHOSE}" if package else _INGESTION_NEXT
            if is_before:
                next_step += f" {_NOT_BESIDE}"
            facts = {"exit_code": str(result.exit_code), "next_step": next_step}
            raise PalioError("ingestion-exit", stage=Stage.PREDICT, **facts, log=log)
        case _:
            raise PalioError("predict-exit", stage=Stage.PREDICT, exit_code=_exit_code(result.exit_code), log=log)


def raise_if_output_unfit(collected: Collected, job: Job) -> None:
    if collected.refused:
        count = counted(len(collected.refused), "entry", "entries")
        raise PalioError(
            "predict-output-refused", stage=Stage.PREDICT, count=count, evidence=collected.refused[:_SHOWN]
        )
    if not collected.files:
        raise PalioError("predict-no-output", stage=Stage.PREDICT, folder=job.output, log=last_lines(job.log))


def raise_if_nothing_left(output: Path, job: Job) -> None:
    """Raises if the output has no file besides the submission's own programs."""
    if not any(path.is_file() for path in output.rglob("*")):
        raise PalioError("predict-no-output", stage=Stage.PREDICT, folder=job.output, log=last_lines(job.log))


def raise_if_score_stopped(result: JobResult, job: Job, *, is_before: bool = False) -> None:
    """Raises if the engine stopped the job or could not start it. Exit codes are judged later, with the output."""
    limits, log = job.limits, last_lines(job.log)
    match result.end:
        case End.TIME:
            limit, evidence = duration_text(limits.time_s), [_NOT_BESIDE] if is_before else []
            raise PalioError("score-time-limit", stage=Stage.SCORE, limit=limit, evidence=evidence, log=log)
        case End.MEMORY:
            limit = size_text(limits.memory_bytes)
            raise PalioError("score-memory-limit", stage=Stage.SCORE, limit=limit, evidence=[_memory(result, job)])
        case End.OUTPUT_SIZE | End.OUTPUT_FILES:
            reason = f"it exceeded its {result.end} of {_output_limits(job)}"
            raise PalioError("score-output-refused", stage=Stage.SCORE, reason=reason, log=log)
        case End.NOT_STARTED:
            facts = _not_started(result, "Check the `command` in its metadata.yaml and the image it runs in.")
            raise PalioError("score-not-started", stage=Stage.SCORE, **facts, log=log)


def raise_if_scores_refused(
    collected: Collected,
    result: JobResult,
    job: Job,
    output: Path,
    *,
    ingestion_skipped: bool,
    is_before: bool = False,
) -> None:
    """`ingestion_skipped`: the task has an ingestion program, which is not run for predictions."""
    problems = output / PROBLEMS_FILE
    if result.exit_code == PREDICTIONS_INVALID and problems.is_file():
        lines = last_lines(problems, count=_SHOWN, width=500)
        raise PalioError("predictions-invalid", stage=Stage.SCORE, count=counted(len(lines), "problem"), evidence=lines)
    if result.exit_code != 0:
        log = last_lines(job.log)
        raise PalioError(
            "score-exit",
            stage=Stage.SCORE,
            exit_code=result.exit_code,
            next_step=_score_advice(log, ingestion_skipped=ingestion_skipped)
            + (f" {_NOT_BESIDE}" if is_before and not ingestion_skipped else ""),
            log=log,
        )
    if collected.refused:
        reason = f"{counted(len(collected.refused), 'entry is', 'entries are')} not regular files"
        raise PalioError("score-output-refused", stage=Stage.SCORE, reason=reason, evidence=collected.refused[:_SHOWN])


def data_missing(bundle: Bundle, field: str, path: Path | None) -> PalioError:
    shown = path.relative_to(bundle.root) if path and path.is_relative_to(bundle.root) else path
    get = "Put the data there, or name its folder in competition.yaml."
    if (bundle.root / "manifest.csv").is_file():
        get = f"Run `palio data get mednist --to {bundle.root}`."
    return PalioError("data-missing", path=shown or "nothing", field=field, next_step=get)


def _raise_if_index_unreachable(result: JobResult, build: Build, stage: Stage) -> None:
    if result.end is End.INDEX_UNREACHABLE:
        raise PalioError("package-index-unreachable", stage=stage, package=result.detail, log=last_lines(build.log))


def _failed_step(result: JobResult) -> dict[str, str]:
    step, _, reason = result.detail.partition("\n")
    exit_code = f" with exit code {result.exit_code}" if result.exit_code and not reason else ""
    return {"step": f"`{step}`" if " " in step else step or "it", "reason": f": {reason}" if reason else exit_code}


def _not_started(result: JobResult, next_step: str) -> dict[str, str]:
    """An engine may add advice on a second line of its reason (core.files.entry_point)."""
    reason, _, advice = result.detail.partition("\n")
    return {"reason": reason, "next_step": advice or late_advice(reason) or next_step}


def _exit_code(code: int | None) -> str:
    """The code, with what shells mean by it."""
    meaning = {
        126: " (from a shell: a file is not executable; set its execute bit with `chmod +x`)",
        127: " (from a shell: a program was not found; a script's lines must not end in CR LF)",
    }
    return f"{code}{meaning.get(code or 0, '')}"


def _missing_package(log: Sequence[str]) -> str | None:
    """The package that Python did not find, if that ended the program."""
    found = _NO_MODULE.fullmatch(log[-1].strip()) if log else None
    return found.group(1) if found else None


def _score_advice(log: Sequence[str], *, ingestion_skipped: bool) -> str:
    """The next step after the log of a scoring program that failed."""
    last = log[-1].strip() if log else ""
    if _IS_PYTHON_2.search("\n".join(log)):
        return _PYTHON_2
    if package := _missing_package(log):
        return f"{_LACKS.format(package)} {_INSTALL.format(package)}"
    if found := _OTHER_VERSION.match(last):
        module, name = found.groups() if last.startswith("AttributeError") else reversed(found.groups())
        return _INSTALL_VERSION.format(module, name)
    if found := _PIP.search(last):
        return _NO_NETWORK.format(" ".join(re.findall(r"[^\s',\]]+", found[1] or f"install {found[2]}")))
    if found := _READ_ONLY.search(last):
        return f"The program writes `{found[1]}`, but only `$output` and /tmp can be written. Let it write there."
    if found := _NO_FILE.search(last):
        where = "its folder" if found[1].startswith("/app/program/") else "the reference data"
        return f"The program opens `{found[1]}`, but {where} has no such file. Add it, or correct the program."
    return f"{_SCORE_NEXT} {_INGESTION_SKIPPED}" if ingestion_skipped else _SCORE_NEXT


def _memory(result: JobResult, job: Job) -> str:
    limit = job.limits.memory_bytes
    used = size_text(result.peak_memory_bytes or limit)
    return f"memory: {used} of {size_text(limit)}, stopped at {duration_text(result.wall_s)}"


def _output_limits(job: Job) -> str:
    return f"{size_text(job.limits.output_bytes)} in {job.limits.output_files:,} files"

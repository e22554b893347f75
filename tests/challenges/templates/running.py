"""Runs the templates' programs in this process, which loads their libraries once, and their commands on no engine."""

import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.conftest import lacking
from tests.fakes import FakeEngine, ended

from palio.core.attempt.jobs import INPUT, OUTPUT
from palio.core.engine import Job, JobResult

PACKAGES = ("nibabel", "pycocotools", "scipy", "sklearn")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def need_packages() -> None:
    if lacked := [package for package in PACKAGES if find_spec(package) is None]:
        lacking(f"the scorers' packages are not all installed ({', '.join(lacked)}); run `make setup`")


def score_in_process(program: Path, source: Path, target: Path) -> int:
    """Runs a scoring program and returns its exit status. Other faults of the program are raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(program), str(source), str(target)])
        patch.syspath_prepend(program.parent)
        patch.delitem(sys.modules, "frame", raising=False)
        patch.setattr(sys, "dont_write_bytecode", True)
        with pytest.raises(SystemExit) as done:
            runpy.run_path(str(program), run_name="__main__")
    return int(done.value.code or 0)


def without_engine(folder: Path, solution: Path) -> FakeEngine:
    """An engine whose image, whatever is built, is `solution`: a folder with predict.py. Nothing is isolated."""

    def predict(job: Job, output: Path) -> None:
        (mount,) = job.mounts
        program = (solution / "predict.py").read_text()
        exec(  # noqa: S102
            compile(program.replace(INPUT, str(mount.source)).replace(OUTPUT, str(output)), "predict.py", "exec"),
            {"__name__": "__main__"},
        )

    def score(job: Job, output: Path) -> JobResult:
        app = output.parent / f"{job.name}-app"
        for mount in (*job.mounts, *job.copies):
            place = app / mount.target.removeprefix("/app/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(mount.source)
        if job.environment.keys() - {"PALIO_INPUT"}:  # what a process reads when it starts
            command = [sys.executable, *map(str, (app / "program/score.py", app / "input", output))]
            ran = subprocess.run(command, env=os.environ | job.environment, capture_output=True, check=False)
            return ended(exit_code=ran.returncode)
        return ended(exit_code=score_in_process(app / "program/score.py", app / "input", output))

    programs = {"sample": predict, "sample-score": score, "predict": predict, "score": score}
    return FakeEngine(folder, programs, runs_in_parallel=False)  # programs share this process's arguments and modules

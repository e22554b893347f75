"""What `palio run` costs beyond the containers themselves.

A submission that does nothing but copy its inputs' names, against the bare `docker build` and two `docker run`s that
build the same Dockerfile, run the same program and the same scoring program, with the same mounts. Every run has a
file of its own in the submission, so that neither side has its image cached.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from tests.bundles import DOCKERFILE, write_bundle, write_context

from benchmarks.installed import PALIO, environment
from benchmarks.measuring import Comparison, side_by_side

COPY = """\
import csv, os
from pathlib import Path

with open("/mnt/out/answers.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["file", "answer"])
    rows.writerows([path.name, "yes"] for path in sorted(Path("/mnt/in").glob("*.txt")))
"""
NAME = "palio-benchmark"


def measure(runs: int = 7) -> Comparison:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        bundle = write_bundle(home / "bundle")
        _palio(home, bundle, -1)  # builds what is built once per challenge
        return side_by_side(
            "palio run, a submission that only copies",
            ("docker build + docker run + docker run", lambda number: bare_run(home, bundle, number)),
            ("palio run", lambda number: _palio(home, bundle, number)),
            runs=runs,
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["docker", "image", "rm", "--force", NAME], capture_output=True, check=False)


def make_context(folder: Path) -> Path:
    context = write_context(folder, predict=COPY, dockerfile=DOCKERFILE.replace("predict.py", "predict.py unique", 1))
    (context / "unique").write_text(uuid.uuid4().hex)
    return context


def bare_run(home: Path, bundle: Path, number: int) -> None:
    context = make_context(home / f"bare-{number}")
    results, scores = home / f"bare-{number}-results", home / f"bare-{number}-scores"
    for folder in (results, scores):
        folder.mkdir()
        folder.chmod(0o777)
    _docker("build", "-q", "-t", NAME, str(context))
    common = ["run", "--rm", "--network", "none", "--user", "10001:10001", "--read-only"]
    _docker(*common, "-v", f"{bundle}/input_data:/mnt/in:ro", "-v", f"{results}:/mnt/out", NAME)
    app = {"program": bundle / "scoring_program", "input/ref": bundle / "reference_data", "input/res": results}
    mounts = [part for inside, path in app.items() for part in ("-v", f"{path}:/app/{inside}:ro")]
    command = ["python", "/app/program/score.py", "/app/input", "/app/output"]
    _docker(*common, *mounts, "-v", f"{scores}:/app/output", "python:3.11-slim", *command)
    if not (scores / "scores.json").is_file():
        raise RuntimeError("the bare run left no scores")


def _palio(home: Path, bundle: Path, number: int) -> None:
    context = make_context(home / f"palio-{number}")
    archive = shutil.make_archive(str(home / f"palio-{number}"), "zip", context)
    command = [*PALIO, "run", archive, "-c", str(bundle), "--engine", "docker", "-o", str(home / f"run-{number}")]
    subprocess.run(command, check=True, capture_output=True, env=environment(home))


def _docker(*arguments: str) -> None:
    setting = os.environ | {"DOCKER_BUILDKIT": "0"}
    subprocess.run(["docker", *arguments], check=True, capture_output=True, env=setting)


if __name__ == "__main__":
    print(measure())

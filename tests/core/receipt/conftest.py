"""A small challenge that was evaluated with a fake engine, and its receipt."""

import csv
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.bundles import DOCKERFILE, PREDICT, answers, write_bundle
from tests.fakes import FakeEngine

from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.read import read_bundle
from palio.core.engine import Job, JobResult
from palio.core.evaluate import Attempt, Evaluation
from palio.core.receipt.key import machine_key
from palio.core.submission.kinds import read_submission


def predict(job: Job, output: Path) -> None:
    inputs = job.mounts[0].source
    yes_or_no = {path.name: "yes" if path.read_text()[0] in "aeiou" else "no" for path in inputs.iterdir()}
    (output / "answers.csv").write_text(answers(yes_or_no))


def score(job: Job, output: Path) -> None:
    def read(target: str) -> dict[str, str]:
        folder = next(mount.source for mount in job.mounts if mount.target == target)
        with (folder / "answers.csv").open() as file:
            return {row["file"]: row["answer"] for row in csv.DictReader(file)}

    truth, given = read("/app/input/ref"), read("/app/input/res")
    right = sum(given[name] == answer for name, answer in truth.items())
    (output / "scores.json").write_text(json.dumps({"accuracy": right / len(truth)}))


class Evaluated:
    """Evaluates the same submission as often as it is told to, each time into another run folder."""

    def __init__(self, home: Path) -> None:
        self.bundle = write_bundle(home / "bundle")
        self.submission = home / "s.zip"
        with zipfile.ZipFile(self.submission, "w") as archive:
            archive.writestr("Dockerfile", DOCKERFILE)
            archive.writestr("predict.py", PREDICT)
        self.engine = FakeEngine(home / "engine", {"predict": predict, "score": score})

    def program(self, stage: str, program: Callable[[Job, Path], JobResult | None]) -> None:
        self.engine.programs = {**self.engine.programs, stage: program}

    def evaluation(self, folder: Path, identity: str = "0a0b", key: Ed25519PrivateKey | None = None) -> Evaluation:
        bundle, submission = read_bundle(self.bundle), read_submission(self.submission)
        attempt = Attempt(identity, submission, bundle, bundle.phases[0], bundle.tasks[0], "team")
        return Evaluation(attempt, self.engine, RunFolder.create(folder, identity), key=key or machine_key())

    def run(self, folder: Path, identity: str = "0a0b", key: Ed25519PrivateKey | None = None) -> Path:
        self.evaluation(folder, identity, key).finish()
        return folder


@pytest.fixture
def evaluated(tmp_path: Path) -> Evaluated:
    return Evaluated(tmp_path)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("evaluated")
    return Evaluated(home).run(home / "run")


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A run folder with its receipt, which the test may change."""
    return shutil.copytree(original, tmp_path / "run")

"""A small challenge with a fake engine, whose programs are functions."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.bundles import DOCKERFILE, PREDICT, answers, write_bundle
from tests.fakes import FakeEngine, ended
from tests.images import classic, tar, write

from palio.core.attempt.run_folder import RunFolder, Verdict
from palio.core.bundle.read import read_bundle
from palio.core.dockerfile.substitutes import NONE, Substitutes
from palio.core.engine import Job, JobResult
from palio.core.errors import Failure
from palio.core.evaluate import Attempt, Evaluation
from palio.core.submission.kinds import read_submission

Program = Callable[[Job, Path], JobResult | None]


def predict_well(job: Job, output: Path) -> None:
    inputs = job.mounts[0].source
    yes_or_no = {path.name: "yes" if path.read_text()[0] in "aeiou" else "no" for path in inputs.iterdir()}
    (output / "answers.csv").write_text(answers(yes_or_no))


def score_all_right(job: Job, output: Path) -> None:
    (output / "scores.json").write_text('{"accuracy": 1.0}')
    (output / "detailed_results.html").write_text("<p>3 right</p>")


def writing(name: str, content: str, exit_code: int = 0) -> Program:
    def program(job: Job, output: Path) -> JobResult:
        (output / name).write_text(content)
        return ended(exit_code=exit_code)

    return program


class SmallChallenge:
    """One challenge, one submission and a fake engine; `evaluate` runs the whole story."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path
        self.bundle = write_bundle(tmp_path / "bundle")
        self.submission = tmp_path / "s.zip"
        with zipfile.ZipFile(self.submission, "w") as archive:
            archive.writestr("Dockerfile", DOCKERFILE)
            archive.writestr("predict.py", PREDICT)
        self.engine = FakeEngine(tmp_path / "engine", {"predict": predict_well, "score": score_all_right})
        self.run = tmp_path / "run"

    def take_image(self) -> None:
        """The submission is a saved image, and the phase takes these."""
        yaml = self.bundle / "competition.yaml"
        yaml.write_text(yaml.read_text().replace("[context, results]", "[context, image, results]"))
        self.submission = write(self.home / "s.tar.gz", classic([tar({"a": b"x"})]))

    def evaluation(self, substitutes: Substitutes = NONE) -> Evaluation:
        bundle = read_bundle(self.bundle)
        submission = read_submission(self.submission)
        attempt = Attempt("0a0b", submission, bundle, bundle.phases[0], bundle.tasks[0], "team")
        return Evaluation(attempt, self.engine, RunFolder.create(self.run, "0a0b"), substitutes=substitutes)

    def evaluate(self) -> Evaluation:
        evaluation = self.evaluation()
        while evaluation.step():
            pass
        return evaluation

    def failure(self) -> Failure:
        result = self.evaluate().result
        assert result.verdict is Verdict.FAILED
        assert result.failure is not None
        assert json.loads((self.run / "result.json").read_text())["failure"] == result.failure.as_json()
        return result.failure

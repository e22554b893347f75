import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bundles import ANSWERS, CONTENTS, answers
from tests.core.small_challenge import SmallChallenge, predict_well, score_all_right
from tests.errors import code_of
from tests.fakes import ended

from palio.core.attempt.run_folder import RunFolder, Verdict
from palio.core.bundle.model import SubmissionKind
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.engine import Build, End, Job, Work
from palio.core.errors import PalioError
from palio.core.evaluate import Evaluation
from palio.core.submission.kinds import SubmissionFile

OLD = "codalab/codalab-legacy:py37"


def test_evaluate_scores(challenge: SmallChallenge) -> None:
    evaluation = challenge.evaluate()
    assert (evaluation.result.verdict, evaluation.result.scores) == (Verdict.SCORED, {"accuracy": 1.0})
    assert (challenge.run / "predictions/answers.csv").read_text() == answers(dict(sorted(ANSWERS.items())))
    assert (challenge.run / "predictions/metadata").read_text() == "exitCode: 0\nelapsedTime: 1.500\n"
    assert (challenge.run / "report.html").read_text() == "<p>3 right</p>"
    assert sorted(path.name for path in challenge.run.iterdir()) == [
        "build.log",
        "config.json",
        "lock.json",
        "participant",
        "predict.log",
        "predictions",
        "report.html",
        "result.json",
        "score.log",
        "scores",
    ]


@pytest.mark.parametrize(
    ("has", "used"),
    [
        ({OLD, "python:3.11-slim"}, {"substitute": None, "pulled": False}),
        ({"python:3.11-slim"}, {"substitute": "python:3.11-slim", "pulled": False}),
        ({}, {"substitute": "python:3.11-slim", "pulled": True}),
    ],
)
def test_substitute_for_missing_image(challenge: SmallChallenge, has: set[str], used: dict[str, object]) -> None:
    yaml = challenge.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("docker_image: python:3.11-slim", f"docker_image: {OLD}"))
    challenge.engine.images = frozenset(has)
    contexts: list[str] = []
    start = challenge.engine.start

    def noting(work: Work) -> None:
        if isinstance(work, Build):
            contexts.append((work.context / "Dockerfile").read_text())
        start(work)

    challenge.engine.start = noting  # type: ignore[method-assign]
    evaluation = challenge.evaluation(Substitutes(((OLD, "python:3.11-slim"),)))
    evaluation.finish()
    assert json.loads((challenge.run / "lock.json").read_text())["image"] == {
        "name": OLD,
        "without_images": False,
        **used,
    }
    assert contexts[-1] == f"FROM {used['substitute'] or OLD}\n"


@pytest.mark.parametrize(("substitute", "code"), [(None, "bundle-image-missing"), ("python:0", "substitute-missing")])
def test_missing_image_of_a_bundle_is_named(challenge: SmallChallenge, substitute: str | None, code: str) -> None:
    challenge.submission = challenge.home / "answers.csv"
    challenge.submission.write_text(answers(ANSWERS))
    challenge.engine.images = frozenset()
    challenge.engine.build_result = ended(End.BASE_MISSING, exit_code=1, detail="the image\nno such host")
    result = challenge.evaluation(Substitutes((("python:3.11-slim", substitute),) if substitute else ())).finish()
    assert result.failure
    assert (result.failure.code, result.failure.stage, result.failure.evidence) == (code, "score", ("no such host",))


def test_evaluate_external_failure(challenge: SmallChallenge) -> None:
    evaluation = challenge.evaluation()
    evaluation.step()
    failure = PalioError("stage-overdue", stage="build", limit="5 min").failure
    evaluation.fail(failure)
    assert (evaluation.result.verdict, evaluation.result.failure) == (Verdict.FAILED, failure)
    assert json.loads((challenge.run / "result.json").read_text())["failure"] == failure.as_json()
    assert (challenge.engine.calls, evaluation.step()) == (["start build", "remove build"], False)
    evaluation.fail(PalioError("stage-overdue", limit="1 s").failure)
    assert evaluation.result.failure == failure


def test_evaluate_predictions_file_name(challenge: SmallChallenge) -> None:
    kept = challenge.home / "0123"
    kept.write_text(answers(ANSWERS))
    attempt = challenge.evaluation().attempt
    submission = SubmissionFile(kept, SubmissionKind.RESULTS, "0123", called="answers.csv")
    attempt = replace(attempt, submission=submission)
    Evaluation(attempt, challenge.engine, RunFolder.create(challenge.home / "other", "0a0b")).finish()
    assert (challenge.home / "other/predictions/answers.csv").read_text() == answers(ANSWERS)


def test_evaluate_leaves_nothing_on_the_engine(challenge: SmallChallenge) -> None:
    challenge.evaluate()
    assert challenge.engine.calls == [
        "start build",
        "start predict",
        "start score-image",
        "start score",
        "remove score",
        "remove score-image",
        "remove predict",
        "remove build",
    ]


def test_evaluate_mounts(challenge: SmallChallenge) -> None:
    seen: dict[str, object] = {}

    def predict(job: Job, output: Path) -> None:
        seen["names"] = [path.name for path in job.mounts[0].source.iterdir()]
        seen["targets"] = [mount.target for mount in job.mounts]
        predict_well(job, output)

    def score(job: Job, output: Path) -> None:
        seen["score targets"] = [mount.target for mount in job.mounts]
        seen["score copies"] = [mount.target for mount in job.copies]
        seen["command"] = job.command
        score_all_right(job, output)

    challenge.engine.programs = {"predict": predict, "score": score}
    challenge.evaluate()
    names = seen.pop("names")
    assert isinstance(names, list)
    assert all(re.fullmatch(r"[0-9a-f]{32}\.txt", name) for name in names)
    assert len(names) == len(CONTENTS)
    assert seen == {
        "targets": ["/mnt/in"],
        "score targets": ["/app/input/ref", "/app/input/res"],
        "score copies": ["/app/program"],
        "command": ("python", "/app/program/score.py", "/app/input", "/app/output"),
    }


def test_evaluate_results_skips_build_and_predict(challenge: SmallChallenge) -> None:
    challenge.submission = challenge.home / "mine.csv"
    challenge.submission.write_text(answers(ANSWERS))
    assert challenge.evaluate().result.verdict is Verdict.SCORED
    assert [call for call in challenge.engine.calls if "start" in call] == ["start score-image", "start score"]
    assert (challenge.run / "predictions/mine.csv").read_text() == answers(ANSWERS)


def test_evaluate_results_in_a_folder_beside_others(challenge: SmallChallenge) -> None:
    challenge.submission = challenge.home / "mine.zip"
    with zipfile.ZipFile(challenge.submission, "w") as archive:
        archive.writestr("mine/answers.csv", answers(ANSWERS))
        archive.writestr("mine/notes/häll.txt", "x")
        archive.writestr("__MACOSX/mine/._answers.csv", "x")
    assert challenge.evaluate().result.verdict is Verdict.SCORED
    predictions = challenge.run / "predictions"
    found = sorted(str(path.relative_to(predictions)) for path in predictions.rglob("*") if path.is_file())
    assert found == ["answers.csv", "metadata", "notes/häll.txt"]


@pytest.mark.parametrize("name", ["mine.csv", "mine.zip"])
def test_evaluate_results_too_large(challenge: SmallChallenge, name: str) -> None:
    challenge.submission = challenge.home / name
    rows = "one.txt,yes\n" * 200_000
    if name == "mine.csv":
        challenge.submission.write_text(rows)
    else:
        with zipfile.ZipFile(challenge.submission, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mine.csv", rows)
    assert challenge.failure().message == f"{name} unpacks to 2.29 MiB; predictions may have at most 1.00 MiB."
    assert list((challenge.run / "predictions").iterdir()) == []


def test_evaluate_image_is_loaded(challenge: SmallChallenge) -> None:
    challenge.take_image()
    evaluation = challenge.evaluate()
    assert (evaluation.result.verdict, evaluation.result.scores) == (Verdict.SCORED, {"accuracy": 1.0})
    assert challenge.engine.calls[:2] == ["start build", "start predict"]
    lock = json.loads((challenge.run / "lock.json").read_text())
    assert lock["submission"]["kind"] == "image"


def test_evaluate_ignores_metadata_of_the_submission(challenge: SmallChallenge) -> None:
    def program(job: Job, output: Path) -> None:
        predict_well(job, output)
        (output / "metadata").write_text("elapsedTime: 0\n")

    challenge.engine.programs = {"predict": program, "score": score_all_right}
    challenge.evaluate()
    assert (challenge.run / "predictions/metadata").read_text() == "exitCode: 0\nelapsedTime: 1.500\n"


def test_evaluate_cancelled(challenge: SmallChallenge) -> None:
    evaluation = challenge.evaluation()
    assert evaluation.step()  # the build is running
    evaluation.cancel()
    assert evaluation.result.verdict is Verdict.CANCELLED
    assert not evaluation.step()
    assert challenge.engine.calls == ["start build", "remove build"]
    assert json.loads((challenge.run / "result.json").read_text())["verdict"] == "cancelled"
    assert not (challenge.run / ".work").exists()


def test_evaluate_bug_in_engine_leaves_nothing(challenge: SmallChallenge) -> None:
    def broken(job: Job, output: Path) -> None:
        raise RuntimeError("a bug")

    challenge.engine.programs = {"predict": broken}
    with pytest.raises(RuntimeError, match="a bug"):
        challenge.evaluate()
    assert challenge.engine.calls[-2:] == ["remove predict", "remove build"]
    assert not (challenge.run / ".work").exists()


def test_evaluate_target_not_empty(challenge: SmallChallenge) -> None:
    challenge.run.mkdir()
    (challenge.run / "mine").write_text("x")
    assert code_of(challenge.evaluate) == "target-not-empty"
    assert [path.name for path in challenge.run.iterdir()] == ["mine"]


def test_lock_deterministic(challenge: SmallChallenge, tmp_path: Path) -> None:
    challenge.evaluate()
    first = (challenge.run / "lock.json").read_text()
    challenge.run = tmp_path / "again"
    challenge.engine.polled.clear()
    challenge.evaluate()
    assert (challenge.run / "lock.json").read_text() == first

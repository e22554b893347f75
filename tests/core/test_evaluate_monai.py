"""MONAI bundles on an engine that runs nothing: whose fault what is, and what becomes of the output."""

import json
from pathlib import Path

import pytest
from tests.bundles import ANSWERS, CONTENTS, answers, write_bundle
from tests.core.small_challenge import Program, SmallChallenge, score_all_right
from tests.fakes import ended
from tests.monai_bundles import CHALLENGE, monai_files, with_classes, write_files, zip_files

from palio.core.attempt.run_folder import Verdict
from palio.core.engine import End, Job, JobResult
from palio.core.evaluate import Evaluation


def predict_as_monai(job: Job, output: Path) -> None:
    inputs = job.mounts[0].source
    rows = [f"/mnt/in/{path.name},{float(path.read_text()[0] in 'aeiou')}\n" for path in inputs.iterdir()]
    (output / "predictions.csv").write_text("".join(rows))


def lacks(*modules: str) -> Program:
    def check(job: Job, output: Path) -> JobResult:
        job.log.write_text("\n".join(modules) + "\n")
        return ended(exit_code=3)

    return check


@pytest.fixture
def challenge(tmp_path: Path) -> SmallChallenge:
    challenge = SmallChallenge(tmp_path)
    challenge.bundle = write_bundle(tmp_path / "monai-challenge", yaml=CHALLENGE)
    challenge.submission = zip_files(tmp_path / "monai.zip", monai_files())
    programs = {"monai-check": lambda job, output: None, "predict": predict_as_monai, "score": score_all_right}
    challenge.engine.programs = programs
    return challenge


def test_monai_evaluated(challenge: SmallChallenge) -> None:
    evaluation = challenge.evaluate()
    assert evaluation.result.verdict is Verdict.SCORED
    assert (challenge.run / "predictions/answers.csv").read_text() == answers(dict(sorted(ANSWERS.items())))
    assert sorted(path.name for path in (challenge.run / "predictions").iterdir()) == ["answers.csv", "metadata"]
    assert [call for call in challenge.engine.calls if call.startswith("start")] == [
        *("start build", "start monai-check", "start predict"),
        *("start score-image", "start score"),
    ]
    assert {"remove build", "remove monai-check"} <= {*challenge.engine.calls}
    assert json.loads((challenge.run / "lock.json").read_text())["submission"]["kind"] == "monai"
    assert "monai-check" not in evaluation.result.stages


def test_monai_check_removed_after_kill(challenge: SmallChallenge) -> None:
    first = challenge.evaluation()
    while "start monai-check" not in challenge.engine.calls:
        assert first.step()
    second = Evaluation(first.attempt, challenge.engine, first.folder)
    assert second.finish().verdict is Verdict.SCORED
    assert challenge.engine.calls.count("start monai-check") == 1
    assert "remove monai-check" in challenge.engine.calls


@pytest.mark.parametrize(
    ("loads_images", "code", "cause"),
    [(False, "monai-not-installed", "platform"), (True, "monai-image-unfit", "organizer")],
)
def test_monai_missing_in_image(challenge: SmallChallenge, loads_images: bool, code: str, cause: str) -> None:
    challenge.engine.loads_images = loads_images
    challenge.engine.programs = {**challenge.engine.programs, "monai-check": lacks("torch", "other", "monai")}
    failure = challenge.failure()
    assert (failure.code, failure.cause, failure.stage) == (code, cause, "build")
    assert "`monai` and `torch`" in failure.message
    assert "start predict" not in challenge.engine.calls


@pytest.mark.parametrize(
    ("result", "code", "cause"),
    [
        (
            ended(End.BASE_MISSING, None, detail="projectmonai/monai:latest\nno route"),
            "monai-image-missing",
            "organizer",
        ),
        (ended(exit_code=1, detail='RUN ["python"]'), "monai-build-failed", "participant"),
        (ended(End.TIME, None), "build-time-limit", "participant"),
    ],
)
def test_monai_image_build_failure(challenge: SmallChallenge, result: JobResult, code: str, cause: str) -> None:
    challenge.engine.build_result = result
    failure = challenge.failure()
    assert (failure.code, failure.cause) == (code, cause)


def test_monai_check_unknown_output(challenge: SmallChallenge) -> None:
    challenge.engine.programs = {**challenge.engine.programs, "monai-check": lacks("rm -rf /")}
    failure = challenge.failure()
    assert failure.code == "monai-image-unfit"
    assert "rm" not in failure.message


def test_monai_image_nothing_starts(challenge: SmallChallenge) -> None:
    programs = challenge.engine.programs
    challenge.engine.programs = {**programs, "monai-check": lambda job, output: ended(End.NOT_STARTED, None)}
    assert challenge.failure().code == "monai-image-unfit"


def test_monai_classes_differ(challenge: SmallChallenge) -> None:
    other = json.dumps(with_classes("yes", "no"))
    challenge.submission = zip_files(challenge.home / "other.zip", monai_files(metadata=other))
    assert challenge.failure().code == "monai-classes-differ"
    assert challenge.engine.calls == []


def test_monai_masks_renamed(challenge: SmallChallenge) -> None:
    def predict(job: Job, output: Path) -> None:
        predict_as_monai(job, output)
        for path in job.mounts[0].source.iterdir():
            write_files(output, {f"{path.stem}/{path.stem}_seg.txt": path.read_text()})

    yaml = CHALLENGE.replace("monai: {", "monai: {files: 'masks/{case}.txt', ")
    challenge.bundle = write_bundle(challenge.home / "masks", yaml=yaml)
    challenge.engine.programs = {**challenge.engine.programs, "predict": predict}
    assert challenge.evaluate().result.verdict is Verdict.SCORED
    masks = {path.name: path.read_text() for path in (challenge.run / "predictions" / "masks").iterdir()}
    assert masks == CONTENTS


def test_monai_without_table(challenge: SmallChallenge) -> None:
    def predict(job: Job, output: Path) -> None:
        (output / "mask.nii.gz").write_text("x")

    challenge.engine.programs = {**challenge.engine.programs, "predict": predict}
    failure = challenge.failure()
    assert (failure.code, failure.cause, failure.charged) == ("monai-output-unfit", "participant", True)
    assert failure.evidence == ("mask.nii.gz",)

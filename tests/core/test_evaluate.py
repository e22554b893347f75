import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bundles import ANSWERS, CONTENTS, DOCKERFILE, PREDICT, answers, write_bundle
from tests.errors import code_of
from tests.fakes import FakeEngine, ended
from tests.images import classic, tar, write

from palio.core.attempt.run_folder import RunFolder, Verdict
from palio.core.bundle.model import SubmissionKind
from palio.core.bundle.read import read_bundle
from palio.core.dockerfile.substitutes import NONE, Substitutes
from palio.core.engine import Build, End, Job, JobResult, Work
from palio.core.errors import Failure, PalioError
from palio.core.evaluate import Attempt, Evaluation
from palio.core.quantities import GIB
from palio.core.submission.kinds import SubmissionFile, read_submission

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


OLD = "codalab/codalab-legacy:py37"


class Stage:
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


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_evaluate_scores(stage: Stage) -> None:
    evaluation = stage.evaluate()
    assert (evaluation.result.verdict, evaluation.result.scores) == (Verdict.SCORED, {"accuracy": 1.0})
    assert (stage.run / "predictions/answers.csv").read_text() == answers(dict(sorted(ANSWERS.items())))
    assert (stage.run / "predictions/metadata").read_text() == "exitCode: 0\nelapsedTime: 1.500\n"
    assert (stage.run / "report.html").read_text() == "<p>3 right</p>"
    assert sorted(path.name for path in stage.run.iterdir()) == [
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
def test_substitute_for_missing_image(stage: Stage, has: set[str], used: dict[str, object]) -> None:
    yaml = stage.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("docker_image: python:3.11-slim", f"docker_image: {OLD}"))
    stage.engine.images = frozenset(has)
    contexts: list[str] = []
    start = stage.engine.start

    def noting(work: Work) -> None:
        if isinstance(work, Build):
            contexts.append((work.context / "Dockerfile").read_text())
        start(work)

    stage.engine.start = noting  # type: ignore[method-assign]
    evaluation = stage.evaluation(Substitutes(((OLD, "python:3.11-slim"),)))
    evaluation.finish()
    assert json.loads((stage.run / "lock.json").read_text())["image"] == {"name": OLD, "without_images": False, **used}
    assert contexts[-1] == f"FROM {used['substitute'] or OLD}\n"


@pytest.mark.parametrize(("substitute", "code"), [(None, "bundle-image-missing"), ("python:0", "substitute-missing")])
def test_missing_image_of_a_bundle_is_named(stage: Stage, substitute: str | None, code: str) -> None:
    stage.submission = stage.home / "answers.csv"
    stage.submission.write_text(answers(ANSWERS))
    stage.engine.images = frozenset()
    stage.engine.build_result = ended(End.BASE_MISSING, exit_code=1, detail="the image\nno such host")
    result = stage.evaluation(Substitutes((("python:3.11-slim", substitute),) if substitute else ())).finish()
    assert result.failure
    assert (result.failure.code, result.failure.stage, result.failure.evidence) == (code, "score", ("no such host",))


def test_evaluate_external_failure(stage: Stage) -> None:
    evaluation = stage.evaluation()
    evaluation.step()
    failure = PalioError("stage-overdue", stage="build", limit="5 min").failure
    evaluation.fail(failure)
    assert (evaluation.result.verdict, evaluation.result.failure) == (Verdict.FAILED, failure)
    assert json.loads((stage.run / "result.json").read_text())["failure"] == failure.as_json()
    assert (stage.engine.calls, evaluation.step()) == (["start build", "remove build"], False)
    evaluation.fail(PalioError("stage-overdue", limit="1 s").failure)
    assert evaluation.result.failure == failure


def test_evaluate_predictions_file_name(stage: Stage) -> None:
    kept = stage.home / "0123"
    kept.write_text(answers(ANSWERS))
    attempt = stage.evaluation().attempt
    submission = SubmissionFile(kept, SubmissionKind.RESULTS, "0123", called="answers.csv")
    attempt = replace(attempt, submission=submission)
    Evaluation(attempt, stage.engine, RunFolder.create(stage.home / "other", "0a0b")).finish()
    assert (stage.home / "other/predictions/answers.csv").read_text() == answers(ANSWERS)


def test_evaluate_leaves_nothing_on_the_engine(stage: Stage) -> None:
    stage.evaluate()
    assert stage.engine.calls == [
        "start build",
        "start predict",
        "start score-image",
        "start score",
        "remove score",
        "remove score-image",
        "remove predict",
        "remove build",
    ]


def test_evaluate_mounts(stage: Stage) -> None:
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

    stage.engine.programs = {"predict": predict, "score": score}
    stage.evaluate()
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


def test_evaluate_results_skips_build_and_predict(stage: Stage) -> None:
    stage.submission = stage.home / "mine.csv"
    stage.submission.write_text(answers(ANSWERS))
    assert stage.evaluate().result.verdict is Verdict.SCORED
    assert [call for call in stage.engine.calls if "start" in call] == ["start score-image", "start score"]
    assert (stage.run / "predictions/mine.csv").read_text() == answers(ANSWERS)


def test_evaluate_results_in_a_folder_beside_others(stage: Stage) -> None:
    stage.submission = stage.home / "mine.zip"
    with zipfile.ZipFile(stage.submission, "w") as archive:
        archive.writestr("mine/answers.csv", answers(ANSWERS))
        archive.writestr("mine/notes/häll.txt", "x")
        archive.writestr("__MACOSX/mine/._answers.csv", "x")
    assert stage.evaluate().result.verdict is Verdict.SCORED
    predictions = stage.run / "predictions"
    found = sorted(str(path.relative_to(predictions)) for path in predictions.rglob("*") if path.is_file())
    assert found == ["answers.csv", "metadata", "notes/häll.txt"]


@pytest.mark.parametrize("name", ["mine.csv", "mine.zip"])
def test_evaluate_results_too_large(stage: Stage, name: str) -> None:
    stage.submission = stage.home / name
    rows = "one.txt,yes\n" * 200_000
    if name == "mine.csv":
        stage.submission.write_text(rows)
    else:
        with zipfile.ZipFile(stage.submission, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mine.csv", rows)
    assert stage.failure().message == f"{name} unpacks to 2.29 MiB; predictions may have at most 1.00 MiB."
    assert list((stage.run / "predictions").iterdir()) == []


def test_evaluate_image_is_loaded(stage: Stage) -> None:
    stage.take_image()
    evaluation = stage.evaluate()
    assert (evaluation.result.verdict, evaluation.result.scores) == (Verdict.SCORED, {"accuracy": 1.0})
    assert stage.engine.calls[:2] == ["start build", "start predict"]
    lock = json.loads((stage.run / "lock.json").read_text())
    assert lock["submission"]["kind"] == "image"


@pytest.mark.parametrize(
    ("result", "code", "message"),
    [
        (
            ended(End.TIME, None),
            "image-load-time-limit",
            "Checking and loading the saved image took longer than the limit of 2 min.",
        ),
        (
            ended(End.IMAGE_SIZE, None, detail=str(3 * GIB)),
            "build-image-size",
            "The built image is 3.00 GiB; at most 20.0 GiB is allowed.",
        ),
        (
            ended(exit_code=1, detail="no such layer"),
            "image-load-failed",
            "The saved image could not be loaded: no such layer.",
        ),
    ],
)
def test_evaluate_image_fails(stage: Stage, result: JobResult, code: str, message: str) -> None:
    stage.take_image()
    stage.engine.build_result = result
    failure = stage.failure()
    assert (failure.code, failure.message, failure.stage, failure.cause) == (code, message, "build", "participant")


def test_evaluate_image_on_an_engine_without_images(stage: Stage) -> None:
    stage.take_image()
    stage.engine.loads_images = False
    failure = stage.failure()
    assert (failure.code, failure.cause) == ("submission-kind-unsupported", "platform")
    assert stage.engine.calls == []


def test_evaluate_refuses_limit_before_it_starts(stage: Stage) -> None:
    stage.engine.refuse = PalioError(
        "limit-unavailable", setting="cpus", value=8, engine="fake", reason="it has 2", next_step="Lower it."
    )
    assert stage.failure().code == "limit-unavailable"
    assert stage.engine.calls == []


def test_evaluate_refuses_kind(stage: Stage) -> None:
    yaml = stage.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("[context, results]", "[results]"))
    assert stage.failure().message == ("s.zip is a submission of kind `context`; the phase “Final” accepts `results`.")


def test_evaluate_build_fails(stage: Stage) -> None:
    stage.engine.build_result = ended(exit_code=2, detail="RUN make")
    stage.engine.build_log = "Step 2/3 : RUN make\nmake: *** no makefile. Stop.\n"
    failure = stage.failure()
    assert failure.message == "The Dockerfile did not build: `RUN make` failed with exit code 2."
    assert failure.evidence == ()
    assert failure.log == ("Step 2/3 : RUN make", "make: *** no makefile. Stop.")


@pytest.mark.parametrize(
    ("result", "code", "message"),
    [
        (
            ended(exit_code=3),
            "predict-exit",
            "The container exited with code 3, so its predictions were not used.",
        ),
        (
            ended(End.TIME, 137, seconds=20.7),
            "predict-time-limit",
            "The container ran longer than its limit of 20 s and was stopped.",
        ),
        (
            ended(End.MEMORY, 137),
            "predict-memory-limit",
            "The container used more memory than its limit of 256.0 MiB and was stopped.",
        ),
        (
            ended(exit_code=1, peak_pids=64),
            "predict-pids-limit",
            "The container reached its limit of 64 processes and threads, and exited with code 1.",
        ),
        (
            ended(End.OUTPUT_SIZE, 137),
            "predict-output-size",
            "The container filled its output folder, which holds at most 1.00 MiB.",
        ),
        (
            ended(End.OUTPUT_FILES, 137),
            "predict-output-files",
            "The container filled its output folder, which holds at most 20 files.",
        ),
        (
            ended(End.NOT_STARTED, 127, detail="no such program"),
            "predict-not-started",
            "The container could not be started: no such program.",
        ),
        (
            ended(End.NOT_STARTED, None, detail="/run.sh is not executable\nSet the bit."),
            "predict-not-started",
            "The container could not be started: /run.sh is not executable.",
        ),
        (
            ended(),
            "predict-no-output",
            "The container exited with code 0 but wrote no file to its output folder, /mnt/out.",
        ),
    ],
)
def test_evaluate_predict_fails(stage: Stage, result: JobResult, code: str, message: str) -> None:
    stage.engine.programs = {"predict": lambda job, output: result}
    failure = stage.failure()
    assert (failure.code, failure.message, failure.stage, failure.cause) == (code, message, "predict", "participant")


def test_evaluate_predict_links(stage: Stage) -> None:
    def program(job: Job, output: Path) -> None:
        (output / "answers.csv").symlink_to("/etc/passwd")

    stage.engine.programs = {"predict": program}
    failure = stage.failure()
    assert failure.code == "predict-output-refused"
    assert failure.evidence == ("answers.csv: a symbolic link",)


def test_evaluate_ignores_metadata_of_the_submission(stage: Stage) -> None:
    def program(job: Job, output: Path) -> None:
        predict_well(job, output)
        (output / "metadata").write_text("elapsedTime: 0\n")

    stage.engine.programs = {"predict": program, "score": score_all_right}
    stage.evaluate()
    assert (stage.run / "predictions/metadata").read_text() == "exitCode: 0\nelapsedTime: 1.500\n"


def test_evaluate_predictions_invalid(stage: Stage) -> None:
    refuse = writing("problems.txt", "2 files are missing.\n1 file is unknown.\n", exit_code=10)
    stage.engine.programs = {"predict": predict_well, "score": refuse}
    failure = stage.failure()
    assert (failure.code, failure.cause) == ("predictions-invalid", "participant")
    assert failure.message == "The scoring program refused the predictions: 2 problems."
    assert failure.evidence == ("2 files are missing.", "1 file is unknown.")


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (lambda job, output: ended(exit_code=1), "score-exit"),
        (lambda job, output: ended(exit_code=10), "score-exit"),  # without the file that says why
        (lambda job, output: ended(End.TIME, 137), "score-time-limit"),
        (lambda job, output: ended(End.MEMORY, 137), "score-memory-limit"),
        (lambda job, output: ended(End.NOT_STARTED, 127, detail="no python"), "score-not-started"),
        (lambda job, output: ended(), "scores-missing"),
        (writing("scores.json", '{"accuracy": NaN}'), "scores-invalid"),
        (writing("scores.json", '{"precision": 1}'), "scores-invalid"),
        (writing("scores.json", "nonsense"), "scores-invalid"),
    ],
)
def test_evaluate_score_fails(stage: Stage, program: Program, code: str) -> None:
    stage.engine.programs = {"predict": predict_well, "score": program}
    failure = stage.failure()
    assert (failure.code, failure.cause, failure.stage) == (code, "organizer", "score")


@pytest.mark.parametrize("has_ingestion", [True, False])
def test_failed_scoring_of_predictions_says_that_the_ingestion_program_did_not_run(
    stage: Stage, has_ingestion: bool
) -> None:
    if has_ingestion:
        yaml = stage.bundle / "competition.yaml"
        program = "    scoring_program: scoring_program\n"
        yaml.write_text(yaml.read_text().replace(program, f"{program}    ingestion_program: scoring_program\n"))
    stage.submission = stage.home / "mine.csv"
    stage.submission.write_text(answers(ANSWERS))
    stage.engine.programs = {"score": lambda job, output: ended(exit_code=1)}
    assert ("the ingestion program did not run" in stage.failure().next_step) is has_ingestion


def test_evaluate_data_missing(stage: Stage) -> None:
    for path in (stage.bundle / "input_data").iterdir():
        path.unlink()
    failure = stage.failure()
    assert (failure.code, failure.cause) == ("data-missing", "organizer")
    assert failure.message == "input_data, which competition.yaml names as input_data, is missing or empty."


def test_evaluate_cancelled(stage: Stage) -> None:
    evaluation = stage.evaluation()
    assert evaluation.step()  # the build is running
    evaluation.cancel()
    assert evaluation.result.verdict is Verdict.CANCELLED
    assert not evaluation.step()
    assert stage.engine.calls == ["start build", "remove build"]
    assert json.loads((stage.run / "result.json").read_text())["verdict"] == "cancelled"
    assert not (stage.run / ".work").exists()


def test_evaluate_bug_in_engine_leaves_nothing(stage: Stage) -> None:
    def broken(job: Job, output: Path) -> None:
        raise RuntimeError("a bug")

    stage.engine.programs = {"predict": broken}
    with pytest.raises(RuntimeError, match="a bug"):
        stage.evaluate()
    assert stage.engine.calls[-2:] == ["remove predict", "remove build"]
    assert not (stage.run / ".work").exists()


def test_evaluate_target_not_empty(stage: Stage) -> None:
    stage.run.mkdir()
    (stage.run / "mine").write_text("x")
    assert code_of(stage.evaluate) == "target-not-empty"
    assert [path.name for path in stage.run.iterdir()] == ["mine"]


def test_lock_deterministic(stage: Stage, tmp_path: Path) -> None:
    stage.evaluate()
    first = (stage.run / "lock.json").read_text()
    stage.run = tmp_path / "again"
    stage.engine.polled.clear()
    stage.evaluate()
    assert (stage.run / "lock.json").read_text() == first


# -- public cases first


@pytest.fixture
def sampled(stage: Stage) -> Stage:
    """A challenge with one public case, and where it belongs."""
    yaml = stage.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text() + "  sample: {input: sample_data, expect: sample_expected}\n")
    for name, content in {
        "sample_data/four.txt": "plum",
        "sample_expected/answers.csv": answers({"four.txt": "no"}),
    }.items():
        (stage.bundle / name).parent.mkdir()
        (stage.bundle / name).write_text(content)
    stage.engine.programs = {
        "sample": predict_well,
        "sample-score": score_all_right,
        "predict": predict_well,
        "score": score_all_right,
    }
    return stage


def test_sample_runs_before_hidden_data_is_touched(sampled: Stage) -> None:
    evaluation = sampled.evaluate()
    assert evaluation.result.verdict is Verdict.SCORED
    started = [call.removeprefix("start ") for call in sampled.engine.calls if call.startswith("start")]
    assert started == ["build", "sample", "score-image", "sample-score", "predict", "score"]
    assert (sampled.run / "sample/predictions/answers.csv").read_text() == answers({"four.txt": "no"})
    assert [stage.value for stage in evaluation.result.stages] == ["build", "sample", "predict", "score"]


def test_sample_failure_is_not_charged(sampled: Stage) -> None:
    sampled.engine.programs = {"sample": lambda job, output: ended(exit_code=1)}
    failure = sampled.failure()
    assert (failure.code, failure.stage, failure.cause, failure.charged) == (
        "predict-exit",
        "sample",
        "participant",
        False,
    )
    assert "start predict" not in sampled.engine.calls


def test_sample_predictions_refused(sampled: Stage) -> None:
    refuse = writing("problems.txt", "The header is wrong.\n", exit_code=10)
    sampled.engine.programs = {"sample": predict_well, "sample-score": refuse}
    failure = sampled.failure()
    assert (failure.code, failure.stage, failure.charged) == ("predictions-invalid", "sample", False)
    assert failure.evidence == ("The header is wrong.",)


def test_sample_missing(sampled: Stage) -> None:
    (sampled.bundle / "sample_data/four.txt").unlink()
    failure = sampled.failure()
    assert (failure.code, failure.cause, failure.stage) == ("data-missing", "organizer", "sample")

"""How an attempt fails: the code, the cause and the sentence of each failure."""

from pathlib import Path

import pytest
from tests.bundles import ANSWERS, answers
from tests.core.small_challenge import Program, SmallChallenge, predict_well, writing
from tests.fakes import ended

from palio.core.engine import End, Job, JobResult
from palio.core.errors import PalioError
from palio.core.quantities import GIB


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
def test_evaluate_image_fails(challenge: SmallChallenge, result: JobResult, code: str, message: str) -> None:
    challenge.take_image()
    challenge.engine.build_result = result
    failure = challenge.failure()
    assert (failure.code, failure.message, failure.stage, failure.cause) == (code, message, "build", "participant")


def test_evaluate_image_on_an_engine_without_images(challenge: SmallChallenge) -> None:
    challenge.take_image()
    challenge.engine.loads_images = False
    failure = challenge.failure()
    assert (failure.code, failure.cause) == ("submission-kind-unsupported", "platform")
    assert challenge.engine.calls == []


def test_evaluate_refuses_limit_before_it_starts(challenge: SmallChallenge) -> None:
    challenge.engine.refuse = PalioError(
        "limit-unavailable", setting="cpus", value=8, engine="fake", reason="it has 2", next_step="Lower it."
    )
    assert challenge.failure().code == "limit-unavailable"
    assert challenge.engine.calls == []


def test_evaluate_refuses_kind(challenge: SmallChallenge) -> None:
    yaml = challenge.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("[context, results]", "[results]"))
    assert challenge.failure().message == (
        "s.zip is a submission of kind `context`; the phase “Final” accepts `results`."
    )


def test_evaluate_build_fails(challenge: SmallChallenge) -> None:
    challenge.engine.build_result = ended(exit_code=2, detail="RUN make")
    challenge.engine.build_log = "Step 2/3 : RUN make\nmake: *** no makefile. Stop.\n"
    failure = challenge.failure()
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
def test_evaluate_predict_fails(challenge: SmallChallenge, result: JobResult, code: str, message: str) -> None:
    challenge.engine.programs = {"predict": lambda job, output: result}
    failure = challenge.failure()
    assert (failure.code, failure.message, failure.stage, failure.cause) == (code, message, "predict", "participant")


def test_evaluate_predict_links(challenge: SmallChallenge) -> None:
    def program(job: Job, output: Path) -> None:
        (output / "answers.csv").symlink_to("/etc/passwd")

    challenge.engine.programs = {"predict": program}
    failure = challenge.failure()
    assert failure.code == "predict-output-refused"
    assert failure.evidence == ("answers.csv: a symbolic link",)


def test_evaluate_predictions_invalid(challenge: SmallChallenge) -> None:
    refuse = writing("problems.txt", "2 files are missing.\n1 file is unknown.\n", exit_code=10)
    challenge.engine.programs = {"predict": predict_well, "score": refuse}
    failure = challenge.failure()
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
def test_evaluate_score_fails(challenge: SmallChallenge, program: Program, code: str) -> None:
    challenge.engine.programs = {"predict": predict_well, "score": program}
    failure = challenge.failure()
    assert (failure.code, failure.cause, failure.stage) == (code, "organizer", "score")


@pytest.mark.parametrize("has_ingestion", [True, False])
def test_failed_scoring_of_predictions_says_that_the_ingestion_program_did_not_run(
    challenge: SmallChallenge, has_ingestion: bool
) -> None:
    if has_ingestion:
        yaml = challenge.bundle / "competition.yaml"
        program = "    scoring_program: scoring_program\n"
        yaml.write_text(yaml.read_text().replace(program, f"{program}    ingestion_program: scoring_program\n"))
    challenge.submission = challenge.home / "mine.csv"
    challenge.submission.write_text(answers(ANSWERS))
    challenge.engine.programs = {"score": lambda job, output: ended(exit_code=1)}
    assert ("the ingestion program did not run" in challenge.failure().next_step) is has_ingestion


def test_evaluate_data_missing(challenge: SmallChallenge) -> None:
    for path in (challenge.bundle / "input_data").iterdir():
        path.unlink()
    failure = challenge.failure()
    assert (failure.code, failure.cause) == ("data-missing", "organizer")
    assert failure.message == "input_data, which competition.yaml names as input_data, is missing or empty."

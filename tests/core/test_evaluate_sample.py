"""The public cases, on which a submission runs before it sees hidden data."""

import pytest
from tests.bundles import answers
from tests.core.small_challenge import SmallChallenge, predict_well, score_all_right, writing
from tests.fakes import ended

from palio.core.attempt.run_folder import Verdict


@pytest.fixture
def sampled(challenge: SmallChallenge) -> SmallChallenge:
    """A challenge with one public case, and where it belongs."""
    yaml = challenge.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text() + "  sample: {input: sample_data, expect: sample_expected}\n")
    for name, content in {
        "sample_data/four.txt": "plum",
        "sample_expected/answers.csv": answers({"four.txt": "no"}),
    }.items():
        (challenge.bundle / name).parent.mkdir()
        (challenge.bundle / name).write_text(content)
    challenge.engine.programs = {
        "sample": predict_well,
        "sample-score": score_all_right,
        "predict": predict_well,
        "score": score_all_right,
    }
    return challenge


def test_sample_runs_before_hidden_data_is_touched(sampled: SmallChallenge) -> None:
    evaluation = sampled.evaluate()
    assert evaluation.result.verdict is Verdict.SCORED
    started = [call.removeprefix("start ") for call in sampled.engine.calls if call.startswith("start")]
    assert started == ["build", "sample", "score-image", "sample-score", "predict", "score"]
    assert (sampled.run / "sample/predictions/answers.csv").read_text() == answers({"four.txt": "no"})
    assert [stage.value for stage in evaluation.result.stages] == ["build", "sample", "predict", "score"]


def test_sample_failure_is_not_charged(sampled: SmallChallenge) -> None:
    sampled.engine.programs = {"sample": lambda job, output: ended(exit_code=1)}
    failure = sampled.failure()
    assert (failure.code, failure.stage, failure.cause, failure.charged) == (
        "predict-exit",
        "sample",
        "participant",
        False,
    )
    assert "start predict" not in sampled.engine.calls


def test_sample_predictions_refused(sampled: SmallChallenge) -> None:
    refuse = writing("problems.txt", "The header is wrong.\n", exit_code=10)
    sampled.engine.programs = {"sample": predict_well, "sample-score": refuse}
    failure = sampled.failure()
    assert (failure.code, failure.stage, failure.charged) == ("predictions-invalid", "sample", False)
    assert failure.evidence == ("The header is wrong.",)


def test_sample_missing(sampled: SmallChallenge) -> None:
    (sampled.bundle / "sample_data/four.txt").unlink()
    failure = sampled.failure()
    assert (failure.code, failure.cause, failure.stage) == ("data-missing", "organizer", "sample")

import string

import pytest

from palio.core.attempt.run_folder import Stage
from palio.core.errors import FAILURES, Cause, FailureKind, PalioError
from palio.core.redaction.failure import ORGANIZER_NEXT, for_participant

FACT = "/srv/hidden/000028.jpg"


def raised(code: str, stage: str | None) -> PalioError:
    kind: FailureKind = FAILURES[code]
    texts = (kind.message, kind.next_step)
    facts = {name: FACT for text in texts for _, name, _, _ in string.Formatter().parse(text) if name}
    return PalioError(code, stage=stage, evidence=[FACT], log=[FACT], **facts)


@pytest.mark.parametrize("stage", [None, *Stage])
@pytest.mark.parametrize("code", FAILURES)
def test_failures_participant_view(code: str, stage: Stage | None) -> None:
    """What is others' to mend has no fact in it; what is theirs has its evidence, and the log comes by policy."""
    failure = raised(code, stage).failure
    told = for_participant(failure)
    assert (told.code, told.cause, told.stage, told.log) == (code, failure.cause, stage, ())
    if failure.cause is Cause.PARTICIPANT:
        evidence = () if FAILURES[code].engines_words else (FACT,)
        assert (told.evidence, told.charged) == (evidence, failure.charged)
    else:
        assert (told.evidence, told.charged) == ((), False)
        assert FACT not in told.message + told.next_step
        assert "does not count toward" in told.next_step
        for text in (told.message, told.next_step):
            assert "…" not in text
            assert "{" not in text
            assert (text[0].isupper(), text[-1]) == (True, ".")


@pytest.mark.parametrize("code", FAILURES)
def test_participant_texts_without_facts(code: str) -> None:
    kind = FAILURES[code]
    for text in (kind.participant, kind.participant_next):
        assert "{" not in text
        assert not text or (text[0].isupper() and text[-1] == ".")


def test_score_exit() -> None:
    told = for_participant(
        PalioError(
            "score-exit", stage="score", exit_code=3, next_step="Read it.", log=["KeyError: '000028.jpg'"]
        ).failure
    )
    assert told.as_json() == {
        "code": "score-exit",
        "cause": "organizer",
        "stage": "score",
        "charged": False,
        "message": "Your predictions could not be scored because the challenge's scoring program failed.",
        "evidence": [],
        "log": [],
        "next_step": ORGANIZER_NEXT,
    }


def test_base_image_missing_without_engine_text() -> None:
    said = (
        'Get "https://registry.example.org/v2/": dial tcp: lookup registry.example.org on 192.0.2.53:53: no such host'
    )
    failure = PalioError("base-image-missing", stage="build", image="pytorch:2.99", evidence=[said]).failure
    assert failure.evidence == (said,)
    assert for_participant(failure).as_json() == {
        "code": "base-image-missing",
        "cause": "participant",
        "stage": "build",
        "charged": False,
        "message": failure.message,
        "evidence": [],
        "log": [],
        "next_step": "Check its name and tag. If they are right, ask the organizer to have the image made available.",
    }

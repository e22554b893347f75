import string

import pytest

from palio.core.errors import EXIT_CODES, FAILURES, Cause, Failure, PalioError, counted
from palio.core.errors.table import PARTS


def test_palio_error_fills_its_sentences() -> None:
    error = PalioError("predict-exit", stage="predict", exit_code=3, evidence=["a limit"], log=["Traceback"])
    assert error.failure == Failure(
        code="predict-exit",
        cause=Cause.PARTICIPANT,
        stage="predict",
        charged=True,
        message="The container exited with code 3, so its predictions were not used.",
        evidence=("a limit",),
        log=("Traceback",),
        next_step="Read the last lines of its log, and run the same on your own machine with `palio run`.",
    )
    assert error.exit_code == 10
    assert Failure.from_json(error.failure.as_json()) == error.failure


def test_failure_codes_unique() -> None:
    assert [code for part in PARTS for code in part.KINDS] == list(FAILURES)


def test_exit_codes_by_cause() -> None:
    assert EXIT_CODES == {"usage": 2, "participant": 10, "organizer": 11, "platform": 12}


@pytest.mark.parametrize("code", FAILURES)
def test_failures_are_sentences(code: str) -> None:
    """With every fact filled in, message and next step begin with a capital and end with a full stop."""
    kind = FAILURES[code]
    facts = {
        name: "X" for text in (kind.message, kind.next_step) for _, name, _, _ in string.Formatter().parse(text) if name
    }
    failure = PalioError(code, **facts).failure
    for text in (failure.message, failure.next_step):
        assert text[0].isupper()
        assert text == "X" or text[-1] in ".X"


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (1000, "1,000 files")])
def test_counted(number: int, text: str) -> None:
    assert counted(number, "file") == text


def test_counted_irregular() -> None:
    assert counted(2, "entry", "entries") == "2 entries"

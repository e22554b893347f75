"""What a receipt says of the scorer, also where its lock was not written by Palio."""

from typing import Any

import pytest

from palio.core.receipt.scorer import Scorer, scorer_of

A, B = "a" * 64, "b" * 64


def program(digest: str) -> dict[str, Any]:
    return {"scoring_program": {"digest": digest}}


@pytest.mark.parametrize(
    ("lock", "expected", "sentence"),
    [
        (program(A), Scorer((A,)), "scoring program aaaaaaaaaaaa"),
        (
            program(A) | {"version": 2, "rescored": "x2", "image": {"name": "python:3.11", "substitute": None}},
            Scorer((A,), 2, "x2", "python:3.11"),
            "scoring program aaaaaaaaaaaa, version 2 of the challenge, in python:3.11; "
            "re-scored the predictions of attempt x2",
        ),
        (
            program(A) | {"tasks": [program(A), program(B), program(A)]},
            Scorer((A, B)),
            "scoring programs aaaaaaaaaaaa and bbbbbbbbbbbb",
        ),
        (program(A) | {"image": {"name": "a", "substitute": "b"}}, Scorer((A,), image="b"), None),
        (program(A) | {"version": "2", "rescored": 3, "image": "x", "tasks": 1}, Scorer((A,)), None),
        ({"scoring_program": None}, None, None),
        ({"scoring_program": {"digest": 3}}, None, None),
        (None, None, None),
    ],
)
def test_scorer_of(lock: dict[str, Any] | None, expected: Scorer | None, sentence: str | None) -> None:
    found = scorer_of(lock)
    assert found == expected
    if found and sentence:
        assert found.sentence == sentence

"""Questions of a bundle, and their answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from palio.core.bundle.model import Question
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError
from palio.core.submission.fact_sheet import ANSWER_CHARACTERS, answer_text, checked_answers

WriteBundle = Callable[..., Path]

BUNDLE = """\
version: 2
title: Asking
pages: [{title: Overview, file: pages/overview.md}]
tasks: [{index: 0, scoring_program: scoring_program}]
phases: [{name: One, start: 2025-01-01, tasks: [0]}]
leaderboards: [{columns: [{key: f1, sorting: desc}]}]
"""
SHEET = """\
fact_sheet:
  method:
    {key: method, type: text, title: Method, selection: "", is_required: "true", is_on_leaderboard: "true"}
  pretrained:
    {key: pretrained, type: checkbox, title: Pretrained, selection: [true, false], is_required: "false",
     is_on_leaderboard: "false"}
  size: {key: size, type: select, title: Size, selection: ["", small, large], is_required: "false"}
"""
QUESTIONS = (
    Question("method", "Method", "text", (), required=True, on_leaderboard=True),
    Question("pretrained", "Pretrained", "checkbox", (), required=False, on_leaderboard=False),
    Question("size", "Size", "select", ("small", "large"), required=False, on_leaderboard=False),
)


def test_questions_are_read(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(BUNDLE + SHEET))
    assert bundle.fact_sheet == QUESTIONS
    assert bundle.warnings == ()
    assert read_bundle(write_bundle(BUNDLE)).fact_sheet == ()


def test_problems_of_questions_name_their_lines(write_bundle: WriteBundle) -> None:
    sheet = "fact_sheet:\n  a: {type: number, is_required: maybe}\n  b: {type: select}\n  c: text\n"
    with pytest.raises(PalioError) as raised:
        read_bundle(write_bundle(BUNDLE + sheet))
    assert [problem.split(": ")[:2] for problem in raised.value.failure.evidence] == [
        ["competition.yaml:8", "fact_sheet.a.type"],
        ["competition.yaml:8", "fact_sheet.a.is_required"],
        ["competition.yaml:9", "fact_sheet.b.selection"],
        ["competition.yaml:10", "fact_sheet.c"],
    ]


def test_answers_in_order() -> None:
    given = {"size": "large", "pretrained": "No", "method": "  CNN\0 "}
    assert checked_answers(QUESTIONS, given) == {"method": "CNN", "pretrained": False, "size": "large"}
    assert checked_answers(QUESTIONS, {"method": "CNN", "pretrained": True, "size": ""}) == {
        "method": "CNN",
        "pretrained": True,
    }
    assert checked_answers((), {}) == {}
    assert [answer_text(answer) for answer in (True, False, "x", None)] == ["yes", "no", "x", ""]


def test_answers_problems_listed() -> None:
    given = {"pretrained": "perhaps", "size": "huge", "methd": "CNN", "method": None}
    with pytest.raises(PalioError) as raised:
        checked_answers(QUESTIONS, given)
    assert raised.value.code == "answers-invalid"
    assert [problem.split(":")[0] for problem in raised.value.failure.evidence] == [
        "`methd`",
        "method",
        "pretrained",
        "size",
    ]


@pytest.mark.parametrize("answer", [["a"], {"a": 1}, "x" * (ANSWER_CHARACTERS + 1)])
def test_answer_not_short_text(answer: object) -> None:
    with pytest.raises(PalioError) as raised:
        checked_answers(QUESTIONS, {"method": answer})
    assert raised.value.code == "answers-invalid"

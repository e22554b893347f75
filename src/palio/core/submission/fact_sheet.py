"""Checks the answers of a fact sheet. The client, the command line and the platform follow the same rules."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from palio.core.bundle.model import Question
from palio.core.bundle.wording import suggestion
from palio.core.errors import PalioError, counted
from palio.core.files.collect import printable

ANSWER_CHARACTERS = 500

Answers: TypeAlias = dict[str, str | bool]

_YES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def checked_answers(questions: Sequence[Question], given: Mapping[str, object]) -> Answers:
    """The answers by key, in the order of the questions. An empty answer is none.

    Raises PalioError "answers-invalid" with all problems at once.
    """
    known = {question.key: question for question in questions}
    problems = [
        f"{_shown(key)}: no question has this key{suggestion(str(key), known)}" for key in given if key not in known
    ]
    answers: Answers = {}
    for question in questions:
        value = given.get(question.key)
        text = "" if value is None else str(value).replace("\0", "").strip()  # PostgreSQL cannot store NUL
        if not text:
            if question.required:
                problems.append(f"{question.key}: an answer is required ({_allowed(question)})")
        elif (answer := _answer(question, value, text)) is None:
            problems.append(f"{question.key}: {_shown(text)} is not an answer; write {_allowed(question)}")
        else:
            answers[question.key] = answer
    if problems:
        raise PalioError("answers-invalid", count=counted(len(problems), "problem"), evidence=problems)
    return answers


def answer_text(answer: str | bool | None) -> str:
    """An answer as it is shown; empty without one."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return answer or ""


def _answer(question: Question, value: object, text: str) -> str | bool | None:
    """None if it is no answer to this question."""
    if not isinstance(value, str | bool | int | float):
        return None
    if question.type == "checkbox":
        return _YES.get(text.lower())
    if question.type == "select":
        return text if text in question.options else None
    return text if len(text) <= ANSWER_CHARACTERS else None


def _allowed(question: Question) -> str:
    if question.type == "checkbox":
        return "yes or no"
    if question.type == "select":
        return f"one of {', '.join(question.options)}"
    return f"a text of at most {ANSWER_CHARACTERS} characters"


def _shown(value: object) -> str:
    text = printable(str(value))
    return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"

"""A participant's requests to a platform: find a challenge, submit, follow and cancel."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from palio.client.connection import Connection, new_key
from palio.core.bundle.model import Question
from palio.core.errors import Failure, PalioError
from palio.core.submission.fact_sheet import Answers, checked_answers

POLL_S = 1.0


def resolve_challenge(connection: Connection, named: str | None) -> str:
    """Returns the slug of the named challenge, or of the only one. Raises PalioError "usage"."""
    if named:
        try:
            return str(connection.get(f"/challenges/{quote(named, safe='')}")["slug"])
        except PalioError as error:
            if error.failure.code != "not-found":
                raise
    slugs = [each["slug"] for each in connection.all_of("/challenges")]
    if len(slugs) == 1 and not named:
        return str(slugs[0])
    has = f"Its challenges are: {', '.join(slugs)}." if slugs else "It has no challenges yet."
    if named:
        problem = f"{connection.url} has no challenge `{named}`. {has}"
        next_step = "Use the challenge's name as in its address."
    else:
        problem = f"No challenge was named. The platform is {connection.url}. {has}"
        next_step = "Name one with --challenge."
    raise PalioError("usage", problem=problem, next_step=next_step)


def check_quota(connection: Connection, challenge: str, phase: str | None) -> None:
    """Raises PalioError if the team may not submit now, before anything is uploaded."""
    try:
        quota = connection.get(f"/challenges/{challenge}/quota")
    except PalioError as error:
        if error.failure.code != "not-allowed":
            raise
        raise PalioError(
            "usage",
            problem=f"You have not joined {challenge}.",
            next_step=f"Join with `palio join {challenge}`.",
        ) from error
    asked = [each for each in quota if phase is None or each["phase"].casefold() == phase.casefold()]
    if asked and all(each["refusal"] for each in asked):
        raise PalioError.of(Failure.from_body(asked[-1]["refusal"]))


def check_answers(connection: Connection, challenge: str, given: Mapping[str, object]) -> Answers:
    """The answers to the challenge's questions. Raises PalioError "answers-invalid", before anything is uploaded."""
    asked = connection.get(f"/challenges/{quote(challenge, safe='')}").get("questions", [])
    return checked_answers([Question(**each | {"options": tuple(each["options"])}) for each in asked], given)


def fetch_source(
    connection: Connection, challenge: str, source: str, *, kind: str | None = None, phase: str | None = None
) -> Any:
    """Returns the file that the platform keeps for an image by reference or a tag of a Git repository."""
    return connection.post(f"/challenges/{challenge}/sources", {"source": source, "kind": kind, "phase": phase})


def submit(
    connection: Connection,
    challenge: str,
    file: str,
    *,
    phase: str | None = None,
    note: str = "",
    answers: Mapping[str, str | bool] | None = None,
) -> Any:
    content = {"file": file, "phase": phase, "note": note, "answers": dict(answers or {})}
    return connection.post(f"/challenges/{challenge}/submit", content, key=new_key())


def get_submission(connection: Connection, submission: str) -> Any:
    with _naming(connection, submission):
        return connection.get(f"/submissions/{quote(submission, safe='')}")


def cancel(connection: Connection, submission: str, *, counts: bool) -> Any:
    with _naming(connection, submission):
        return connection.post(f"/submissions/{quote(submission, safe='')}/cancel", {"counts": counts}, again=True)


def put_on_leaderboard(connection: Connection, submission: str) -> Any:
    with _naming(connection, submission):
        return connection.post(f"/submissions/{quote(submission, safe='')}/leaderboard", {}, again=True)


def take_off_leaderboard(connection: Connection, submission: str) -> Any:
    with _naming(connection, submission):
        return connection.delete(f"/submissions/{quote(submission, safe='')}/leaderboard")


def watch(connection: Connection, submission: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[Any]:
    """Yields the submission's current state repeatedly until it finishes."""
    while True:
        current = get_submission(connection, submission)
        yield current
        if current["ended"]:
            return
        sleep(POLL_S)


@contextmanager
def _naming(connection: Connection, submission: str) -> Iterator[None]:
    """Turns the platform's "not-found" into an error that names the submission."""
    try:
        yield
    except PalioError as error:
        if error.failure.code != "not-found":
            raise
        raise PalioError(
            "usage",
            problem=f"{connection.url} has no submission `{submission}` that you can see.",
            next_step="`palio status` lists your team's submissions.",
        ) from error

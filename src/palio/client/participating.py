"""What a participant asks of a platform: to join, to hand in, to watch, to cancel."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from palio.client.connection import Connection, new_key
from palio.core.errors import Failure, PalioError

POLL_S = 1.0


def the_challenge(connection: Connection, named: str | None) -> str:
    """The one that was named, else the only one there is. Raises PalioError "usage"."""
    if named:
        try:
            return str(connection.get(f"/challenges/{quote(named, safe='')}")["slug"])
        except PalioError as error:
            if error.failure.code != "not-found":
                raise
    slugs = [each["slug"] for each in connection.all_of("/challenges")]
    if len(slugs) == 1 and not named:
        return str(slugs[0])
    has = f"it has {', '.join(slugs)}" if slugs else "it has none yet"
    if named:
        problem, next_step = f"{connection.url} has no challenge `{named}`; {has}.", "Name it as its address does."
    else:
        problem = f"Which challenge of {connection.url}? You named none, and {has}."
        next_step = "Name one with --challenge."
    raise PalioError("usage", problem=problem, next_step=next_step)


def refuse_early(connection: Connection, challenge: str, phase: str | None) -> None:
    """Raises PalioError with what is in the way of handing in, before anything is sent."""
    try:
        stands = connection.get(f"/challenges/{challenge}/quota")
    except PalioError as error:
        if error.failure.code != "not-allowed":
            raise
        raise PalioError(
            "usage",
            problem=f"You are not a participant of {challenge}.",
            next_step=f"Join with `palio join {challenge}`.",
        ) from error
    asked = [each for each in stands if phase is None or each["phase"].casefold() == phase.casefold()]
    if asked and all(each["refusal"] for each in asked):
        raise PalioError.of(Failure.from_body(asked[-1]["refusal"]))


def submit(connection: Connection, challenge: str, file: str, *, phase: str | None = None, note: str = "") -> Any:
    content = {"file": file, "phase": phase, "note": note}
    return connection.post(f"/challenges/{challenge}/submit", content, key=new_key())


def get_submission(connection: Connection, submission: str) -> Any:
    with _naming(connection, submission):
        return connection.get(f"/submissions/{quote(submission, safe='')}")


def cancel(connection: Connection, submission: str, *, counts: bool) -> Any:
    with _naming(connection, submission):
        return connection.post(f"/submissions/{quote(submission, safe='')}/cancel", {"counts": counts}, again=True)


def watch(connection: Connection, submission: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[Any]:
    """How it stands, again and again, until it has ended."""
    while True:
        stands = get_submission(connection, submission)
        yield stands
        if stands["ended"]:
            return
        sleep(POLL_S)


@contextmanager
def _naming(connection: Connection, submission: str) -> Iterator[None]:
    """Names what is not there, of which the platform can only say that nothing is."""
    try:
        yield
    except PalioError as error:
        if error.failure.code != "not-found":
            raise
        raise PalioError(
            "usage",
            problem=f"{connection.url} has no submission `{submission}` that you may see.",
            next_step="`palio status` lists those of your team.",
        ) from error

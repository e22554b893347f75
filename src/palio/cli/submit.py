"""`palio submit`, `status`, `logs`, `cancel` and `choose`: a participant's commands on a platform."""

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from palio.cli import rendering
from palio.cli.platform import challenge_option, in_person
from palio.cli.sources import is_fetched
from palio.core.attempt.run_folder import Stage
from palio.core.bundle.model import SubmissionKind
from palio.core.errors import EXIT_CANCELLED, EXIT_CODES, Failure, PalioError

if TYPE_CHECKING:
    from palio.client import Connection

_MOST_ANSWERS_BYTES = 1024**2

phase_option = click.option("--phase", metavar="NAME", help="The phase's name. [default: the open phase]")


@click.command()
@click.argument("submission", metavar="FILE|IMAGE|TAG")
@challenge_option
@phase_option
@click.option("--note", default="", help="A note for your team.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in SubmissionKind]),
    help="The submission's kind. [default: detected from its content]",
)
@click.option(
    "--answers",
    multiple=True,
    metavar="FILE|KEY=VALUE",
    help="Answer a question of the challenge, or all of them with a JSON file of keys and answers. Can be repeated.",
)
@click.option("--check", is_flag=True, help="Only upload it and show what was recognized. Nothing is submitted.")
@click.option("--wait", is_flag=True, help="Wait for the result, and exit as `palio run` would.")
@rendering.as_json_option
@in_person
def submit(
    submission: str,
    challenge: str | None,
    phase: str | None,
    note: str,
    kind: str | None,
    answers: Sequence[str],
    check: bool,
    wait: bool,
    as_json: bool,
) -> int:
    """Submit a file, an image or a Git tag to a challenge on the platform that you are logged in to.

    An image is written as ghcr.io/lab/model:v1 or with @sha256:…, a tag as https://github.com/lab/model@v1.2. The
    platform fetches both, and pins them to what they mean now. If the upload of a file is interrupted, run the same
    command again to resume it.
    """
    from palio.client import connect
    from palio.client import submitting as client
    from palio.client.uploading import upload_file
    from palio.core.quantities import size_text

    def say(text: str, *, newline: bool = True) -> None:
        click.echo(text, nl=newline, err=as_json)

    given = _answers(answers)
    fetches = is_fetched(submission)
    if not fetches and not Path(submission).is_file():
        raise _no_file(submission)
    connection = connect()
    name = client.resolve_challenge(connection, challenge)
    if not check:
        client.check_quota(connection, name, phase)
    answered = {} if check else client.check_answers(connection, name, given)
    if fetches:
        stored = client.fetch_source(connection, name, submission, kind=kind, phase=phase)
    else:
        show = _progress() if sys.stderr.isatty() else None
        stored = upload_file(connection, name, Path(submission), kind=kind, phase=phase, progress=show)
    size, digest = size_text(stored["size_bytes"]), stored["sha256"][:12]
    say(f"  submission  {stored['name']} ({stored['kind']}, {size}, sha256 {digest})")
    for label, fact in _facts(stored):
        say(f"  {label:<10}  {fact}")
    if check:
        for line in stored["notes"]:
            say(f"  note        {line}")
        if as_json:
            rendering.echo_json(stored)
        else:
            say(f"Not submitted. To submit it: palio submit {shlex.quote(submission)}")
        return 0
    submitted = client.submit(connection, name, stored["id"], phase=phase, note=note, answers=answered)
    say(f"{name}, phase {submitted['phase']}, team {submitted['team']}")
    for line in submitted["notes"]:
        say(f"  note        {line}")
    say(f"  id          {submitted['id']}")
    say(f"  page        {connection.url}/s/{submitted['id']}/")
    if not wait:
        if as_json:
            rendering.echo_json(submitted)
        else:
            say(f"Submitted. To check on it: palio status {submitted['id']}")
        return 0
    try:
        ended = _watch(connection, submitted["id"], say)
    except KeyboardInterrupt:
        say(f"\nIt keeps running on the server. To check on it: palio status {submitted['id']}")
        return EXIT_CANCELLED
    return _show_end(ended, say, as_json=as_json)


@click.command()
@click.argument("submission", required=False)
@challenge_option
@click.option("--wait", is_flag=True, help="Wait until the submission finishes.")
@rendering.as_json_option
def status(submission: str | None, challenge: str | None, wait: bool, as_json: bool) -> int:
    """Show the status of SUBMISSION, or list your team's submissions."""
    from palio.client import connect
    from palio.client import submitting as client

    def say(text: str, *, newline: bool = True) -> None:
        click.echo(text, nl=newline, err=as_json)

    connection = connect()
    if submission is None:
        return _show_all(connection, client.resolve_challenge(connection, challenge), as_json=as_json)
    current = client.get_submission(connection, submission)
    say(f"{current['challenge']}, phase {current['phase']}, team {current['team']}")
    say(f"  submission  {current['file']['name']} ({current['file']['kind']})")
    if wait or current["ended"]:
        return _show_end(_watch(connection, submission, say), say, as_json=as_json)
    _Stages(say).show(current)
    say("" if current["state"] == "queued" or current.get("waiting") else "running")
    if as_json:
        rendering.echo_json(current)
    return 0


@click.command()
@click.argument("submission")
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in Stage]),
    help="Show only this stage. [default: all stages]",
)
@rendering.as_json_option
def logs(submission: str, stage: str | None, as_json: bool) -> None:
    """Show the logs of SUBMISSION that the challenge lets you read."""
    from palio.client import connect
    from palio.client import submitting as client

    connection = connect()
    there = (client.get_submission(connection, submission)["attempt"] or {}).get("logs", [])
    wanted = [stage] if stage else there
    found = {name: connection.get_text(f"/submissions/{submission}/logs/{name}") for name in wanted}
    if as_json:
        rendering.echo_json({"submission": submission, "logs": found})
        return
    if not found:
        click.echo("No logs available yet.", err=True)
    for name, text in found.items():
        if len(found) > 1:
            click.echo(click.style(f"== {name}", bold=True))
        click.echo(text, nl=not text.endswith("\n"))


@click.command()
@click.argument("submission")
@click.option("--counts", is_flag=True, help="Skip the confirmation, even if this counts toward the limit.")
@rendering.as_json_option
def cancel(submission: str, counts: bool, as_json: bool) -> None:
    """Cancel SUBMISSION and stop its job.

    In a phase that shows prediction logs, a submission that has already seen hidden data counts toward the limit even
    if you cancel it.
    """
    from palio.client import connect
    from palio.client import submitting as client

    connection = connect()
    if (
        not counts
        and not as_json
        and sys.stdin.isatty()
        and client.get_submission(connection, submission)["cancel_counts"]
    ):
        question = "This attempt has already seen hidden data, so it counts toward your team's limit. Cancel it?"
        if not click.confirm(question):
            click.echo("Not cancelled.")
            return
        counts = True
    current = client.cancel(connection, submission, counts=counts)
    if as_json:
        rendering.echo_json(current)
    else:
        click.echo("Cancelled." if current["ended"] else "Cancelling: the job is being stopped.")


@click.command()
@click.argument("submission")
@click.option("--take-off", is_flag=True, help="Take it off the leaderboard instead.")
@rendering.as_json_option
def choose(submission: str, take_off: bool, as_json: bool) -> None:
    """Put SUBMISSION on the leaderboard, where the challenge leaves the choice to teams.

    If the challenge shows one submission of each team, it replaces your team's current one.
    """
    from palio.client import connect
    from palio.client import submitting as client

    act = client.take_off_leaderboard if take_off else client.put_on_leaderboard
    current = act(connect(), submission)
    if as_json:
        rendering.echo_json(current)
    else:
        click.echo("Taken off the leaderboard." if take_off else "Put on the leaderboard.")


def _no_file(given: str) -> PalioError:
    problem = f"{given} is a folder." if Path(given).is_dir() else f"There is no file {given}."
    step = (
        f"Pack it with `palio pack {given}`."
        if Path(given).is_dir()
        else ("Name a file, an image such as ghcr.io/lab/model:v1, or a tag such as https://github.com/lab/model@v1.2.")
    )
    return PalioError("usage", problem=problem, next_step=step)


def _facts(stored: Any) -> list[tuple[str, str]]:
    """Where it is from and what was recognized in it. An older platform says neither."""
    origin = stored.get("origin") or {}
    facts = dict(stored.get("facts") or {})
    if "commit" in origin:
        facts = {"repository": origin["source"], "tag": origin["tag"], "commit": origin["commit"], **facts}
    return list(facts.items())


def _answers(given: Sequence[str]) -> dict[str, object]:
    """From `--answers`: a later one wins over those before."""
    answers: dict[str, object] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if equals and not Path(each).is_file():
            answers[key.strip()] = value
            continue
        answers |= _answers_in(Path(each))
    return answers


def _answers_in(file: Path) -> dict[str, object]:
    from palio.core.files.untrusted import UnreadableFileError, read_untrusted

    example = 'Write an object such as {"method": "CNN"}, or answer with --answers KEY=VALUE.'
    try:
        content = json.loads(read_untrusted(file, _MOST_ANSWERS_BYTES))
    except FileNotFoundError as error:
        raise PalioError("usage", problem=f"--answers {file}: there is no such file.", next_step=example) from error
    except (UnreadableFileError, OSError) as error:
        raise PalioError("usage", problem=f"--answers {file}: the file {error}.", next_step=example) from error
    except (ValueError, RecursionError) as error:
        raise PalioError("usage", problem=f"--answers {file}: the file is not JSON.", next_step=example) from error
    if not isinstance(content, dict):
        raise PalioError("usage", problem=f"--answers {file}: the file is not a JSON object.", next_step=example)
    return content


def _progress() -> Callable[[int, int], None]:
    from palio.core.quantities import size_text

    def show(sent: int, size: int) -> None:
        end = "\n" if sent == size else ""
        click.echo(f"\r  uploading   {size_text(sent)} of {size_text(size)}\x1b[K{end}", nl=False, err=True)

    return show


class _Stages:
    """Prints a line per stage: its name at the start, its duration at the end."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._shown: str | None = None
        self._attempt: str | None = None
        self._done: set[str] = set()
        self._waited = ""
        self._held: Any = None

    def show(self, current: Any) -> None:
        attempt = current["attempt"]
        if attempt is None:
            return
        if self._attempt not in (None, attempt["identity"]):
            self._close({})
            self._say("  retry       the platform failed; this does not count toward the limit")
            self._done, self._shown = set(), None
        self._attempt = attempt["identity"]
        if current["state"] == "queued":
            self._wait(current["place"])
        for stage in Stage:
            record = attempt["stages"].get(stage)
            if stage in self._done or not (record or stage == current["state"]):
                continue
            if self._shown != stage:
                self._close(attempt["stages"])
                self._say(f"  {stage:<10}  ", newline=False)
                self._shown = stage
            self._hold(current.get("waiting"))
            if current["ended"] or (record and record["wall_s"] is not None and stage != current["state"]):
                self._close(attempt["stages"])

    def _wait(self, place: Any) -> None:
        text = f"position {place['number']} of {place['of']} in the queue" if place and place["number"] else ""
        if text and text != self._waited:
            self._say(f"  {'queued':<10}  {text}")
            self._waited = text

    def _hold(self, waiting: Any) -> None:
        """Says that the cluster holds the shown stage back; in the same line, which ends with its duration."""
        if waiting and self._held != waiting:
            number = f", number {waiting['position']} in the cluster's queue" if waiting["position"] else ""
            self._say(f"waiting for quota{number} … ", newline=False)
        self._held = waiting

    def _close(self, stages: Any) -> None:
        from palio.core.quantities import duration_text, size_text

        if self._shown is None:
            return
        record = stages.get(self._shown)
        if record is None or record["wall_s"] is None:
            self._say("stopped")
        else:
            peak = record.get("peak_memory_bytes")
            self._say(duration_text(record["wall_s"]) + (f", peak memory {size_text(peak)}" if peak else ""))
        self._done.add(self._shown)
        self._shown = None


def _watch(connection: "Connection", submission: str, say: Callable[..., None]) -> Any:
    from palio.client import submitting as client

    stages, current = _Stages(say), None
    for current in client.watch(connection, submission):
        stages.show(current)
    return current


def _show_end(ended: Any, say: Callable[..., None], *, as_json: bool) -> int:
    """Shows the result as `palio run` does and returns the same exit code."""
    if as_json:
        rendering.echo_json(ended)
    if ended["scores"]:
        shown = [column for column in ended["columns"] if column["key"] in ended["scores"]]
        cells = [f"{ended['scores'][column['key']]:.{column['precision']}f}" for column in shown]
        say("\n" + rendering.table([column["title"] for column in shown], [cells]))
        if (ended.get("choice") or {}).get("may_put"):
            say(f"\nNot on the leaderboard yet. To put it there: palio choose {ended['id']}")
    elif ended["state"] == "scored":
        say(f"\nScored. {ended.get('feedback') or 'The organizers have not published the scores of this phase.'}")
    if ended["state"] == "cancelled":
        say("\nCancelled.")
        return EXIT_CANCELLED
    if ended["failure"]:
        failure = Failure.from_json(ended["failure"])
        rendering.failure(failure, action_needed=ended["failure"].get("action_needed"))
        return EXIT_CODES[failure.cause]
    return 0


def _show_all(connection: "Connection", challenge: str, *, as_json: bool) -> int:
    found = list(connection.all_of(f"/challenges/{challenge}/submissions"))
    if as_json:
        rendering.echo_json({"challenge": challenge, "submissions": found})
    elif not found:
        click.echo(f"Your team has no submissions to {challenge} yet. To submit: palio submit FILE")
    else:
        scored = list(dict.fromkeys(key for each in found for key in each["scores"] or {}))
        header = ["ID", "Submitted", "Phase", "File", "State", "Counts", *scored]
        rows = [
            [
                each["id"],
                each["created"][:16].replace("T", " "),
                each["phase"],
                each["file"]["name"],
                f"{each['state']} ({each['failure']['code']})" if each["failure"] else each["state"],
                "yes" if each["charged"] else "no",
                *(f"{each['scores'][key]:.4g}" if key in (each["scores"] or {}) else "" for key in scored),
            ]
            for each in found
        ]
        click.echo(rendering.table(header, rows))
    return 0

"""`palio submit`, `status`, `logs`, `cancel` and `leaderboard`: what a participant does on a platform."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from palio.cli import rendering
from palio.cli.platform import challenge_option, in_person
from palio.core.attempt.run_folder import Stage
from palio.core.bundle.model import SubmissionKind
from palio.core.errors import EXIT_CANCELLED, EXIT_CODES, Failure

if TYPE_CHECKING:
    from palio.client import Connection

phase_option = click.option("--phase", metavar="NAME", help="The phase's name. [default: the one that is open]")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@challenge_option
@phase_option
@click.option("--note", default="", help="A note, for your team.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in SubmissionKind]),
    help="The submission's kind. [default: found from its content]",
)
@click.option("--wait", is_flag=True, help="Show the stages as they pass, and end as `palio run` would have ended.")
@rendering.as_json_option
@in_person
def submit(
    file: Path, challenge: str | None, phase: str | None, note: str, kind: str | None, wait: bool, as_json: bool
) -> int:
    """Hand FILE in on the platform that you are logged in to.

    If it is interrupted, run the same command again: what has arrived is not sent again.
    """
    from palio.client import connect
    from palio.client import participating as client
    from palio.client.uploading import upload_file
    from palio.core.quantities import size_text

    def say(text: str, *, newline: bool = True) -> None:
        click.echo(text, nl=newline, err=as_json)

    connection = connect()
    name = client.the_challenge(connection, challenge)
    client.refuse_early(connection, name, phase)
    show = _progress() if sys.stderr.isatty() else None
    kept = upload_file(connection, name, file, kind=kind, phase=phase, progress=show)
    submission = client.submit(connection, name, kept["id"], phase=phase, note=note)
    say(f"{name}, phase {submission['phase']}, team {submission['team']}")
    say(f"  submission  {file.name} ({kept['kind']}, {size_text(kept['size_bytes'])}, sha256 {kept['sha256'][:12]})")
    for line in submission["notes"]:
        say(f"  note        {line}")
    say(f"  id          {submission['id']}")
    say(f"  page        {connection.url}/s/{submission['id']}/")
    if not wait:
        if as_json:
            rendering.echo_json(submission)
        else:
            say(f"Handed in. `palio status {submission['id']}` says how it stands.")
        return 0
    try:
        ended = _watch(connection, submission["id"], say)
    except KeyboardInterrupt:
        say(f"\nIt goes on without you: `palio status {submission['id']}` says how it stands, `palio cancel` ends it.")
        return EXIT_CANCELLED
    return _show_end(ended, say, as_json=as_json)


@click.command()
@click.argument("submission", required=False)
@challenge_option
@click.option("--wait", is_flag=True, help="Until it has ended.")
@rendering.as_json_option
def status(submission: str | None, challenge: str | None, wait: bool, as_json: bool) -> int:
    """How SUBMISSION stands; without one, all that your team has handed in."""
    from palio.client import connect
    from palio.client import participating as client

    def say(text: str, *, newline: bool = True) -> None:
        click.echo(text, nl=newline, err=as_json)

    connection = connect()
    if submission is None:
        return _show_all(connection, client.the_challenge(connection, challenge), as_json=as_json)
    stands = client.get_submission(connection, submission)
    say(f"{stands['challenge']}, phase {stands['phase']}, team {stands['team']}")
    say(f"  submission  {stands['file']['name']} ({stands['file']['kind']})")
    if wait or stands["ended"]:
        return _show_end(_watch(connection, submission, say), say, as_json=as_json)
    _Stages(say).show(stands)
    say("" if stands["state"] == "queued" else "running")
    if as_json:
        rendering.echo_json(stands)
    return 0


@click.command()
@click.argument("submission")
@click.option("--stage", type=click.Choice([stage.value for stage in Stage]), help="Only this one.")
@rendering.as_json_option
def logs(submission: str, stage: str | None, as_json: bool) -> None:
    """The logs of SUBMISSION, as far as the challenge lets them be read."""
    from palio.client import connect
    from palio.client import participating as client

    connection = connect()
    there = (client.get_submission(connection, submission)["attempt"] or {}).get("logs", [])
    wanted = [stage] if stage else there
    found = {name: connection.get_text(f"/submissions/{submission}/logs/{name}") for name in wanted}
    if as_json:
        rendering.echo_json({"submission": submission, "logs": found})
        return
    if not found:
        click.echo("There is no log that you may read yet.", err=True)
    for name, text in found.items():
        if len(found) > 1:
            click.echo(click.style(f"== {name}", bold=True))
        click.echo(text, nl=not text.endswith("\n"))


@click.command()
@click.argument("submission")
@click.option("--counts", is_flag=True, help="Also if that uses up a try, without being asked.")
@rendering.as_json_option
def cancel(submission: str, counts: bool, as_json: bool) -> None:
    """End SUBMISSION; what runs is stopped.

    Once it has begun on hidden data, in a phase that shows the log of that, cancelling it uses up a try.
    """
    from palio.client import connect
    from palio.client import participating as client

    connection = connect()
    if (
        not counts
        and not as_json
        and sys.stdin.isatty()
        and client.get_submission(connection, submission)["cancel_counts"]
    ):
        question = "This attempt has begun on hidden data and counts as one of your team's tries. Cancel it?"
        if not click.confirm(question):
            click.echo("It goes on.")
            return
        counts = True
    stands = client.cancel(connection, submission, counts=counts)
    if as_json:
        rendering.echo_json(stands)
    else:
        click.echo("It was cancelled." if stands["ended"] else "It is being cancelled: what runs is stopped.")


@click.command()
@click.argument("challenge", required=False)
@phase_option
@rendering.as_json_option
def leaderboard(challenge: str | None, phase: str | None, as_json: bool) -> None:
    """The leaderboard of CHALLENGE on the platform; `palio board` ranks runs on this machine."""
    from palio.client import connect
    from palio.client import participating as client

    connection = connect()
    board = connection.get(f"/challenges/{client.the_challenge(connection, challenge)}/leaderboard", phase=phase)
    if as_json:
        rendering.echo_json(board)
        return
    click.echo(f"{board['title']}, phase {board['phase']}\n")
    if not board["rows"]:
        click.echo("  The scores of this phase are hidden." if board["hidden"] else "  Nobody has a score yet.")
        return
    columns = board["columns"]
    header = [
        "Rank",
        "Team",
        *(f"{column['title']} {'↑' if column['descending'] else '↓'}" for column in columns),
        "Entries",
    ]
    rows = [
        [
            _rank(row),
            row["team"] + (" (baseline)" if row["baseline"] else ""),
            *(_score(row["scores"].get(column["key"]), column["precision"]) for column in columns),
            str(row["entries"]),
        ]
        for row in board["rows"]
    ]
    click.echo(rendering.table(header, rows))
    if board["own_team"]:
        click.echo(f"\nYour team: {board['own_team']}")


def _rank(row: Any) -> str:
    if row["rank"] is None:
        return "–"
    first, last = row["rank_range"] or (row["rank"], row["rank"])
    return f"{row['rank']}" if first == last else f"{row['rank']} ({first}–{last})"


def _score(value: float | None, precision: int) -> str:
    return "–" if value is None else f"{value:.{precision}f}"


def _progress() -> Callable[[int, int], None]:
    from palio.core.quantities import size_text

    def show(sent: int, size: int) -> None:
        end = "\n" if sent == size else ""
        click.echo(f"\r  sending     {size_text(sent)} of {size_text(size)}\x1b[K{end}", nl=False, err=True)

    return show


class _Stages:
    """A line for each stage as it passes: its name when it begins, how long it took when it has ended."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._shown: str | None = None
        self._attempt: str | None = None
        self._told: set[str] = set()
        self._waited = ""

    def show(self, stands: Any) -> None:
        attempt = stands["attempt"]
        if attempt is None:
            return
        if self._attempt not in (None, attempt["identity"]):
            self._close({})
            self._say("  again       the platform had a fault, which is not charged; it is tried again")
            self._told, self._shown = set(), None
        self._attempt = attempt["identity"]
        if stands["state"] == "queued":
            self._wait(stands["place"])
        for stage in Stage:
            record = attempt["stages"].get(stage)
            if stage in self._told or not (record or stage == stands["state"]):
                continue
            if self._shown != stage:
                self._close(attempt["stages"])
                self._say(f"  {stage:<10}  ", newline=False)
                self._shown = stage
            if stands["ended"] or (record and record["wall_s"] is not None and stage != stands["state"]):
                self._close(attempt["stages"])

    def _wait(self, place: Any) -> None:
        text = f"number {place['number']} of {place['of']} in the queue" if place and place["number"] else ""
        if text and text != self._waited:
            self._say(f"  {'queued':<10}  {text}")
            self._waited = text

    def _close(self, stages: Any) -> None:
        from palio.core.quantities import duration_text, size_text

        if self._shown is None:
            return
        record = stages.get(self._shown)
        if record is None or record["wall_s"] is None:
            self._say("stopped")
        else:
            peak = record.get("peak_memory_bytes")
            self._say(duration_text(record["wall_s"]) + (f", at most {size_text(peak)}" if peak else ""))
        self._told.add(self._shown)
        self._shown = None


def _watch(connection: "Connection", submission: str, say: Callable[..., None]) -> Any:
    from palio.client import participating as client

    stages, stands = _Stages(say), None
    for stands in client.watch(connection, submission):
        stages.show(stands)
    return stands


def _show_end(ended: Any, say: Callable[..., None], *, as_json: bool) -> int:
    """The same words as at the end of `palio run`, and its exit code."""
    if as_json:
        rendering.echo_json(ended)
    if ended["scores"]:
        shown = [column for column in ended["columns"] if column["key"] in ended["scores"]]
        cells = [f"{ended['scores'][column['key']]:.{column['precision']}f}" for column in shown]
        say("\n" + rendering.table([column["title"] for column in shown], [cells]))
    elif ended["state"] == "scored":
        say("\nIt has a score. The scores of this phase are hidden until the organizers show them.")
    if ended["state"] == "cancelled":
        say("\nCancelled.")
        return EXIT_CANCELLED
    if ended["failure"]:
        failure = Failure.from_json(ended["failure"])
        rendering.failure(failure, turn=ended["failure"].get("turn"))
        return EXIT_CODES[failure.cause]
    return 0


def _show_all(connection: "Connection", challenge: str, *, as_json: bool) -> int:
    found = list(connection.all_of(f"/challenges/{challenge}/submissions"))
    if as_json:
        rendering.echo_json({"challenge": challenge, "submissions": found})
    elif not found:
        click.echo(f"Your team has handed in nothing for {challenge} yet: `palio submit FILE` does.")
    else:
        scored = list(dict.fromkeys(key for each in found for key in each["scores"] or {}))
        header = ["Id", "When", "Phase", "File", "State", "Counts", *scored]
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

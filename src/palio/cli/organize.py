"""`palio disqualify`, `palio announce` and `palio message`: organizing beside publishing and re-scoring."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from palio.cli import rendering
from palio.core.errors import PalioError, counted

MAX_TEXT_BYTES = 200_000


def _title_and_text(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what organizers write: `title`, and `text` or `path`."""
    for option in (
        click.option(
            "--file",
            "path",
            type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
            help="Read the text from this file; - reads standard input.",
        ),
        click.option("--text", help="The text, in Markdown."),
        click.option("--title", required=True, help="The title, at most 200 characters."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("submission")
@click.option("--reason", metavar="TEXT", help="Why, at most 500 characters. The team can read it.")
@click.option("--undo", is_flag=True, help="Reinstate the submission instead.")
@rendering.as_json_option
def disqualify(submission: str, reason: str | None, undo: bool, as_json: bool) -> None:
    """Remove the rank of SUBMISSION but keep its score.

    The leaderboard marks it as disqualified, and its team can read the reason. Only organizers can do this, with a
    token that has the scope `organize`.
    """
    from palio.client import connect
    from palio.client.organizing import disqualify as send

    if undo == (reason is not None):
        raise click.UsageError("Give a reason with --reason TEXT, or reinstate the submission with --undo.")
    if reason is not None and not reason.strip():
        raise PalioError("reason-missing")
    done = send(connect(), submission, reason or "")
    if as_json:
        rendering.echo_json(done)
    else:
        what = "reinstated" if undo else "disqualified"
        click.echo(f"Submission {done['id']} of {done['team']} to “{done['phase']}” is {what}.")


@click.command()
@click.argument("challenge", required=False)
@_title_and_text
@rendering.as_json_option
def announce(challenge: str | None, title: str, text: str | None, path: Path | None, as_json: bool) -> None:
    """Post an announcement to everyone who can see CHALLENGE.

    It appears on the challenge's overview, in its Announcements tab and in its feed. Only organizers can do this, with
    a token that has the scope `organize`.
    """
    from palio.client import connect
    from palio.client.organizing import announce as send
    from palio.client.submitting import resolve_challenge

    content = _content(text, path)
    connection = connect()
    slug = resolve_challenge(connection, challenge)
    made = send(connection, slug, title, content)
    address = f"{connection.url}/c/{slug}/announcements/"
    if as_json:
        rendering.echo_json(made | {"url": address})
    else:
        click.echo(f"Posted “{made['title']}”.")
        click.echo(address)


@click.command()
@click.argument("challenge")
@click.argument("team", required=False)
@click.option(
    "--to",
    "audience",
    required=True,
    type=click.Choice(["all", "team", "not-submitted"]),
    help="The receivers: all participants, the team that follows, or participants who have joined but not submitted.",
)
@_title_and_text
@click.option("--preview", "only_preview", is_flag=True, help="Say how many people would get it; send nothing.")
@click.option("--yes", is_flag=True, help="Send without a prompt.")
@rendering.as_json_option
def message(
    challenge: str,
    team: str | None,
    audience: str,
    title: str,
    text: str | None,
    path: Path | None,
    only_preview: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Send a private message to participants of CHALLENGE.

    For one team: `palio message CHALLENGE --to team NAME`. The message appears in the notifications of its receivers
    and, if the platform sends e-mail, in their mailbox. Only organizers can do this, with a token that has the scope
    `organize`. To tell everyone who can see the challenge, use `palio announce`.
    """
    from palio.client import connect
    from palio.client.organizing import preview_message, send_message

    written = _content(text, path)
    if (audience == "team") != (team is not None):
        raise click.UsageError("Name a team with --to team NAME, and only then.")
    connection = connect()
    content = {"to": audience, "team": team or "", "title": title, "text": written}
    found = preview_message(connection, challenge, content)
    people = counted(found["receivers"], "participant")
    if only_preview:
        if as_json:
            rendering.echo_json(found)
        else:
            click.echo(f"{people} would get “{title}”, {found['mailed']} of them by e-mail too.")
        return
    if not yes:
        click.confirm(f"Send “{title}” to {people}?", abort=True, err=as_json)
    sent = send_message(connection, challenge, content)
    if as_json:
        rendering.echo_json(sent)
    else:
        click.echo(f"Sent “{sent['title']}” to {counted(sent['receivers'], 'participant')}.")


def _content(text: str | None, path: Path | None) -> str:
    """Raises click.UsageError unless there is exactly one of both."""
    if (text is None) == (path is None):
        raise click.UsageError("Give the text with either --text or --file.")
    return _read(path) if path else text or ""


def _read(path: Path) -> str:
    """The text of a file, which may be standard input. Raises click.BadParameter."""
    data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1) if str(path) == "-" else b""
    if str(path) != "-":
        with path.open("rb") as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise click.BadParameter(f"{path} is larger than {MAX_TEXT_BYTES // 1000} kB. Shorten it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.BadParameter(f"{path} is not UTF-8 text. Save it as UTF-8.") from None

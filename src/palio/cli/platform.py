"""`palio login` and `palio join`: log in to a platform, and join a challenge on it."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import click

from palio.cli import rendering
from palio.core.errors import Cause, PalioError, party

LOOPBACK = {"127.0.0.1", "localhost", "::1"}

challenge_option = click.option(
    "--challenge", "-c", metavar="NAME", help="The challenge's name, as in its address. [default: the only challenge]"
)


def in_person(command: Callable[..., int]) -> Callable[..., int]:
    """For a command that only participants run: errors are worded for a participant."""

    @wraps(command)
    def commanded(*arguments: Any, as_json: bool, **named: Any) -> int:
        try:
            return command(*arguments, as_json=as_json, **named)
        except PalioError as error:
            action_needed = party(error.failure.cause, Cause.PARTICIPANT)
            rendering.failure(error.failure, action_needed=action_needed, as_json=as_json)
            return error.exit_code

    return commanded


@click.command()
@click.argument("url", required=False)
@click.option("--token", help="Your API token. Safer: set PALIO_TOKEN, or pass it on standard input.")
@click.option("--forget", is_flag=True, help="Log out: remove the platform's address and the token from this machine.")
@rendering.as_json_option
def login(url: str | None, token: str | None, forget: bool, as_json: bool) -> None:
    """Log in to the platform at URL with an API token.

    Create the token on your account page there. It is read from PALIO_TOKEN or standard input, or prompted for, and
    saved in a file that only you can read.
    """
    from palio.client import Connection, Login, forget_login, save_login
    from palio.client.login import TOKEN

    if forget:
        forget_login()
        _say("Logged out.", {"forgotten": True}, as_json=as_json)
        return
    if not url:
        raise click.UsageError("Give the platform's address, such as https://palio.example.org.")
    if "://" not in url:
        url = f"http://{url}" if urlsplit(f"//{url}").hostname in LOOPBACK else f"https://{url}"
    parts = urlsplit(url)
    address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        click.echo("Warning: http:// is not encrypted. Anyone on the network can read the token.", err=True)
    me = Connection(address, secret := _token(token or os.environ.get(TOKEN))).get("/me")
    path = save_login(Login(address, secret, me["username"]))
    scopes = ", ".join((me.get("token") or {}).get("scopes", ()))
    _say(
        f"Logged in to {address} as {me['username']} ({scopes}). Token saved in {path}.",
        {"url": address, "user": me["username"], "token": me.get("token"), "saved_in": str(path)},
        as_json=as_json,
    )


def _token(given: str | None) -> str:
    if given:
        return given.strip()
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True)).strip()
    secret = sys.stdin.readline().strip()
    if not secret:
        raise click.UsageError("No token given. Pass it on standard input, in PALIO_TOKEN, or with --token.")
    return secret


@click.command()
@click.argument("challenge", required=False)
@click.option("--accept-terms", is_flag=True, help="Accept the terms without a prompt.")
@rendering.as_json_option
def join(challenge: str | None, accept_terms: bool, as_json: bool) -> None:
    """Join CHALLENGE, or ask its organizers to let you join."""
    from palio.client import connect, new_key
    from palio.client.submitting import resolve_challenge

    connection = connect()
    name = resolve_challenge(connection, challenge)
    terms = connection.get(f"/challenges/{name}")["terms"]
    if terms and not accept_terms:
        click.echo(terms["text"].rstrip() + "\n", err=as_json)
        click.confirm("Do you accept these terms?", abort=True, err=as_json)
    content = {"accept_terms": terms["digest"] if terms else ""}
    registration = connection.post(f"/challenges/{name}/registration", content, key=new_key())
    team = registration["team"]
    said = f"You joined as team {team['name']}." if team else "You asked to join. The organizers will decide."
    _say(said, registration, as_json=as_json)


def _say(text: str, content: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        rendering.echo_json(content)
    else:
        click.echo(text)

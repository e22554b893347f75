"""The demo's second half: starts a local platform and submits to it as a participant would."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import requests

from palio.cli.leaderboard import leaderboard
from palio.cli.platform import join
from palio.cli.submit import submit
from palio.client.login import TOKEN, URL
from palio.core.errors import PalioError

SLUG = "mednist"
_START_S = 240.0  # a cluster is tested first
_STOP_S = 20.0


@contextmanager
def running_platform(folder: Path, challenge: Path, engine: str, unenforced: Sequence[str]) -> Iterator[str]:
    """Runs a platform with the challenge on this machine only, yields its address, and stops it at the end.

    `unenforced`: the isolation properties that the engine does not enforce.
    """
    address = f"http://127.0.0.1:{_free_port()}"
    command = [sys.executable, "-P", "-m", "palio", "serve", "--data", str(folder), "--with", str(challenge)]
    command += ["--port", address.rpartition(":")[2], "--engine", engine]
    environment = os.environ | accepted_by_its_operator(unenforced)
    log = folder.with_suffix(".log")
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(address, server, log)
        yield address
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_S)
        server.kill()


def accepted_by_its_operator(unenforced: Sequence[str]) -> dict[str, str]:
    """Settings with which any engine runs the submission of a participant, who is also the operator here."""
    return {"PALIO_ANYONE_ON_BUBBLEWRAP": "true", "PALIO_ACCEPT_UNENFORCED": ",".join(unenforced)}


def submit_as_participant(address: str, submission: Path) -> int:
    """Signs up, joins, submits and waits with a participant's commands. Returns the verdict's exit code."""
    name = f"visitor-{datetime.now(UTC):%H%M%S}"
    os.environ |= {URL: address, TOKEN: _sign_up(address, name)}
    click.echo(f"  {name} signed up and created a token")
    context = click.get_current_context()
    _show_command(f"palio join {SLUG}")
    context.invoke(join, challenge=SLUG, accept_terms=True)
    _show_command(f"palio submit {submission} --wait")
    exit_code = context.invoke(submit, submission=str(submission), challenge=SLUG, note="from the demo", wait=True)
    return exit_code if isinstance(exit_code, int) else 0


def show_leaderboard() -> None:
    _show_command(f"palio leaderboard {SLUG}")
    click.get_current_context().invoke(leaderboard, names=[SLUG])


def stay_open() -> None:
    """Waits for Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def _show_command(command: str) -> None:
    click.echo(click.style(f"  $ {command}", dim=True))


def _sign_up(address: str, name: str) -> str:
    """Signs up through the web form and returns a token for the new account."""
    with requests.Session() as browser:
        form = f"{address}/accounts/signup/"
        browser.get(form, timeout=10)
        fields = {"username": name, "password1": secrets.token_urlsafe(16)}
        browser.post(form, fields | {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}, timeout=30)
        answer = browser.post(
            f"{address}/api/v1/tokens",
            json={"name": "demo", "scopes": ["read", "submit"]},
            headers={"X-CSRFToken": browser.cookies["csrftoken"], "Referer": address},
            timeout=10,
        )
        if not answer.ok:
            raise PalioError("server-unreadable", url=address, reason=f"sign-up returned HTTP {answer.status_code}")
        return str(answer.json()["secret"])


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{address}/health", timeout=5).ok:
                return
        time.sleep(0.1)
    raise PalioError("server-unreachable", url=address, reason=f"it did not start; see {log}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

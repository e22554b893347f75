"""What browsers and proxies are told to keep: of all that is asked for, by whoever asks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from tests.web.access.everything import address, make_everything, send
from tests.web.access.test_matrix import WRITTEN
from tests.web.world import World

from palio.web.access.tokens import SCOPES
from palio.web.verbs.tokens import make_token

Browser = Callable[..., Client]
BOARDS = {
    "pages:leaderboard",
    "pages:leaderboard-phase",
    "pages:leaderboard-csv",
    "pages:leaderboard-json",
    "pages:leaderboard-svg",
    "api:leaderboard",
    "pages:statistics",
    "pages:statistics-phase",
    "pages:statistics-csv",
    "api:statistics",
}
OWN, ASKED_AGAIN, EVERYBODYS = "private, no-store", "private, no-cache", "no-cache"


@pytest.mark.parametrize("role", ["captain", "organizer", "admin"])
def test_private_page_not_cached(world: World, tmp_path: Path, browser: Browser, role: str) -> None:
    of = make_everything(world, tmp_path)
    client = browser(of.people[role])
    found = {
        call.name: send(client, call, address(call, of)).headers["Cache-Control"]
        for call in WRITTEN
        if call.method == "GET"
    }
    given = {name: control for name, control in found.items() if control != OWN and "no-store" not in control}
    assert given == dict.fromkeys(BOARDS, ASKED_AGAIN) | {"pages:challenge-file": "private, max-age=86400"}


def test_public_page_revalidated(world: World, tmp_path: Path, browser: Browser) -> None:
    of = make_everything(world, tmp_path)
    calls = [call for call in WRITTEN if call.method == "GET" and WRITTEN[call]["anonymous"] == "✓"]
    found = {call.name: send(browser(), call, address(call, of)) for call in calls}
    controls = {name: answer.headers["Cache-Control"] for name, answer in found.items()}
    assert controls["pages:home"] == controls["pages:health"] == controls["api:list-challenges"] == EVERYBODYS
    assert [name for name, answer in found.items() if answer.cookies and "private" not in controls[name]] == []
    assert [name for name, control in controls.items() if "no-cache" not in control and "private" not in control] == []


def test_token_response_not_cached(world: World) -> None:
    _, secret = make_token(world.bob, "t", SCOPES, days=1)
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {secret}"})
    paths = ("/api/v1/challenges", "/api/v1/challenges/mednist/quota", "/api/v1/nonsense", "/nonsense/")
    assert [client.get(path).headers["Cache-Control"] for path in paths] == [OWN] * 4


def test_refusal_not_cached(world: World, browser: Browser) -> None:
    bob = browser(world.bob)
    assert [bob.get(path).headers["Cache-Control"] for path in ("/operate/accounts/", "/s/nobody/", "/nonsense/")] == (
        [OWN] * 3
    )
    unknown = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": "Bearer nonsense"})
    assert unknown.get("/api/v1/challenges").headers["Cache-Control"] == OWN

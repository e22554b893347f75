"""Who may send a large body, and where: decided before any of it is taken."""

from collections.abc import Callable

import pytest
from django.test import Client
from tests.web.submitting import announce, send
from tests.web.world import World

from palio.web.access.rules import find_rule
from palio.web.models import Challenge
from palio.web.serving.admission import ADMITTED, APPENDS, ASKED, TAKE_FILES

Browser = Callable[..., Client]
LARGE = 10_000_000
TOO_LARGE_FOR_ANY_DISK = 2**60


def is_admitted(client: Client, path: str, size_bytes: int = LARGE, method: str = "POST") -> bool:
    said = {ASKED: True, "CONTENT_LENGTH": str(size_bytes)}
    answer = client.generic(method, path, b"", "application/octet-stream", **said)  # type: ignore[arg-type]
    return ADMITTED in answer.wsgi_request.META


def test_large_body_operations_in_access_table() -> None:
    assert all(find_rule(name) for name in {*TAKE_FILES, APPENDS})


@pytest.mark.parametrize(
    ("path", "who", "admitted"),
    [
        ("/c/mednist/submit/", "bob", True),
        ("/c/mednist/submit/", "dave", False),
        ("/c/mednist/submit/", "", False),
        ("/publish/", "ada", True),
        ("/publish/", "bob", False),
        ("/c/mednist/versions/new/", "alice", True),
        ("/c/mednist/versions/new/", "olga", False),
        ("/accounts/login/", "", False),
        ("/accounts/signup/", "", False),
        ("/c/mednist/manage/announcements/new/", "alice", False),
        ("/nothing/", "ada", False),
    ],
)
def test_large_body_by_role(world: World, browser: Browser, path: str, who: str, admitted: bool) -> None:
    client = browser(getattr(world, who)) if who else Client(SERVER_NAME="127.0.0.1")
    client.raise_request_exception = False
    assert is_admitted(client, path) == admitted


@pytest.mark.parametrize(("size_bytes", "admitted"), [(4000, True), (4001, False), (TOO_LARGE_FOR_ANY_DISK, False)])
def test_chunk_up_to_missing_bytes(world: World, browser: Browser, size_bytes: int, admitted: bool) -> None:
    upload = announce(world.team, world.bob, b"x" * 5000)
    send(upload, b"x" * 5000, until=1000)
    path = f"/api/v1/uploads/{upload.pk}"
    assert is_admitted(browser(world.bob), path, size_bytes, "PATCH") == admitted
    assert not is_admitted(browser(world.carol), path, size_bytes, "PATCH")


def test_admission_runs_no_view(world: World, browser: Browser) -> None:
    assert is_admitted(browser(world.ada), "/api/v1/challenges?slug=new")
    assert not Challenge.objects.filter(slug="new").exists()
    assert not is_admitted(browser(world.ada), "/api/v1/challenges?slug=new", TOO_LARGE_FOR_ANY_DISK)

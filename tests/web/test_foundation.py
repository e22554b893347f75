"""The site as everybody finds it."""

from collections.abc import Callable

import pytest
from django.test import Client
from tests.web.world import World

Browser = Callable[..., Client]


def test_home_without_drafts(world: World, browser: Browser) -> None:
    page = browser().get("/")
    assert page.status_code == 200
    assert "mednist" in page.text
    assert "draft" not in page.text


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing"])
def test_unknown_address_not_found(world: World, browser: Browser, path: str) -> None:
    answer = browser().get(path)
    assert answer.status_code == 404
    assert "This does not exist, or you may not see it" in answer.text


def test_health_without_controller(db: None, browser: Browser) -> None:
    assert browser().get("/health").json() == {"pages": "up", "controller": "down", "trouble": ""}


def test_content_security_policy(world: World, browser: Browser) -> None:
    policy = browser().get("/").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy

"""Publishing and settings in a browser."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.web.verbs.test_upload_bundle import packed
from tests.web.world import World

from palio.web.models import Challenge, Role
from palio.web.verbs.accounts import set_publisher

Browser = Callable[..., Client]


@pytest.fixture
def olga(world: World, browser: Browser) -> Client:
    return browser(set_publisher(world.olga, True, actor=world.ada))


def zipped(folder: Path, target: Path, name: str = "vowels.zip") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, packed(folder, target).read_bytes())


def test_publish_from_a_browser(olga: Client, small_bundle: Path, tmp_path: Path) -> None:
    assert olga.get("/publish/").status_code == 200
    done = olga.post("/publish/", {"bundle": zipped(small_bundle, tmp_path), "draft": "on"}, follow=True)
    assert done.request["PATH_INFO"] == "/c/vowels/"
    assert "Version 1 published." in done.text
    assert Challenge.objects.get(slug="vowels").visibility == "draft"
    again = olga.post("/publish/", {"bundle": zipped(small_bundle, tmp_path), "draft": "on"}, follow=True)
    assert "Nothing was changed." in again.text


def test_publish_invalid_bundle_keeps_form(olga: Client, tmp_path: Path) -> None:
    file = SimpleUploadedFile("x.zip", b"hello")
    refused = olga.post("/publish/", {"bundle": file, "slug": "mine", "note": "First."})
    assert refused.status_code == 422
    assert "cannot be read as a zip archive" in refused.text
    assert 'value="mine"' in refused.text
    assert olga.post("/publish/", {"slug": "mine"}).status_code == 422


def test_publish_slug_taken(olga: Client, small_bundle: Path, tmp_path: Path) -> None:
    refused = olga.post("/publish/", {"bundle": zipped(small_bundle, tmp_path), "slug": "mednist"})
    assert (refused.status_code, "A challenge named" in refused.text) == (409, True)


def test_publish_file_too_large(olga: Client, settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, max_upload_gib=0.001)
    refused = olga.post("/publish/", {"bundle": SimpleUploadedFile("x.zip", bytes(3_000_000))})
    assert (refused.status_code, "The file is too large" in refused.text) == (413, True)
    assert olga.post("/publish/", {"bundle": SimpleUploadedFile("x.zip", bytes(2_000_000))}).status_code == 400


def test_publish_without_csrf_token(world: World) -> None:
    strict = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)
    strict.force_login(world.ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert strict.post("/publish/", {"bundle": SimpleUploadedFile("x.zip", b"x")}).status_code == 403


def test_file_in_other_form_refused(world: World, browser: Browser) -> None:
    file = SimpleUploadedFile("x.zip", b"x" * 100)
    assert browser(world.dave).post("/c/mednist/join/", {"accepted": file}).status_code == 400


def test_publish_version_organizer_only(world: World, browser: Browser, small_bundle: Path, tmp_path: Path) -> None:
    alice = browser(world.alice)
    assert "New version of" in alice.get("/c/mednist/versions/new/").text
    done = alice.post("/c/mednist/versions/new/", {"bundle": zipped(small_bundle, tmp_path)}, follow=True)
    assert "identical to version" in done.text
    for who in (world.olga, world.sam, world.bob):
        assert browser(who).get("/c/mednist/versions/new/").status_code == 403


def test_settings_buttons(world: World, browser: Browser) -> None:
    alice, base = browser(world.alice), "/c/mednist/settings"
    assert alice.get(f"{base}/").status_code == 200
    assert "now archived" in alice.post(f"{base}/visibility/", {"visibility": "archived"}, follow=True).text
    assert alice.post(f"{base}/joining/", {"joining": "approval"}).status_code == 302
    assert Challenge.objects.get(slug="mednist").joining == "approval"
    assert (
        "dave now has the role scorer"
        in alice.post(f"{base}/roles/", {"username": "dave", "kind": "scorer"}, follow=True).text
    )
    assert "Role of dave removed" in alice.post(f"{base}/roles/revoke/", {"username": "dave"}, follow=True).text
    assert "only organizer" in alice.post(f"{base}/roles/revoke/", {"username": "alice"}, follow=True).text
    assert Role.objects.filter(challenge=world.challenge).count() == 3


@pytest.mark.parametrize("who", ["bob", "sam", "vera", "olga"])
def test_settings_organizer_only(world: World, browser: Browser, who: str) -> None:
    assert browser(getattr(world, who)).get("/c/mednist/settings/").status_code == 403

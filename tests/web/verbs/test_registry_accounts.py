"""Accounts of teams at registries: what may be saved, who may, and that their secrets stay secret."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from tests.bundles import YAML, write_bundle
from tests.images import tar
from tests.registry import FakeRegistry, fake_registry
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.core.errors import PalioError
from palio.web.controller.assign import assignment
from palio.web.controller.assignment import Assignment
from palio.web.models import Attempt, Event, RegistryAccount
from palio.web.verbs import registry_accounts
from palio.web.verbs.fetch_source import fetch_source
from palio.web.verbs.submit import submit

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]
SECRET = "pull-only-4711"  # noqa: S105 - protects nothing


@pytest.fixture
def registry(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """Private, with an image; in a challenge that takes references."""
    publish(world.challenge, write_bundle(tmp_path / "bundle", yaml=YAML.replace("[context, results]", "[reference]")))
    with fake_registry() as found:
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{found.host}")
        monkeypatch.setenv("PALIO_IMAGE_PLATFORM", "linux/amd64")
        monkeypatch.setattr(settings, "CONFIGURATION", replace(settings.CONFIGURATION, engine="docker"))
        found.image([tar({"a": b"1"})], "v1")
        found.account = ("lab", SECRET)
        yield found


def save(world: World, registry: str = "ghcr.io", username: str = "lab", secret: str = SECRET) -> RegistryAccount:
    return registry_accounts.save(world.team, registry, username, secret, actor=world.bea)


def code(world: World, *given: str) -> str:
    with pytest.raises(PalioError) as refused:
        save(world, *given)
    return refused.value.code


def test_private_image_is_submitted_and_pulled_with_teams_account(world: World, registry: FakeRegistry) -> None:
    image = f"{registry.host}/lab/model:v1"
    with pytest.raises(PalioError, match="does not let this platform pull"):
        fetch_source(world.team, world.bob, image)

    save(world, registry.host)
    submit(fetch_source(world.team, world.bob, image), world.bob)

    given = assignment(Attempt.objects.get(), settings.FOLDERS)
    sent = json.loads(json.dumps(given.as_json()))
    assert Assignment.from_json(sent).registry_account == (registry.host, "lab", SECRET)
    assert SECRET not in repr(given)


def test_account_of_another_team_is_not_used(world: World, registry: FakeRegistry) -> None:
    save(world, registry.host)

    assert registry_accounts.credential(world.rivals, registry.host) is None


def test_secret_is_encrypted_and_in_no_event(world: World) -> None:
    saved = save(world)
    registry_accounts.delete(save(world, "quay.io"), actor=world.bea)

    assert SECRET not in saved.secret
    found = registry_accounts.credential(world.team, "ghcr.io")
    assert found is not None
    assert (found.username, found.secret) == ("lab", SECRET)
    details = [event.detail for event in Event.objects.filter(kind__startswith="team.registry-account")]
    assert [each["registry"] for each in details] == ["ghcr.io", "quay.io", "quay.io"]
    assert SECRET not in json.dumps(details)


def test_with_another_secret_of_the_platform_there_is_no_account(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    save(world)
    monkeypatch.setattr(settings, "SECRET_KEY", "another")

    assert registry_accounts.credential(world.team, "ghcr.io") is None


def test_saving_again_replaces(world: World) -> None:
    save(world)
    save(world, "https://GHCR.io/", "robot", "other")

    found = registry_accounts.credential(world.team, "ghcr.io")
    assert found is not None
    assert (RegistryAccount.objects.count(), found.username, found.secret) == (1, "robot", "other")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry.lab.example:5000", "registry.lab.example:5000"),
        (" https://ghcr.io/ ", "ghcr.io"),
    ],
)
def test_registry_is_named_as_in_images(text: str, name: str) -> None:
    assert registry_accounts.registry_name(text) == name


@pytest.mark.parametrize(
    "text", ["", "ghcr", "ghcr.io/lab", "http://ghcr.io", "gh cr.io", "ghcr.io:port", "ü.example", "\0", "a" * 300]
)
def test_what_is_no_registry_is_refused(world: World, text: str) -> None:
    assert code(world, text) == "registry-name-invalid"


@pytest.mark.parametrize(
    ("username", "secret"),
    [("", "x"), ("lab", ""), ("la:b", "x"), ("lab", "x\ny"), ("l\0b", "x"), ("l" * 201, "x"), ("lab", "x" * 8001)],
)
def test_what_is_no_account_is_refused(world: World, username: str, secret: str) -> None:
    assert code(world, "ghcr.io", username, secret) == "registry-account-invalid"


def test_number_of_accounts_is_limited(world: World) -> None:
    for number in range(registry_accounts.MOST):
        save(world, f"r{number}.example")
    save(world, "r0.example", "robot")  # which replaces one

    assert code(world, "another.example") == "registry-accounts-too-many"


def test_page_and_api_of_captain(world: World, browser: Browser) -> None:
    page, api = f"/teams/{world.team.pk}/registry-accounts/", f"/api/v1/teams/{world.team.pk}/registry-accounts"
    captain = browser(world.team.captain)
    given = {"registry": "ghcr.io", "username": "lab", "secret": SECRET}
    assert captain.post(f"{page}save/", given, follow=True).status_code == 200

    text = captain.get(page).text
    assert "ghcr.io" in text
    assert SECRET not in text
    (listed,) = captain.get(api).json()
    assert (listed["registry"], listed["username"], set(listed) & {"secret"}) == ("ghcr.io", "lab", set())
    changed = captain.post(api, {**given, "username": "robot"}, content_type="application/json")
    assert (changed.status_code, changed.json()["username"]) == (200, "robot")
    assert captain.delete(f"{api}/{listed['id']}").status_code == 204
    assert captain.delete(f"{api}/{listed['id']}").status_code == 404
    assert RegistryAccount.objects.count() == 0
    captain.post(f"{page}save/", given)
    captain.post(f"{page}{RegistryAccount.objects.get().pk}/delete/")
    assert RegistryAccount.objects.count() == 0

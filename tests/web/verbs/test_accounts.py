"""What an operator does for people."""

from collections.abc import Callable

from django.test import Client
from tests.errors import code_of
from tests.web.world import World

from palio.web.verbs import accounts

Browser = Callable[..., Client]


def test_reset_link_works_once(world: World, browser: Browser) -> None:
    path = accounts.reset_link(world.dave, actor=world.ada)
    client = browser()
    form = client.get(path, follow=True)
    assert form.status_code == 200
    word = "another-long-password"
    changed = client.post(form.request["PATH_INFO"], {"password1": word, "password2": word}, follow=True)
    assert changed.status_code == 200
    world.dave.refresh_from_db()
    assert world.dave.check_password(word)
    assert "password1" not in browser().get(path, follow=True).text


def test_reset_link_deactivated_account(world: World) -> None:
    accounts.set_active(world.dave, False, actor=world.ada)
    world.dave.refresh_from_db()
    assert code_of(lambda: accounts.reset_link(world.dave, actor=world.ada)) == "account-inactive"


def test_set_active_signs_out(world: World, browser: Browser) -> None:
    client = browser(world.dave)
    assert client.get("/account/").status_code == 200
    accounts.set_active(world.dave, False, actor=world.ada)
    assert client.get("/account/").status_code == 302


def test_set_active_own_account(world: World) -> None:
    assert code_of(lambda: accounts.set_active(world.ada, False, actor=world.ada)) == "account-own"


def test_set_publisher(world: World, browser: Browser) -> None:
    assert browser(world.dave).get("/publish/").status_code == 403
    accounts.set_publisher(world.dave, True, actor=world.ada)
    world.dave.refresh_from_db()
    assert browser(world.dave).get("/publish/").status_code == 200

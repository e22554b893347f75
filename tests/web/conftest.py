"""What tests of the platform have in common."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.test import Client
from tests.bundles import write_bundle
from tests.web.full_challenge import Full, make_full
from tests.web.world import World, make_world

from palio.web.http import cache
from palio.web.models import User

if TYPE_CHECKING:
    from tests.web.controller.stepped_controller import SteppedController


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        call_command("createcachetable")


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small challenge of tests.bundles; read only."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "vowels")


@pytest.fixture
def world(db: None, small_bundle: Path) -> World:
    return make_world(small_bundle)


@pytest.fixture
def full(world: World, tmp_path: Path) -> Full:
    return make_full(world, tmp_path)


@pytest.fixture
def make_controller(world: World, tmp_path: Path) -> "Iterator[Callable[..., SteppedController]]":
    """Makes controllers that the test ticks by hand, configured as it says."""
    from tests.web.controller.stepped_controller import SteppedController

    made: list[SteppedController] = []

    def make(**configured: object) -> SteppedController:
        made.append(SteppedController(tmp_path, **configured))
        return made[-1]

    yield make
    for stepped in made:
        stepped.close()


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> None:
    """Each test has a database of its own, in which keys mean something else than in the one before."""
    caches["here"].clear()
    cache.clear()


@pytest.fixture
def browser() -> Callable[..., Client]:
    """Opens a browser, signed in as somebody or as nobody."""

    def open_browser(user: User | None = None) -> Client:
        client = Client(SERVER_NAME="127.0.0.1")
        if user is not None:
            client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return open_browser

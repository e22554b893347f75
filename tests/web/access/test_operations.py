"""Addresses of the API that answer several methods are several operations to the table."""

from collections import Counter
from collections.abc import Callable

from django.test import Client
from django.urls import get_resolver
from tests.web.world import World

from palio.web.access.operations import operation_name
from palio.web.api import api


def test_operation_name_from_method() -> None:
    named = "api:challenge"
    assert operation_name(named, "GET") == named
    assert operation_name(named, "PATCH") == "api:change-challenge"
    assert operation_name("api:change-challenge", "GET") == named
    assert operation_name(named, "HEAD") == named
    assert operation_name("pages:home", "POST") == "pages:home"


def test_method_not_allowed(world: World, browser: Callable[..., Client]) -> None:
    answer = browser(world.bob).get(f"/api/v1/teams/{world.team.pk}/captain")
    assert (answer.status_code, answer["Allow"], answer.json()["code"]) == (405, "POST", "method-not-allowed")
    assert answer.json()["message"] == "This address does not support GET."
    assert browser(world.carol).get(f"/api/v1/teams/{world.team.pk}/captain").status_code == 404  # not hers to know


def test_operations_unique() -> None:
    """Of an address in two modules, Django would find the first alone."""
    names, addresses = Counter[str](), Counter[str]()
    for _, router in api._routers:
        for address, path_view in router.path_operations.items():
            addresses[address.replace("int:", "")] += 1
            names.update(operation.url_name for operation in path_view.operations)
    assert {name for name, count in names.items() if count > 1 or not name} == set()
    assert {address for address, count in addresses.items() if count > 1} == set()


def test_operations_resolve() -> None:
    known = set(get_resolver().namespace_dict["api"][1].reverse_dict)
    assert {operation.url_name for _, router in api._routers for path in router.path_operations.values()
            for operation in path.operations} <= known  # fmt: skip

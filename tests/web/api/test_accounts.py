"""Invitations and people through the API: what operators, organizers and captains do on their pages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from tests.web.world import World

from palio.web.access.tokens import SCOPES
from palio.web.models import Membership, Registration, User
from palio.web.verbs.tokens import make_token

Ask = Callable[..., Any]


@pytest.fixture
def ask(world: World) -> Ask:
    """Asks with a token for everything; gives status and JSON."""

    def asking(user: User, method: str, path: str, content: object = None) -> Any:
        _, secret = make_token(user, "test", SCOPES, days=1)
        client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {secret}"})
        more = {} if method == "get" else {"content_type": "application/json"}
        answer = getattr(client, method)(f"/api/v1{path}", content or {}, **more)
        return answer.status_code, answer.json() if answer.content else None

    return asking


def listed(ask: Ask, user: User, path: str) -> list[tuple[str, str, str | None]]:
    status, found = ask(user, "get", path)
    assert status == 200
    return [(each["note"], each["created_by"], each["account"]) for each in found]


def test_challenge_invitations_listed_and_revoked(world: World, ask: Ask) -> None:
    path = "/challenges/mednist/invitations"
    _, made = ask(world.alice, "post", path, {"note": "for Dave"})
    assert listed(ask, world.alice, path) == [("for Dave", "alice", None)]
    assert ask(world.olga, "get", path)[0] == 403
    assert ask(world.alice, "delete", f"/challenges/other/invitations/{made['id']}")[0] == 403
    assert ask(world.ada, "delete", f"/challenges/other/invitations/{made['id']}")[0] == 404
    assert [ask(world.alice, "delete", f"{path}/{made['id']}")[0] for _ in range(2)] == [204, 204]
    assert listed(ask, world.alice, path) == []
    status, said = ask(world.dave, "post", "/invitations/accept", {"code": made["code"]})
    assert (status, said["code"]) == (404, "invitation-invalid")


def test_team_invitations_captain_only(world: World, ask: Ask) -> None:
    path = f"/teams/{world.team.pk}/invitations"
    _, made = ask(world.bob, "post", path, {})
    assert listed(ask, world.bob, path) == [("", "bob", None)]
    assert [ask(user, "get", path)[0] for user in (world.bea, world.carol, world.alice)] == [404, 404, 404]
    assert ask(world.bob, "delete", f"{path}/{made['id']}")[0] == 204
    status, said = ask(world.carol, "post", "/invitations/accept", {"code": made["code"]})
    assert (status, said["code"]) == (404, "invitation-invalid")


def test_account_invitations_operator_only(world: World, ask: Ask) -> None:
    status, made = ask(world.ada, "post", "/invitations", {"note": "the whole course"})
    assert (status, "/invitations/" in made["url"]) == (201, True)
    assert listed(ask, world.ada, "/invitations") == [("the whole course", "ada", None)]
    assert ask(world.ada, "delete", f"/invitations/{made['id']}")[0] == 204
    assert listed(ask, world.ada, "/invitations") == []
    assert [ask(world.alice, method, "/invitations")[0] for method in ("get", "post")] == [403, 403]


def test_account_changes_by_operator(world: World, ask: Ask) -> None:
    _, page = ask(world.ada, "get", "/accounts?q=BO")
    assert [(each["username"], each["active"], each["may_publish"]) for each in page["items"]] == [("bob", True, False)]
    status, bob = ask(world.ada, "patch", "/accounts/bob", {"may_publish": True})
    assert (status, bob["may_publish"], bob["active"], bob["operator"]) == (200, True, True, False)
    status, bob = ask(world.ada, "patch", "/accounts/bob", {"active": False})
    assert (status, bob["active"]) == (200, False)
    assert Client(SERVER_NAME="127.0.0.1").login(username="bob", password="bob-long-password") is False
    status, said = ask(world.ada, "patch", "/accounts/ada", {"active": False})
    assert (status, said["code"]) == (409, "account-own")
    assert ask(world.ada, "patch", "/accounts/nobody", {})[0] == 404
    assert ask(world.alice, "get", "/accounts")[0] == 403


def test_impersonating_links_need_browser(world: World, ask: Ask, browser: Callable[[User | None], Client]) -> None:
    for path in ("/accounts/bob/reset-link", "/accounts/bob/remove-second-factors"):
        assert ask(world.ada, "post", path)[0] == 403
    ada = browser(world.ada)
    link = ada.post("/api/v1/accounts/bob/reset-link", {}, "application/json").json()["url"]
    assert browser(None).get(link, follow=True).status_code == 200
    answer = ada.post("/api/v1/accounts/bob/remove-second-factors", {}, "application/json")
    assert (answer.status_code, answer.json()["second_factor"]) == (200, False)


def test_me_lists_memberships_and_roles(world: World, ask: Ask) -> None:
    _, bob = ask(world.bob, "get", "/me")
    assert (bob["username"], bob["roles"]) == ("bob", [])
    assert bob["memberships"] == [{"challenge": "mednist", "team": "Blobs", "id": world.team.pk}]
    assert Membership.objects.filter(user=world.bob).count() == 1
    _, sam = ask(world.sam, "get", "/me")
    assert (sam["memberships"], sam["roles"]) == ([], [{"challenge": "mednist", "kind": "scorer"}])
    assert not Registration.objects.filter(user=world.sam).exists()

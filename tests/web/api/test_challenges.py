"""Challenges, joining, teams and tokens over the API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from tests.web.verbs.test_joining import TERMS
from tests.web.verbs.test_upload_bundle import packed
from tests.web.world import World

from palio.web.access.tokens import SCOPES
from palio.web.models import ApiToken, User
from palio.web.verbs.accounts import set_publisher
from palio.web.verbs.tokens import make_token

Ask = Callable[..., Any]


@pytest.fixture
def ask(db: None) -> Ask:
    """Asks as somebody, with a token for everything, or as nobody; gives status and JSON."""
    secrets: dict[int, str] = {}

    def asking(user: User | None, method: str, path: str, content: object = None, **more: Any) -> Any:
        headers = more.pop("headers", {})
        if user:
            if user.pk not in secrets:
                secrets[user.pk] = make_token(user, "test", SCOPES, days=1)[1]
            headers["Authorization"] = f"Bearer {secrets[user.pk]}"
        more.setdefault("content_type", "application/json")
        client = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)
        data = content if isinstance(content, bytes) else (content or {})
        if method == "get":
            answer = client.get(f"/api/v1{path}", headers=headers)
        else:
            answer = getattr(client, method)(f"/api/v1{path}", data, headers=headers, **more)
        return answer.status_code, answer.json() if answer.content else None

    return asking


def test_list_challenges_drafts_for_organizers(world: World, ask: Ask) -> None:
    assert [found["slug"] for found in ask(None, "get", "/challenges")[1]["items"]] == ["other", "mednist"]
    assert [found["slug"] for found in ask(world.alice, "get", "/challenges")[1]["items"]] == [
        "draft",
        "other",
        "mednist",
    ]


def test_get_challenge_phases_limits_terms(world: World, ask: Ask) -> None:
    status, found = ask(None, "get", "/challenges/mednist")
    assert status == 200
    assert found["terms"] == {"text": "Be fair.\n", "digest": TERMS}
    assert found["pages"] == ["Overview"]
    phase = found["phases"][0]
    assert (phase["name"], phase["state"], phase["opens"], phase["closes"]) == (
        "Final",
        "open",
        "2026-01-01T00:00:00Z",
        None,
    )
    assert phase["limits"]["predict"]["time_s"] == 20
    assert phase["limits"]["build"]["network"] is False
    assert phase["kinds"] == ["context", "results"]


def test_texts_and_versions_public(world: World, ask: Ask) -> None:
    assert ask(None, "get", "/challenges/mednist/pages")[1] == [{"title": "Overview", "html": "<h2>Vowels</h2>\n"}]
    assert ask(None, "get", "/challenges/mednist/phases")[0] == 200
    assert ask(None, "get", "/challenges/mednist/announcements")[1]["count"] == 0
    versions = ask(None, "get", "/challenges/mednist/versions")[1]["items"]
    assert [(version["number"], version["current"], version["changes"]) for version in versions] == [(1, True, [])]
    assert ask(None, "get", "/challenges/draft")[0] == 404


def test_publish_twice_same_content(world: World, ask: Ask, small_bundle: Path, tmp_path: Path) -> None:
    content = packed(small_bundle, tmp_path).read_bytes()
    olga = set_publisher(world.olga, True, actor=world.ada)
    path, kind = "/challenges?name=vowels.zip&draft=true&note=First", "application/zip"
    status, done = ask(olga, "post", path, content, content_type=kind)
    assert (status, done["is_new"], done["challenge"]["slug"], done["challenge"]["visibility"]) == (
        201,
        True,
        "vowels",
        "draft",
    )
    assert (done["version"]["note"], done["version"]["published_by"]) == ("First", "olga")
    assert ask(olga, "post", path, content, content_type=kind)[0] == 200
    assert ask(world.dave, "post", path, content, content_type=kind)[0] == 403
    status, refused = ask(olga, "post", "/challenges", b"hello", content_type=kind)
    assert (status, refused["code"]) == (422, "folder-unreadable")
    assert ask(world.alice, "post", "/challenges/mednist/versions", content, content_type=kind)[0] == 200
    assert ask(world.sam, "post", "/challenges/mednist/versions", content, content_type=kind)[0] == 403


def test_change_challenge_visibility_and_joining(world: World, ask: Ask) -> None:
    status, changed = ask(world.alice, "patch", "/challenges/draft", {"visibility": "published", "joining": "approval"})
    assert (status, changed["visibility"], changed["joining"]) == (200, "published", "approval")
    assert ask(world.alice, "patch", "/challenges/draft", {"visibility": "secret"})[0] == 422
    assert ask(world.bob, "patch", "/challenges/mednist", {"visibility": "draft"})[0] == 403


def test_join_team_withdraw(world: World, ask: Ask) -> None:
    assert ask(world.dave, "get", "/challenges/mednist/registration")[0] == 404
    status, refused = ask(world.dave, "post", "/challenges/mednist/registration", {})
    assert (status, refused["code"]) == (422, "terms-not-accepted")
    status, joined = ask(world.dave, "post", "/challenges/mednist/registration", {"accept_terms": TERMS})
    assert (status, joined["state"], joined["team"]["name"], joined["terms_version"]) == (201, "approved", "dave", 1)
    status, made = ask(world.bob, "post", f"/teams/{world.team.id}/invitations", {"note": "for dave"})
    assert status == 201
    assert made["url"].endswith(f"/invitations/{made['code']}/")
    status, accepted = ask(world.dave, "post", "/invitations/accept", {"code": made["code"]})
    assert (status, accepted) == (200, {"challenge": "mednist", "team": {"id": world.team.id, "name": "Blobs"}})
    assert ask(world.dave, "get", "/challenges/mednist/team")[1]["members"] == ["bob", "bea", "dave"]
    assert ask(world.dave, "patch", f"/teams/{world.team.id}", {"name": "Dots"})[0] == 404
    assert ask(world.bob, "patch", f"/teams/{world.team.id}", {"name": "Dots"})[1]["name"] == "Dots"
    assert ask(world.bob, "post", f"/teams/{world.team.id}/captain", {"username": "dave"})[1]["captain"] == "dave"
    assert ask(world.bob, "post", f"/teams/{world.team.id}/leave")[1]["name"] == "bob"
    assert ask(world.bob, "delete", "/challenges/mednist/registration")[0] == 204
    assert ask(world.bob, "get", "/challenges/mednist/team")[0] == 403
    names = [team["name"] for team in ask(world.dave, "get", "/challenges/mednist/teams")[1]["items"]]
    assert names == ["Carolingians", "Dots"]


def test_join_same_idempotency_key(world: World, ask: Ask) -> None:
    path, content, headers = "/challenges/mednist/registration", {"accept_terms": TERMS}, {"Idempotency-Key": "k"}
    first = ask(world.dave, "post", path, content, headers=dict(headers))
    assert first[0] == 201
    assert ask(world.dave, "post", path, content, headers=dict(headers)) == first


def test_roles_and_invitations_organizer_only(world: World, ask: Ask) -> None:
    status, granted = ask(world.alice, "post", "/challenges/mednist/roles", {"username": "dave", "kind": "viewer"})
    assert (status, granted["kind"]) == (200, "viewer")
    assert len(ask(world.vera, "get", "/challenges/mednist/roles")[1]) == 4
    assert ask(world.alice, "delete", "/challenges/mednist/roles/dave")[0] == 204
    assert ask(world.alice, "delete", "/challenges/mednist/roles/dave")[0] == 404
    assert ask(world.alice, "post", "/challenges/mednist/invitations", {})[0] == 201
    assert ask(world.vera, "post", "/challenges/mednist/invitations", {})[0] == 403
    assert ask(world.bob, "get", "/challenges/mednist/roles")[0] == 403


def test_accept_terms_not_joined(world: World, ask: Ask) -> None:
    path = "/challenges/mednist/registration/terms"
    assert ask(world.dave, "post", path, {"accept_terms": TERMS})[0] == 404
    assert ask(world.bob, "post", path, {"accept_terms": TERMS})[1]["terms_version"] == 1


def test_token_revokes_itself(world: World, ask: Ask) -> None:
    status, me = ask(world.bob, "get", "/me")
    assert (status, me["username"], me["token"]["scopes"]) == (200, "bob", ["read", "submit", "organize"])
    assert ask(world.bob, "post", "/tokens", {"name": "x", "scopes": ["read"]})[0] == 403
    ask(world.carol, "get", "/me")
    other = ApiToken.objects.get(user=world.carol)
    assert ask(world.bob, "delete", f"/tokens/{other.id}")[0] == 404
    assert [token["name"] for token in ask(world.bob, "get", "/tokens")[1]] == ["test"]
    assert ask(world.bob, "delete", f"/tokens/{me['token']['id']}")[0] == 204
    assert ask(world.bob, "get", "/me")[0] == 401


def test_token_created_in_session(world: World, browser: Callable[..., Client]) -> None:
    content = {"name": "x", "scopes": ["read"], "days": 7}
    answer = browser(world.bob).post("/api/v1/tokens", content, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["secret"].startswith("palio_")

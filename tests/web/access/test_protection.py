"""What protects people from other sites, from each other, and from whoever reads the database or the log."""

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.test import Client
from tests.web.access.everything import Everything, address, body, make_everything, send
from tests.web.access.tables import changed_tables, tables
from tests.web.access.test_matrix import WRITTEN
from tests.web.scored_submissions import publish, write_leaderboard_bundle
from tests.web.world import World

from palio.web.http.request_log import HideKeys, shown_path
from palio.web.models import User
from palio.web.models.ids import LENGTH
from palio.web.verbs.accounts import reset_link
from palio.web.verbs.invitations import invite

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def everything(world: World, tmp_path: Path) -> Everything:
    return make_everything(world, tmp_path)


@pytest.mark.parametrize("role", ["captain", "admin"])
def test_cross_site_request_refused(everything: Everything, role: str) -> None:
    """A browser sends its cookie with what another site makes it send; that alone changes nothing, at any address.

    But at the link that a mail has to unsubscribe: it is signed, and works for anyone who has it.
    """
    client = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)
    client.force_login(everything.people[role], backend=BACKEND)  # type: ignore[arg-type]
    before, done = tables(), []
    for call, signs in WRITTEN.items():
        is_signed = call.name == "pages:unsubscribe"
        if call.method not in ("GET", "HEAD", "OPTIONS") and signs[role] == "✓" and not is_signed:
            answer = send(client, call, address(call, everything), body(call, everything))
            if answer.status_code != 403:
                done.append(f"{call}: {answer.status_code}")
    assert done == []
    assert changed_tables(before) == []


def test_api_same_site_request(world: World) -> None:
    client = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)
    client.force_login(world.bob, backend=BACKEND)
    client.get("/account/tokens/")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    asked = {"name": "x", "scopes": ["read"]}
    assert client.post("/api/v1/tokens", asked, "application/json", headers=headers).status_code == 201


def test_object_identifiers_random() -> None:
    """Counted are announcements and versions, which everybody sees who sees the challenge."""
    counted = {"announcement", "challengeversion", "challenge", "user", "role", "membership", "event", "controllerbeat",
               "idempotentanswer", "leaderboardstatistics", "counter", "paircomparison", "casesummary",
               "similaritycheck", "samplerepeat", "notificationsettings"}  # fmt: skip
    for model in apps.get_app_config("palio").get_models():
        if model._meta.model_name not in counted:
            key = model._meta.pk
            assert isinstance(key, models.CharField), model
            assert key.max_length == LENGTH
            assert len(key.get_default()) == LENGTH


def test_secrets_absent_from_tables_and_logs(
    world: World, browser: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    bob, ada = browser(world.bob), browser(world.ada)
    caplog.handler.addFilter(HideKeys())
    caplog.set_level(logging.DEBUG)
    token = bob.post("/api/v1/tokens", {"name": "x", "scopes": ["read"]}, "application/json").json()["secret"]
    invited = bob.post(f"/api/v1/teams/{world.team.pk}/invitations", {}, "application/json").json()["code"]
    _, site = invite(world.ada)
    reset = reset_link(world.dave, actor=world.ada)
    key = reset.rstrip("/").rpartition("-")[2]
    ada.post("/operate/accounts/change/dave/", {"do": "reset"})
    stranger = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)
    for path in (f"/invitations/{invited}/", f"/invitations/{site}/", reset):
        stranger.get(path)
        stranger.post(path)  # refused, and logged
    stranger.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        rows = []
        for name in names:
            cursor.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - names that the database gave
            rows.append(repr(cursor.fetchall()))
    kept, logged = "\n".join(rows), caplog.text
    assert "/invitations/" in logged
    for secret in (token, invited, site, key, "bob-long-password"):
        assert secret not in kept
        assert secret not in logged


def test_logged_path_without_key_or_line_break() -> None:
    code = "a" * 32
    assert shown_path(f"/invitations/{code}/") == "/invitations/aaaa…/"
    assert shown_path("/s/abcdefghijklmnop/\n2026 INFO x") == "/s/abcdefghijklmnop/\\n2026 INFO x"


def test_sign_in_new_session(world: World) -> None:
    for where in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        client = Client(SERVER_NAME="127.0.0.1")
        client.get("/accounts/login/")
        session = client.session
        session["planted"] = True
        session.save()
        client.cookies["sessionid"] = planted = session.session_key or ""
        given = {"login": "bob", "password": "bob-long-password", "next": where}
        answer = client.post("/accounts/login/", given, follow=False)
        assert answer.status_code == 302, answer.content
        assert urlsplit(answer["Location"]).netloc == ""
        assert answer["Location"].startswith("/")
        assert "evil" not in answer["Location"]
        cookie = answer.cookies["sessionid"]
        assert cookie.value != planted
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


def test_password_guesses_throttled(world: World) -> None:
    client = Client(SERVER_NAME="127.0.0.1")
    given = {"login": "bob", "password": "wrong"}
    found = [client.post("/accounts/login/", given).status_code for _ in range(12)]
    assert 429 in found or "Too many" in client.post("/accounts/login/", given).content.decode()
    client.post("/accounts/login/", given | {"password": "bob-long-password"})
    assert "_auth_user_id" not in client.session


def test_unknown_host_refused(db: None) -> None:
    for path in ("/", "/api/v1/challenges", "/accounts/password/reset/"):
        answer = Client(SERVER_NAME="evil.example").get(path)
        assert answer.status_code == 400
        assert b"evil" not in answer.content


@pytest.mark.parametrize(("path", "table"), [("/health", "palio_controllerbeat"), ("/api/v1/tokens", "palio_apitoken")])
def test_server_error_without_traceback(world: World, browser: Callable[..., Client], path: str, table: str) -> None:
    client = browser(world.dave)
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{table}" RENAME TO gone')
    answer = client.get(path)
    assert answer.status_code == 500
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    text = answer.content.decode()
    assert [word for word in ("Traceback", "palio_", "Error", "django", "/web/", "gone") if word in text] == []
    assert "Something went wrong on the platform." in text


def test_report_sandboxed(everything: Everything, browser: Callable[..., Client]) -> None:
    client = browser(everything.world.bob)
    report = client.get(f"/s/{everything.full.best.pk}/report/")
    policy = report["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy
    assert report["X-Frame-Options"] == "SAMEORIGIN"
    page = client.get(f"/s/{everything.full.best.pk}/").content.decode()
    assert 'sandbox=""' in page or "sandbox " in page


def test_submitted_file_served_as_attachment(everything: Everything, browser: Callable[..., Client]) -> None:
    """Only a report and the platform's own pages are HTML; whatever else comes as text, JSON, picture or download.

    The platform's own feed, sitemap and drawing are XML.
    """
    own = ("application/atom+xml", "application/xml", "image/svg+xml")
    client, pages = browser(everything.world.alice), []
    for call in WRITTEN:
        if call.method == "GET" and call.name.startswith(("api:", "pages:")) and call.name != "pages:submission-report":
            answer = send(client, call, address(call, everything))
            kind = answer.get("Content-Type", "")
            is_file = not kind.startswith(("text/html", "application/json", "text/plain", "image/png", *own))
            if answer.status_code == 200 and kind and is_file and "attachment" not in answer["Content-Disposition"]:
                pages.append(f"{call}: {kind}")
            assert answer["X-Content-Type-Options"] == "nosniff", call
    assert pages == []


def test_file_name_header_injection(world: World, browser: Callable[..., Client], tmp_path: Path) -> None:
    name = 'a"; filename="b.html\r\nX-Evil: 1'
    bundle = write_leaderboard_bundle(tmp_path / "odd", final="    public_data: public_data\n")
    (bundle / "public_data").mkdir()
    (bundle / "public_data" / name).write_text("x")
    publish(world.challenge, bundle)
    answer = browser(world.bob).get("/c/mednist/data/1/public-data")
    assert (answer.status_code, "X-Evil" in answer) == (200, False)
    assert answer["Content-Disposition"].startswith("attachment;")


def test_cookies_secure_with_tls() -> None:
    is_secure = settings.CONFIGURATION.secure_cookies
    assert settings.SESSION_COOKIE_SECURE == settings.CSRF_COOKIE_SECURE == is_secure
    assert (settings.SESSION_COOKIE_HTTPONLY, settings.SESSION_COOKIE_SAMESITE) == (True, "Lax")


def test_deactivated_account_locked_out(everything: Everything) -> None:
    User.objects.filter(pk=everything.world.bob.pk).update(is_active=False)
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {everything.secrets.token}"})
    assert client.get("/api/v1/me").status_code == 401

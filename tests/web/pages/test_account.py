"""Accounts: signing up and in, second factors, tokens, and what the operator does for people."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from tests.web.world import World

from palio.web.models import ApiToken, Registration, User
from palio.web.verbs.invitations import invite

Browser = Callable[..., Client]
PASSWORD = "a-rather-long-password"  # noqa: S105


@pytest.fixture(autouse=True)
def _no_counts_left(db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def by_invitation(settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, sign_up="invitation")


def sign_up(client: Client, name: str, email: str = "") -> Any:
    content = {"username": name, "email": email, "password1": PASSWORD}
    return client.post("/accounts/signup/", content, follow=True)


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/password/reset/key/done/",
        "/accounts/inactive/",
        "/accounts/confirm-email/",
    ],
)
def test_entrance_page_anonymous(world: World, browser: Browser, path: str) -> None:
    answer = browser().get(path)
    assert answer.status_code == 200
    assert 'class="site"' in answer.text
    assert not re.search(r"<script>|<script type=\"text/javascript\"|style=|onclick", answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/account/",
        "/account/tokens/",
        "/accounts/logout/",
        "/accounts/email/",
        "/accounts/password/change/",
        "/accounts/reauthenticate/",
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
        "/accounts/2fa/webauthn/",
        "/accounts/2fa/webauthn/add/",
    ],
)
def test_account_page_signed_in(world: World, browser: Browser, path: str) -> None:
    client = browser()
    client.post("/accounts/login/", {"login": "bob", "password": "bob-long-password"})
    client.post("/accounts/reauthenticate/", {"password": "bob-long-password"})
    answer = client.get(path)
    assert answer.status_code == 200
    assert 'class="site"' in answer.text
    assert not re.search(r"<script>|<script type=\"text/javascript\"|style=|onclick", answer.text)


def test_sign_up_without_mail(db: None, browser: Browser) -> None:
    client = browser()
    assert ">newcomer</a>" in sign_up(client, "newcomer").text
    assert User.objects.get().check_password(PASSWORD)


def test_sign_up_name_or_address_taken(world: World, browser: Browser) -> None:
    User.objects.filter(username="bob").update(email="bob@example.org")
    assert "already exists" in sign_up(browser(), "BOB").text
    again = sign_up(browser(), "bobby", "Bob@Example.org")
    assert again.status_code == 200
    assert "already registered" in again.text


def test_sign_up_by_invitation_needs_link(world: World, browser: Browser, by_invitation: None) -> None:
    assert "Sign-up is by invitation only" in sign_up(browser(), "newcomer").text
    assert not User.objects.filter(username="newcomer").exists()


def test_sign_up_by_invitation_works_once(world: World, browser: Browser, by_invitation: None) -> None:
    _, code = invite(world.ada, note="for the newcomer")
    first, second = browser(), browser()
    for client in (first, second):
        assert "You are invited" in client.get(f"/invitations/{code}/").text
        assert "Sign up" in client.post(f"/invitations/{code}/", follow=True).text
    sign_up(first, "newcomer")
    assert User.objects.filter(username="newcomer").exists()
    assert "Sign-up is by invitation only" in sign_up(second, "another").text
    assert not User.objects.filter(username="another").exists()


def test_sign_up_by_challenge_invitation_joins(world: World, browser: Browser, by_invitation: None) -> None:
    _, code = invite(world.alice, challenge=world.challenge)
    client = browser()
    form = client.post(f"/invitations/{code}/", follow=True)
    assert form.status_code == 200
    content = {"username": "newcomer", "password1": PASSWORD, "next": f"/invitations/{code}/"}
    page = client.post("/accounts/signup/", content, follow=True)
    assert "Join mednist" in page.text
    digest = re.search(r'name="terms" value="(\w+)"', page.text)
    assert digest
    client.post(f"/invitations/{code}/", {"terms": digest[1], "accepted": "on"})
    assert Registration.objects.get(user__username="newcomer").state == "approved"


def test_password_reset_without_mail(world: World, browser: Browser) -> None:
    assert "Ask an operator for a reset link" in browser().get("/accounts/password/reset/").text


def test_login_throttled(world: World, browser: Browser) -> None:
    client = browser()
    for _ in range(5):
        assert client.post("/accounts/login/", {"login": "bob", "password": "wrong"}).status_code == 200
    refused = client.post("/accounts/login/", {"login": "bob", "password": "bob-long-password"})
    assert "Too many failed login attempts" in refused.text
    assert client.get("/account/").status_code == 302


def test_login_throttle_under_load(world: World, browser: Browser) -> None:
    """Whoever tries one password on each of a thousand names does not thereby win more tries on one of them."""
    client = browser()
    for _ in range(5):
        client.post("/accounts/login/", {"login": "bob", "password": "wrong"})
    for number in range(1000):
        cache.set(f"tries-of-somebody-else-{number}", [0.0], 300)
    refused = client.post("/accounts/login/", {"login": "bob", "password": "bob-long-password"})
    assert "Too many failed login attempts" in refused.text


def test_too_many_attempts_page(world: World, browser: Browser, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    client = browser()
    for _ in range(2):
        answer = client.post("/accounts/login/", {"login": "bob", "password": "wrong"})
    assert (answer.status_code, "too many attempts" in answer.text) == (429, True)


def test_form_without_csrf_token(db: None) -> None:
    strict = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)
    answer = strict.post("/accounts/login/", {"login": "bob", "password": "wrong"})
    assert (answer.status_code, "This form has expired" in answer.text) == (403, True)


def test_logout_needs_post(world: World, browser: Browser) -> None:
    client = browser(world.bob)
    assert "Sign out" in client.get("/accounts/logout/").text
    assert client.get("/account/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/account/").status_code == 302


def test_totp_at_next_sign_in(world: World, browser: Browser) -> None:
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    client = browser()
    client.post("/accounts/login/", {"login": "bob", "password": "bob-long-password"})
    assert "Confirm your identity" in client.get("/accounts/2fa/totp/activate/", follow=True).text
    client.post("/accounts/reauthenticate/", {"password": "bob-long-password"})
    page = client.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    done = client.post("/accounts/2fa/totp/activate/", {"code": code}, follow=True)
    assert done.status_code == 200
    codes = client.get("/accounts/2fa/recovery-codes/").context["unused_codes"]
    other = browser()
    asked = other.post("/accounts/login/", {"login": "bob", "password": "bob-long-password"}, follow=True)
    assert asked.request["PATH_INFO"] == "/accounts/2fa/authenticate/"
    assert asked.status_code == 200
    other.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert other.get("/account/").status_code == 200
    operator = browser(world.ada)
    assert operator.get("/operate/accounts/").text.count("Remove 2FA<") == 1
    operator.post("/operate/accounts/change/bob/", {"do": "no-second-factor"})
    assert "Remove 2FA<" not in operator.get("/operate/accounts/").text


def test_token_shown_once(world: World, browser: Browser) -> None:
    client = browser(world.bob)
    content = {"name": "laptop", "scopes": ["read"], "days": "7"}
    made = client.post("/account/tokens/", content)
    secret = re.search(r'id="secret">(palio_[\w-]+)<', made.text)
    assert secret
    assert "no-store" in made.headers["Cache-Control"]
    listed = client.get("/account/tokens/").text
    assert "laptop" in listed
    assert secret[1] not in listed
    headers = {"Authorization": f"Bearer {secret[1]}"}
    assert browser().get("/api/v1/me", headers=headers).json()["username"] == "bob"
    token = ApiToken.objects.get()
    assert browser(world.carol).post(f"/account/tokens/{token.id}/revoke/").status_code == 404
    client.post(f"/account/tokens/{token.id}/revoke/")
    assert browser().get("/api/v1/me", headers=headers).status_code == 401


def test_token_without_scope_refused(world: World, browser: Browser) -> None:
    answer = browser(world.bob).post("/account/tokens/", {"name": "laptop"})
    assert (answer.status_code, "A token needs at least one scope." in answer.text) == (422, True)


@pytest.mark.parametrize(
    "path",
    ["/account/tokens/", "/accounts/email/", "/accounts/password/change/", "/accounts/2fa/", "/operate/accounts/"],
)
def test_token_cannot_open_account_pages(world: World, browser: Browser, path: str) -> None:
    from palio.web.access.tokens import SCOPES
    from palio.web.verbs.tokens import make_token

    _, secret = make_token(world.ada, "all", SCOPES, days=1)
    assert browser().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 403


def test_operator_creates_links_and_deactivates(world: World, browser: Browser) -> None:
    client = browser(world.ada)
    assert "9 accounts" in client.get("/operate/accounts/").text
    reset = client.post("/operate/accounts/change/dave/", {"do": "reset"})
    assert "/accounts/password/reset/key/" in reset.text
    invited = client.post("/operate/accounts/invitations/", {"note": "for eve"})
    assert "/invitations/" in invited.text
    assert "for eve" in client.get("/operate/accounts/").text
    assert "deactivated" in client.post("/operate/accounts/change/dave/", {"do": "off"}, follow=True).text
    assert not User.objects.get(username="dave").is_active
    assert "can now publish" in client.post("/operate/accounts/change/carol/", {"do": "may-publish"}, follow=True).text
    assert "your own account" in client.post("/operate/accounts/change/ada/", {"do": "off"}, follow=True).text
    assert ">1 account<" in client.get("/operate/accounts/?q=CAR").text


@pytest.mark.parametrize(("who", "status"), [(None, 302), ("bob", 403), ("alice", 403), ("ada", 200)])
def test_accounts_operator_only(world: World, browser: Browser, who: str | None, status: int) -> None:
    assert browser(who and getattr(world, who)).get("/operate/accounts/").status_code == status

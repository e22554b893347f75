"""Signing in with a passkey: allauth's scripts under our Content Security Policy, with Chromium's own authenticator."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache

from palio.web.models import User

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-rather-long-password"  # noqa: S105
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(autouse=True)
def _no_counts_left() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def test_passkey_is_added_and_signs_in(chromium: "Browser", live_server: "LiveServer") -> None:
    User.objects.create_user("bob", password=PASSWORD)
    site = live_server.url.replace("127.0.0.1", "localhost")  # a passkey is for a name, never for a number
    opened = chromium.new_context()
    page, said = opened.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    devtools = opened.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    page.goto(f"{site}/accounts/login/")
    page.fill("#id_login", "bob")
    page.fill("#id_password", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url(f"{site}/")
    page.goto(f"{site}/accounts/2fa/webauthn/add/")
    page.fill("#id_password", PASSWORD)
    page.click("main form button >> nth=0")
    page.fill("#id_name", "laptop")
    page.check("#id_passwordless")
    page.click("#mfa_webauthn_add")
    page.wait_for_url("**/recovery-codes/")
    page.click("header button")
    page.wait_for_url(f"{site}/")

    page.goto(f"{site}/accounts/login/")
    page.click("#passkey_login")
    page.wait_for_url(f"{site}/")
    assert page.inner_text("header a[href='/account/']") == "bob"
    assert said == []
    opened.close()

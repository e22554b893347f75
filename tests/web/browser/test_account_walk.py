"""Accounts in a real browser, on a platform that `palio serve` runs without a mail server: let in by links, kept by
second factors and passkeys, in teams, with tokens for programs.
"""

import base64
import hmac
import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.bundles import write_bundle
from tests.web.browser.walking import Walker, walker
from tests.web.serving.running import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PASSWORD = "another-long-password"  # noqa: S105
PERIOD_S = 30
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def totp(secret: str, number: int) -> str:
    """What an authenticator app shows in the period of this number (RFC 6238)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", number), "sha1")
    place = digest[-1] & 15
    code = struct.unpack(">I", digest[place : place + 4])[0] & 0x7FFFFFFF
    return f"{code % 1_000_000:06}"


def period() -> int:
    return int(time.time()) // PERIOD_S


def fresh_code(secret: str, after: int = 0) -> str:
    """Of a later period than `after`, as a code is taken once, and good for some seconds yet."""
    while period() <= after or time.time() % PERIOD_S > PERIOD_S - 5:
        time.sleep(0.2)
    return totp(secret, period())


def sign_in(person: Walker, name: str, password: str) -> None:
    person.page.goto("/accounts/login/")
    person.page.fill("#id_login", name)
    person.page.fill("#id_password", password)
    person.press("Sign in")


def sign_out(person: Walker) -> None:
    person.page.locator("header.site button").click()
    person.page.wait_for_selector("header.site >> text=Sign in")


def signed_in_as(person: Walker) -> str:
    return person.page.locator("header.site a[href='/account/']").inner_text()


def address(platform: Running) -> str:
    return platform.address.replace("127.0.0.1", "localhost")  # a passkey is for a name, never for a number


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Running]:
    bundle = write_bundle(tmp_path / "vowels")
    with running(tmp_path / "data", "--with", str(bundle), PALIO_SIGN_UP="invitation") as started:
        yield started


def test_account_and_team_walk(chromium: "Browser", platform: Running) -> None:
    ada, bob, carol = (walker(chromium, address(platform)) for _ in range(3))
    begin(ada, platform)
    invite(ada, bob, "bob")
    invite(ada, carol, "carol")
    reset(ada, bob, "bob")
    secret = protect(bob)
    used = period()
    recover(bob)
    add_passkey(bob)
    form_team(bob, carol)
    make_token(carol, platform)
    use_no_passkey(bob, platform.address)
    sign_in_with_code(bob, secret, used)
    assert [problem for person in (ada, bob, carol) for problem in person.all_problems()] == []
    for person in (ada, bob, carol):
        person.opened.close()


def begin(ada: Walker, platform: Running) -> None:
    """The operator, by the link that the first start has printed."""
    link = platform.link()
    assert link is not None
    ada.page.goto(link.replace("127.0.0.1", "localhost"))
    ada.looks("the operator's first password")
    choose_password(ada, PASSWORD)
    assert signed_in_as(ada) == "admin"
    ada.page.goto("/account/")
    ada.looks("account, as the operator")


def choose_password(person: Walker, password: str) -> None:
    person.page.fill("#id_password1", password)
    person.page.fill("#id_password2", password)
    person.page.keyboard.press("Enter")
    person.page.wait_for_url(lambda url: "/password/" not in url)


def invite(ada: Walker, person: Walker, name: str) -> None:
    ada.page.goto("/operate/accounts/")
    ada.page.fill("#note", name)
    ada.press("Create invitation link")
    link = ada.page.inner_text("#link")
    ada.looks("people, with an invitation")
    person.page.goto("/accounts/signup/")
    person.looks("sign up, without an invitation")
    person.page.goto(link)
    person.looks("an invitation")
    person.press("Create an account")
    person.sign_up(name)
    assert signed_in_as(person) == name
    person.page.goto(link)
    person.looks("an invitation that was used")


def reset(ada: Walker, bob: Walker, name: str) -> None:
    """Bob has forgotten his password, and there is no mail: he asks the operator."""
    sign_out(bob)
    bob.page.goto("/accounts/password/reset/")
    bob.looks("forgotten")
    ada.page.goto(f"/operate/accounts/?q={name}")
    ada.press("Reset link")
    link = ada.page.inner_text("#link")
    bob.page.goto(link)
    bob.looks("a new password")
    choose_password(bob, PASSWORD)
    assert signed_in_as(bob) == name
    sign_out(bob)
    bob.page.goto(link)
    bob.looks("a link that was used")
    sign_in(bob, name, f"{name}-long-password")
    bob.looks("sign in, refused")
    sign_in(bob, name, PASSWORD)
    assert signed_in_as(bob) == name


def protect(bob: Walker) -> str:
    bob.page.goto("/account/")
    bob.looks("account")
    bob.follow("Two-factor authentication and passkeys")
    bob.looks("second factor, none")
    bob.follow("Set up app")
    bob.looks("is it you")
    bob.page.fill("#id_password", PASSWORD)
    bob.press("Continue")
    bob.looks("authenticator app")
    secret = bob.page.inner_text("#authenticator_secret")
    enter_code(bob, "000000")
    bob.page.wait_for_selector(".errorlist")
    bob.looks("authenticator app, wrong code")
    assert bob.page.inner_text("#authenticator_secret") == secret
    enter_code(bob, fresh_code(secret))
    bob.page.wait_for_url("**/recovery-codes/")
    bob.looks("recovery codes")
    return secret


def enter_code(bob: Walker, code: str) -> None:
    bob.page.fill("#id_code", code)
    bob.page.keyboard.press("Enter")


def recover(bob: Walker) -> None:
    codes = bob.page.inner_text("#recovery_codes").split()
    sign_out(bob)
    sign_in(bob, "bob", PASSWORD)
    bob.looks("second factor asked for")
    enter_code(bob, "123456")
    bob.page.wait_for_selector(".errorlist")
    bob.looks("second factor refused")
    enter_code(bob, codes[0])
    bob.page.wait_for_url(lambda url: "/accounts/" not in url)
    assert signed_in_as(bob) == "bob"
    bob.page.goto("/accounts/2fa/")
    assert "9 of 10 left" in bob.page.inner_text("main")
    bob.looks("second factor, with an app")
    bob.follow("Generate new codes")
    bob.follow("Use authenticator app or code")
    bob.looks("is it you, by a code")
    enter_code(bob, codes[0])
    bob.page.wait_for_selector(".errorlist")  # it was used
    enter_code(bob, codes[1])
    bob.page.wait_for_url("**/generate/")
    bob.looks("new recovery codes")
    bob.press("Generate codes")
    assert set(bob.page.inner_text("#recovery_codes").split()).isdisjoint(codes)
    bob.page.goto("/accounts/2fa/totp/deactivate/")
    bob.looks("authenticator app, to be removed")
    bob.page.goto("/accounts/password/change/")
    bob.looks("change the password")


def add_passkey(bob: Walker) -> None:
    devtools = bob.opened.new_cdp_session(bob.page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    bob.page.goto("/accounts/2fa/")
    bob.follow("Add key")
    bob.looks("a passkey to add")
    bob.page.fill("#id_name", "laptop")
    bob.page.check("#id_passwordless")
    bob.press("Add key")
    bob.page.wait_for_url("**/2fa/")
    bob.looks("second factor, with both")
    bob.follow("Manage keys")
    bob.looks("passkeys")
    bob.follow("Rename")
    bob.looks("a passkey to rename")
    bob.page.fill("#id_name", "old laptop")
    bob.press("Rename")
    assert bob.page.inner_text("main tbody th") == "old laptop"
    bob.page.goto("/accounts/2fa/webauthn/add/")
    bob.press("Add key")
    bob.page.wait_for_selector("[role=alert] >> text=This device already has a passkey for your account.")
    bob.looks("a passkey that is there already")
    sign_out(bob)
    bob.page.goto("/accounts/login/")
    bob.press("Sign in with a passkey")
    bob.page.wait_for_url(lambda url: "/accounts/" not in url)
    assert signed_in_as(bob) == "bob"
    bob.page.goto("/accounts/2fa/webauthn/")
    bob.follow("Remove")
    bob.follow("Use a security key")
    bob.looks("is it you, by a passkey")
    bob.press("Use a passkey or security key")
    bob.page.wait_for_url("**/remove/")
    bob.looks("a passkey to remove")
    bob.press("Remove key")
    assert bob.page.locator("main .empty").count() == 1
    bob.looks("no passkey")


def form_team(bob: Walker, carol: Walker) -> None:
    for person in (bob, carol):
        person.page.goto("/c/vowels/join/")
        person.join()
    bob.page.goto("/c/vowels/team/")
    bob.looks("team of one")
    bob.press("Create invitation link")
    link = bob.page.inner_text("#invitation-link")
    bob.looks("team, with an invitation")
    carol.page.goto(link)
    carol.looks("invitation to a team")
    carol.press("Join team")
    carol.page.wait_for_url(lambda url: "/invitations/" not in url)
    carol.page.goto("/c/vowels/team/")
    assert carol.page.locator("main tbody th").all_inner_texts() == ["bob", "carol you"]
    carol.looks("team, as a member")
    bob.page.goto("/c/vowels/team/")
    bob.looks("team of two, as the captain")
    bob.press("Make captain", "Make captain")
    bob.page.wait_for_selector("text=carol is now the captain.")
    bob.press("Leave team", "Leave team")
    bob.page.wait_for_selector("text=You left the team.")
    bob.looks("team left")


def make_token(carol: Walker, platform: Running) -> None:
    carol.page.goto("/account/tokens/")
    carol.looks("no token")
    carol.page.fill("#name", "laptop")
    carol.press("Create token")
    secret = carol.page.inner_text("#secret")
    carol.looks("a token")
    status, answer = platform.ask("/api/v1/me", Authorization=f"Bearer {secret}")
    assert (status, json.loads(answer)["username"]) == (200, "carol")
    carol.page.goto("/account/tokens/")
    assert secret not in carol.page.content()
    carol.press("Revoke", "Revoke")
    carol.page.wait_for_selector("text=Token “laptop” revoked")
    carol.looks("a token that was revoked")
    assert platform.ask("/api/v1/me", Authorization=f"Bearer {secret}")[0] == 401


def use_no_passkey(bob: Walker, numbers: str) -> None:
    """At an address without a name."""
    bob.page.goto(f"{numbers}/accounts/login/")
    bob.press("Sign in with a passkey")
    bob.page.wait_for_selector("[role=alert] >> text=Passkeys do not work with an IP address")
    bob.looks("no passkey, as the address is a number")
    bob.page.goto("/")


def sign_in_with_code(bob: Walker, secret: str, used: int) -> None:
    sign_out(bob)
    sign_in(bob, "bob", PASSWORD)
    enter_code(bob, fresh_code(secret, used))
    bob.page.wait_for_url(lambda url: "/accounts/" not in url)
    assert signed_in_as(bob) == "bob"

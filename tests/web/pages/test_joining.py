"""Joining, teams, invitations: as a browser does it."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from tests.errors import shown
from tests.web.verbs.test_joining import TERMS, add_submission, join
from tests.web.world import World

from palio.web.access.relations import own_team
from palio.web.models import Challenge, Invitation, Registration

Browser = Callable[..., Client]


def link(text: str) -> str:
    found = re.search(r">http://127.0.0.1(/invitations/[^<]+)<", text)
    assert found
    return found[1]


def test_join_terms_accepted(world: World, browser: Browser) -> None:
    client = browser(world.dave)
    page = client.get("/c/mednist/join/").text
    assert "Be fair." in page
    assert f'value="{TERMS}"' in page
    done = client.post("/c/mednist/join/", {"terms": TERMS, "accepted": "on"}, follow=True)
    assert "You joined the challenge" in done.text
    assert "You accepted these terms (version 1)" in client.get("/c/mednist/terms/").text


def test_join_terms_not_accepted(world: World, browser: Browser) -> None:
    done = browser(world.dave).post("/c/mednist/join/", {"terms": TERMS}, follow=True)
    assert shown("terms-not-accepted") in done.text
    assert not Registration.objects.filter(user=world.dave).exists()


def test_join_anonymous(world: World, browser: Browser) -> None:
    assert browser().get("/c/mednist/join/").headers["Location"] == "/accounts/login/?next=/c/mednist/join/"


@pytest.mark.parametrize(
    ("state", "says"),
    [("pending", "Join request pending"), ("refused", "was refused"), ("approved", "You have already joined")],
)
def test_join_again_shows_status(world: World, browser: Browser, state: str, says: str) -> None:
    Registration.objects.create(challenge=world.challenge, user=world.dave, state=state)
    assert says in browser(world.dave).get("/c/mednist/join/").text


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("joining", "invitation", "by invitation only"), ("visibility", "archived", "archived")],
)
def test_join_closed_challenge(world: World, browser: Browser, field: str, value: str, says: str) -> None:
    Challenge.objects.update(**{field: value})
    assert says in browser(world.dave).get("/c/mednist/join/").text


def test_team_page_by_role(world: World, browser: Browser) -> None:
    captain, member = browser(world.bob).get("/c/mednist/team/"), browser(world.bea).get("/c/mednist/team/")
    assert "Make captain" in captain.text
    assert "Create invitation link" in captain.text
    assert "Leave team" in member.text
    assert "Create invitation link" not in member.text


def test_team_invitation_link_shown_once(world: World, browser: Browser) -> None:
    join(world, world.dave)
    shown = browser(world.bob).post(f"/teams/{world.team.id}/invite/", {"note": "for dave"})
    path = link(shown.text)
    assert "for dave" in browser(world.bob).get("/c/mednist/team/").text
    assert path not in browser(world.bob).get("/c/mednist/team/").text
    client = browser(world.dave)
    assert "Join the team Blobs" in client.get(path).text
    assert "You joined the team “Blobs”." in client.post(path, follow=True).text
    assert own_team(world.challenge, world.dave) == world.team
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["rename/", "invite/", "captain/", "leave/", "invitations/x/take-back/"])
def test_team_of_others_not_found(world: World, browser: Browser, path: str) -> None:
    assert browser(world.carol).post(f"/teams/{world.team.id}/{path}").status_code == 404


def test_team_buttons(world: World, browser: Browser) -> None:
    bob, bea = browser(world.bob), browser(world.bea)
    base = f"/teams/{world.team.id}"
    assert "“Dots”" in bob.post(f"{base}/rename/", {"name": "Dots"}, follow=True).text
    assert (
        shown("team-name-taken", name="carolingians")
        in bob.post(f"{base}/rename/", {"name": "carolingians"}, follow=True).text
    )
    assert "bea is now the captain" in bob.post(f"{base}/captain/", {"username": "bea"}, follow=True).text
    assert "your own team, “bob”" in bob.post(f"{base}/leave/", follow=True).text
    assert bea.post(f"{base}/leave/", follow=True).text.count(shown("team-of-one")) == 1
    made = bea.post(f"{base}/invite/", {"note": "x"})
    invitation = Invitation.objects.get()
    bea.post(f"{base}/invitations/{invitation.id}/take-back/")
    assert bea.get(link(made.text)).status_code == 404


def test_leave_not_offered_after_submitting(world: World, browser: Browser) -> None:
    add_submission(world, world.team, world.bea)
    assert "so you cannot leave it" in browser(world.bea).get("/c/mednist/team/").text


def test_withdraw_from_challenge(world: World, browser: Browser) -> None:
    assert "You withdrew from the challenge" in browser(world.carol).post("/c/mednist/withdraw/", follow=True).text


def test_challenge_invitation_terms(world: World, browser: Browser) -> None:
    Challenge.objects.update(joining="invitation")
    path = link(browser(world.alice).post("/c/mednist/settings/invitations/", {"note": ""}).text)
    assert "Sign in</a>" in browser().get(path).text
    client = browser(world.dave)
    assert "Be fair." in client.get(path).text
    assert "You joined the challenge." in client.post(path, {"terms": TERMS, "accepted": "on"}, follow=True).text


@pytest.mark.parametrize(
    "path",
    [
        "/c/mednist/withdraw/",
        "/c/mednist/terms/accept/",
        "/c/mednist/settings/visibility/",
        "/c/mednist/settings/roles/",
        "/account/tokens/x/revoke/",
    ],
)
def test_get_changes_nothing(world: World, browser: Browser, path: str) -> None:
    assert browser(world.ada).get(path).status_code in {404, 405}

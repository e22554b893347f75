"""Links that end mails of one kind: who they work for, what they change, and what they never touch."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.test import Client
from tests.web.scored_submissions import add_submission, scores
from tests.web.verbs.test_notifications import confirm, mail, told
from tests.web.world import World

from palio.web.models import Event, Mail, NotificationSettings
from palio.web.queries.event_sentences import sentence
from palio.web.verbs import notices, unsubscribing
from palio.web.verbs.announcements import announce
from palio.web.verbs.notifications import CHOICES, Channel, change_settings

Browser = Callable[..., Client]
__all__ = ["mail"]
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def link(world: World, mail: None) -> str:
    """The path of bob's link of the kind `scored`."""
    confirm(world.bob)
    return urlsplit(unsubscribing.address(world.bob.pk, "scored")).path


def off(world: World) -> list[str]:
    return list(NotificationSettings.objects.get(user=world.bob).off)


def test_one_click(world: World, link: str) -> None:
    """As a mail program posts it: without a cookie and without a page before it."""
    program = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)
    answer = program.post(link, ONE_CLICK, FORM)
    assert (answer.status_code, answer.cookies.get("sessionid")) == (200, None)
    assert off(world) == ["scored/mail"]
    notices.finished(add_submission(world.team, scores=scores(0.5)).attempts.get())
    assert (Mail.objects.count(), told()) == (0, [("bea", "scored"), ("bob", "scored")])
    announce(world.challenge, "Hello", "All", actor=world.alice)
    assert Mail.objects.get().user == world.bob


def test_get_only_asks(world: World, link: str, browser: Browser) -> None:
    page = browser().get(link)
    assert "A submission of your team was scored" in page.text
    assert 'value="all"' in page.text
    assert "no-cache" in page["Cache-Control"]
    assert not NotificationSettings.objects.exists()


def test_all(world: World, link: str, browser: Browser) -> None:
    change_settings(world.bob, off=["deadline/page"], digest="weekly")
    assert "no longer get e-mails" in browser().post(link, {"mails": "all"}).text
    assert set(off(world)) == {"deadline/page", *(each for each in CHOICES if each.endswith(f"/{Channel.MAIL}"))}
    assert NotificationSettings.objects.get().digest == "off"
    assert sentence(Event.objects.latest("pk")) == "unsubscribed from all e-mails about notifications"


def test_waiting_mail_of_the_kind_removed(world: World, link: str, browser: Browser) -> None:
    notices.finished(add_submission(world.team, scores=scores(0.5)).attempts.get())
    announce(world.challenge, "Hello", "All", actor=world.alice)
    assert Mail.objects.count() == 2
    browser().post(link)
    browser().post(link)  # mail programs repeat it
    assert Mail.objects.get().kind == "announcement"
    assert off(world) == ["scored/mail"]


def test_digest(world: World, mail: None, browser: Browser) -> None:
    change_settings(world.alice, off=[], digest="daily")
    path = urlsplit(unsubscribing.address(world.alice.pk, "digest")).path
    assert "Digest of the challenges that you organize" in browser().get(path).text
    browser().post(path)
    found = NotificationSettings.objects.get(user=world.alice)
    assert (found.digest, found.off) == ("off", [])


@pytest.mark.parametrize("kind", ["account", "security", ""])
def test_other_kinds_of_mail_have_no_link(world: World, mail: None, browser: Browser, kind: str) -> None:
    path = urlsplit(unsubscribing.address(world.bob.pk, kind)).path
    assert browser().post(path).status_code == 404
    assert not NotificationSettings.objects.exists()


def test_forged_link(world: World, link: str, browser: Browser) -> None:
    foreign = signing.dumps([world.bob.pk, "scored"], salt="another")
    for path in (link[:-2] + "/", f"/unsubscribe/{foreign}/", "/unsubscribe/x:y/"):
        assert browser().get(path).status_code == browser().post(path).status_code == 404
    assert not NotificationSettings.objects.exists()

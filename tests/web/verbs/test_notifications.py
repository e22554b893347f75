"""Who is notified of what, on which channel, and only once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from tests.errors import code_of
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.models import Announcement, Mail, Membership, Notification, Registration, User
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import joining, notices, notifications
from palio.web.verbs.announcements import announce


@pytest.fixture
def mail(settings: Any) -> None:
    """The platform sends mail, from https://palio.example.org."""
    given = {"mail_url": "smtp://localhost", "mail_from": "palio@example.org", "url": "https://palio.example.org"}
    settings.CONFIGURATION = replace(settings.CONFIGURATION, **given)


def confirm(user: User, *, verified: bool = True) -> None:
    user.email = f"{user.username}@example.org"
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)


def told() -> list[tuple[str, str]]:
    return sorted(Notification.objects.values_list("user__username", "kind"))


def test_scored_tells_the_team(world: World, mail: None) -> None:
    confirm(world.bob)
    confirm(world.bea, verified=False)
    submission = add_submission(world.team, scores=scores(0.5))
    attempt = submission.attempts.get()
    for _ in range(2):  # as when it is reported again
        notices.finished(attempt)
    assert told() == [("bea", "scored"), ("bob", "scored")]
    row = Notification.objects.first()
    assert row is not None
    assert row.text == "“blobs-0.zip” was scored in the phase “Final”."
    assert row.path == reverse("pages:submission", args=[submission.pk])
    (written,) = Mail.objects.all()
    assert (written.user, written.subject) == (world.bob, row.text)
    assert f"https://palio.example.org/s/{submission.pk}/" in written.text
    assert "0.5" not in written.text


def test_each_person_told_in_their_language(world: World, mail: None, settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, language="fr")
    for user, language in ((world.bob, "de"), (world.bea, "")):
        user.language = language
        confirm(user)
    submission = add_submission(world.team, scores=scores(0.5))
    with override("en"):  # the language of the one who causes it has no effect
        notices.finished(submission.attempts.get())
    texts = dict(Notification.objects.values_list("user__username", "text"))
    assert texts == {
        "bob": "„blobs-0.zip“ wurde in der Phase „Final“ bewertet.",
        "bea": "«\xa0blobs-0.zip\xa0» a été notée dans la phase «\xa0Final\xa0».",
    }
    subjects = {name: text.replace("\xa0", " ") for name, text in texts.items()}
    assert dict(Mail.objects.values_list("user__username", "subject")) == subjects
    (german,) = Mail.objects.filter(user=world.bob)
    assert "Wählen Sie, welche E-Mails Sie bekommen:" in german.text


def test_failed_says_what_to_do(world: World, mail: None) -> None:
    confirm(world.carol)
    submission = add_submission(world.rivals, failure="predict-time-limit")
    notices.finished(submission.attempts.get())
    shown = submission.attempts.get().failure_shown
    assert shown is not None
    assert told() == [("carol", "failed")]
    assert Notification.objects.get().text.endswith(f"failed in the phase “Final”: {shown['message']}")
    assert "FULL" not in Mail.objects.get().text  # that is for organizers


@pytest.mark.parametrize("state", [State.CANCELLED, State.QUEUED])
def test_nothing_else_of_an_attempt_tells(world: World, state: State) -> None:
    notices.finished(add_submission(world.team, state=state).attempts.get())
    assert told() == []


@pytest.mark.parametrize(("approve", "text"), [(True, "You may participate"), (False, "was refused")])
def test_decision_tells_the_person(world: World, approve: bool, text: str) -> None:
    asked = Registration.objects.create(challenge=world.challenge, user=world.dave)
    joining.decide(asked, approve=approve, actor=world.alice)
    assert told() == [("dave", "decision")]
    assert text in Notification.objects.get().text
    assert Notification.objects.get().path == reverse("pages:challenge", args=["mednist"])


def test_later_decision_tells_again(world: World) -> None:
    asked = Registration.objects.create(challenge=world.challenge, user=world.dave)
    joining.decide(asked, approve=False, actor=world.alice)
    Notification.objects.update(key="earlier")
    joining.decide(asked, approve=True, actor=world.alice)
    assert Notification.objects.count() == 2


def test_announcement_tells_participants(world: World, mail: None) -> None:
    confirm(world.carol)
    Registration.objects.create(challenge=world.challenge, user=world.dave)  # pending
    User.objects.filter(pk=world.bea.pk).update(is_active=False)
    announce(world.challenge, "New data\nand more", "Read *this*.", actor=world.alice)
    assert told() == [("bob", "announcement"), ("carol", "announcement")]
    written = Mail.objects.get()
    assert written.subject == "mednist: New data and more"  # a header has one line
    assert "Read *this*." in written.text


def test_notification_is_gone_with_its_transaction(world: World) -> None:
    submission = add_submission(world.team, scores=scores(0.5))

    def act() -> None:
        with transaction.atomic():
            notices.finished(submission.attempts.get())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    assert told() == []


def test_deadline_tells_once_for_each_end(world: World, tmp_path: Any) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "b"))
    phase = current_bundle(world.challenge).phases[1]
    end = datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert notices.closes_soon(world.challenge, phase, end)
    assert not notices.closes_soon(world.challenge, phase, end)
    assert told() == [("bea", "deadline"), ("bob", "deadline"), ("carol", "deadline")]
    assert "closes on 2026-05-01 at 10:00 UTC" in Notification.objects.all()[0].text
    assert notices.closes_soon(world.challenge, phase, end + timedelta(days=1))  # it was extended
    assert len(told()) == 6


def test_channel_switched_off(world: World, mail: None) -> None:
    for user in (world.bob, world.bea):
        confirm(user)
    notifications.change_settings(world.bob, off=["scored/page"], digest="off")
    notifications.change_settings(world.bea, off=["scored/mail"], digest="off")
    notices.finished(add_submission(world.team, scores=scores(0.5)).attempts.get())
    assert told() == [("bea", "scored")]
    assert list(Mail.objects.values_list("user__username", flat=True)) == ["bob"]


@pytest.mark.parametrize(("off", "digest"), [(["scored/fax"], "off"), ([], "hourly")])
def test_settings_unknown(world: World, off: list[str], digest: str) -> None:
    assert code_of(lambda: notifications.change_settings(world.bob, off=off, digest=digest)) == "value-unknown"


def test_mark_read_only_own(world: World) -> None:
    notices.finished(add_submission(world.team, scores=scores(0.5)).attempts.get())
    others = Notification.objects.get(user=world.bea)
    assert notifications.mark_read(world.bob, [others.pk]) == 0
    assert notifications.mark_read(world.bob) == 1
    assert Notification.objects.filter(read=None).get() == others


def test_thousand_participants_in_few_statements(world: World, django_assert_max_num_queries: Any) -> None:
    people = User.objects.bulk_create(User(username=f"p{number}") for number in range(1500))
    approved = {"challenge": world.challenge, "state": "approved", "decided": timezone.now()}
    Registration.objects.bulk_create(Registration(user=user, **approved) for user in people)
    Membership.objects.bulk_create(
        Membership(user=user, team=world.rivals, challenge=world.challenge) for user in people
    )
    said = Announcement.objects.create(challenge=world.challenge, title="Hello", text="All", author=world.alice)
    with django_assert_max_num_queries(20):
        notices.announced(said)
    assert Notification.objects.count() == 1503

"""Who gets a private message, who can read it, and how often one can be sent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests.errors import code_of
from tests.web.scored_submissions import add_submission, scores
from tests.web.verbs.test_notifications import confirm, mail, told
from tests.web.world import World, make_team

from palio.web.models import Event, Mail, Message, Notification, Registration, User
from palio.web.queries.event_sentences import sentence
from palio.web.verbs import messages, notifications

Browser = Callable[..., Client]
__all__ = ["mail"]


def send(world: World, audience: str = "all", team: str = "", title: str = "Hello") -> Message:
    return messages.send(world.challenge, audience, team, title, "Read *this*.", actor=world.alice)


def receivers(message: Message) -> list[str]:
    return [*message.receivers.order_by("username").values_list("username", flat=True)]


def test_send_to_all(world: World, mail: None) -> None:
    confirm(world.bob)
    confirm(world.carol)
    notifications.change_settings(world.carol, off=["message/mail"], digest="off")
    Registration.objects.create(challenge=world.challenge, user=world.dave)  # pending
    sent = send(world)
    assert receivers(sent) == ["bea", "bob", "carol"]
    assert told() == [("bea", "message"), ("bob", "message"), ("carol", "message")]
    row = Notification.objects.filter(user=world.bob).get()
    assert row.text == "Message from the organizers of “mednist”: Hello"
    assert row.path == f"/messages/{sent.pk}/"
    written = Mail.objects.get()
    assert (written.user, "Read *this*." in written.text) == (world.bob, True)


def test_send_to_team(world: World) -> None:
    sent = send(world, "team", " blobs ")
    assert (sent.team, receivers(sent)) == (world.team, ["bea", "bob"])
    assert told() == [("bea", "message"), ("bob", "message")]


def test_send_to_not_submitted(world: World) -> None:
    add_submission(world.team, scores=scores(0.5))
    assert receivers(send(world, "not-submitted")) == ["carol"]
    add_submission(world.rivals, failure="predict-time-limit", withdrawn=timezone.now())
    assert code_of(lambda: send(world, "not-submitted")) == "message-without-receivers"


def test_send_leaves_out_sender_and_inactive(world: World) -> None:
    make_team(world.challenge, "Own", world.alice)
    User.objects.filter(pk=world.bea.pk).update(is_active=False)
    assert receivers(send(world)) == ["bob", "carol"]


@pytest.mark.parametrize(
    ("audience", "team", "title", "code"),
    [
        ("everyone", "", "Hello", "message-audience-unknown"),
        ("team", "Nobody\0", "Hello", "message-team-unknown"),
        ("all", "", " ", "message-incomplete"),
        ("all", "", "x" * 201, "announcement-too-long"),
    ],
)
def test_send_refused(world: World, audience: str, team: str, title: str, code: str) -> None:
    assert code_of(lambda: send(world, audience, team, title)) == code
    assert not Message.objects.exists()
    assert told() == []


def test_team_of_other_challenge_unknown(world: World) -> None:
    make_team(world.other, "Elsewhere", world.dave)
    assert code_of(lambda: send(world, "team", "Elsewhere")) == "message-team-unknown"


def test_draft_counts_and_sends_nothing(world: World, mail: None) -> None:
    confirm(world.bob)
    confirm(world.bea, verified=False)
    draft = messages.draft(world.challenge, "all", "", "Hello", "Text", actor=world.alice)
    assert (draft.receivers, draft.mailed) == (3, 1)
    assert (Message.objects.count(), Mail.objects.count(), told()) == (0, 0, [])


def test_limit_of_messages_to_many(world: World) -> None:
    for number in range(messages.TO_MANY):
        send(world, "all" if number % 2 else "not-submitted")
    assert code_of(lambda: send(world)) == "messages-too-many"
    assert code_of(lambda: send(world, "not-submitted")) == "messages-too-many"
    assert Message.objects.count() == messages.TO_MANY
    send(world, "team", "Blobs")  # counted apart
    oldest = Message.objects.filter(team=None).earliest("created")
    Message.objects.filter(pk=oldest.pk).update(created=timezone.now() - timedelta(days=1))
    send(world)


def test_limit_of_messages_to_each_team(world: World) -> None:
    for _ in range(messages.TO_ONE_TEAM):
        send(world, "team", "Blobs")
    assert code_of(lambda: send(world, "team", "Blobs")) == "messages-too-many"
    send(world, "team", "Carolingians")


@pytest.mark.parametrize(
    ("audience", "team", "said"),
    [
        ("all", "", "sent the message “Hello” to 3 participants"),
        ("team", "Blobs", "sent the message “Hello” to 2 participants of the team “Blobs”"),
        ("not-submitted", "", "sent the message “Hello” to 3 participants who had not submitted"),
    ],
)
def test_event(world: World, audience: str, team: str, said: str) -> None:
    sent = send(world, audience, team)
    event = Event.objects.get(kind="message.sent")
    assert (event.actor, event.challenge, event.detail["message"]) == (world.alice, world.challenge, sent.pk)
    assert sentence(event) == said


def test_thousand_receivers_in_few_statements(world: World, django_assert_max_num_queries: Any) -> None:
    people = User.objects.bulk_create(User(username=f"p{number}") for number in range(1500))
    approved = {"challenge": world.challenge, "state": "approved", "decided": timezone.now()}
    Registration.objects.bulk_create(Registration(user=user, **approved) for user in people)
    with django_assert_max_num_queries(40):
        sent = send(world)
    assert sent.receivers.count() == Notification.objects.count() == 1503

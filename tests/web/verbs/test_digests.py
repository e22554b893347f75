"""What organizers read in their digests, and when."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from tests.web.scored_submissions import add_submission, scores
from tests.web.verbs.test_notifications import confirm, mail
from tests.web.world import World

from palio.web.models import Challenge, Mail, NotificationSettings, Registration
from palio.web.verbs.digests import write_due_digests
from palio.web.verbs.notifications import change_settings

__all__ = ["mail"]


@pytest.fixture
def now(world: World, mail: Any) -> datetime:
    """A day and a minute after alice asked for a daily digest."""
    confirm(world.alice)
    change_settings(world.alice, off=[], digest="daily")
    return timezone.now() + timedelta(days=1, minutes=1)


def test_digest_counts(world: World, now: datetime) -> None:
    Registration.objects.create(challenge=world.challenge, user=world.dave)
    when = timezone.now() + timedelta(hours=1)
    add_submission(world.team, scores=scores(0.5), when=when)
    add_submission(world.team, failure="predict-time-limit", when=when)
    add_submission(world.team, scores=scores(0.5), when=when - timedelta(days=3))  # before
    assert write_due_digests(now) == 1
    text = Mail.objects.get().text
    assert "mednist\nhttps://palio.example.org/c/mednist/manage/\n" in text
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert lines == [
        "- 1 join request waiting for your decision",
        "- 2 submissions",
        "- 1 evaluation scored",
        "- 1 evaluation failed; action needed: participant",
    ]
    assert "draft" not in text


def test_digest_once_a_day(world: World, now: datetime) -> None:
    Registration.objects.create(challenge=world.challenge, user=world.dave)
    assert write_due_digests(now - timedelta(hours=1)) == 0
    assert [write_due_digests(now), write_due_digests(now)] == [1, 0]
    assert write_due_digests(now + timedelta(days=1)) == 1
    assert Mail.objects.count() == 2


def test_digest_without_news_not_sent(world: World, now: datetime) -> None:
    Registration.objects.update(decided=now - timedelta(days=9))
    assert write_due_digests(now) == 0
    assert NotificationSettings.objects.get().digest_until == now


def test_digest_off_or_weekly_or_archived(world: World, now: datetime) -> None:
    Registration.objects.create(challenge=world.challenge, user=world.dave)
    change_settings(world.alice, off=[], digest="weekly")
    assert write_due_digests(now) == 0
    Challenge.objects.update(visibility=Challenge.Visibility.ARCHIVED)
    assert write_due_digests(now + timedelta(days=7)) == 0
    change_settings(world.alice, off=[], digest="off")
    assert write_due_digests(now + timedelta(days=30)) == 0

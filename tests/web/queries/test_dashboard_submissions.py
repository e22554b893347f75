"""All submissions of a challenge: filters, orders, whose latest attempt."""

from collections.abc import Mapping

import pytest
from django.utils import timezone
from tests.web.full_challenge import Full

from palio.core.attempt.states import State
from palio.web.models import Attempt, Purpose, Rescore
from palio.web.queries.dashboard_submissions import SubmissionFilter, find

NAMES = {"blobs-1.zip": "first", "blobs-5.zip": "best", "carolingians-6.zip": "rival", "carolingians-10.zip": "failed"}
NAMES |= {"blobs-11.zip": "broken", "blobs-12.zip": "running", "carolingians-13.zip": "queued"}


def found(full: Full, **asked: str) -> list[str]:
    rows = find(full.world.challenge, SubmissionFilter.of(asked), "accuracy")
    return [NAMES[attempt.submission.file.name] for attempt in rows]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["queued", "running", "broken", "failed", "rival", "best", "first"]),
        ({"state": "scored"}, ["rival", "best", "first"]),
        ({"state": "failed", "cause": "organizer"}, ["broken"]),
        ({"code": "predict-time-limit"}, ["failed"]),
        ({"kind": "results"}, ["broken"]),
        ({"phase": "Practice"}, []),
        ({"q": "EPOCHS"}, ["best", "first"]),
        ({"q": "20 blobs"}, ["first"]),
        ({"q": "100%"}, []),
        ({"standing": "on the leaderboard", "sort": "score"}, ["first", "rival", "best"]),
        ({"sort": "-score"}, ["best", "rival", "first", "queued", "running", "broken", "failed"]),
        ({"sort": "file"}, ["first", "broken", "running", "best", "failed", "queued", "rival"]),
        ({"sort": "of no such thing", "state": "queued"}, ["queued"]),
        ({"standing": "of no such thing"}, []),
        ({"q": "a\0b"}, []),
    ],
)
def test_submissions_by_filter(full: Full, asked: Mapping[str, str], expected: list[str]) -> None:
    assert found(full, **asked) == expected


def test_submissions_by_team_and_standing(full: Full) -> None:
    full.best.hidden = timezone.now()
    full.best.save()
    full.rival.disqualified, full.rival.baseline = "no", True
    full.rival.save()
    assert found(full, team=full.world.rivals.pk) == ["queued", "failed", "rival"]
    assert found(full, standing="hidden") == ["best"]
    assert found(full, standing="disqualified") == found(full, standing="baseline") == ["rival"]
    assert found(full, standing="on the leaderboard") == ["first"]
    assert found(full, q=full.broken.pk) == ["broken"]


def test_applied_rescore_is_latest_attempt(full: Full) -> None:
    world = full.world
    version = world.challenge.current
    assert version is not None
    rescore = Rescore.objects.create(challenge=world.challenge, version=version, phase="Final", created_by=world.sam)
    attempt = Attempt.objects.create(
        submission=full.best,
        number=2,
        purpose=Purpose.RESCORE,
        version=version,
        rescore=rescore,
        state=State.FAILED,
        failure_code="score-exit",
    )

    def latest() -> Attempt:
        return find(world.challenge, SubmissionFilter(q=full.best.pk), "accuracy").get()

    assert latest() == full.best.counted
    Rescore.objects.update(state=Rescore.State.APPLIED)
    assert latest() == attempt


def test_wanted_round_trip() -> None:
    wanted = SubmissionFilter.of({"state": "failed", "q": "a b", "page": "3", "sort": "-created"})
    assert wanted.query() == "state=failed&q=a+b"
    assert wanted.query(sort="team") == "state=failed&q=a+b&sort=team"
    assert not wanted.is_all
    assert SubmissionFilter.of({"sort": "team"}).is_all

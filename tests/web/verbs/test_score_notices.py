"""Who learns that a re-score changed their scores, or that they were disqualified, and which numbers they read."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.verbs.test_notifications import told
from tests.web.world import World

from palio.web.models import Attempt, Notification, Rescore, Submission, Team, Webhook, WebhookDelivery
from palio.web.verbs import notices, webhooks
from palio.web.verbs.judge import disqualify, reinstate
from palio.web.verbs.score_changes import ScoreChange
from palio.web.verbs.webhook_secrets import encrypted, new_secret

ROUNDED = "    palio: {feedback: {rule: rounded, digits: 2}}\n"
HIDDEN = "    palio: {scores: hidden}\n"
LADDER = "    palio: {feedback: {rule: ladder, step: 0.01}}\n"


def rescored(world: World, folder: Path, *new: Mapping[str, float] | None, final: str = "") -> list[Submission]:
    """Submissions of bob's team and one of carol's, all with the accuracy 0.5, get these new scores."""
    publish(world.challenge, write_leaderboard_bundle(folder / "bundle", final=final))
    teams = [*[world.team] * (len(new) - 1), world.rivals]
    made = [add_submission(team, scores=scores(0.5), minute=minute) for minute, team in enumerate(teams)]
    assert world.challenge.current is not None
    rescore = Rescore.objects.create(
        challenge=world.challenge, version=world.challenge.current, phase="Final", created_by=world.alice
    )
    changes = [
        ScoreChange(each, each.counted, None if after is None else Attempt(scores=after))
        for each, after in zip(made, new, strict=True)
    ]
    notices.rescored(rescore, changes)
    return made


def text(world: World) -> str:
    return Notification.objects.get(user=world.bob).text


def add_webhook(world: World, team: Team | None) -> Webhook:
    return Webhook.objects.create(
        challenge=world.challenge,
        team=team,
        url="https://ci.example.org/",
        events=[*webhooks.EVENTS],
        secret=encrypted(new_secret()),
        created_by=world.alice,
    )


def sent_to(webhook: Webhook) -> list[dict[str, object]]:
    return [json.loads(each.body) for each in WebhookDelivery.objects.filter(webhook=webhook).order_by("created")]


def test_only_team_with_changed_score_told(world: World, tmp_path: Path) -> None:
    (mine, _) = rescored(world, tmp_path, scores(0.75), scores(0.5))
    assert told() == [("bea", "rescored"), ("bob", "rescored")]
    assert text(world) == "The phase “Final” was re-scored: “blobs-0.zip” Accuracy 0.500 → 0.750."
    assert Notification.objects.get(user=world.bob).path == f"/s/{mine.pk}/"


def test_several_submissions_in_one_notification(world: World, tmp_path: Path) -> None:
    rescored(world, tmp_path, scores(0.75), scores(0.25), scores(0.5))
    assert text(world) == "The phase “Final” was re-scored: the scores of 2 submissions changed."
    assert Notification.objects.get(user=world.bob).path == "/c/mednist/submissions/"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (scores(0.5001), "“blobs-0.zip” Accuracy 0.5 → 0.5001"),  # as many digits as it takes
        (scores(0.5, seconds=20), "“blobs-0.zip” Seconds 10.0 → 20.0"),
        (None, "“blobs-0.zip” has no score any more"),
    ],
)
def test_change_in_words(world: World, tmp_path: Path, new: Mapping[str, float] | None, said: str) -> None:
    rescored(world, tmp_path, new, scores(0.5))
    assert text(world) == f"The phase “Final” was re-scored: {said}."


@pytest.mark.parametrize(
    ("final", "new"),
    [
        ("", scores(0.5, secret=0.9)),  # a hidden column
        (HIDDEN, scores(0.75)),
        (LADDER, scores(0.75)),
        (ROUNDED, scores(0.5001)),
    ],
)
def test_change_that_the_team_cannot_read(world: World, tmp_path: Path, final: str, new: Mapping[str, float]) -> None:
    whole, own = add_webhook(world, None), add_webhook(world, world.team)
    (mine, _) = rescored(world, tmp_path, new, scores(0.5), final=final)
    assert (told(), sent_to(own)) == ([], [])
    (event,) = sent_to(whole)  # organizers see everything
    assert event["data"]["submissions"] == [mine.pk]  # type: ignore[index]


def test_rounded_change(world: World, tmp_path: Path) -> None:
    rescored(world, tmp_path, scores(0.756), scores(0.5), final=ROUNDED)
    assert "Accuracy 0.500 → 0.760." in text(world)


def test_rescore_webhooks(world: World, tmp_path: Path) -> None:
    whole, own, others = (add_webhook(world, team) for team in (None, world.team, world.rivals))
    mine, theirs = rescored(world, tmp_path, scores(0.75), scores(0.25))
    found = [sent_to(each)[0] for each in (whole, own, others)]
    assert [each["type"] for each in found] == ["rescore.applied"] * 3
    expected = [[mine.pk, theirs.pk], [mine.pk], [theirs.pk]]
    assert [each["data"]["submissions"] for each in found] == expected  # type: ignore[index]
    assert "0.75" not in WebhookDelivery.objects.get(webhook=own).body


def test_disqualified_and_reinstated(world: World) -> None:
    own, others = add_webhook(world, world.team), add_webhook(world, world.rivals)
    submission = add_submission(world.team, scores=scores(0.5))
    disqualify(submission, world.alice, "It used the labels.")
    assert told() == [("bea", "judged"), ("bob", "judged")]
    assert text(world) == "“blobs-0.zip” was disqualified in the phase “Final”: It used the labels."
    disqualify(submission, world.alice, "It used the labels.")  # nothing new
    assert Notification.objects.count() == 2
    reinstate(submission, world.alice)
    assert Notification.objects.filter(user=world.bob).latest("created").text.endswith("has a rank again.")
    assert [each["type"] for each in sent_to(own)] == ["submission.disqualified", "submission.reinstated"]
    assert sent_to(own)[0]["data"]["reason"] == "It used the labels."  # type: ignore[index]
    assert sent_to(others) == []

"""Submissions over time, scores, failures by party, and how many joined, submitted and got a score."""

from datetime import date, timedelta

from tests.web.full_challenge import Full
from tests.web.scored_submissions import NOON, add_submission, scores
from tests.web.world import World

from palio.web.queries.activity import (
    Activity,
    FunnelStep,
    PartyFailures,
    Period,
    ScoreBin,
    Scores,
    activity,
    rows,
)

NONE = {"scored": 0, "failed": 0, "cancelled": 0, "in progress": 0}
DAY = date(2026, 3, 1)


def test_activity_of_one_day(full: Full) -> None:
    assert activity(full.world.challenge, now=NOON) == Activity(
        periods=(Period(DAY, DAY, {"scored": 3, "failed": 2, "cancelled": 0, "in progress": 2}),),
        span_days=1,
        scores=Scores(
            "Final",
            "Accuracy",
            3,
            (
                ScoreBin(0.7, 0.725, 1),
                ScoreBin(0.725, 0.75, 0),
                ScoreBin(0.75, 0.775, 0),
                ScoreBin(0.775, 0.8, 0),
                ScoreBin(0.8, 0.825, 1),
                ScoreBin(0.825, 0.85, 0),
                ScoreBin(0.85, 0.875, 0),
                ScoreBin(0.875, 0.9, 1),
            ),
        ),
        parties=(
            PartyFailures("participant", "the participant", 1, 0.5),
            PartyFailures("organizer", "the organizer", 1, 0.5),
            PartyFailures("platform", "the operator", 0, 0),
        ),
        funnel=(FunnelStep("joined", 3, 1), FunnelStep("submitted", 3, 1), FunnelStep("scored", 3, 1)),
    )


def test_activity_nothing_yet(world: World) -> None:
    found = activity(world.other, now=NOON)
    assert (found.periods, found.scores.bins, found.scores.reason) == ((), (), "No scores in this phase yet.")
    assert found.funnel == (FunnelStep("joined", 0, 0), FunnelStep("submitted", 0, 0), FunnelStep("scored", 0, 0))
    assert [each.count for each in found.parties] == [0, 0, 0]


def test_activity_longer_periods(full: Full) -> None:
    """As few days as give at most 60 bars; the last bar ends today."""
    found = activity(full.world.challenge, now=NOON + timedelta(days=60))
    assert (found.span_days, len(found.periods)) == (7, 9)
    assert (found.periods[0].last, found.periods[-1]) == (
        DAY + timedelta(days=6),
        Period(DAY + timedelta(days=56), DAY + timedelta(days=60), NONE),
    )
    assert sum(each.total for each in found.periods) == 7
    assert activity(full.world.challenge, now=NOON + timedelta(days=59)).span_days == 1
    assert len(activity(full.world.challenge, now=NOON + timedelta(days=40_000)).periods) <= 60


def test_activity_scores_leave_out(full: Full) -> None:
    """Baselines, and what is no longer on the leaderboard; each counts as a submission nevertheless."""
    world = full.world
    add_submission(world.rivals, scores=scores(0.1), minute=20, baseline=True)
    add_submission(world.rivals, scores=scores(0.2), minute=21, disqualified="No.")
    found = activity(world.challenge, now=NOON)
    assert (found.scores.count, found.scores.bins[0].low) == (3, 0.7)
    assert found.periods[0].total == 9


def test_activity_scores_of_a_phase(full: Full) -> None:
    assert activity(full.world.challenge, "practice").scores.phase == "Practice"
    assert activity(full.world.challenge, "nothing").scores.phase == "Final"


def test_activity_funnel_counts_members(full: Full) -> None:
    """A participant whose team has failed only has submitted; one without a submission has joined."""
    world = full.world
    full.rival.baseline = True
    full.rival.save()
    assert [(each.name, each.count) for each in activity(world.challenge).funnel] == [
        ("joined", 3),
        ("submitted", 3),
        ("scored", 2),
    ]


def test_activity_rows(full: Full) -> None:
    written = [*rows(activity(full.world.challenge, now=NOON))]
    assert written[:5] == [
        ("participants", "", "", "joined", 3),
        ("participants", "", "", "submitted", 3),
        ("participants", "", "", "scored", 3),
        ("submissions", DAY, DAY, "scored", 3),
        ("submissions", DAY, DAY, "failed", 2),
    ]
    assert written[7] == ("scores", 0.7, 0.725, "Final: Accuracy", 1)
    assert written[-1] == ("failures", "", "", "the operator", 0)

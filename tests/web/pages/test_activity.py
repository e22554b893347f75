"""The charts of the dashboard: what they draw, say and give as numbers."""

from collections.abc import Callable
from datetime import timedelta

from django.test import Client
from tests.web.full_challenge import Full
from tests.web.scored_submissions import NOON
from tests.web.world import World

from palio.web.pages.activity import scores_drawn, submissions_drawn
from palio.web.queries.activity import activity

Browser = Callable[..., Client]


def test_submissions_drawn_to_scale(full: Full) -> None:
    drawn = submissions_drawn(activity(full.world.challenge, now=NOON + timedelta(days=1)))
    assert drawn is not None
    busy, idle = drawn.bars
    assert [(each.kind, each.x, each.width) for each in busy.parts] == [
        ("scored", 3.0, 44.0),
        ("failed", 3.0, 44.0),
        ("in-progress", 3.0, 44.0),
    ]
    assert sum(each.height for each in busy.parts) == 40
    assert [each.height for each in busy.parts] == [17.14, 11.43, 11.43]
    assert (busy.label, idle.label) == ("2026-03-01: 3 scored, 2 failed, 2 in progress", "2026-03-02: none")
    assert (drawn.most, drawn.first, drawn.last) == (7, "2026-03-01", "2026-03-02")
    assert drawn.summary == "7 submissions since 2026-03-01; most, 7, on 2026-03-01"


def test_scores_drawn_to_scale(full: Full) -> None:
    drawn = scores_drawn(activity(full.world.challenge, now=NOON))
    assert drawn is not None
    assert [bar.parts[0].height if bar.parts else 0 for bar in drawn.bars] == [40, 0, 0, 0, 40, 0, 0, 40]
    assert drawn.bars[0].label == "0.7 to 0.725: 1 submission"
    assert drawn.summary == "3 scores between 0.7 and 0.9; most, 1, from 0.7 to 0.725"


def test_nothing_drawn(world: World) -> None:
    found = activity(world.other, now=NOON)
    assert (submissions_drawn(found), scores_drawn(found)) == (None, None)


def test_overview_charts(full: Full, browser: Browser) -> None:
    vera = browser(full.world.vera)
    text = vera.get("/c/mednist/manage/?phase=Practice").text
    assert "<option selected>Practice</option>" in text
    assert "No scores in this phase yet." in text
    assert 'aria-label="7 submissions since 2026-03-01; most, 7, from' in text
    assert "state=failed&amp;cause=participant" in text
    assert text.index("From joining to a score") < text.index("Disk")
    assert "style=" not in text.split("<main")[1]


def test_numbers_as_csv(full: Full, browser: Browser) -> None:
    answer = browser(full.world.vera).get("/c/mednist/manage/activity.csv?phase=Final")
    lines = answer.text.splitlines()
    assert answer["Content-Disposition"] == 'attachment; filename="mednist-activity.csv"'
    assert lines[:2] == ["chart,from,to,item,count", "participants,,,joined,3"]
    assert "scores,0.7,0.725,Final: Accuracy,1" in lines


def test_activity_in_api(full: Full, browser: Browser) -> None:
    found = browser(full.world.vera).get("/api/v1/challenges/mednist/manage/activity?phase=Final").json()
    assert found["funnel"][2] == {"name": "scored", "count": 3, "share": 1.0}
    assert found["parties"][0] == {"cause": "participant", "action_needed": "the participant", "count": 1}
    assert found["scores"]["bins"][0] == {"low": 0.7, "high": 0.725, "count": 1}
    assert found["periods"][0] | {"last": ""} == {
        "first": "2026-03-01",
        "last": "",
        "counts": {"scored": 3, "failed": 2, "cancelled": 0, "in progress": 2},
    }

"""The home page: cards, search and filters."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from tests.bundles import LOGO, YAML, write_bundle
from tests.web.scored_submissions import add_submission
from tests.web.world import World

from palio.web.models import Challenge
from palio.web.verbs.publish import publish

Browser = Callable[..., Client]
SHOWN = """\
palio:
  accent: "#0b6e4f"
  tags: {modality: CT, body_part: [chest], task: classification}
"""


@pytest.fixture
def lungs(world: World, tmp_path: Path) -> Challenge:
    yaml = YAML.replace("title: Vowels", "title: Lungs").replace("palio:\n", SHOWN)
    publish(write_bundle(tmp_path / "lungs", yaml=yaml), actor=world.alice, slug="lungs")
    challenge = Challenge.objects.get(slug="lungs")
    challenge.visibility = Challenge.Visibility.PUBLISHED
    challenge.save()
    return challenge


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("", True),
        ("?q=lungs", True),
        ("?q=chest+ct", True),
        ("?q=liver", False),
        ("?tag=CT", True),
        ("?tag=ct", True),
        ("?tag=MRI", False),
        ("?state=open&tag=chest", True),
        ("?state=closed", False),
        ("?state=%00&tag=%ff", False),
    ],
)
def test_home_search(lungs: Challenge, browser: Browser, query: str, is_found: bool) -> None:
    answer = browser().get(f"/{query}")
    assert answer.status_code == 200
    assert ('href="/c/lungs/"' in answer.text) is is_found


def test_home_offers_tags_of_challenges(lungs: Challenge, browser: Browser) -> None:
    text = browser().get("/?tag=CT").text
    assert "<option>chest</option><option>classification</option><option selected>CT</option>" in text
    assert '<span class="tag">CT</span>' in text


def test_home_cover_drawn_or_given(lungs: Challenge, world: World, browser: Browser, tmp_path: Path) -> None:
    assert '<svg class="cover"' in browser().get("/?q=lungs").text
    yaml = YAML.replace("title: Vowels", "title: Lungs").replace("palio:\n", "palio:\n  cover: wide.png\n")
    folder = write_bundle(tmp_path / "with", yaml=yaml)
    (folder / "wide.png").write_bytes(LOGO)
    publish(folder, actor=world.alice, slug="lungs")
    text = browser().get("/?q=lungs").text
    assert '<img class="cover" src="/c/lungs/versions/2/files/wide.png"' in text
    assert '<svg class="cover"' not in text
    answer = browser().get("/c/lungs/versions/2/files/wide.png")
    assert b"".join(answer.streaming_content) == LOGO  # type: ignore[attr-defined]


def test_home_best_score_and_participants(world: World, browser: Browser) -> None:
    add_submission(world.team, scores={"accuracy": 0.75})
    text = browser().get("/").text
    assert "Accuracy 0.750" in text
    assert "3 participants" in text


def test_home_own_challenges_first(lungs: Challenge, world: World, browser: Browser) -> None:
    text = browser(world.bob).get("/").text
    own, _, others = text.partition("<h2>Other challenges</h2>")
    assert 'href="/c/mednist/"' in own
    assert 'href="/c/lungs/"' in others


def test_home_archive_apart(lungs: Challenge, browser: Browser) -> None:
    lungs.visibility = Challenge.Visibility.ARCHIVED
    lungs.save()
    before, _, archive = browser().get("/").text.partition(">Archive</h2>")
    assert 'href="/c/lungs/"' in archive
    assert 'href="/c/lungs/"' not in before

"""The pages of a challenge, for whoever opens them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests.bundles import LOGO, YAML, write_bundle
from tests.web.scored_submissions import add_submission
from tests.web.world import World

from palio.web.models import Announcement, Challenge
from palio.web.verbs.publish import publish

Browser = Callable[..., Client]
PAGES = ["", "phases/", "terms/", "versions/", "announcements/"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("who", [None, "dave", "bob", "alice", "ada"])
def test_page_public(world: World, browser: Browser, who: str | None, page: str) -> None:
    answer = browser(who and getattr(world, who)).get(f"/c/mednist/{page}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text


@pytest.mark.parametrize("page", [*PAGES, "data/", "join/", "team/", "settings/"])
@pytest.mark.parametrize(("who", "status"), [(None, 404), ("bob", 404), ("alice", 200), ("vera", 404)])
def test_draft_page_organizer_only(world: World, browser: Browser, who: str | None, status: int, page: str) -> None:
    answer = browser(who and getattr(world, who)).get(f"/c/draft/{page}")
    assert answer.status_code == (403 if page == "team/" and who == "alice" else status)


def test_overview_stranger(world: World, browser: Browser) -> None:
    text = browser(world.dave).get("/c/mednist/").text
    assert 'href="/c/mednist/join/"' in text
    assert "<dt>Daily limit</dt><dd>5</dd>" in text
    assert "2026-01-01 00:00 UTC" in text


def test_overview_participant(world: World, browser: Browser) -> None:
    text = browser(world.bob).get("/c/mednist/").text
    assert "Your team:" in text
    assert "Blobs" in text


def test_overview_title_not_repeated(world: World, browser: Browser, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b", yaml=YAML.replace("title: Vowels", "title: Cats & dogs"))
    (folder / "overview.md").write_text("# Cats & Dogs\n\nTell them apart.\n\n# Cats & dogs again\n")
    publish(folder, actor=world.alice, slug="mednist")
    article = browser().get("/c/mednist/").text.partition("<article>")[2]
    assert "Cats &amp; Dogs<" not in article
    assert "Cats &amp; dogs again<" in article


def test_overview_phases_leaders_commands(world: World, browser: Browser, settings: Any, tmp_path: Path) -> None:
    settings.FOLDERS.make()
    later = "  - {index: 1, name: Later, start: 2999-01-01, tasks: [0]}\nleaderboards:"
    two = YAML.replace("    start: 2026-01-01\n", "    start: 2026-01-01\n    end: 2998-01-01\n")
    publish(
        write_bundle(tmp_path / "b", yaml=two.replace("leaderboards:", later, 1)), actor=world.alice, slug="mednist"
    )
    add_submission(world.team, scores={"accuracy": 0.75})
    text = browser().get("/c/mednist/").text
    assert '<td class="nowrap">1</td><th scope="row">Blobs</th><td class="number">0.750' in text
    assert "palio submit submission.zip -c mednist" in text
    assert '<li class="open" aria-current="step"><b>Final</b>' in text
    assert '<li class="soon"><b>Later</b>' in text


def test_overview_announcements(world: World, browser: Browser) -> None:
    Announcement.objects.create(challenge=world.challenge, title="New data", text="*Soon*", author=world.alice)
    assert "New data" in browser().get("/c/mednist/").text
    assert "<em>Soon</em>" in browser().get("/c/mednist/announcements/").text


def test_versions_differences(world: World, browser: Browser, tmp_path: Path) -> None:
    publish(
        write_bundle(tmp_path / "b", yaml=YAML.replace("precision: 3", "precision: 2")),
        actor=world.alice,
        slug="mednist",
    )
    text = browser().get("/c/mednist/versions/").text
    assert "column “accuracy”: precision" in text
    assert "<del>3</del>" in text
    assert "<ins>2</ins>" in text


def test_phase_not_open_yet(world: World, browser: Browser, tmp_path: Path) -> None:
    soon = timezone.now().year + 1
    folder = write_bundle(tmp_path / "b", yaml=YAML.replace("start: 2026-01-01", f"start: {soon}-02-03 04:05:00"))
    publish(folder, actor=world.alice, slug="later")
    for page in ("/c/later/", "/c/later/phases/"):
        text = browser().get(page).text
        assert '<span class="badge soon">soon</span>' in text
        assert f"{soon}-02-03 04:05 UTC" in text


def test_picture_served_only(world: World, browser: Browser) -> None:
    client = browser()
    logo = client.get("/c/mednist/versions/1/files/logo.png")
    assert b"".join(logo.streaming_content) == LOGO  # type: ignore[attr-defined]
    assert logo.headers["Content-Type"] == "image/png"
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    for name in (
        "competition.yaml",
        "reference_data/answers.csv",
        "input_data/one.txt",
        "scoring_program/score.py",
        "../../../palio.sqlite3",
        "%2e%2e/x.png",
        "logo.png/",
    ):
        assert client.get(f"/c/mednist/versions/1/files/{name}").status_code == 404
    assert client.get("/c/mednist/versions/2/files/logo.png").status_code == 404
    assert client.get(f"/c/mednist/versions/{10**30}/files/logo.png").status_code == 404
    assert client.get("/c/draft/versions/1/files/logo.png").status_code == 404


@pytest.mark.parametrize(("who", "status"), [(None, 302), ("dave", 403), ("bob", 200), ("vera", 200), ("olga", 403)])
def test_data_participant_only(world: World, browser: Browser, who: str | None, status: int) -> None:
    client = browser(who and getattr(world, who))
    assert client.get("/c/mednist/data/").status_code == status
    assert client.get("/c/mednist/data/0/sample").status_code == (404 if status == 200 else status)


def test_data_streamed(world: World, browser: Browser, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b", yaml=YAML.replace("palio:\n", "palio:\n  sample: {input: cases}\n"))
    (folder / "cases").mkdir()
    (folder / "cases" / "a.txt").write_text("a")
    publish(folder, actor=world.alice, slug="mednist")
    client = browser(world.bob)
    assert "/c/mednist/data/0/sample" in client.get("/c/mednist/data/").text
    answer = client.get("/c/mednist/data/0/sample")
    assert b"".join(answer.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="mednist-final-sample.zip"'


def test_home_cards_and_own_drafts(world: World, browser: Browser) -> None:
    nobody, alice = browser().get("/").text, browser(world.alice).get("/").text
    assert "/c/mednist/versions/1/files/logo.png" in nobody
    assert "3 participants" in nobody
    assert "/c/draft/" not in nobody
    assert "/c/draft/" in alice
    assert "/c/draft/" not in browser(world.vera).get("/").text


def test_home_best_score_if_public(world: World, browser: Browser, tmp_path: Path, settings: Any) -> None:
    settings.FOLDERS.make()
    add_submission(world.team, scores={"accuracy": 0.75})
    assert "Accuracy 0.750" in browser().get("/").text
    hidden = YAML.replace("    key: main\n", "    key: main\n    hidden: true\n")
    publish(write_bundle(tmp_path / "b", yaml=hidden), actor=world.alice, slug="mednist", note="Hidden now.")
    assert "Accuracy 0.750" not in browser().get("/").text


def test_home_own_challenges_first(world: World, browser: Browser) -> None:
    context = browser(world.bob).get("/").context
    assert [card.challenge.slug for card in context["own"]] == ["mednist"]
    assert "mednist" not in [card.challenge.slug for card in context["cards"]]
    assert browser().get("/").context["own"] == []


def test_home_search(world: World, browser: Browser, tmp_path: Path) -> None:
    soon = write_bundle(tmp_path / "b", yaml=YAML.replace("start: 2026-01-01", "start: 2999-01-01"))
    publish(soon, actor=world.alice, slug="later")
    client = browser()

    def found(query: str) -> list[str]:
        return sorted(card.challenge.slug for card in client.get(f"/?{query}").context["cards"])

    assert found("") == ["later", "mednist", "other"]
    assert found("state=soon") == ["later"]
    assert found("q=MEDnist") == ["mednist"]
    assert found("q=mednist+nothing") == []
    assert "No challenge matches this search." in client.get("/?q=nothing&state=odd").text
    assert re.search(r'title="2999-01-01 00:00 UTC">in 97\d\s+years', client.get("/").text)


def test_address_with_nul(world: World, browser: Browser) -> None:
    client = browser(world.ada)
    for path in ("/teams/%00/leave/", "/operate/accounts/change/a%00/", "/api/v1/teams/%00/leave"):
        assert client.post(path).status_code == 404


def test_home_without_challenges(db: None, browser: Browser) -> None:
    Challenge.objects.all().delete()
    assert "No challenges yet." in browser().get("/").text

"""An organizer's whole way in a real browser, on a platform that `palio serve` runs, with a real engine behind it:
from the link on the terminal to a challenge, its people, a scoring program that has to be mended, and both boards.
"""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.bundles import SCORE, YAML, answers, write_bundle
from tests.web.browser.walking import EVALUATED_MS, Walker, walker
from tests.web.serving.running import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.bubblewrap

OPERATED = {"PALIO_ENGINE": "bubblewrap", "PALIO_ANYONE_ON_BUBBLEWRAP": "true"}
BY_APPROVAL = YAML.replace("registration_auto_approve: true\n", "")
# The mended scoring program counts one of the three files four times, which makes the last the first.
MENDED = SCORE.replace(
    "right = sum(given[name] == answer for name, answer in truth.items())\n",
    'right = sum((given[name] == answer) * (4 if name == "two.txt" else 1) for name, answer in truth.items()) / 2\n',
)
ALWAYS_YES = answers(dict.fromkeys(("one.txt", "two.txt", "three.txt"), "yes"))
ALWAYS_NO = answers(dict.fromkeys(("one.txt", "two.txt", "three.txt"), "no"))


def test_organizer_walk(chromium: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert MENDED != SCORE
    with running(tmp_path / "data", **OPERATED) as platform:
        admin = walker(chromium, platform.address)
        publish(admin, platform, zipped(write_bundle(tmp_path / "vowels", yaml=BY_APPROVAL)))
        bob, carol = (ask_to_join(walker(chromium, platform.address), name) for name in ("bob", "carol"))
        approve(admin)
        page_of_bobs = add_submission(bob, tmp_path / "bob", ALWAYS_YES)
        add_submission(carol, tmp_path / "carol", ALWAYS_NO)
        mend(admin, zipped(write_bundle(tmp_path / "mended", yaml=BY_APPROVAL, score=MENDED)))
        score_again(admin, bob)
        run_again(admin, page_of_bobs)
        announce(admin, bob)
        assert [*admin.all_problems(), *bob.all_problems(), *carol.all_problems()] == []
        for each in (admin, bob, carol):
            each.opened.close()


def zipped(bundle: Path) -> Path:
    return Path(shutil.make_archive(str(bundle), "zip", bundle))


def publish(admin: Walker, platform: Running, bundle: Path) -> None:
    link = platform.link()
    assert link
    admin.page.goto(link)
    admin.looks("first password")
    for field in admin.page.locator("input[type=password]").all():
        field.fill("a-rather-long-password")
    admin.page.locator("main form button").first.click()
    admin.page.wait_for_url(f"{platform.address}/")
    assert "No challenges yet." in admin.page.inner_text("main")
    admin.looks("no challenge yet")
    admin.follow("Publish a challenge")
    admin.looks("publish")
    broken = bundle.with_name("broken.zip")
    broken.write_bytes(b"no zip at all")
    admin.page.set_input_files("#bundle", broken)
    admin.press("Publish")
    assert "broken.zip" in admin.page.locator(".message.error").inner_text()
    admin.looks("publish, refused")
    admin.page.set_input_files("#bundle", bundle)
    admin.page.fill("#slug", "vowels")
    admin.press("Publish")
    assert admin.told() == "Version 1 published."
    assert admin.page.locator("header .badge.draft").count() == 1
    admin.looks("draft")
    admin.follow("Manage")
    admin.follow("Settings")
    admin.page.check("#visibility-published")
    admin.press("Save visibility")
    admin.looks("settings")


def ask_to_join(somebody: Walker, name: str) -> Walker:
    somebody.page.goto("/c/vowels/join/")
    somebody.sign_up(name)
    somebody.join()
    assert "An organizer will review" in somebody.page.inner_text("main")
    somebody.looks(f"{name} waits for an organizer")
    return somebody


def approve(admin: Walker) -> None:
    admin.follow("Manage")
    admin.page.wait_for_selector("#disk dl")
    admin.looks("dashboard, before the first submission")
    admin.follow("Participants")
    for name in ("bob", "carol"):
        admin.page.get_by_label(f"Select {name}").check()
    admin.looks("people who wait")
    admin.press("Approve")
    assert admin.told() == "2 join requests approved."
    admin.looks("people who take part")


def add_submission(somebody: Walker, folder: Path, content: str) -> str:
    """Predictions; the path of the submission's page, when it has its score."""
    folder.mkdir()
    file = folder / "answers.csv"
    file.write_text(content)
    somebody.page.goto("/c/vowels/submit/")
    somebody.page.set_input_files("#file", file)
    somebody.press("Submit")
    somebody.page.wait_for_selector("#live", timeout=EVALUATED_MS)
    somebody.wait_for_score()
    return re.sub(r"^https?://[^/]+", "", somebody.page.url)


def board(somebody: Walker) -> list[str]:
    somebody.page.goto("/c/vowels/leaderboard/")
    rows = somebody.page.locator(".leaderboard tbody tr").all()
    return [" ".join(row.locator("td.rank, th, td.primary").all_inner_texts()) for row in rows]


def mend(admin: Walker, bundle: Path) -> None:
    """A version with another scoring program, which changes no score by itself."""
    before = board(admin)
    assert before == ["1 bob 0.667", "2 carol 0.333"]
    admin.follow("Manage")
    admin.follow("Settings")
    admin.follow("Publish a new version")
    admin.looks("publish a version")
    admin.page.set_input_files("#bundle", bundle)
    admin.page.fill("#note", "The second file counts more.")
    admin.press("Publish")
    assert admin.told() == "Version 2 published."
    admin.follow("View changes")
    assert "The second file counts more." in admin.page.inner_text("#v2")
    admin.looks("versions")
    assert board(admin) == before


def score_again(admin: Walker, bob: Walker) -> None:
    before = board(bob)
    admin.page.goto("/c/vowels/manage/rescores/")
    admin.looks("score again, for the first time")
    admin.press("Start re-score", "Start re-score")
    admin.page.wait_for_selector("section[aria-labelledby=comparison]", timeout=EVALUATED_MS)  # by itself
    rows = admin.page.locator("section[aria-labelledby=comparison] tbody tr").all()
    assert [" ".join(row.locator("th, td").all_inner_texts()) for row in rows] == [
        "carol 2 1 up 1 Accuracy changed 0.333 0.667",
        "bob 1 2 down 1 Accuracy changed 0.667 0.333",
    ]
    admin.looks("old and new board")
    assert board(bob) == before  # nobody else sees any of it
    admin.press("Apply", "Apply")
    assert admin.told() == "New scores applied."
    admin.looks("applied")
    assert board(bob) == ["1 carol 0.667", "2 bob your team receipt 0.333"]


def run_again(admin: Walker, submission: str) -> None:
    admin.page.goto(submission)
    admin.looks("submission, for its organizer")
    admin.press("Re-run", "Re-run")
    admin.page.wait_for_selector(
        "section[aria-labelledby=attempts] tbody tr:nth-child(3) .badge.good", timeout=EVALUATED_MS
    )
    rows = admin.page.locator("section[aria-labelledby=attempts] tbody tr").all()
    assert [row.locator("td").all_inner_texts()[1:3] for row in rows] == [
        ["submission", "scored"],
        ["re-score", "scored"],
        ["re-run by an organizer", "scored current"],
    ]
    admin.looks("submission, run again")


def announce(admin: Walker, bob: Walker) -> None:
    admin.follow("Manage")
    admin.follow("Announcements")
    admin.looks("announce")
    admin.page.fill("#title", "Scores have changed")
    admin.page.fill("#text", "The second file counts **more**.")
    admin.press("Post announcement")
    admin.looks("announced")
    bob.page.goto("/c/vowels/")
    bob.looks("challenge, with an announcement")
    bob.follow("Scores have changed")
    assert bob.page.locator("main strong").all_inner_texts() == ["more"]
    admin.follow("Audit log")
    admin.looks("what was done")
    done = admin.page.inner_text("main")
    assert [kind for kind in ("re-score", "announce") if kind not in done] == []

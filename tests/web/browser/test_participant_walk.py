"""A participant's whole way in a real browser, on a platform that `palio serve` runs, with a real engine behind it:
from no account to the board, and a second submission that is cancelled while it runs.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.bundles import PREDICT, YAML, answers, write_bundle
from tests.web.browser.walking import EVALUATED_MS, Walker, walker
from tests.web.serving.running import Running, running
from tests.web.submission_files import context_zip

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.bubblewrap

OPERATED = {"PALIO_ENGINE": "bubblewrap", "PALIO_ANYONE_ON_BUBBLEWRAP": "true"}
PATIENT = YAML.replace("predict: {time: 20 s", "predict: {time: 300 s")
TWO_OF_THREE = answers({"one.txt": "yes", "two.txt": "yes", "three.txt": "yes"})


def asleep(seconds: float) -> str:
    return f"import time\ntime.sleep({seconds})\n{PREDICT}"


def test_participant_walk(chromium: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first, second, rivals = tmp_path / "model.zip", tmp_path / "slower.zip", tmp_path / "answers.csv"
    first.write_bytes(context_zip(predict=asleep(4), extra=os.urandom(40_000_000)))  # several chunks; and to be seen
    second.write_bytes(context_zip(predict=asleep(250)))
    rivals.write_text(TWO_OF_THREE)
    bundle = write_bundle(tmp_path / "vowels", yaml=PATIENT)
    with running(tmp_path / "data", "--with", str(bundle), **OPERATED) as platform:
        without_scripts(chromium, platform, rivals)
        bob = walker(chromium, platform.address)
        arrive(bob)
        add_submission(bob, first)
        watch(bob)
        read_the_board(bob)
        cancel(bob, second)
        assert bob.all_problems() == []
        bob.opened.close()


def without_scripts(chromium: "Browser", platform: Running, file: Path) -> None:
    """A rival, whose browser runs no script: the same way, by forms alone."""
    carol = walker(chromium, platform.address, scripts=False)
    carol.page.goto("/c/vowels/join/")
    carol.sign_up("carol")
    carol.join()
    carol.page.goto("/c/vowels/submit/")
    carol.page.set_input_files("#file", file)
    carol.press("Submit")
    address = carol.page.url
    assert "/s/" in address

    def is_scored() -> bool:
        carol.page.goto(address)
        return carol.page.locator("#state.scored").count() == 1

    platform.wait_for("the rival's score", is_scored)
    carol.opened.close()


def arrive(bob: Walker) -> None:
    """From the first page to being one of those who take part."""
    bob.page.goto("/")
    bob.looks("challenges")
    bob.follow("Vowels")
    bob.looks("challenge, as a stranger")
    bob.follow("Join")
    bob.looks("sign in")
    bob.follow("Sign up")
    bob.looks("sign up")
    bob.sign_up("bob")
    assert bob.page.locator("h2").first.inner_text() == "Registration"  # where one wanted to go
    bob.looks("terms to accept")
    bob.press("Join")
    assert bob.page.locator("#accepted:invalid").count() == 1  # they were not accepted yet, and nothing was sent
    bob.join()
    assert bob.told().startswith("You joined the challenge")
    bob.looks("challenge, taking part")


def add_submission(bob: Walker, file: Path) -> None:
    """What is wrong is refused on the spot; what is right is sent with its progress shown."""
    bob.follow("Submit")
    bob.looks("submit")
    text = file.with_name("notes.pdf")
    text.write_text("This is nothing that could be run.")
    bob.page.set_input_files("#file", text)
    bob.press("Submit")
    bob.page.wait_for_selector("#refused:not([hidden])")
    assert "not a submission of a kind" in bob.page.inner_text("#refused")
    bob.looks("submit, refused")
    bob.page.set_input_files("#file", file)
    bob.page.fill("#note", "the first")
    said = bob.note("#doing", "noteProgress")
    bob.press("Submit")
    bob.page.wait_for_selector("#live", timeout=EVALUATED_MS)
    steps = ("Reading model.zip: ", "Sending: ", "The file has arrived", "Submitting")
    assert [step for step in steps if not any(text.startswith(step) for text in said)] == []


def watch(bob: Walker) -> None:
    """The stages pass on a page that is never loaded again, and the scores stand there in the end."""
    states = bob.note("#state", "noteState")
    bob.page.evaluate("window.isStillTheSame = true")
    bob.page.wait_for_selector(".stages .now >> text=predict", timeout=EVALUATED_MS)
    bob.looks("submission, running")
    bob.wait_for_score()
    assert bob.page.evaluate("window.isStillTheSame") is True
    assert [state for state in states if state in {"predict", "scored"}] == ["predict", "scored"]
    assert bob.page.locator("section[aria-labelledby=scores] td").all_inner_texts() == ["1.000"]
    assert bob.page.frame_locator("iframe.report").locator("p").inner_text() == "3 right"
    bob.looks("submission, scored")


def read_the_board(bob: Walker) -> None:
    bob.follow("Leaderboard")
    rows = bob.page.locator(".leaderboard tbody tr")
    assert [row.locator("td.rank, th, td.primary").all_inner_texts()[:2] for row in rows.all()] == [
        ["1", "bob your team receipt"],
        ["2", "carol"],
    ]
    assert bob.page.locator(".leaderboard td.primary").all_inner_texts() == ["1.000", "0.667"]
    bob.looks("board")


def cancel(bob: Walker, file: Path) -> None:
    bob.page.goto("/c/vowels/submit/")
    bob.drop(file)
    assert bob.page.evaluate("document.getElementById('file').files[0].name") == file.name
    bob.looks("submit, with a file dropped")
    bob.press("Submit")
    bob.page.wait_for_selector(".stages .now >> text=predict", timeout=EVALUATED_MS)
    bob.press("Cancel", "Cancel submission")
    bob.page.wait_for_selector("#state.cancelled", timeout=EVALUATED_MS)
    bob.looks("submission, cancelled")
    bob.follow("My submissions")
    files = bob.page.locator("main table tbody tr")
    assert [row.locator(".badge").first.inner_text() for row in files.all()] == ["cancelled", "scored"]
    bob.looks("submissions")

"""The page of one submission: what its team reads, what organizers read, and what changes while it runs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.core.attempt.states import State
from palio.core.attempt.waiting import WaitingNote
from palio.core.engine import Waiting
from palio.core.errors import PalioError
from palio.web.models import Attempt, Rescore, Submission
from palio.web.queries.submission import run_folder

Browser = Callable[..., Client]
PAGES = ("", "live/", "logs/", "logs/build/", "report/", "receipt.json")


def use(world: World, folder: Path, **lines: str) -> World:
    publish(world.challenge, write_leaderboard_bundle(folder / "bundle", **lines))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
    return world


@pytest.fixture
def mednist(world: World, tmp_path: Path) -> World:
    """Without hidden columns, so that a team gets its receipt."""
    bundle = write_leaderboard_bundle(tmp_path / "bundle")
    text = (bundle / "competition.yaml").read_text()
    (bundle / "competition.yaml").write_text(text.replace(", hidden: true", ""))
    publish(world.challenge, bundle)
    world.team.challenge.refresh_from_db()
    return world


def attempt_of(submission: Submission) -> Attempt:
    return submission.attempts.get()


def test_submission_page_access(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, scores=scores(0.9))
    may = {mednist.bob, mednist.bea, mednist.vera, mednist.sam, mednist.alice, mednist.ada}
    everybody = may | {mednist.carol, mednist.dave, mednist.olga}
    for path in PAGES:
        url = f"/s/{submission.pk}/{path}"
        found = {user.username: browser(user).get(url).status_code for user in everybody}
        assert found == {user.username: 200 if user in may else 404 for user in everybody}, path
        assert browser().get(url).status_code == 302


def test_scored_submission_page(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, scores=scores(0.9375, 12.34), note="more epochs")
    page = browser(mednist.bob).get(f"/s/{submission.pk}/").text
    for said in ("<b>0.938</b>", "12.3", "more epochs", "palio verify receipt.json", f"/s/{submission.pk}/report/"):
        assert said in page
    assert "hx-trigger" not in page


def test_waiting_for_quota_stated(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, state=State.PREDICT)
    bob, root = browser(mednist.bob), run_folder(attempt_of(submission)).root
    url, api = f"/s/{submission.pk}/live/", f"/api/v1/submissions/{submission.pk}"
    assert "Waiting for quota" not in bob.get(url).text
    assert bob.get(api).json()["waiting"] is None
    (root / ".work").mkdir(parents=True, exist_ok=True)
    note = WaitingNote(root)
    note.write(Waiting(3))
    page = " ".join(bob.get(url).text.split())
    assert "<b>Waiting for quota.</b> The cluster starts this stage as soon as there is room for it." in page
    assert "It is number 3 in the cluster's queue. The time limit has not started." in page
    assert bob.get(api).json()["waiting"] == {"position": 3}
    note.write(Waiting())
    page = bob.get(url).text
    assert ("Waiting for quota" in page, "in the cluster's queue" in page) == (True, False)
    assert bob.get(api).json()["waiting"] == {"position": None}


def test_substitute_image_stated(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, scores=scores(0.9))
    folder = run_folder(attempt_of(submission))
    assert "used instead of" not in browser(mednist.bob).get(f"/s/{submission.pk}/").text
    image = {"name": "codalab/x:1", "substitute": "python:3.11-slim", "pulled": False, "without_images": False}
    lock = folder.read_json("lock.json") if folder.has("lock.json") else {}
    folder.write_json("lock.json", lock | {"image": image})
    page = browser(mednist.bob).get(f"/s/{submission.pk}/").text
    assert "python:3.11-slim, used instead of the challenge's <code>codalab/x:1</code>" in page
    told = browser(mednist.bob).get(f"/api/v1/submissions/{submission.pk}").json()["attempt"]["substitute"]
    assert told == {"name": "codalab/x:1", "substitute": "python:3.11-slim"}


def test_failure_participant_view(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, failure="predict-time-limit", charged=True)
    page = browser(mednist.bob).get(f"/s/{submission.pk}/").text
    for said in (
        "Failed at predict",
        "Action needed: you",
        "The sentence of predict-time-limit.",
        "time: 500 s of 500 s",
        "the last line of its log",
        "Make it faster.",
        "predict-time-limit",
        "counts toward the limit",
    ):
        assert said in page
    assert "FULL" not in page
    in_full = browser(mednist.vera).get(f"/s/{submission.pk}/").text
    assert "FULL The sentence" in in_full
    assert "Action needed: the participant" in in_full


def test_organizer_log_hidden_from_team(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, scores=scores(0.9))
    bob, vera = browser(mednist.bob), browser(mednist.vera)
    stages = ("build", "predict", "score", "nonsense")
    assert [bob.get(f"/s/{submission.pk}/logs/{stage}/").status_code for stage in stages] == [200, 404, 404, 404]
    assert [vera.get(f"/s/{submission.pk}/logs/{stage}/").status_code for stage in stages] == [200, 200, 200, 404]
    assert "organizer's log" not in bob.get(f"/s/{submission.pk}/").text
    assert "participant" in bob.get(f"/s/{submission.pk}/logs/build/").text


BLIND = "    palio: {scores: hidden}\n"


def test_blind_phase_hides_results(world: World, browser: Browser, tmp_path: Path) -> None:
    submission = add_submission(use(world, tmp_path, final=BLIND).team, scores=scores(0.9375))
    bob, vera = browser(world.bob), browser(world.vera)
    assert "The scores of this phase are hidden" in bob.get(f"/s/{submission.pk}/").text
    for path in PAGES:
        assert "0.93" not in bob.get(f"/s/{submission.pk}/{path}").text
    assert [bob.get(f"/s/{submission.pk}/{path}").status_code for path in ("report/", "receipt.json")] == [404, 404]
    assert [vera.get(f"/s/{submission.pk}/{path}").status_code for path in ("report/", "receipt.json")] == [200, 200]
    assert "0.938" in vera.get(f"/s/{submission.pk}/").text


@pytest.mark.parametrize("line", ["    hide_output: true\n", "    hide_score_output: true\n"])
def test_hidden_output_hides_report_only(world: World, browser: Browser, tmp_path: Path, line: str) -> None:
    submission = add_submission(use(world, tmp_path, final=line).team, scores={"accuracy": 0.9375})
    bob, vera = browser(world.bob), browser(world.vera)
    page = bob.get(f"/s/{submission.pk}/").text
    assert "0.938" in page
    assert "The scores of this phase are hidden" not in page
    assert bob.get(f"/api/v1/submissions/{submission.pk}").json()["scores"] == {"accuracy": 0.9375}
    paths = ("report/", "receipt.json")
    assert [bob.get(f"/s/{submission.pk}/{path}").status_code for path in paths] == [404, 200]
    assert [vera.get(f"/s/{submission.pk}/{path}").status_code for path in paths] == [200, 200]


@pytest.mark.parametrize("line", ["", BLIND])
def test_receipt_same_by_page_and_api(world: World, browser: Browser, tmp_path: Path, line: str) -> None:
    """A receipt cannot be cut: with a score that is hidden from its team, its team has none of it."""
    team = use(world, tmp_path, final=line).team
    whole = add_submission(team, scores=scores(0.9375))
    without = add_submission(team, scores={"accuracy": 0.9375}, minute=1)
    found = {
        user.username: [
            [
                browser(user).get(address).status_code
                for address in (f"/s/{each.pk}/receipt.json", f"/api/v1/submissions/{each.pk}/receipt")
            ]
            for each in (whole, without)
        ]
        for user in (world.bob, world.vera, world.sam, world.alice)
    }
    own = [[404, 404]] * 2 if line else [[404, 404], [200, 200]]
    everything = [[200, 200]] * 2
    assert found == {"bob": own, "vera": everything, "sam": everything, "alice": everything}


def test_hidden_column_organizer_only(world: World, browser: Browser, tmp_path: Path) -> None:
    submission = add_submission(use(world, tmp_path).team, scores=scores(0.9375, secret=0.123456))
    for path in PAGES:
        assert "0.123" not in browser(world.bob).get(f"/s/{submission.pk}/{path}").text
    assert "0.123" in browser(world.vera).get(f"/s/{submission.pk}/").text


def test_report_sandboxed(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, scores=scores(0.9))
    answer = browser(mednist.bob).get(f"/s/{submission.pk}/report/")
    assert answer.headers["Content-Security-Policy"].split("; ")[:2] == ["sandbox", "default-src 'none'"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_fragment_unchanged_empty(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, when=timezone.now())
    bob = browser(mednist.bob)
    page = bob.get(f"/s/{submission.pk}/").text
    query = page.split(f'hx-get="/s/{submission.pk}/live/')[1].split('"')[0].replace("&amp;", "&")
    live = f"/s/{submission.pk}/live/{query}"
    assert "Number 1 of 1" in page.replace("<b>", "")
    assert bob.get(live).status_code == 204
    Attempt.objects.filter(submission=submission).update(state=State.BUILD, moved=timezone.now())
    answer = bob.get(live)
    assert answer.status_code == 200
    assert 'class="now" aria-current="step"><b>build</b>' in answer.text
    assert 'id="state" class="badge build" hx-swap-oob="true"' in answer.text
    assert "every 1s" in answer.text


def test_fragment_stops_polling_at_end(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, scores=scores(0.9))
    answer = browser(mednist.bob).get(f"/s/{submission.pk}/live/?seen=old&state=score")
    assert "hx-trigger" not in answer.text
    assert "Withdraw" in answer.text
    assert "<b>0.900</b>" in answer.text


def test_fragment_query_count(
    mednist: World, browser: Browser, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    submission = add_submission(mednist.team, state=State.PREDICT, when=timezone.now())
    bob = browser(mednist.bob)
    bob.get(f"/s/{submission.pk}/live/")
    with django_assert_max_num_queries(12):  # type: ignore[attr-defined]
        bob.get(f"/s/{submission.pk}/live/")


def test_stages_times_and_limits(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, state=State.PREDICT, when=timezone.now())
    page = browser(mednist.bob).get(f"/s/{submission.pk}/").text
    cards = [card.split("</li>")[0] for card in page.split("<li class=")[1:] if "usage" in card]
    assert [card.split("<")[0] for card in cards] == ['"done">', '"now" aria-current="step">', '"waiting">']
    assert "18 s" in cards[0]
    assert "of at most 20 s" in cards[1]
    assert "256.0 MiB memory, 1 CPU" in cards[1]
    assert "at most 20 s" in cards[2]
    assert re.search(r"The limits allow at most (40|3\d) s more\.", page)


def test_attempts_of_pending_rescore_hidden(mednist: World, browser: Browser) -> None:
    submission = add_submission(mednist.team, scores=scores(0.9))
    version = attempt_of(submission).version
    rescore = Rescore.objects.create(
        challenge=mednist.challenge, version=version, phase="Final", created_by=mednist.alice
    )
    Attempt.objects.create(
        submission=submission, number=2, purpose="rescore", rescore=rescore, version=version, state="failed"
    )
    assert "<td>re-score</td>" not in browser(mednist.bob).get(f"/s/{submission.pk}/").text
    assert "<td>re-score</td>" in browser(mednist.vera).get(f"/s/{submission.pk}/").text


@pytest.mark.parametrize(("logs", "counts"), [("none", False), ("tail", True)])
def test_cancel_states_whether_it_counts(
    world: World, browser: Browser, tmp_path: Path, logs: str, counts: bool
) -> None:
    team = use(world, tmp_path, palio=f"  logs: {{predict: {logs}}}\n").team
    running = add_submission(team, state=State.PREDICT, when=timezone.now())
    bob, address = browser(world.bob), f"/s/{running.pk}/"
    for path in ("", "live/?state=build"):
        page = bob.get(f"{address}{path}").text
        assert ("it still counts toward your team's limit" in page) is counts
        assert ('name="counts" value="yes"' in page) is counts
        assert ("It does not count toward your team's limit" in page) is not counts
    without = bob.post(f"{address}cancel/", follow=True).text
    assert (escape(PalioError("cancel-counts").failure.message) in without) is counts
    assert (attempt_of(running).cancel_requested is None) is counts
    bob.post(f"{address}cancel/", {"counts": "yes"})
    assert attempt_of(running).cancel_requested is not None


def test_cancel_and_withdraw_offered(mednist: World, browser: Browser) -> None:
    running = add_submission(mednist.team, state=State.PREDICT, when=timezone.now())
    scored = add_submission(mednist.team, scores=scores(0.9))
    bob, vera = browser(mednist.bob), browser(mednist.vera)
    offered = [
        [word in client.get(f"/s/{submission.pk}/").text for word in (">Cancel<", ">Withdraw<")]
        for client in (bob, vera)
        for submission in (running, scored)
    ]
    assert offered == [[True, False], [False, True], [False, False], [False, False]]

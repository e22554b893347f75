"""The organizer dashboard in a browser: what is shown to whom, and what its buttons do."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from tests.bundles import YAML, write_bundle
from tests.errors import shown as error_line
from tests.web.full_challenge import Full, make_full
from tests.web.scored_submissions import publish as publish_unchecked
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.models import Announcement, Attempt, ControllerBeat, Event, Membership, Registration, Rescore
from palio.web.verbs.publish import publish
from palio.web.verbs.rescore import begin

Browser = Callable[..., Client]
DASHBOARD = "/c/mednist/manage"


@pytest.fixture
def full(world: World, tmp_path_factory: pytest.TempPathFactory) -> Full:
    return make_full(world, tmp_path_factory.mktemp("dashboard"))


def said(client: Client, path: str) -> list[str]:
    """What the page that comes next tells of what was done."""
    return [str(message) for message in client.get(path).context["messages"]]


def finish(rescore: Rescore, accuracy: float, failing: str = "") -> None:
    """As the controller would: each with a score of its own, one without."""
    for number, attempt in enumerate(rescore.attempts.order_by("created", "identity")):
        attempt.finished = timezone.now()
        if attempt.submission_id == failing:
            attempt.state, attempt.failure_code, attempt.failure_cause = (
                State.FAILED,
                "predictions-invalid",
                "participant",
            )
            attempt.failure = attempt.failure_shown = {
                "message": "It was refused.",
                "stage": "score",
                "cause": "participant",
            }
        else:
            attempt.state, attempt.scores = (
                State.SCORED,
                {"accuracy": accuracy - number / 100, "seconds": 1.0, "secret": 0.0},
            )
        attempt.save()
    rescore.state = Rescore.State.READY
    rescore.save()


def test_dashboard_overview_pending_decisions(full: Full, browser: Browser) -> None:
    text = browser(full.world.alice).get(f"{DASHBOARD}/").text
    assert "1 pending join request." in text
    assert "The controller is not running" in text
    assert f"{DASHBOARD}/submissions/?state=failed&amp;cause=organizer&amp;code=scores-missing" in text
    assert ">Export</a>" in text
    assert ">Export</a>" not in browser(full.world.vera).get(f"{DASHBOARD}/").text


def test_dashboard_overview_blocked_phase(world: World, browser: Browser, tmp_path: Path) -> None:
    yaml = YAML.replace("    name: Final\n", "    name: Final\n    palio: {engine: gpu}\n")
    publish_unchecked(world.challenge, write_bundle(tmp_path / "named", yaml=yaml))
    trouble = {"gpu": "No node is ready. Start one.", "unused": "It is down."}
    ControllerBeat.objects.create(time=timezone.now(), process="host:1", engine="docker 29", named_trouble=trouble)
    text = browser(world.alice).get(f"{DASHBOARD}/").text
    assert "<b>No evaluation of “Final” can start right now.</b> It runs on the engine gpu. No node is ready." in text
    assert ">partly blocked</span>" in text
    assert "It is down." not in text
    assert "No node is ready." not in browser(world.alice).get(f"/c/{world.other.slug}/manage/").text


def test_dashboard_empty_challenge(world: World, browser: Browser) -> None:
    alice = browser(world.alice)
    for page in (
        "",
        "submissions/",
        "participants/",
        "rescores/",
        "announcements/",
        "audit-log/",
        "export/",
        "queue/",
        "disk/",
    ):
        assert alice.get(f"/c/draft/manage/{page}").status_code == 200
    assert "No submissions yet." in alice.get("/c/draft/manage/submissions/").text
    assert "No re-scores yet." in alice.get("/c/draft/manage/rescores/").text


def test_dashboard_submissions_links_keep_filters(full: Full, browser: Browser) -> None:
    page = browser(full.world.sam).get(f"{DASHBOARD}/submissions/?state=scored&sort=score")
    assert [attempt.submission for attempt, _ in page.context["rows"]][-1] == full.best
    assert f"/s/{full.best.pk}/" in page.text
    assert '<a href="?state=scored&amp;sort=-score">' in page.text
    assert "Re-run" in page.text
    assert "Re-run" not in browser(full.world.vera).get(f"{DASHBOARD}/submissions/").text


def test_rerun_several_submissions(full: Full, browser: Browser) -> None:
    sam = browser(full.world.sam)
    chosen = {"submission": [full.best.pk, full.rival.pk, full.running.pk], "do": "rescore", "state": "scored"}
    answer = sam.post(f"{DASHBOARD}/submissions/again/", chosen)
    assert answer["Location"] == f"{DASHBOARD}/submissions/?state=scored"
    told = said(sam, f"{DASHBOARD}/submissions/")
    assert told[0] == "2 submissions will be re-scored."
    assert told[1] in f"blobs-12.zip: {error_line('submission-unfinished')}"
    assert full.best.attempts.filter(purpose="rescore", state="queued").count() == 1
    sam.post(f"{DASHBOARD}/submissions/again/", {"do": "rerun"})
    assert said(sam, f"{DASHBOARD}/submissions/") == ["No submissions selected. Select some, then choose an action."]


def test_rerun_ignores_other_challenge(full: Full, browser: Browser) -> None:
    olga = browser(full.world.olga)
    olga.post("/c/other/manage/submissions/again/", {"submission": [full.best.pk], "do": "rescore"})
    olga.post("/c/other/manage/participants/decide/", {"registration": [full.pending.pk], "do": "approve"})
    full.pending.refresh_from_db()
    assert (full.best.attempts.count(), full.pending.state) == (1, "pending")


def test_join_requests_decided(full: Full, browser: Browser) -> None:
    alice, world = browser(full.world.alice), full.world
    assert "dave" in alice.get(f"{DASHBOARD}/participants/").text
    alice.post(f"{DASHBOARD}/participants/decide/", {"registration": [full.pending.pk], "do": "approve"})
    assert said(alice, f"{DASHBOARD}/participants/") == ["1 join request approved."]
    assert Membership.objects.filter(challenge=world.challenge, user=world.dave).exists()
    bob = Registration.objects.get(challenge=world.challenge, user=world.bob)
    alice.post(f"{DASHBOARD}/participants/decide/", {"registration": [full.pending.pk, bob.pk], "do": "refuse"})
    told = said(alice, f"{DASHBOARD}/participants/?state=refused&q=dav")
    assert told[0] == "1 join request refused."
    assert told[1] in error_line("participant-has-submissions", user="bob")


def test_join_requests_decided_all_at_once(full: Full, browser: Browser) -> None:
    """Only those that the page has shown, and that nobody else has decided meanwhile."""
    alice, challenge = browser(full.world.alice), full.world.challenge
    olga, ada = (
        Registration.objects.create(challenge=challenge, user=user) for user in (full.world.olga, full.world.ada)
    )
    page = alice.get(f"{DASHBOARD}/participants/").text
    assert "All 3:" in page
    assert page.count('name="shown"') == 3
    bob = Registration.objects.get(challenge=challenge, user=full.world.bob)
    shown = [full.pending.pk, olga.pk, bob.pk]
    alice.post(f"{DASHBOARD}/participants/decide/", {"shown": shown, "do": "refuse-all"})
    assert said(alice, f"{DASHBOARD}/participants/") == ["2 join requests refused."]
    alice.post(f"{DASHBOARD}/participants/decide/", {"shown": [*shown, ada.pk], "do": "approve-all"})
    assert said(alice, f"{DASHBOARD}/participants/") == ["1 join request approved."]
    states = {each.user.username: each.state for each in challenge.registrations.select_related("user")}
    assert {name: states[name] for name in ("dave", "olga", "ada", "bob")} == {
        "dave": "refused",
        "olga": "refused",
        "ada": "approved",
        "bob": "approved",
    }


def test_submission_actions_recorded(full: Full, browser: Browser) -> None:
    alice, page = browser(full.world.alice), f"/s/{full.best.pk}/"
    revision = full.world.challenge.leaderboard_revision
    for address, given, told in [
        ("hide/", {"do": "hide"}, "The submission is hidden from the leaderboard."),
        ("hide/", {"do": "show"}, "The submission is shown on the leaderboard again."),
        ("disqualify/", {"do": "disqualify", "reason": " "}, error_line("reason-missing")),
        (
            "disqualify/",
            {"do": "disqualify", "reason": "Trained on the test set"},
            "The submission is disqualified and has no rank.",
        ),
        ("disqualify/", {"do": "reinstate"}, "The submission is no longer disqualified."),
        ("baseline/", {"do": "mark"}, "The submission is now a baseline."),
        ("baseline/", {"do": "mark"}, "The submission is now a baseline."),
        ("baseline/", {"do": "unmark"}, "The submission counts for its team again."),
        ("rescore/", {}, "The submission will be re-scored."),
        ("rerun/", {}, error_line("submission-unfinished")),
    ]:
        assert alice.post(f"{page}{address}", given)["Location"] == page
        assert said(alice, page) == [told]
    kinds = ["hidden", "shown", "disqualified", "reinstated", "marked-baseline", "unmarked-baseline"]
    done = Event.objects.filter(submission=full.best, actor=full.world.alice, kind__startswith="submission.")
    assert [event.kind for event in done] == [f"submission.{kind}" for kind in kinds]
    full.world.challenge.refresh_from_db()
    assert full.world.challenge.leaderboard_revision == revision + 6
    text = alice.get(page).text
    assert "disqualified it:" in text
    assert "Trained on the test set" in text


def test_submission_actions_by_role(full: Full, browser: Browser) -> None:
    def buttons(user: object) -> list[bool]:
        text = browser(user).get(f"/s/{full.best.pk}/").text
        return [word in text for word in ("History", "Re-score<", "Mark as baseline")]

    browser(full.world.alice).post(f"/s/{full.best.pk}/hide/", {"do": "hide"})
    world = full.world
    shown = {"alice": [True, True, True], "sam": [True, True, False], "vera": [True, False, False], "bob": [False] * 3}
    assert {name: buttons(getattr(world, name)) for name in shown} == shown


def test_get_changes_nothing(full: Full, browser: Browser) -> None:
    alice = browser(full.world.alice)
    for address in ("rerun", "rescore", "hide", "disqualify", "baseline"):
        assert alice.get(f"/s/{full.best.pk}/{address}/").status_code == 405


def test_rescore_compared_and_applied(full: Full, browser: Browser) -> None:
    sam, alice = browser(full.world.sam), browser(full.world.alice)
    page = sam.post(f"{DASHBOARD}/rescores/begin/", {"phase": "Final"})["Location"]
    assert "0 of 2 re-scored" in sam.get(page).text
    assert sam.get(f"{page}progress/?ended=0").status_code == 204
    assert "0 of 2" in sam.get(f"{page}progress/").text
    rescore = Rescore.objects.get()
    finish(rescore, 0.95, failing=full.best.pk)
    assert sam.get(f"{page}progress/?ended=0")["HX-Refresh"] == "true"
    shown = alice.get(page)
    lines = [(line.change.row.name, line.rank.old, line.rank.new, line.moved) for line in shown.context["lines"]]
    assert lines == [("Carolingians", "2", "1", "up 1"), ("Blobs", "1", "2", "down 1")]
    assert shown.context["lines"][1].change.new.values["accuracy"] == 0.7  # its other submission
    assert "1 submission could not be re-scored" in shown.text
    assert sam.post(f"{page}apply/").status_code in (403, 404)
    full.world.challenge.refresh_from_db()
    revision = full.world.challenge.leaderboard_revision
    alice.post(f"{page}apply/")
    assert said(alice, page) == ["New scores applied."]
    for each in (full.best, full.rival, full.world.challenge):
        each.refresh_from_db()
    assert full.best.counted is None
    assert full.rival.counted is not None
    assert full.rival.counted.rescore == rescore
    assert full.world.challenge.leaderboard_revision == revision + 1
    text = alice.get(page).text
    assert "predictions-invalid" in text
    assert "0.800" in text  # the old score is not lost
    assert full.best.attempts.filter(state=State.SCORED).count() == 1


def test_rescore_refused_and_discarded(full: Full, browser: Browser) -> None:
    sam = browser(full.world.sam)
    sam.post(f"{DASHBOARD}/rescores/begin/", {"phase": "Practice"})
    assert said(sam, f"{DASHBOARD}/rescores/") == [error_line("rescore-empty", phase="Practice")]
    page = sam.post(f"{DASHBOARD}/rescores/begin/", {"phase": "Final"})["Location"]
    sam.post(f"{DASHBOARD}/rescores/begin/", {"phase": "Final"})
    assert said(sam, f"{DASHBOARD}/rescores/") == [error_line("rescore-open", phase="Final")]
    sam.post(f"{page}discard/")
    assert said(sam, page) == ["New scores discarded. The leaderboard has not changed."]
    assert not Attempt.objects.filter(rescore__isnull=False, cancel_requested=None).exists()


def test_rescore_all_failed_not_applied(full: Full, browser: Browser) -> None:
    rescore = begin(full.world.challenge, "Final", full.world.sam)
    failure = {"message": "The scoring program exited with code 3.", "stage": "score", "cause": "organizer"}
    ended = {"state": State.FAILED, "failure_code": "score-exit", "failure_cause": "organizer", "failure": failure}
    rescore.attempts.update(finished=timezone.now(), failure_shown=failure, **ended)
    Rescore.objects.update(state=Rescore.State.READY)
    alice, page = browser(full.world.alice), f"{DASHBOARD}/rescores/{rescore.pk}/"
    text = alice.get(page).text
    assert "They cannot be applied." in text
    assert escape(error_line("rescore-failed")) in text
    assert (f"{page}apply/" in text, f"{page}discard/" in text) == (False, True)
    alice.post(f"{page}apply/")
    assert said(alice, page) == [error_line("rescore-failed")]
    assert Rescore.objects.get().state == Rescore.State.READY


def test_rescore_of_chosen_leaderboard(full: Full, browser: Browser, tmp_path: Path) -> None:
    column = "    columns:\n      - {title: %s, key: %s, index: 0, sorting: asc, precision: 1}\n"
    second = "  - title: Speed\n    key: speed\n" + column % ("Seconds", "seconds")
    folder = write_bundle(tmp_path / "b", yaml=YAML.replace("palio:\n  sub", f"{second}palio:\n  sub"))
    publish(folder, actor=full.world.alice, slug="mednist", note="Speed counts too.")
    full.world.challenge.refresh_from_db()
    rescore = begin(full.world.challenge, "Final", full.world.sam)
    finish(rescore, 0.5)
    alice, page = browser(full.world.alice), f"{DASHBOARD}/rescores/{rescore.pk}/"
    first, other = alice.get(page), alice.get(f"{page}?leaderboard=speed")
    assert [column.key for column in first.context["columns"]] == ["accuracy"]
    assert [column.key for column in other.context["columns"]] == ["seconds"]
    assert 'href="?leaderboard=speed" aria-current="page"' in other.text
    assert alice.get(f"{page}?leaderboard=none").status_code == 404
    api = f"/api/v1/rescores/{rescore.pk}"
    assert {alice.get(api).json()["leaderboard"], alice.get(f"{api}?leaderboard=speed").json()["leaderboard"]} == {
        "main",
        "speed",
    }


def test_rescore_of_other_challenge_not_found(full: Full, browser: Browser) -> None:
    rescore = begin(full.world.challenge, "Final", full.world.sam)
    assert browser(full.world.alice).get(f"/c/draft/manage/rescores/{rescore.pk}/").status_code == 404


def test_announcement_created_changed_deleted(full: Full, browser: Browser) -> None:
    alice, world = browser(full.world.alice), full.world
    refused = alice.post(f"{DASHBOARD}/announcements/new/", {"title": "Hello", "text": " "})
    assert (refused.status_code, "announcement needs a title and a text" in refused.text) == (422, True)
    assert 'value="Hello"' in refused.text
    alice.post(f"{DASHBOARD}/announcements/new/", {"title": "Hello", "text": "**All** <script>x</script>"})
    made = Announcement.objects.get()
    assert "<strong>All</strong>" in browser().get("/c/mednist/announcements/").text
    assert "<script>x" not in browser().get("/c/mednist/announcements/").text
    alice.post(f"{DASHBOARD}/announcements/{made.pk}/", {"title": "Hello", "text": "Everybody"})
    assert "Everybody" in alice.get(f"{DASHBOARD}/announcements/").text
    assert alice.get(f"/c/draft/manage/announcements/{made.pk}/").status_code == 404
    alice.post(f"{DASHBOARD}/announcements/{made.pk}/delete/")
    assert not Announcement.objects.exists()
    events = Event.objects.filter(challenge=world.challenge, kind__startswith="announcement.")
    assert [(event.kind, event.actor) for event in events] == [
        (f"announcement.{what}", world.alice) for what in ("made", "changed", "deleted")
    ]
    assert events[1].detail["before"]["text"] == "**All** <script>x</script>"


def test_events_filtered(full: Full, browser: Browser) -> None:
    alice = browser(full.world.alice)
    alice.post(f"/s/{full.best.pk}/hide/", {"do": "hide"})
    alice.post(f"/s/{full.rival.pk}/disqualify/", {"reason": "No"})
    browser(full.world.sam).post(f"/s/{full.rival.pk}/rescore/")

    def shown(query: str) -> list[str]:
        return [event.kind for event in browser(full.world.vera).get(f"{DASHBOARD}/audit-log/?{query}").context["page"]]

    assert shown("") == ["attempt.moved", "submission.disqualified", "submission.hidden"]
    assert shown("person=alice&kind=submission") == ["submission.disqualified", "submission.hidden"]
    assert shown("kind=submission.hidden") == ["submission.hidden"]
    assert shown(f"submission={full.rival.pk}") == ["attempt.moved", "submission.disqualified"]
    today = timezone.now().date()
    assert len(shown(f"since={today}&until={today}")) == 3
    assert shown(f"since={today + timedelta(days=1)}") == shown(f"until={today - timedelta(days=1)}") == []
    assert shown("person=the+platform") == shown("person=nobody") == shown("submission=a%00b") == []


def test_events_bad_day(full: Full, browser: Browser) -> None:
    answer = browser(full.world.vera).get(f"{DASHBOARD}/audit-log/?since=2026-02-30")
    assert answer.status_code == 422
    assert "The value <code>2026-02-30</code> of “since” is not a day." in answer.text
    told = browser(full.world.vera).get("/api/v1/challenges/mednist/manage/audit-log?until=tomorrow").json()
    assert told["code"] == "date-invalid"


def test_events_as_sentences(full: Full, browser: Browser) -> None:
    browser(full.world.alice).post(f"/s/{full.rival.pk}/disqualify/", {"reason": "It uses <b>the</b> test set."})
    text = browser(full.world.vera).get(f"{DASHBOARD}/audit-log/").text
    assert "<b>alice</b> disqualified it: It uses &lt;b&gt;the&lt;/b&gt; test set." in text
    assert '<option value="submission.disqualified">submission: disqualified</option>' in text


def test_rescore_of_submission_never_scored(full: Full, browser: Browser) -> None:
    """It is not scored before and after: it loses nothing, and is not marked as changed."""
    first = full.broken.attempts.get()
    first.failure = first.failure_shown = {**(first.failure_shown or {}), "stage": "score"}
    first.save()
    predictions = settings.FOLDERS.runs / first.identity / "predictions"
    predictions.mkdir()
    (predictions / "answers.csv").write_text("file,answer\n")
    rescore = begin(full.world.challenge, "Final", full.world.sam)
    finish(rescore, 0.9, failing=full.broken.pk)
    alice, page = browser(full.world.alice), f"{DASHBOARD}/rescores/{rescore.pk}/"
    text = alice.get(page).text
    assert "1 submission not scored" in text
    assert "loses its score" not in text
    found = alice.get(f"/api/v1/rescores/{rescore.pk}").json()
    assert [(each["submission"], each["loses_score"]) for each in found["failed"]] == [(full.broken.pk, False)]
    single = [attempt.submission_id for attempt, _ in alice.get(page).context["single"]]
    assert full.broken.pk not in single


def test_rescore_says_why_a_row_changes(full: Full, browser: Browser) -> None:
    rescore = begin(full.world.challenge, "Final", full.world.sam)
    finish(rescore, 0.95, failing=full.best.pk)
    alice = browser(full.world.alice)
    found = {each["team"]: each for each in alice.get(f"/api/v1/rescores/{rescore.pk}").json()["changes"]}
    assert found["Carolingians"]["reason"] == "Accuracy changed"
    assert found["Blobs"]["reason"] == (
        "another submission counts; the one before has no new score (predictions-invalid)"
    )
    assert "another submission counts" in alice.get(f"{DASHBOARD}/rescores/{rescore.pk}/").text


def test_rescore_ignores_rounding_of_floats(full: Full, browser: Browser) -> None:
    rescore = begin(full.world.challenge, "Final", full.world.sam)
    for attempt in rescore.attempts.select_related("submission__counted"):
        before = attempt.submission.counted
        assert before is not None
        assert before.scores is not None
        attempt.scores = {key: value + 1e-15 for key, value in before.scores.items()}
        attempt.state, attempt.finished = State.SCORED, timezone.now()
        attempt.save()
    Rescore.objects.update(state=Rescore.State.READY)
    alice, page = browser(full.world.alice), f"{DASHBOARD}/rescores/{rescore.pk}/"
    assert "No row changes." in alice.get(page).text
    assert alice.get(page).context["single"] == []

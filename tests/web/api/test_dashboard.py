"""The organizer dashboard over the API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from tests.web.full_challenge import Full, make_full
from tests.web.pages.test_dashboard import finish
from tests.web.world import World

from palio.core.attempt.run_folder import Stage
from palio.web.access.tokens import SCOPES
from palio.web.models import Attempt, Purpose, Registration, Rescore, User
from palio.web.queries.submission import run_folder
from palio.web.verbs.tokens import make_token

Ask = Callable[..., Any]
DASHBOARD = "/challenges/mednist/manage"


@pytest.fixture
def full(world: World, tmp_path: Path) -> Full:
    return make_full(world, tmp_path)


@pytest.fixture
def ask(full: Full) -> Ask:
    """Asks as somebody, with a token for everything; gives status and JSON."""
    secrets: dict[int, str] = {}

    def asking(user: User, method: str, path: str, content: object = None, **headers: str) -> Any:
        if user.pk not in secrets:
            secrets[user.pk] = make_token(user, "test", SCOPES, days=1)[1]
        client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {secrets[user.pk]}", **headers})
        more = {} if method == "get" else {"content_type": "application/json"}
        answer = getattr(client, method)(f"/api/v1{path}", content or {}, **more)
        return answer.status_code, answer.json() if answer.content else None

    return asking


def test_dashboard_summary(full: Full, ask: Ask) -> None:
    status, told = ask(full.world.vera, "get", DASHBOARD)
    assert (status, told["states"], told["pending"]) == (200, {"queued": 1, "predict": 1, "scored": 3, "failed": 2}, 1)
    assert [(each["code"], each["cause"], each["count"]) for each in told["failing"]] == [
        ("scores-missing", "organizer", 1),
        ("predict-time-limit", "participant", 1),
    ]
    assert [each["submission"] for each in told["queue"]["running"]] == [full.running.pk]
    assert [(each["submission"], each["place"]) for each in told["queue"]["waiting"]] == [(full.queued.pk, 1)]
    assert told["queue"]["controller"] == {"lives": False, "last": None, "engine": "", "trouble": ""}


def test_submissions_filtered_and_paged(full: Full, ask: Ask) -> None:
    status, page = ask(full.world.sam, "get", f"{DASHBOARD}/submissions?state=scored&sort=-score&limit=1")
    assert (status, page["count"], page["items"][0]["id"]) == (200, 3, full.best.pk)
    assert page["items"][0]["scores"] == {"accuracy": 0.9, "seconds": 10.0, "secret": 0.123456}
    status, page = ask(full.world.sam, "get", f"{DASHBOARD}/submissions?code=predict-time-limit")
    assert page["items"][0]["failure"]["message"].startswith("FULL")
    assert ask(full.world.sam, "get", f"{DASHBOARD}/submissions?standing=nonsense")[0] == 422


def test_rerun_same_idempotency_key(full: Full, ask: Ask) -> None:
    first = ask(full.world.sam, "post", f"/submissions/{full.best.pk}/rescore", **{"Idempotency-Key": "k"})
    again = ask(full.world.sam, "post", f"/submissions/{full.best.pk}/rescore", **{"Idempotency-Key": "k"})
    assert first == again
    assert (first[0], first[1]["number"], first[1]["purpose"], first[1]["state"]) == (201, 2, "rescore", "queued")
    status, refusal = ask(full.world.sam, "post", f"/submissions/{full.best.pk}/rerun")
    assert (status, refusal["code"]) == (409, "submission-unfinished")


def test_submission_decision_single_request(full: Full, ask: Ask) -> None:
    path = f"/submissions/{full.best.pk}/judge"
    status, told = ask(full.world.alice, "post", path, {"hidden": True, "disqualified": "No", "baseline": True})
    assert (status, bool(told["hidden"]), told["disqualified"], told["baseline"]) == (200, True, "No", True)
    status, told = ask(full.world.alice, "post", path, {"hidden": False, "disqualified": ""})
    assert (status, told["hidden"], told["disqualified"], told["baseline"]) == (200, None, "", True)
    assert ask(full.world.alice, "post", path, {"disqualified": "x" * 501, "hidden": True})[0] == 422
    full.best.refresh_from_db()
    assert full.best.hidden is None


def test_registration_decisions(full: Full, ask: Ask) -> None:
    alice = full.world.alice
    status, page = ask(alice, "get", f"{DASHBOARD}/registrations?state=pending")
    assert (status, [each["user"] for each in page["items"]]) == (200, ["dave"])
    status, told = ask(alice, "post", f"/registrations/{full.pending.pk}/decide", {"approve": True})
    assert (status, told["state"], told["team"], told["decided_by"]) == (200, "approved", "dave", "alice")
    status, page = ask(alice, "get", f"{DASHBOARD}/audit-log?kind=registration")
    assert [(each["who"], each["detail"]["state"]) for each in page["items"]] == [("alice", "approved")]


def test_registrations_decided_together(full: Full, ask: Ask) -> None:
    bob = Registration.objects.get(challenge=full.world.challenge, user=full.world.bob)
    content = {"approve": False, "registrations": [full.pending.pk, bob.pk, "nobody"]}
    status, told = ask(full.world.alice, "post", f"{DASHBOARD}/registrations/decide", content)
    assert (status, told["done"]) == (200, 1)
    assert [(each["name"], each["code"]) for each in told["refused"]] == [("bob", "participant-has-submissions")]
    full.pending.refresh_from_db()
    assert full.pending.state == "refused"
    too_many = {"approve": True, "registrations": ["x"] * 1001}
    assert ask(full.world.alice, "post", f"{DASHBOARD}/registrations/decide", too_many)[0] == 422


def test_rescore_phase_applied(full: Full, ask: Ask) -> None:
    status, begun = ask(full.world.sam, "post", f"{DASHBOARD}/rescores", {"phase": "Final"})
    assert (status, begun["state"], begun["total"], begun["ended"]) == (201, "running", 2, 0)
    assert ask(full.world.sam, "post", f"{DASHBOARD}/rescores", {"phase": "Final"})[1]["code"] == "rescore-open"
    assert ask(full.world.sam, "post", f"{DASHBOARD}/rescores", {"phase": "?"})[1]["code"] == "phase-unknown"
    assert ask(full.world.alice, "post", f"/rescores/{begun['id']}/apply")[1]["code"] == "rescore-running"
    finish(Rescore.objects.get(), 0.95, failing=full.rival.pk)
    status, told = ask(full.world.vera, "get", f"/rescores/{begun['id']}")
    stands = [
        (each["team"], each["old"] and each["old"]["rank"], each["new"] and each["new"]["rank"])
        for each in told["changes"]
    ]
    assert stands == [("Blobs", 1, 1), ("Carolingians", 2, None)]
    assert [(each["submission"], each["failure"]["message"]) for each in told["failed"]] == [
        (full.rival.pk, "It was refused.")
    ]
    status, told = ask(full.world.alice, "post", f"/rescores/{begun['id']}/apply")
    assert (status, told["state"], told["changes"]) == (200, "applied", None)
    assert ask(full.world.alice, "post", f"/rescores/{begun['id']}/discard")[1]["code"] == "rescore-decided"
    assert [each["id"] for each in ask(full.world.vera, "get", f"{DASHBOARD}/rescores")[1]["items"]] == [begun["id"]]


def test_announcement_created_changed_deleted(full: Full, ask: Ask) -> None:
    alice = full.world.alice
    status, made = ask(alice, "post", f"{DASHBOARD}/announcements", {"title": "Hello", "text": "All"})
    assert (status, made["title"], made["author"]) == (201, "Hello", "alice")
    path = f"{DASHBOARD}/announcements/{made['number']}"
    assert ask(alice, "patch", path, {"title": "Hello", "text": "Everybody"})[1]["text"] == "Everybody"
    assert ask(alice, "patch", path, {"title": "", "text": "Everybody"})[1]["code"] == "announcement-incomplete"
    assert ask(full.world.olga, "delete", f"/challenges/other/manage/announcements/{made['number']}")[0] == 404
    assert ask(alice, "delete", path)[0] == 204
    assert ask(alice, "delete", path)[0] == 404
    assert ask(alice, "get", "/challenges/mednist/announcements")[1] == {
        "items": [],
        "count": 0,
        "limit": 50,
        "offset": 0,
    }


def test_organizers_read_logs_attempts_report(full: Full, ask: Ask) -> None:
    world, submission = full.world, full.best
    assert submission.counted is not None
    run = run_folder(submission.counted)
    run.root.mkdir(parents=True, exist_ok=True)
    run.log(Stage.SCORE).write_text("label of 17.jpg\n")
    path = f"/api/v1/submissions/{submission.pk}"
    clients = {user.username: program(user) for user in (world.bob, world.vera)}
    found = {name: client.get(path).json() for name, client in clients.items()}
    assert "score" in found["vera"]["attempt"]["logs"]
    assert "score" not in found["bob"]["attempt"]["logs"]
    logs = {name: client.get(f"{path}/logs/score") for name, client in clients.items()}
    assert (logs["vera"].text, logs["bob"].status_code) == ("label of 17.jpg\n", 404)
    assert [(each["number"], each["purpose"], each["counts"]) for each in found["bob"]["attempts"]] == [
        (1, "first", True)
    ]
    Attempt.objects.create(submission=submission, number=2, purpose=Purpose.RERUN, version=submission.counted.version)
    assert [each["purpose"] for each in clients["bob"].get(path).json()["attempts"]] == ["first", "rerun"]
    run.report.parent.mkdir(parents=True, exist_ok=True)
    run.report.write_text("<p>3 right</p>")
    report = clients["bob"].get(f"{path}/report")
    assert (report.text, report["Content-Disposition"]) == ("<p>3 right</p>", 'attachment; filename="report.html"')
    assert report["Content-Security-Policy"].startswith("sandbox;")


def test_dashboard_disk_usage(full: Full, ask: Ask) -> None:
    status, told = ask(full.world.vera, "get", f"{DASHBOARD}/disk")
    assert (status, sorted(told["parts"])) == (200, ["bundles", "database", "runs", "store", "uploads"])
    assert 0 < told["free_bytes"] < told["total_bytes"]


def test_announcement_identifiers(full: Full, ask: Ask) -> None:
    _, made = ask(full.world.alice, "post", f"{DASHBOARD}/announcements", {"title": "Hello", "text": "All"})
    _, page = ask(full.world.bob, "get", "/challenges/mednist/announcements")
    assert [(each["number"], each["title"]) for each in page["items"]] == [(made["number"], "Hello")]


def program(user: User) -> Client:
    _, secret = make_token(user, "program", SCOPES, days=1)
    return Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {secret}"})

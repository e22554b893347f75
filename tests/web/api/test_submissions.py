"""Uploads, files and submissions through the API."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.http import parse_http_date
from tests.web.scored_submissions import add_submission, publish, write_leaderboard_bundle
from tests.web.submission_files import context_zip, digest
from tests.web.submitting import end, stored
from tests.web.tus import CHUNK_TYPE, VERSION, announcing, appending
from tests.web.world import World

from palio.core.attempt.states import State
from palio.core.errors import PalioError
from palio.core.redaction.failure import for_participant
from palio.web.access.tokens import hashed, new_secret
from palio.web.api.idempotency import remove_old_answers
from palio.web.models import ApiToken, IdempotentAnswer, StoredFile, Submission, User
from palio.web.queries.submission import run_folder
from palio.web.verbs.submit import submit

Browser = Callable[..., Client]
ONE = "/api/v1/challenges/mednist"
CONTENT = context_zip(extra=bytes(5000))


def post(client: Client, path: str, content: object = None, **headers: str) -> Any:
    return client.post(path, json.dumps(content or {}), content_type="application/json", headers=headers)


def program(user: User, *scopes: str) -> Client:
    """Signs in with a token, as programs do."""
    secret = new_secret()
    ApiToken.objects.create(user=user, name="t", scopes=list(scopes), secret_hash=hashed(secret))
    return Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {secret}"}, enforce_csrf_checks=True)


def announce(client: Client, content: bytes) -> str:
    """The address of the upload."""
    answer = client.post(f"{ONE}/uploads", headers=announcing(content))
    assert answer.status_code == 201, answer.content
    return str(answer["Location"])


def test_upload_and_submit_with_token(world: World) -> None:
    bob = program(world.bob, "read", "submit")
    upload = announce(bob, CONTENT)
    for start in range(0, len(CONTENT), 2048):
        chunk = CONTENT[start : start + 2048]
        answer = bob.patch(upload, chunk, CHUNK_TYPE, headers=appending(start, checked=chunk))
        assert (answer.status_code, answer["Upload-Offset"]) == (204, str(start + len(chunk)))
    file = post(bob, f"{upload}/complete").json()
    assert (file["name"], file["kind"], file["sha256"]) == ("m.zip", "context", digest(CONTENT))
    answer = post(bob, f"{ONE}/submit", {"file": file["id"], "note": "n"})
    submission = answer.json()
    assert (answer.status_code, submission["state"], submission["note"], submission["notes"]) == (
        201,
        "queued",
        "n",
        [],
    )
    assert submission["place"]["number"] == 1
    assert [column["title"] for column in submission["columns"]] == ["Accuracy"]
    listed = bob.get(f"{ONE}/submissions").json()
    assert (listed["count"], [each["id"] for each in listed["items"]]) == (1, [submission["id"]])
    files = bob.get(f"{ONE}/files").json()["items"]
    assert [(each["id"], each["submissions"][0]["state"]) for each in files] == [(file["id"], "queued")]
    cancelled = post(bob, f"/api/v1/submissions/{submission['id']}/cancel").json()
    assert (cancelled["state"], cancelled["ended"], cancelled["charged"]) == ("cancelled", True, False)
    assert post(bob, f"/api/v1/files/{file['id']}/delete").status_code == 204
    assert bob.get(f"{ONE}/files").json()["count"] == 0


def test_cancel_counting_needs_confirmation(world: World, browser: Browser, tmp_path: Path) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio="  logs: {predict: tail}\n"))
    world.team.challenge.refresh_from_db()
    submission = add_submission(world.team, state=State.PREDICT)
    bob, address = browser(world.bob), f"/api/v1/submissions/{submission.pk}"
    assert bob.get(address).json()["cancel_counts"] is True
    refused = post(bob, f"{address}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "cancel-counts")
    assert post(bob, f"{address}/cancel", {"counts": True}).json()["cancelling"] is True


def test_upload_tus_protocol(world: World) -> None:
    bob = program(world.bob, "submit", "read")
    options = bob.options(f"{ONE}/uploads")
    assert (options.status_code, options["Tus-Version"]) == (204, "1.0.0")
    assert options["Tus-Extension"] == "creation,checksum,expiration,termination"
    upload = announce(bob, CONTENT)
    bob.patch(upload, CONTENT[:9], CHUNK_TYPE, headers=appending(0))
    head = bob.head(upload, headers=VERSION)
    said = {name: head[name] for name in ("Tus-Resumable", "Upload-Offset", "Upload-Length", "Cache-Control")}
    assert said == {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "9",
        "Upload-Length": str(len(CONTENT)),
        "Cache-Control": "no-store",
    }
    assert head["Upload-Metadata"] == announcing(CONTENT)["Upload-Metadata"]
    assert 86_000 < parse_http_date(head["Upload-Expires"]) - time.time() <= 86_400
    assert bob.delete(upload, headers=VERSION).status_code == 204
    assert bob.head(upload, headers=VERSION).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412, "tus-version"),
        ({"Content-Type": "application/octet-stream"}, 415, "chunk-type"),
        ({"Upload-Offset": "1"}, 409, "offset-differs"),
        ({"Upload-Offset": ""}, 422, "request-invalid"),
        ({"Upload-Checksum": "crc32 AAAA"}, 400, "checksum-invalid"),
        ({"Upload-Checksum": "sha256 AAAA"}, 460, "checksum-differs"),
    ],
)
def test_refused_chunk_keeps_offset(world: World, headers: dict[str, str], status: int, code: str) -> None:
    bob = program(world.bob, "submit", "read")
    upload, sent = announce(bob, CONTENT), appending(0) | headers
    answer = bob.patch(upload, CONTENT, sent.pop("Content-Type"), headers=sent)
    assert (answer.status_code, answer.json()["code"], answer["Tus-Resumable"]) == (status, code, "1.0.0")
    assert bob.head(upload, headers=VERSION)["Upload-Offset"] == "0"


def test_upload_creation_refused(world: World) -> None:
    bob = program(world.bob, "submit", "read")
    for headers, code in (
        (announcing(CONTENT, size_bytes=2**60), "file-too-large"),
        (announcing(CONTENT, metadata={"sha256": ""}), "digest-invalid"),
        (announcing(CONTENT, metadata={"phase": "none"}), "phase-unknown"),
        (announcing(CONTENT) | {"Upload-Metadata": "filename ?"}, "metadata-invalid"),
    ):
        answer = bob.post(f"{ONE}/uploads", headers=headers)
        assert (answer.status_code >= 400, answer.json()["code"]) == (True, code)


def test_refused_file_lists_problems(world: World) -> None:
    bob = program(world.bob, "submit")
    content = context_zip(dockerfile="FROM x\nCOPY lost.py /\n")
    upload = announce(bob, content)
    bob.patch(upload, content, CHUNK_TYPE, headers=appending(0))
    answer = post(bob, f"{upload}/complete")
    said = answer.json()
    assert (answer.status_code, said["code"], said["responsible"]) == (422, "dockerfile-unfit", "participant")
    assert said["evidence"] == ["the Dockerfile, line 2 (COPY lost.py /): lost.py does not exist"]


@pytest.mark.parametrize("path", ["uploads", "submit"])
def test_read_token_cannot_submit(world: World, path: str) -> None:
    answer = post(program(world.bob, "read"), f"{ONE}/{path}", {"file": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "token-scope-missing")


def test_other_team_not_found(world: World, browser: Browser) -> None:
    file = stored(world.team, world.bob)
    submission = submit(file, world.bob).submission
    carol = browser(world.carol)
    for path in (f"files/{file.pk}", f"submissions/{submission.pk}", f"submissions/{submission.pk}/logs/build"):
        assert carol.get(f"/api/v1/{path}").status_code == 404
    assert post(carol, f"/api/v1/submissions/{submission.pk}/cancel").status_code == 404
    answer = post(carol, f"{ONE}/submit", {"file": file.pk})
    assert (answer.status_code, answer.json()["code"]) == (404, "file-unknown")
    assert carol.get(f"{ONE}/submissions").json()["count"] == 0


def test_quota_states_reason(world: World, browser: Browser) -> None:
    submit(stored(world.team, world.bob), world.bob)
    (stands,) = browser(world.bea).get(f"{ONE}/quota").json()
    assert (stands["phase"], stands["kinds"], stands["running"]) == ("Final", ["context", "results"], 1)
    assert stands["refusal"]["code"] == "submission-running"


# -- asking twice


def test_idempotency_key_creates_once(world: World, browser: Browser) -> None:
    bob, file = browser(world.bob), stored(world.team, world.bob)
    first = post(bob, f"{ONE}/submit", {"file": file.pk}, **{"Idempotency-Key": "k"})
    again = post(bob, f"{ONE}/submit", {"file": file.pk}, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Submission.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_idempotency_key_concurrent(world: World, browser: Browser) -> None:
    file = stored(world.team, world.bob)
    browsers = [browser(world.bob) for _ in range(4)]
    start = threading.Barrier(4)

    def ask(bob: Client) -> tuple[int, str]:
        start.wait()
        try:
            answer = post(bob, f"{ONE}/submit", {"file": file.pk}, **{"Idempotency-Key": "k"})
            return answer.status_code, answer.json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, browsers))
    assert answers == {(201, Submission.objects.get().pk)}


def test_idempotency_key_of_other_request(world: World, browser: Browser) -> None:
    bob, file = browser(world.bob), stored(world.team, world.bob)
    post(bob, f"{ONE}/submit", {"file": file.pk}, **{"Idempotency-Key": "k"})
    other = post(bob, f"{ONE}/submit", {"file": file.pk, "note": "other"}, **{"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")


def test_idempotency_key_after_refusal(world: World, browser: Browser) -> None:
    bob, file = browser(world.bob), stored(world.team, world.bob)
    running = submit(file, world.bob).submission
    refused = post(bob, f"{ONE}/submit", {"file": file.pk}, **{"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["code"]) == (409, "submission-running")
    assert IdempotentAnswer.objects.count() == 0
    end(running)
    assert post(bob, f"{ONE}/submit", {"file": file.pk}, **{"Idempotency-Key": "k"}).status_code == 201


def test_idempotency_key_scope_and_expiry(world: World, browser: Browser) -> None:
    for user, team in ((world.bob, world.team), (world.carol, world.rivals)):
        file = stored(team, user)
        answer = post(browser(user), f"{ONE}/submit", {"file": file.pk}, **{"Idempotency-Key": "k"})
        assert answer.status_code == 201
    assert remove_old_answers(timezone.now() + timedelta(hours=23)) == 0
    assert remove_old_answers(timezone.now() + timedelta(hours=25)) == 2


# -- watching


def test_failure_participant_view(world: World, browser: Browser) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    attempt = end(submission, State.FAILED)
    own = PalioError(
        "score-exit", stage="score", exit_code=1, next_step="Read it.", evidence=["label of 17.jpg"]
    ).failure
    attempt.failure, attempt.failure_shown = own.as_json(), for_participant(own).as_json()
    attempt.save()
    for reader in (world.bob, world.alice):
        answer = browser(reader).get(f"/api/v1/submissions/{submission.pk}")
        failure = answer.json()["failure"]
        assert (failure["code"], failure["action_needed"]) == ("score-exit", "the organizer")
        assert "17.jpg" not in answer.text


def test_failure_names_responsible_party(world: World, browser: Browser) -> None:
    submission = add_submission(world.team, failure="predict-exit")
    path = f"/api/v1/submissions/{submission.pk}"
    failures = {user.username: browser(user).get(path).json()["failure"] for user in (world.bob, world.alice)}
    needed = {name: failure["action_needed"] for name, failure in failures.items()}
    assert needed == {"bob": "you", "alice": "the participant"}


def test_log_from_participant_view(world: World, browser: Browser) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    attempt = end(submission)
    folder = run_folder(attempt)
    (folder.root / "participant").mkdir(parents=True)
    (folder.root / "participant/build.log").write_text("built\n")
    (folder.root / "score.log").write_text("hidden\n")
    bob = browser(world.bob)
    assert bob.get(f"/api/v1/submissions/{submission.pk}").json()["attempt"]["logs"] == ["build"]
    log = bob.get(f"/api/v1/submissions/{submission.pk}/logs/build")
    assert (log.text, log.headers["Content-Type"]) == ("built\n", "text/plain; charset=utf-8")
    refused = bob.get(f"/api/v1/submissions/{submission.pk}/logs/score")
    assert (refused.status_code, refused.json()["code"]) == (404, "log-unavailable")


def test_receipt_after_end(world: World, browser: Browser) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    path = f"/api/v1/submissions/{submission.pk}/receipt"
    assert browser(world.bob).get(path).status_code == 404
    folder = run_folder(end(submission))
    folder.root.mkdir(parents=True)
    (folder.root / "receipt.json").write_text('{"statement": 1}')
    answer = browser(world.bob).get(path)
    assert (json.loads(b"".join(answer)), answer.headers["Content-Disposition"]) == (
        {"statement": 1},
        'attachment; filename="receipt.json"',
    )


# -- how often


def test_rate_limit_retry_after(world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.web.api.rate_limit.CHANGES", 3)
    bob, file = browser(world.bob), stored(world.team, world.bob)
    answers = [post(bob, f"/api/v1/files/{file.pk}/delete") for _ in range(8)]  # more than two windows take
    refused = next(answer for answer in answers if answer.status_code != 204)
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert bob.get(f"{ONE}/files").status_code == 200  # questions are counted apart


def test_list_paged(world: World, browser: Browser) -> None:
    for number in range(3):
        stored(world.team, world.bob, given={"x.txt": str(number)})
    page = browser(world.bob).get(f"{ONE}/files?limit=2&offset=2").json()
    assert (len(page["items"]), page["count"], page["limit"], page["offset"]) == (1, 3, 2, 2)
    assert browser(world.bob).get(f"{ONE}/files?limit=0").status_code == 422
    assert StoredFile.objects.count() == 3


def test_odd_characters(world: World, browser: Browser) -> None:
    """NUL and halves of surrogate pairs, which databases do not take."""
    bob, file = browser(world.bob), stored(world.team, world.bob)
    assert post(bob, f"{ONE}/submit", {"file": "\0"}).status_code == 422
    assert bob.get("/api/v1/submissions/%00").status_code == 404
    assert bob.get(f"{ONE}/submissions?phase=%00").status_code == 422
    assert post(bob, f"{ONE}/submit", {"file": file.pk, "phase": "\0"}).status_code == 422
    surrogate = bob.post(f"{ONE}/submit", f'{{"file": "{file.pk}", "note": "\\ud800"}}', "application/json")
    assert surrogate.status_code in (400, 422)
    answer = post(bob, f"{ONE}/submit", {"file": file.pk, "note": "a\0b"})
    assert (answer.status_code, answer.json()["note"]) == (201, "ab")

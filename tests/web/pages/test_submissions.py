"""Handing in from a browser that runs no script; and what is said before a file is chosen."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from tests.bundles import ANSWERS, YAML, answers, write_bundle
from tests.monai_bundles import CHALLENGE, INFERENCE, monai_files, with_classes, zip_files
from tests.web.scored_submissions import publish, write_leaderboard_bundle
from tests.web.submission_files import below, context_zip
from tests.web.submitting import end, stored
from tests.web.world import World

from palio.core.attempt.states import State
from palio.core.errors import PalioError
from palio.web.models import Attempt, Registration, StoredFile, Submission
from palio.web.verbs.submit import submit

Browser = Callable[..., Client]
PAGE, LIST = "/c/mednist/submit/", "/c/mednist/submissions/"


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_submit_page_limits(world: World, browser: Browser) -> None:
    said = words(browser(world.bob).get(PAGE).text)
    for each in ("5 submissions left", "0 of 5 used", "0 of 20 used", "up to 20.0 GiB", "a zip with a Dockerfile"):
        assert each in said
    assert "No files yet" in said


def test_submit_page_ingestion_program(world: World, browser: Browser, tmp_path: Path) -> None:
    sentence = "runs in one process with the challenge's ingestion program"
    assert sentence not in words(browser(world.bob).get(PAGE).text)
    task = "    scoring_program: scoring_program\n"
    yaml = YAML.replace("[context, results]", "[code]").replace(task, f"{task}    ingestion_program: ingestion\n")
    bundle = write_bundle(tmp_path / "bundle", yaml=yaml)
    (bundle / "ingestion").mkdir()
    (bundle / "ingestion" / "metadata").write_text("command: python $program/run.py")
    publish(world.challenge, bundle)
    assert sentence in words(browser(world.bob).get(PAGE).text)


def test_monai_bundle_classes_checked(world: World, browser: Browser, tmp_path: Path) -> None:
    publish(world.challenge, write_bundle(tmp_path / "bundle", yaml=CHALLENGE))
    said = words(browser(world.bob).get(PAGE).text)
    assert "a MONAI bundle, without a Dockerfile" in said
    assert "of its output must be 0: no , 1: yes" in said

    def post(files: dict[str, str]) -> Any:
        content = zip_files(tmp_path / "b.zip", files).read_bytes()
        return browser(world.bob).post(PAGE, {"file": SimpleUploadedFile("b.zip", content), "phase": "Final"})

    answer = post(monai_files(metadata=json.dumps(with_classes("yes", "no"))))
    assert (answer.status_code, Submission.objects.count()) == (422, 0)
    assert "the same classes in another order" in words(answer.text)
    config = json.dumps(INFERENCE)
    assert post(monai_files(inference=config.replace("dataset_dir", "data"))).status_code == 302
    file = Submission.objects.get().file
    assert file.kind == "monai"
    assert "`dataset_dir`" in file.notes[0]


def test_form_without_script_submits(world: World, browser: Browser) -> None:
    content = context_zip(extra=bytes(4_000_000))
    file = SimpleUploadedFile("model.zip", content)
    answer = browser(world.bob).post(PAGE, {"file": file, "phase": "Final", "note": "by form", "kind": ""})
    submission = Submission.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/s/{submission.pk}/")
    assert (submission.note, submission.file.name, submission.file.size_bytes) == ("by form", "model.zip", len(content))
    assert [name for name in below(settings.FOLDERS.uploads) if "model" in name] == []


def test_form_without_script_refuses(world: World, browser: Browser) -> None:
    content = context_zip(dockerfile="FROM x\nCOPY lost.py /\n")
    answer = browser(world.bob).post(
        PAGE, {"file": SimpleUploadedFile("m.zip", content), "phase": "Final", "note": "n"}
    )
    said = words(answer.text)
    assert answer.status_code == 422
    assert "line 2 (COPY lost.py /): lost.py does not exist" in said
    assert "Next step: Fix what is listed" in said
    assert 'value="n"' in answer.text  # the note need not be typed again
    assert (Submission.objects.count(), StoredFile.objects.count()) == (0, 0)


def test_form_after_deadline_keeps_file(world: World, browser: Browser, tmp_path: Path) -> None:
    """As the refusal says: it is in the list, to be chosen for a phase that is open."""
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "over", final="    end: 2026-01-02 00:00\n"))
    file = SimpleUploadedFile("late.zip", context_zip())
    answer = browser(world.bob).post(PAGE, {"file": file, "phase": "Final"})
    said = words(answer.text)
    assert (answer.status_code, "closed on 2026-01-02 at 00:00 UTC" in said) == (409, True)
    assert "the files that you have uploaded are kept" in said
    assert ([each.name for each in StoredFile.objects.all()], Submission.objects.count()) == (["late.zip"], 0)
    assert re.search("late.zip.*none", said)


def test_submission_pages_tab(world: World, browser: Browser) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    tabs = {
        (user.username, path): re.findall(r'aria-current="page">([^<]*)<', browser(user).get(path).text)
        for user, path in (
            (world.bob, PAGE),
            (world.bob, LIST),
            (world.bob, f"/s/{submission.pk}/"),
            (world.alice, f"/s/{submission.pk}/"),
        )
    }
    assert [*tabs.values()] == [["My submissions"], ["My submissions"], ["My submissions"], ["Manage"]]


def test_form_without_file(world: World, browser: Browser) -> None:
    answer = browser(world.bob).post(PAGE, {"phase": "Final"})
    assert (answer.status_code, PalioError("file-missing").failure.message in answer.text) == (422, True)


def test_form_kind_overrides_content(world: World, browser: Browser) -> None:
    file = SimpleUploadedFile("answers.zip", context_zip())
    browser(world.bob).post(PAGE, {"file": file, "phase": "Final", "kind": "results"})
    assert StoredFile.objects.get().kind == "results"


def test_earlier_file_resubmitted_with_note(world: World, browser: Browser) -> None:
    file = stored(world.team, world.bob)
    end(submit(file, world.bob).submission, charged=True)
    bea = browser(world.bea)
    said = words(bea.get(PAGE).text)
    assert "answers.csv" in said
    assert "scored 0.5" in said
    assert 'name="note"' in bea.get(PAGE).text.partition('id="files"')[2]
    answer = bea.post(f"{PAGE}file/", {"file": file.pk, "phase": "Final", "note": "once more"}, follow=True)
    assert "this file was submitted to this phase before" in answer.text
    assert [each.note for each in Submission.objects.order_by("created")] == ["", "once more"]


def test_earlier_file_of_other_team_not_found(world: World, browser: Browser) -> None:
    file = stored(world.rivals, world.carol)
    assert "answers.csv" not in browser(world.bob).get(PAGE).text
    assert browser(world.bob).post(f"{PAGE}file/", {"file": file.pk}).status_code == 404
    assert browser(world.bob).post(f"/files/{file.pk}/delete/").status_code == 404


def test_delete_file_from_list(world: World, browser: Browser) -> None:
    file = stored(world.team, world.bob)
    page = browser(world.bea).post(f"/files/{file.pk}/delete/", follow=True)
    assert "answers.csv deleted" in page.text
    assert StoredFile.objects.filter(deleted=None).count() == 0


def test_form_absent_while_running(world: World, browser: Browser) -> None:
    submit(stored(world.team, world.bob), world.bob)
    page = browser(world.bob).get(PAGE).text
    assert 'id="upload"' not in page
    assert PalioError("submission-running", count="1 submission").failure.message in page
    file = SimpleUploadedFile("other.csv", answers(ANSWERS | {"x": "y"}).encode())
    assert browser(world.bob).post(PAGE, {"file": file, "phase": "Final"}).status_code == 409


def test_form_absent_until_terms_accepted(world: World, browser: Browser) -> None:
    Registration.objects.filter(user=world.bob).update(terms_digest="0" * 64)
    page = browser(world.bob).get(PAGE).text
    assert 'id="upload"' not in page
    assert "Review and accept the new terms" in page


def test_cancel_and_withdraw_by_button(world: World, browser: Browser) -> None:
    bob = browser(world.bob)
    submission = submit(stored(world.team, world.bob), world.bob).submission
    assert bob.get(f"/s/{submission.pk}/cancel/").status_code == 405
    bob.post(f"/s/{submission.pk}/cancel/")
    assert submission.attempts.get().state == "cancelled"
    bob.post(f"/s/{submission.pk}/withdraw/")
    submission.refresh_from_db()
    assert submission.withdrawn is not None


def test_own_submissions_listed(world: World, browser: Browser) -> None:
    assert "No submissions yet" in browser(world.bob).get(LIST).text
    end(submit(stored(world.team, world.bob), world.bob, note="the best").submission, charged=True)
    submit(stored(world.rivals, world.carol, "carols.csv"), world.carol)
    said = words(browser(world.bea).get(LIST).text)
    for each in ("answers.csv", "scored", "0.500", "yes", "the best"):
        assert each in said
    assert "carols.csv" not in said


def test_long_list_paged(world: World, browser: Browser) -> None:
    file = stored(world.team, world.bob)
    Submission.objects.bulk_create(
        Submission(
            challenge=world.challenge,
            phase="Final",
            team=world.team,
            user=world.bob,
            file=file,
            created=timezone.now() - timedelta(minutes=number),
        )
        for number in range(51)
    )
    assert "Page 1 of 2" in browser(world.bob).get(LIST).text
    assert browser(world.bob).get(f"{LIST}?page=2").text.count("<tr>") == 2


def test_submit_page_stranger(world: World, browser: Browser) -> None:
    assert browser().get(PAGE).headers["Location"].startswith("/accounts/login/")
    assert browser(world.dave).get(PAGE).status_code == 403


SHEET = """\
fact_sheet:
  method: {type: text, title: "Your method", is_required: "true"}
  pretrained: {type: checkbox, title: Pretrained, selection: [true, false]}
  size: {type: select, title: Size, selection: [small, large]}
"""


def ask(world: World, folder: Path) -> None:
    publish(world.challenge, write_bundle(folder / "asking", yaml=YAML.replace("palio:\n", f"{SHEET}palio:\n")))


def test_form_fact_sheet_questions(world: World, browser: Browser, tmp_path: Path) -> None:
    ask(world, tmp_path)
    bob = browser(world.bob)
    assert "Your method" in words(bob.get(PAGE).text)
    form = {"phase": "Final", "answer-size": "large", "answer-method": " ", "answer-pretrained": "yes"}
    content = answers(ANSWERS).encode()
    refused = bob.post(PAGE, form | {"file": SimpleUploadedFile("a.csv", content)})
    assert (refused.status_code, PalioError("answers-invalid", count="1 problem").failure.message) == (
        422,
        refused.context["failure"].message,
    )
    assert "<option selected>large</option>" in refused.text  # it need not be answered again
    assert Submission.objects.count() == 0
    form |= {"answer-method": "<i>CNN</i>"}
    done = bob.post(PAGE, form | {"file": SimpleUploadedFile("a.csv", content)})
    assert Submission.objects.get().answers == {"method": "<i>CNN</i>", "pretrained": True, "size": "large"}
    assert "&lt;i&gt;CNN&lt;/i&gt;" in bob.get(done.headers["Location"]).text


def test_form_starts_with_the_answers_of_the_last_submission(world: World, browser: Browser, tmp_path: Path) -> None:
    ask(world, tmp_path)
    bob = browser(world.bob)
    assert 'value="CNN"' not in bob.get(PAGE).text
    form = {"phase": "Final", "answer-size": "large", "answer-method": "CNN", "answer-pretrained": "yes"}
    bob.post(PAGE, form | {"file": SimpleUploadedFile("a.csv", answers(ANSWERS).encode())})
    Attempt.objects.update(state=State.SCORED, scores={"accuracy": 1.0})
    shown = bob.get(PAGE).text
    assert 'value="CNN"' in shown
    assert "<option selected>large</option>" in shown
    assert 'name="answer-pretrained" value="yes" checked' in shown
    form = {"phase": "Final", "answer-method": "SVM"}  # and nothing checked or selected
    bob.post(PAGE, form | {"file": SimpleUploadedFile("a.csv", answers(ANSWERS).encode())})
    Attempt.objects.update(state=State.SCORED, scores={"accuracy": 1.0})
    again = bob.get(PAGE).text
    assert 'value="SVM"' in again
    assert " checked>" not in again
    assert "selected>large" not in again


def test_earlier_file_resubmitted_with_answers(world: World, browser: Browser, tmp_path: Path) -> None:
    ask(world, tmp_path)
    file = stored(world.team, world.bob)
    bob = browser(world.bob)
    assert f"file={file.pk}" in bob.get(PAGE).text
    shown = bob.get(PAGE, {"phase": "Final", "file": file.pk}).text
    assert f'<input type="hidden" name="file" value="{file.pk}">' in shown
    bob.post(f"{PAGE}file/", {"file": file.pk, "phase": "Final", "answer-method": "CNN"})
    assert Submission.objects.get().answers == {"method": "CNN", "pretrained": False}


def test_api_requires_answers(world: World, browser: Browser, tmp_path: Path) -> None:
    ask(world, tmp_path)
    file, bob = stored(world.team, world.bob), browser(world.bob)
    questions = bob.get("/api/v1/challenges/mednist").json()["questions"]
    assert [(each["key"], each["type"], each["required"]) for each in questions] == [
        ("method", "text", True),
        ("pretrained", "checkbox", False),
        ("size", "select", False),
    ]

    def submit_with(given: dict[str, object]) -> tuple[int, str]:
        found = bob.post("/api/v1/challenges/mednist/submit", {"file": file.pk, "answers": given}, "application/json")
        return found.status_code, found.json().get("code", "")

    assert submit_with({"method": "CNN", "size": "huge"}) == (422, "answers-invalid")
    assert submit_with({"method": "CNN", "pretrained": False}) == (201, "")
    assert Submission.objects.get().answers == {"method": "CNN", "pretrained": False}

"""Handing in, cancelling, withdrawing, and the files that it was made from."""

import pytest
from django.conf import settings
from django.utils import timezone
from tests.web.submitting import end, stored
from tests.web.world import World

from palio.core.attempt.states import State
from palio.core.errors import PalioError
from palio.web.models import Attempt, Event, Registration, StoredFile, Submission
from palio.web.storage.files import file_path
from palio.web.verbs.files import delete_file
from palio.web.verbs.submit import cancel, submit, withdraw


def kinds(submission: Submission) -> list[str]:
    return list(Event.objects.filter(submission=submission).values_list("kind", flat=True))


def test_submit_queued(world: World) -> None:
    file = stored(world.team, world.bob)
    handed = submit(file, world.bea, note="  the first ")
    submission = handed.submission
    attempt = submission.attempts.get()
    assert (submission.team, submission.user, submission.phase, submission.note, submission.charged) == (
        world.team,
        world.bea,
        "Final",
        "the first",
        False,
    )
    assert (attempt.state, attempt.number, attempt.version) == (State.QUEUED, 1, world.challenge.current)
    assert kinds(submission) == ["submission.created", "attempt.moved"]
    assert handed.notes == ()


def test_submit_same_file_again(world: World) -> None:
    file = stored(world.team, world.bob)
    end(submit(file, world.bob).submission, charged=True)
    handed = submit(file, world.bob)
    assert len(handed.notes) == 1
    assert handed.notes[0].startswith("this file was submitted to this phase before, on ")
    assert handed.notes[0].endswith(", which ended as scored")


def test_submit_same_file_running(world: World) -> None:
    file = stored(world.team, world.bob)
    submit(file, world.bob)
    with pytest.raises(PalioError) as error:
        submit(file, world.bob)
    assert error.value.code == "submission-running"
    assert Attempt.objects.count() == 1


def test_submit_terms_changed(world: World) -> None:
    file = stored(world.team, world.bob)
    Registration.objects.filter(user=world.bob).update(terms_digest="0" * 64)
    with pytest.raises(PalioError) as error:
        submit(file, world.bob)
    assert error.value.code == "terms-changed"


def test_submit_note_too_long(world: World) -> None:
    with pytest.raises(PalioError) as error:
        submit(stored(world.team, world.bob), world.bob, note="x" * 501)
    assert (error.value.code, error.value.status) == ("note-too-long", 422)


def test_cancel_queued(world: World) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    attempt = cancel(submission, world.bea)
    assert (attempt.state, attempt.finished, attempt.ended) == (State.CANCELLED, attempt.cancel_requested, True)
    submission.refresh_from_db()
    assert submission.charged is False
    assert kinds(submission)[2:] == ["attempt.cancel-requested", "attempt.moved"]
    submit(stored(world.team, world.bob), world.bob)  # the team's place is free


def test_cancel_running(world: World) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    submission.attempts.update(state=State.PREDICT)
    first, again = cancel(submission, world.bob), cancel(submission, world.bea)
    assert (first.state, first.cancel_requested is not None) == (State.PREDICT, True)
    assert again.cancel_requested == first.cancel_requested
    assert kinds(submission)[2:] == ["attempt.cancel-requested"]


def test_cancel_finished(world: World) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    end(submission)
    with pytest.raises(PalioError) as error:
        cancel(submission, world.bob)
    assert error.value.code == "submission-finished"


def test_withdraw_submission(world: World) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    with pytest.raises(PalioError) as error:
        withdraw(submission, world.bob)
    assert error.value.code == "submission-unfinished"
    end(submission, charged=True)
    before = timezone.now()
    withdraw(submission, world.bob)
    withdraw(submission, world.bea)
    submission.refresh_from_db()
    assert submission.withdrawn is not None
    assert before <= submission.withdrawn
    assert submission.charged is True
    assert kinds(submission).count("submission.withdrawn") == 1
    world.challenge.refresh_from_db()
    assert world.challenge.leaderboard_revision == 1


def test_delete_file_keeps_submissions(world: World) -> None:
    file = stored(world.team, world.bob)
    submission = submit(file, world.bob).submission
    with pytest.raises(PalioError) as error:
        delete_file(file, world.bob)
    assert error.value.code == "file-in-use"
    end(submission)
    delete_file(file, world.bob)
    delete_file(file, world.bea)
    assert not file_path(settings.FOLDERS, file.sha256).exists()
    assert Submission.objects.get().file.deleted is not None
    assert Event.objects.filter(kind="file.deleted").count() == 1
    with pytest.raises(PalioError) as error:
        submit(StoredFile.objects.get(pk=file.pk), world.bob)
    assert error.value.code == "file-deleted"
    assert stored(world.team, world.bob).pk != file.pk  # it can be uploaded again


def test_delete_file_shared_with_other_team(world: World) -> None:
    ours, theirs = stored(world.team, world.bob), stored(world.rivals, world.carol)
    delete_file(ours, world.bob)
    assert file_path(settings.FOLDERS, theirs.sha256).is_file()
    delete_file(theirs, world.carol)
    assert not file_path(settings.FOLDERS, theirs.sha256).exists()

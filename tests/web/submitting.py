"""What tests of uploads and submissions do again and again."""

import io

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from tests.bundles import ANSWERS, answers
from tests.web.submission_files import digest

from palio.core.attempt.states import State
from palio.core.errors import PalioError
from palio.web.models import Attempt, StoredFile, Submission, Team, Upload, User
from palio.web.verbs.complete_upload import complete_upload, take_whole
from palio.web.verbs.receive_chunk import append_chunk
from palio.web.verbs.uploads import begin_upload, offset_of


def announce(team: Team, user: User, content: bytes, name: str = "model.zip") -> Upload:
    return begin_upload(team, user, name=name, size_bytes=len(content), sha256=digest(content))


def send(upload: Upload, content: bytes, until: int | None = None) -> None:
    """Sends what is missing of the first `until` bytes, or of all."""
    start = offset_of(upload)
    chunk = content[start:until]
    append_chunk(upload, start, len(chunk), io.BytesIO(chunk))


def upload(team: Team, user: User, content: bytes, name: str = "model.zip") -> StoredFile:
    coming = announce(team, user, content, name)
    send(coming, content)
    return complete_upload(coming, user)


def stored(team: Team, user: User, name: str = "answers.csv", given: dict[str, str] | None = None) -> StoredFile:
    """A file of the team, of kind results."""
    content = answers(given or ANSWERS).encode()
    return take_whole(team, user, SimpleUploadedFile(name, content))


def end(submission: Submission, state: State = State.SCORED, *, charged: bool = False) -> Attempt:
    """Ends the attempt that runs, as the controller would."""
    attempt = submission.attempts.get(finished=None)
    attempt.state, attempt.finished, attempt.moved = state, timezone.now(), timezone.now()
    if state == State.SCORED:
        attempt.scores = {"accuracy": 0.5}
    if state == State.FAILED:
        failure = PalioError("predict-exit", stage="predict", exit_code=1).failure
        attempt.failure = attempt.failure_shown = failure.as_json()
        attempt.failure_code, attempt.failure_cause = failure.code, failure.cause
    attempt.save()
    submission.charged = charged
    submission.counted = attempt if state == State.SCORED else None
    submission.save()
    return attempt


def runs(attempt: Attempt) -> str:
    return str(settings.FOLDERS.runs / attempt.identity)

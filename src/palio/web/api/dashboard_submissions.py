"""Submissions, for organizers: list, re-run, re-score, judge."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Router, Schema, Status
from ninja.decorators import decorate_view
from pydantic import Field

from palio.web.api.idempotency import once
from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Attempt, Challenge, Submission
from palio.web.queries import dashboard_submissions as submissions
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import judge
from palio.web.verbs.baseline import set_baseline
from palio.web.verbs.rerun import rerun, rescore_one

router = Router(tags=["dashboard"])


class DashboardSubmissionOut(Schema):
    """A submission as organizers see it: with the full `failure` and all scores, including hidden columns."""

    id: str
    phase: str
    team: str
    team_id: str
    user: str
    file: str
    kind: str
    sha256: str
    note: str
    created: datetime
    attempt: str
    attempts: int
    version: int
    engine: str
    state: str
    started: datetime | None
    finished: datetime | None
    failure: dict[str, Any] | None
    counted: str | None
    scores: dict[str, float] | None
    charged: bool
    hidden: datetime | None
    withdrawn: datetime | None
    disqualified: str
    baseline: bool


class QueuedAttemptOut(Schema):
    submission: str
    attempt: str
    number: int
    purpose: str
    state: str


class JudgeIn(Schema):
    """Only the given fields change. An empty `disqualified` reinstates the submission."""

    hidden: bool | None = None
    disqualified: str | None = Field(None, max_length=10_000)
    baseline: bool | None = None


@router.get(
    "/challenges/{challenge}/manage/submissions",
    response=Paged[DashboardSubmissionOut],
    url_name="dashboard-submissions",
)
def list_submissions(
    request: Request[Challenge],
    challenge: str,
    page: PageQuery,
    asked: Annotated[submissions.SubmissionFilter, Query()],
) -> dict[str, Any]:
    """List the submissions that match. `sort` is created, team, phase, state, file, finished or score, with a leading
    minus for descending.
    """
    found = request.subject
    wanted = submissions.SubmissionFilter.of(asked.model_dump())
    rows = submissions.find(found, wanted, current_bundle(found).leaderboard.primary.key)
    return page_of(rows, page, _submission)


@router.post("/submissions/{submission}/rerun", response={201: QueuedAttemptOut}, url_name="rerun-submission")
@decorate_view(once)
def rerun_submission(request: Request[Submission], submission: str) -> Status[Any]:
    """Run all stages again. If it is scored, the new score counts."""
    return Status(201, _queued(rerun(request.subject, signed_in(request))))


@router.post("/submissions/{submission}/rescore", response={201: QueuedAttemptOut}, url_name="rescore-submission")
@decorate_view(once)
def rescore_submission(request: Request[Submission], submission: str) -> Status[Any]:
    """Score the predictions of an earlier attempt again with the current version."""
    return Status(201, _queued(rescore_one(request.subject, signed_in(request))))


@router.post("/submissions/{submission}/judge", response=DashboardSubmissionOut, url_name="judge-submission")
def judge_submission(request: Request[Submission], submission: str, content: JudgeIn) -> dict[str, Any]:
    """Hide or show it, disqualify or reinstate it, mark or unmark it as a baseline."""
    found, actor = request.subject, signed_in(request)
    if content.disqualified is not None:
        if content.disqualified:
            judge.disqualify(found, actor, content.disqualified)
        else:
            judge.reinstate(found, actor)
    if content.hidden is not None:
        (judge.hide if content.hidden else judge.unhide)(found, actor)
    if content.baseline is not None:
        set_baseline(found, actor, baseline=content.baseline)
    return _submission(submissions.latest_attempts(found.challenge).get(submission=found))


def _submission(attempt: Attempt) -> dict[str, Any]:
    submission = attempt.submission
    return {
        "id": submission.pk,
        "phase": submission.phase,
        "team": submission.team.name,
        "team_id": submission.team_id,
        "user": submission.user.username,
        "file": submission.file.name,
        "kind": submission.file.kind,
        "sha256": submission.file.sha256,
        "note": submission.note,
        "created": submission.created,
        "attempt": attempt.identity,
        "attempts": attempt.number,
        "version": attempt.version.number,
        "engine": attempt.engine,
        "state": attempt.state,
        "started": attempt.started,
        "finished": attempt.finished,
        "failure": attempt.failure,
        "counted": submission.counted_id,
        "scores": submission.counted.scores if submission.counted else None,
        "charged": submission.charged,
        "hidden": submission.hidden,
        "withdrawn": submission.withdrawn,
        "disqualified": submission.disqualified,
        "baseline": submission.baseline,
    }


def _queued(attempt: Attempt) -> dict[str, Any]:
    return {
        "submission": attempt.submission_id,
        "attempt": attempt.identity,
        "number": attempt.number,
        "purpose": attempt.purpose,
        "state": attempt.state,
    }

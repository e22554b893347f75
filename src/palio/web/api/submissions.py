"""Submitting, and a team's submissions."""

from datetime import datetime
from typing import Annotated, Any

from django.http import Http404, HttpResponse
from ninja import Query, Router, Schema, Status
from ninja.decorators import decorate_view
from pydantic import Field

from palio.core.attempt.run_folder import Stage
from palio.core.errors import PalioError
from palio.web.access.rules import VIEWER
from palio.web.api.files import FileOut
from palio.web.api.idempotency import once
from palio.web.api.leaderboard import ColumnOut
from palio.web.api.openapi import ErrorOut, answers
from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Relation, Request, signed_in
from palio.web.models import Challenge, StoredFile, Submission, User
from palio.web.queries.case_summary import shown_summary, standing_of
from palio.web.queries.submission import (
    REPORT_HEADERS,
    full_log,
    latest_attempt,
    receipt_path,
    report_html,
    shown_log,
    shown_submission,
    shown_whole,
)
from palio.web.queries.submissions import submissions_of
from palio.web.verbs import choose, submission_limits, submit
from palio.web.verbs.engine_support import left_out
from palio.web.verbs.teams import require_team

router = Router(tags=["submissions"])


class SubmitIn(Schema):
    file: str = Field(pattern="^[a-z2-7]{1,16}$")  # the ID of one of the team's files
    phase: str | None = None  # default: the open phase
    note: str = Field("", max_length=submit.NOTE_CHARACTERS)
    answers: dict[str, str | bool] = Field({}, max_length=1000)  # to the challenge's questions, by their keys


class QuotaOut(Schema):
    """Your team's limits and usage in a phase; null means no limit. `refusal` is why it cannot submit now, `left_out`
    why the platform cannot evaluate some of the phase's kinds.
    """

    phase: str
    opens: datetime
    closes: datetime | None
    kinds: list[str]
    left_out: dict[str, str]
    most_bytes: int
    per_day: int | None
    in_all: int | None
    used_today: int
    used: int
    left: int | None
    left_today: int | None
    running: int
    at_the_same_time: int
    back: datetime | None
    refusal: ErrorOut | None


class StageOut(Schema):
    started: datetime
    finished: datetime | None
    wall_s: float | None
    end: str | None
    exit_code: int | None = None
    peak_memory_bytes: int | None = None
    peak_pids: int | None = None
    cpu_s: float | None = None


class AttemptSummaryOut(Schema):
    """One of all attempts, oldest first. `counts`: its scores are those of the submission."""

    identity: str
    number: int
    purpose: str
    state: str
    failure_code: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    version: int
    counts: bool


class AttemptOut(Schema):
    """An attempt; `logs` are the stages whose logs may be read."""

    identity: str
    number: int
    purpose: str
    state: str
    engine: str
    substitute: dict[str, str] | None  # the challenge's image (`name`) and what was used instead (`substitute`)
    created: datetime
    not_before: datetime | None
    started: datetime | None
    moved: datetime
    finished: datetime | None
    stages: dict[str, StageOut]
    logs: list[str]


class SubmissionOut(Schema):
    """`scores` has the visible columns; `failure` is as the team sees it; in it, `action_needed` names the
    responsible party."""

    id: str
    challenge: str
    phase: str
    team: str
    user: str
    file: FileOut
    note: str
    answers: dict[str, str | bool]
    created: datetime
    state: str
    ended: bool
    cancelling: bool
    charged: bool
    withdrawn: datetime | None
    chosen: datetime | None  # put on the leaderboard by the team
    disqualified: str
    scores: dict[str, float] | None
    scores_hidden: bool
    feedback: str | None  # what the team sees of scores, if not exact ones
    failure: dict[str, Any] | None


class PlaceOut(Schema):
    """Place in the queue: 1 is next; null while it waits after a platform error."""

    number: int | None
    of: int
    wait_s: float | None


class WaitingOut(Schema):
    """The cluster holds the job back until it has quota. `position` in its queue: 1 is next; null if unknown."""

    position: int | None


class ChoiceOut(Schema):
    """What the team can do now. `replaces`: putting it on the leaderboard takes another submission off."""

    is_chosen: bool
    may_put: bool
    may_take_off: bool
    replaces: bool


class WholeSubmissionOut(SubmissionOut):
    """`attempt` is the latest of `attempts`. `cancel_counts`: cancelling now would count toward the limit. `choice` is
    null where teams do not choose what is on the leaderboard.
    """

    attempt: AttemptOut | None
    attempts: list[AttemptSummaryOut]
    cancel_counts: bool
    place: PlaceOut | None
    waiting: WaitingOut | None
    choice: ChoiceOut | None
    columns: list[ColumnOut]
    standing: dict[str, Any] | None = None  # rank, rank range and interval of the primary score; only of one submission
    cases: dict[str, Any] | None = None  # what single cases say, as far as you may see it; only of one submission


class CancelIn(Schema):
    """`counts`: cancel even if it counts toward the limit, see `cancel_counts`."""

    counts: bool = False


class SubmittedOut(WholeSubmissionOut):
    notes: list[str]


@router.get("/challenges/{challenge}/quota", response=list[QuotaOut], url_name="list-quotas")
def list_quotas(request: Request[Challenge], challenge: str) -> list[dict[str, Any]]:
    """Your team's limits in each phase: kinds, sizes, submissions left, and when the next ones are available."""
    team = require_team(request.subject, signed_in(request))
    return [_shown_quota(quota, signed_in(request)) for quota in submission_limits.quotas_of(team)]


@router.post("/challenges/{challenge}/submit", response={201: SubmittedOut}, url_name="submit")
@decorate_view(once)
def make_submission(request: Request[Challenge], challenge: str, content: SubmitIn) -> Status[Any]:
    """Submit one of your team's files. Send an Idempotency-Key, so that a repeated request does not submit twice."""
    team = require_team(request.subject, signed_in(request))
    file = StoredFile.objects.filter(pk=content.file, team=team).first()
    if file is None:
        raise PalioError("file-unknown")
    submitted = submit.submit(
        file, signed_in(request), phase_name=content.phase, note=content.note, answers=content.answers
    )
    return Status(201, shown_whole(submitted.submission) | {"notes": submitted.notes})


@router.get("/challenges/{challenge}/submissions", response=Paged[SubmissionOut], url_name="submissions")
def list_submissions(
    request: Request[Challenge],
    challenge: str,
    page: PageQuery,
    phase: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
) -> Any:
    """List your team's submissions, newest first."""
    team = require_team(request.subject, signed_in(request))
    return page_of(submissions_of(team.pk, phase), page, shown_submission)


@router.get("/submissions/{submission}", response=WholeSubmissionOut, url_name="submission")
def get_submission(request: Request[Submission], submission: str) -> dict[str, Any]:
    """The state, stages and result of a submission."""
    own = Relation.TEAM in request.relations
    full = _is_full(request)
    found = {"standing": standing_of(request.subject, full=full), "cases": shown_summary(request.subject, full=full)}
    return shown_whole(request.subject, own=own, full=full) | found


@router.post("/submissions/{submission}/cancel", response=WholeSubmissionOut, url_name="cancel-submission")
def cancel_submission(request: Request[Submission], submission: str, content: CancelIn | None = None) -> dict[str, Any]:
    """Cancel a submission. If that counts toward the limit, it is refused unless `counts` is true."""
    counts = content is not None and content.counts
    submit.cancel(request.subject, signed_in(request), counts=counts)
    return shown_whole(request.subject)


@router.post("/submissions/{submission}/withdraw", response=WholeSubmissionOut, url_name="withdraw-submission")
def withdraw_submission(request: Request[Submission], submission: str) -> dict[str, Any]:
    """Withdraw it from the leaderboard for good."""
    submit.withdraw(request.subject, signed_in(request))
    return _renewed(request.subject)


@router.post("/submissions/{submission}/leaderboard", response=WholeSubmissionOut, url_name="put-on-leaderboard")
def put_submission_on_leaderboard(request: Request[Submission], submission: str) -> dict[str, Any]:
    """Put it on the leaderboard, where teams choose what is shown there. See `choice` of the submission."""
    choose.put_on_leaderboard(request.subject, signed_in(request))
    return _renewed(request.subject)


@router.delete("/submissions/{submission}/leaderboard", response=WholeSubmissionOut, url_name="take-off-leaderboard")
def take_submission_off_leaderboard(request: Request[Submission], submission: str) -> dict[str, Any]:
    """Take it off the leaderboard, where the challenge allows that."""
    choose.take_off_leaderboard(request.subject, signed_in(request))
    return _renewed(request.subject)


@router.get(
    "/submissions/{submission}/logs/{stage}",
    url_name="submission-log",
    openapi_extra=answers("text/plain; charset=utf-8"),
)
def submission_log(request: Request[Submission], submission: str, stage: Stage) -> HttpResponse:
    """The log of a stage as plain text, as far as the phase shows it; viewers, scorers and organizers get all of it."""
    attempt = latest_attempt(request.subject)
    text = (full_log if _is_full(request) else shown_log)(attempt, stage) if attempt else None
    if text is None:
        raise PalioError("log-unavailable", name=stage)
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@router.get("/submissions/{submission}/report", url_name="submission-report", openapi_extra=answers("text/html"))
def submission_report(request: Request[Submission], submission: str) -> HttpResponse:
    """The HTML report of the scoring program."""
    content = report_html(request.subject, full=_is_full(request))
    if content is None:
        raise Http404
    headers = {"Content-Disposition": 'attachment; filename="report.html"'} | REPORT_HEADERS
    return HttpResponse(content, "text/html; charset=utf-8", headers=headers)


@router.get("/submissions/{submission}/receipt", response={200: dict[str, Any]}, url_name="submission-receipt")
def submission_receipt(request: Request[Submission], submission: str) -> HttpResponse:
    """The signed receipt: what was evaluated, and with which scores. Verify it with `palio verify`."""
    path = receipt_path(latest_attempt(request.subject), full=_is_full(request))
    if path is None:
        raise Http404
    headers = {"Content-Disposition": 'attachment; filename="receipt.json"'}
    return HttpResponse(path.read_bytes(), "application/json", headers=headers)


def _renewed(submission: Submission) -> dict[str, Any]:
    submission.refresh_from_db()
    return shown_whole(submission)


def _is_full(request: Request[Submission]) -> bool:
    """Whether the user is a viewer, scorer or organizer, and may read everything."""
    return bool(VIEWER & request.relations)


def _shown_quota(quota: submission_limits.Quota, user: User) -> dict[str, Any]:
    phase, refusal = quota.phase, quota.refusal
    not_here = left_out(quota.kinds, user, phase)
    return {
        "phase": phase.name,
        "opens": phase.start,
        "closes": phase.end,
        "kinds": [kind.value for kind in quota.kinds if kind not in not_here],
        "left_out": {kind.value: why for kind, why in not_here.items()},
        "most_bytes": quota.most_bytes,
        "per_day": phase.max_submissions_per_day,
        "in_all": phase.max_submissions,
        "used_today": quota.used_today,
        "used": quota.used,
        "left": quota.left,
        "left_today": quota.left_today,
        "running": quota.running,
        "at_the_same_time": submission_limits.AT_THE_SAME_TIME,
        "back": quota.back,
        "refusal": refusal.failure.as_body() if refusal else None,
    }

"""The organizer's desk: how a challenge stands, submissions as organizers see them, participants, events, export."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema, Status
from ninja.decorators import decorate_view
from pydantic import Field

from palio.web.api.document import answers
from palio.web.api.idempotency import once
from palio.web.api.paging import Page, PageQuery, page_of
from palio.web.bundles import current_bundle
from palio.web.desk import audit, overview, queue, submissions
from palio.web.desk.export import Parts
from palio.web.desk.people import registrations
from palio.web.models import Announcement, Attempt, Challenge, Event, Registration, Submission
from palio.web.pages.desk_audit import send_export
from palio.web.pages.doing import signed_in
from palio.web.verbs import announcing, judge
from palio.web.verbs.baseline import set_baseline
from palio.web.verbs.joining import decide
from palio.web.verbs.rerun import rerun, rescore_one

router = Router(tags=["desk"])


class FailingOut(Schema):
    cause: str
    turn: str
    code: str
    count: int
    last: datetime | None
    next_step: str


class RunningOut(Schema):
    """`since`: in its present stage. `wait_s` and `place` are those of the queue; None while it runs, or is unknown."""

    submission: str
    attempt: str
    team: str
    state: str
    since: datetime
    place: int | None = None
    wait_s: float | None = None


class ControllerOut(Schema):
    lives: bool
    last: datetime | None
    engine: str
    trouble: str


class QueueOut(Schema):
    """Of other challenges on this platform there are numbers alone."""

    slots: int
    running: list[RunningOut]
    running_others: int
    waiting: list[RunningOut]
    waiting_own: int
    waiting_all: int
    controller: ControllerOut


class DeskOut(Schema):
    """`states` counts submissions by the state of their last attempt; `scored_today` since midnight, UTC."""

    participants: int
    teams: int
    submissions: int
    states: dict[str, int]
    scored_today: int
    pending: int
    open_rescores: list[str]
    failing: list[FailingOut]
    queue: QueueOut


class AtDeskOut(Schema):
    """A submission as organizers see it: `failure` in full, and all scores, hidden columns' too."""

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


class DeskRegistrationOut(Schema):
    id: str
    user: str
    state: str
    team: str | None
    created: datetime
    terms_version: int | None
    terms_accepted: datetime | None
    decided_by: str | None
    decided: datetime | None


class EventOut(Schema):
    """`who` is None for the platform itself."""

    time: datetime
    who: str | None
    kind: str
    submission: str | None
    attempt: str
    detail: dict[str, Any]


class AsksOut(Schema):
    submission: str
    attempt: str
    number: int
    purpose: str
    state: str


class DecideIn(Schema):
    approve: bool


class JudgeIn(Schema):
    """What is to be otherwise; what is left out stays. An empty `disqualified` takes a disqualification back."""

    hidden: bool | None = None
    disqualified: str | None = Field(None, max_length=10_000)
    baseline: bool | None = None


class AnnounceIn(Schema):
    title: str
    text: str


class AnnouncedOut(AnnounceIn):
    number: int
    author: str
    created: datetime


class FilterIn(Schema):
    """Each as the page of the desk has it; what is left out is not asked for."""

    phase: str = ""
    team: str = ""
    state: str = ""
    cause: str = ""
    code: str = ""
    kind: str = ""
    standing: Literal["", "on a board", "hidden", "withdrawn", "disqualified", "baseline"] = ""
    q: str = Field("", max_length=200)
    sort: str = submissions.NEWEST


class EventFilterIn(Schema):
    person: str = ""
    submission: str = ""
    kind: str = ""


@router.get("/challenges/{challenge}/desk", response=DeskOut, url_name="desk")
def desk(request: HttpRequest, challenge: str) -> dict[str, Any]:
    """How the challenge stands, what fails, what runs and what waits."""
    found = _challenge(request)
    numbers = overview.numbers(found)
    return {
        **vars(numbers),
        "states": dict(numbers.states),
        "open_rescores": [each.pk for each in numbers.open_rescores],
        "failing": [vars(each) for each in overview.failing(found)],
        "queue": _queue(queue.queue(found)),
    }


@router.get("/challenges/{challenge}/desk/submissions", response=Page[AtDeskOut], url_name="desk-submissions")
def list_submissions(
    request: HttpRequest, challenge: str, page: PageQuery, asked: Annotated[FilterIn, Query()]
) -> dict[str, Any]:
    """All submissions, by what is asked for; `sort` is created, team, phase, state, file, finished or score, with a
    minus in front of it the other way round."""
    found = _challenge(request)
    wanted = submissions.Wanted.of(asked.dict())
    rows = submissions.find(found, wanted, current_bundle(found).leaderboard.primary.key)
    return page_of(rows, page, _submission)


@router.get(
    "/challenges/{challenge}/desk/registrations", response=Page[DeskRegistrationOut], url_name="desk-registrations"
)
def list_registrations(
    request: HttpRequest, challenge: str, page: PageQuery, state: str = "", q: str = ""
) -> dict[str, Any]:
    """Who takes part, wants to, or did; the oldest wish first."""
    rows = registrations(_challenge(request), q=q.replace("\0", ""), state=state.replace("\0", ""))
    return page_of(rows, page, _registration)


@router.post("/registrations/{registration}/decide", response=DeskRegistrationOut, url_name="decide-registration")
def decide_registration(request: HttpRequest, registration: str, content: DecideIn) -> dict[str, Any]:
    """Approves or refuses somebody's wish to take part."""
    subject: Registration = request.subject  # type: ignore[attr-defined]
    decide(subject, approve=content.approve, actor=signed_in(request))
    return _registration(registrations(subject.challenge).get(pk=subject.pk))


@router.get("/challenges/{challenge}/desk/events", response=Page[EventOut], url_name="desk-events")
def list_events(
    request: HttpRequest, challenge: str, page: PageQuery, asked: Annotated[EventFilterIn, Query()]
) -> dict[str, Any]:
    """What was done, the newest first. `kind` is a whole one, or its beginning up to the point."""
    return page_of(audit.find(_challenge(request), audit.Wanted.of(asked.dict())), page, _event)


@router.post("/submissions/{submission}/rerun", response={201: AsksOut}, url_name="rerun-submission")
@decorate_view(once)
def rerun_submission(request: HttpRequest, submission: str) -> Status[Any]:
    """Another attempt, through all stages. If it is scored, that score is the one that counts."""
    return Status(201, _asked(rerun(_subject(request), signed_in(request))))


@router.post("/submissions/{submission}/rescore", response={201: AsksOut}, url_name="rescore-submission")
@decorate_view(once)
def rescore_submission(request: HttpRequest, submission: str) -> Status[Any]:
    """Another attempt that scores the predictions of an earlier one, with the challenge as it is now."""
    return Status(201, _asked(rescore_one(_subject(request), signed_in(request))))


@router.post("/submissions/{submission}/judge", response=AtDeskOut, url_name="judge-submission")
def judge_submission(request: HttpRequest, submission: str, content: JudgeIn) -> dict[str, Any]:
    """Hides or shows it, disqualifies it with a reason or takes that back, marks it as a baseline or not."""
    found, actor = _subject(request), signed_in(request)
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


@router.post("/challenges/{challenge}/desk/announcements", response={201: AnnouncedOut}, url_name="announce")
@decorate_view(once)
def announce(request: HttpRequest, challenge: str, content: AnnounceIn) -> Status[Any]:
    """Tells everybody who sees the challenge. The text is Markdown."""
    made = announcing.announce(_challenge(request), content.title, content.text, actor=signed_in(request))
    return Status(201, _announced(made))


@router.patch(
    "/challenges/{challenge}/desk/announcements/{number}", response=AnnouncedOut, url_name="change-announcement"
)
def change_announcement(request: HttpRequest, challenge: str, number: int, content: AnnounceIn) -> dict[str, Any]:
    said = _announcement(request, number)
    return _announced(announcing.rewrite(said, content.title, content.text, actor=signed_in(request)))


@router.delete(
    "/challenges/{challenge}/desk/announcements/{number}", response={204: None}, url_name="delete-announcement"
)
def delete_announcement(request: HttpRequest, challenge: str, number: int) -> Status[None]:
    announcing.delete(_announcement(request, number), actor=signed_in(request))
    return Status(204, None)


@router.get("/challenges/{challenge}/export", url_name="export", openapi_extra=answers("application/zip"))
def export(request: HttpRequest, challenge: str, files: bool = False, runs: bool = False) -> StreamingHttpResponse:
    """All results, attempts, boards, receipts and versions in one zip, whose README names every file. `runs`: with what
    the scoring program wrote; `files`: with what was handed in."""
    return send_export(_challenge(request), Parts(files=files, runs=runs))


def _challenge(request: HttpRequest) -> Challenge:
    challenge: Challenge = request.subject  # type: ignore[attr-defined]
    return challenge


def _subject(request: HttpRequest) -> Submission:
    submission: Submission = request.subject  # type: ignore[attr-defined]
    return submission


def _announcement(request: HttpRequest, number: int) -> Announcement:
    found = _challenge(request).announcements.filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise Http404
    return found


def _queue(found: queue.Queue) -> dict[str, Any]:
    waiting = [
        _running(each.attempt)
        | {"place": each.place.number, "wait_s": each.place.wait and each.place.wait.total_seconds()}
        for each in found.waiting
    ]
    running = [_running(attempt) for attempt in found.running]
    return {**vars(found), "running": running, "waiting": waiting, "controller": vars(found.controller)}


def _running(attempt: Attempt) -> dict[str, Any]:
    return {
        "submission": attempt.submission_id,
        "attempt": attempt.identity,
        "team": attempt.submission.team.name,
        "state": attempt.state,
        "since": attempt.moved,
    }


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


def _registration(found: Any) -> dict[str, Any]:
    return {
        "id": found.pk,
        "user": found.user.username,
        "state": found.state,
        "team": found.team,
        "created": found.created,
        "terms_version": found.terms_version.number if found.terms_version else None,
        "terms_accepted": found.terms_accepted,
        "decided_by": found.decided_by.username if found.decided_by else None,
        "decided": found.decided,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "time": event.time,
        "who": event.actor.username if event.actor else None,
        "kind": event.kind,
        "submission": event.submission_id,
        "attempt": event.attempt,
        "detail": event.detail,
    }


def _asked(attempt: Attempt) -> dict[str, Any]:
    return {
        "submission": attempt.submission_id,
        "attempt": attempt.identity,
        "number": attempt.number,
        "purpose": attempt.purpose,
        "state": attempt.state,
    }


def _announced(said: Announcement) -> dict[str, Any]:
    given = {"title": said.title, "text": said.text, "author": said.author.username}
    return given | {"number": said.pk, "created": said.created}

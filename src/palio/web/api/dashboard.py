"""The organizer's desk: how a challenge stands, its participants, and everything of it in one file."""

from datetime import datetime
from typing import Any

from django.http import StreamingHttpResponse
from ninja import Router, Schema

from palio.web.api.openapi import answers
from palio.web.api.paging import Page, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Attempt, Challenge, Registration
from palio.web.queries import dashboard, disk, queue
from palio.web.queries.export import Parts, entries, export_name
from palio.web.queries.participants import registrations
from palio.web.storage.downloads import zip_response
from palio.web.verbs.joining import decide

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


class DashboardOut(Schema):
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


class DiskOut(Schema):
    """Of the whole platform, at most some minutes old; `parts` in bytes."""

    free_bytes: int
    total_bytes: int
    parts: dict[str, int]


class ParticipantOut(Schema):
    id: str
    user: str
    state: str
    team: str | None
    created: datetime
    terms_version: int | None
    terms_accepted: datetime | None
    decided_by: str | None
    decided: datetime | None


class DecideIn(Schema):
    approve: bool


@router.get("/challenges/{challenge}/manage", response=DashboardOut, url_name="dashboard")
def dashboard_overview(request: Request[Challenge], challenge: str) -> dict[str, Any]:
    """How the challenge stands, what fails, what runs and what waits."""
    found = request.subject
    numbers = dashboard.numbers(found)
    return {
        **vars(numbers),
        "states": dict(numbers.states),
        "open_rescores": [each.pk for each in numbers.open_rescores],
        "failing": [vars(each) for each in dashboard.failing(found)],
        "queue": _queue(queue.queue(found)),
    }


@router.get("/challenges/{challenge}/manage/disk", response=DiskOut, url_name="dashboard-disk")
def dashboard_disk(request: Request[Challenge], challenge: str) -> dict[str, Any]:
    found = disk.disk()
    parts = {part.name: part.size_bytes for part in found.parts}
    return {"free_bytes": found.free_bytes, "total_bytes": found.total_bytes, "parts": parts}


@router.get("/challenges/{challenge}/manage/registrations", response=Page[ParticipantOut], url_name="participants")
def list_registrations(
    request: Request[Challenge], challenge: str, page: PageQuery, state: str = "", q: str = ""
) -> dict[str, Any]:
    """Who takes part, wants to, or did; the oldest wish first."""
    rows = registrations(request.subject, q=q.replace("\0", ""), state=state.replace("\0", ""))
    return page_of(rows, page, _registration)


@router.post("/registrations/{registration}/decide", response=ParticipantOut, url_name="decide-join-request")
def decide_registration(request: Request[Registration], registration: str, content: DecideIn) -> dict[str, Any]:
    """Approves or refuses somebody's wish to take part."""
    subject = request.subject
    decide(subject, approve=content.approve, actor=signed_in(request))
    return _registration(registrations(subject.challenge).get(pk=subject.pk))


@router.get("/challenges/{challenge}/export", url_name="export", openapi_extra=answers("application/zip"))
def export(
    request: Request[Challenge], challenge: str, files: bool = False, runs: bool = False
) -> StreamingHttpResponse:
    """All results, attempts, boards, receipts and versions in one zip, whose README names every file. `runs`: with what
    the scoring program wrote; `files`: with what was handed in."""
    return zip_response(export_name(request.subject), entries(request.subject, Parts(files=files, runs=runs)))


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

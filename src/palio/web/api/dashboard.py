"""The organizer dashboard: overview, join requests, export."""

from datetime import date, datetime
from typing import Any

from django.http import StreamingHttpResponse
from django.urls import reverse
from ninja import Router, Schema

from palio.web.api.openapi import answers
from palio.web.http.request import Request
from palio.web.models import Attempt, Challenge
from palio.web.queries import dashboard, disk, queue, sample_repeats, similarity
from palio.web.queries.activity import activity
from palio.web.queries.export import ExportParts, entries, export_name
from palio.web.storage.downloads import zip_response

router = Router(tags=["dashboard"])


class FailingOut(Schema):
    cause: str
    action_needed: str
    code: str
    count: int
    last: datetime | None
    next_step: str


class RunningOut(Schema):
    """`since`: when it reached its state. `place` and `wait_s`: place in the queue; null if it runs or is unknown."""

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


class BlockedPhaseOut(Schema):
    """A phase whose engine cannot be used now; `trouble` is why."""

    phase: str
    engine: str
    trouble: str


class QueueOut(Schema):
    """Other challenges on this platform are only counted. `blocked`: phases that run on an engine of their own, which
    cannot be used now."""

    slots: int
    running: list[RunningOut]
    running_others: int
    waiting: list[RunningOut]
    waiting_own: int
    waiting_all: int
    controller: ControllerOut
    blocked: list[BlockedPhaseOut]


class FileDifferenceOut(Schema):
    """A file of which two runs on the public cases differ. `only_in`: the run that wrote it, if only one did.

    `rows` and `differing` count a table's rows; null for other files. `largest`: the largest difference of two numbers,
    if only numbers differ."""

    name: str
    only_in: int | None
    rows: int | None
    differing: int | None
    largest: float | None


class NotDeterministicOut(Schema):
    """A submission whose predictions on the public cases differed between two runs: `differing` of `files`, the first
    ones in `differences`. `failure`: why only the second run failed."""

    phase: str
    team: str
    submission: str
    files: int
    differing: int
    differences: list[FileDifferenceOut]
    failure: str


class DashboardOut(Schema):
    """`states` counts submissions by the state of their latest attempt; `scored_today` counts since midnight, UTC."""

    participants: int
    teams: int
    submissions: int
    states: dict[str, int]
    scored_today: int
    pending: int
    open_rescores: list[str]
    failing: list[FailingOut]
    similar: list[similarity.SimilarPair]
    not_deterministic: list[NotDeterministicOut]
    queue: QueueOut


class DiskOut(Schema):
    """Disk usage of the whole platform, a few minutes old at most; `parts` in bytes."""

    free_bytes: int
    total_bytes: int
    parts: dict[str, int]


class PeriodOut(Schema):
    """Submissions made on the days `first` to `last`, UTC; `counts` by the state of their latest attempt."""

    first: date
    last: date
    counts: dict[str, int]


class ScoreBinOut(Schema):
    low: float
    high: float
    count: int


class ScoresOut(Schema):
    """Scores in the primary column of `phase`, without baselines, hidden, withdrawn and disqualified submissions.
    `reason` says why there are no bins."""

    phase: str
    column: str
    count: int
    bins: list[ScoreBinOut]
    reason: str


class PartyFailuresOut(Schema):
    cause: str
    action_needed: str
    count: int


class FunnelStepOut(Schema):
    """`share` is of the participants who joined, between 0 and 1."""

    name: str
    count: int
    share: float


class ActivityOut(Schema):
    periods: list[PeriodOut]
    span_days: int
    scores: ScoresOut
    parties: list[PartyFailuresOut]
    funnel: list[FunnelStepOut]


@router.get("/challenges/{challenge}/manage", response=DashboardOut, url_name="dashboard")
def dashboard_overview(request: Request[Challenge], challenge: str) -> dict[str, Any]:
    """Counts, failures, running and waiting submissions of the challenge."""
    found = request.subject
    numbers = dashboard.numbers(found)
    return {
        **vars(numbers),
        "states": dict(numbers.states),
        "open_rescores": [each.pk for each in numbers.open_rescores],
        "failing": [vars(each) for each in dashboard.failing(found)],
        "similar": similarity.similar(found),
        "not_deterministic": [vars(each) for each in sample_repeats.not_deterministic(found)],
        "queue": _queue(queue.queue(found)),
    }


@router.get("/challenges/{challenge}/manage/activity", response=ActivityOut, url_name="dashboard-activity")
def dashboard_activity(request: Request[Challenge], challenge: str, phase: str = "") -> Any:
    """Submissions over time, scores in a phase (by default the open one), failures by responsible party, and how many
    participants joined, submitted and got a score.
    """
    return activity(request.subject, phase.replace("\0", ""))


@router.get("/challenges/{challenge}/manage/disk", response=DiskOut, url_name="dashboard-disk")
def dashboard_disk(request: Request[Challenge], challenge: str) -> dict[str, Any]:
    found = disk.disk()
    parts = {part.name: part.size_bytes for part in found.parts}
    return {"free_bytes": found.free_bytes, "total_bytes": found.total_bytes, "parts": parts}


@router.get("/challenges/{challenge}/export", url_name="export", openapi_extra=answers("application/zip"))
def export(
    request: Request[Challenge], challenge: str, files: bool = False, runs: bool = False
) -> StreamingHttpResponse:
    """Download all results, attempts, leaderboards, receipts and versions as one zip with a README. `runs` adds the
    output of the scoring program, `files` the submitted files.
    """
    address = request.build_absolute_uri(reverse("pages:challenge", args=[request.subject.slug]))
    parts = ExportParts(files=files, runs=runs, address=address)
    return zip_response(export_name(request.subject), entries(request.subject, parts))


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

"""Scoring a whole phase again: begin, watch, compare both boards, apply or discard."""

from datetime import datetime
from typing import Any

from ninja import Router, Schema, Status
from ninja.decorators import decorate_view

from palio.web.api.idempotency import once
from palio.web.api.paging import Page, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.leaderboard.ranked import BoardRow
from palio.web.models import Challenge, Rescore
from palio.web.queries.rescores import listed, progress
from palio.web.verbs import rescore as verbs

router = Router(tags=["rescores"])


class PhaseIn(Schema):
    phase: str


class RescoreOut(Schema):
    """`state` is running, ready, applied or discarded; `ended` of `total` submissions have been scored again."""

    id: str
    phase: str
    version: int
    state: str
    created: datetime
    created_by: str
    decided: datetime | None
    total: int
    ended: int


class StandingOut(Schema):
    rank: int | None
    scores: dict[str, float]


class RescoredOut(Schema):
    """A row of both boards; `old` or `new` is None where it stands on one alone."""

    team: str
    submission: str
    baseline: bool
    disqualified: str
    old: StandingOut | None
    new: StandingOut | None


class FailedOut(Schema):
    submission: str
    team: str
    failure: dict[str, Any] | None


class RescoreWholeOut(RescoreOut):
    """`changes`, in the order of the new board, and `failed` are None once it was decided."""

    changes: list[RescoredOut] | None
    failed: list[FailedOut] | None


@router.get("/challenges/{challenge}/manage/rescores", response=Page[RescoreOut], url_name="dashboard-rescores")
def list_rescores(request: Request[Challenge], challenge: str, page: PageQuery) -> dict[str, Any]:
    """The newest first."""
    return page_of(listed(request.subject), page, _shown)


@router.post("/challenges/{challenge}/manage/rescores", response={201: RescoreOut}, url_name="begin-rescore")
@decorate_view(once)
def begin_rescore(request: Request[Challenge], challenge: str, content: PhaseIn) -> Status[Any]:
    """Scores everything in a phase again, with the current version. Nothing changes until it is applied."""
    return Status(201, _shown(verbs.begin(request.subject, content.phase, signed_in(request))))


@router.get("/rescores/{rescore}", response=RescoreWholeOut, url_name="rescore")
def get_rescore(request: Request[Rescore], rescore: str) -> dict[str, Any]:
    """How far it is, and both boards beside each other."""
    return _whole(request.subject)


@router.post("/rescores/{rescore}/apply", response=RescoreWholeOut, url_name="apply-rescore")
def apply_rescore(request: Request[Rescore], rescore: str) -> dict[str, Any]:
    """The new scores count from now on, all at once."""
    verbs.apply(request.subject, signed_in(request))
    return _whole(Rescore.objects.get(pk=rescore))


@router.post("/rescores/{rescore}/discard", response=RescoreWholeOut, url_name="discard-rescore")
def discard_rescore(request: Request[Rescore], rescore: str) -> dict[str, Any]:
    """The board stays as it is; what still waits or runs of it is cancelled."""
    verbs.discard(request.subject, signed_in(request))
    return _whole(Rescore.objects.get(pk=rescore))


def _shown(rescore: Rescore) -> dict[str, Any]:
    return {
        "id": rescore.pk,
        "phase": rescore.phase,
        "version": rescore.version.number,
        "state": rescore.state,
        "created": rescore.created,
        "created_by": rescore.created_by.username,
        "decided": rescore.decided,
        **vars(progress(rescore)),
    }


def _whole(rescore: Rescore) -> dict[str, Any]:
    if rescore.state not in (Rescore.State.RUNNING, Rescore.State.READY):
        return {**_shown(rescore), "changes": None, "failed": None}
    comparison = verbs.compare(rescore)
    changes = [
        {
            "team": change.row.name,
            "submission": change.row.submission,
            "baseline": change.row.baseline,
            "disqualified": change.row.disqualified,
            "old": _standing(change.old),
            "new": _standing(change.new),
        }
        for change in comparison.changes
    ]
    failed = [
        {"submission": each.submission_id, "team": each.submission.team.name, "failure": each.failure}
        for each in comparison.failed
    ]
    return {**_shown(rescore), "changes": changes, "failed": failed}


def _standing(row: BoardRow | None) -> dict[str, Any] | None:
    return {"rank": row.rank, "scores": dict(row.values)} if row else None

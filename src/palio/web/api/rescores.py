"""Re-scoring a phase: start, watch, compare the leaderboards, apply or discard."""

from datetime import datetime
from typing import Any

from ninja import Router, Schema, Status
from ninja.decorators import decorate_view

from palio.core.leaderboard.ranking import Row
from palio.web.api.idempotency import once
from palio.web.api.leaderboard import ColumnOut
from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Rescore
from palio.web.queries.rescores import chosen_board, lines_of, listed, progress
from palio.web.verbs import rescore as verbs

router = Router(tags=["rescores"])


class PhaseIn(Schema):
    phase: str


class RescoreOut(Schema):
    """`state` is running, ready, applied or discarded; `ended` of `total` submissions have been re-scored.

    `version` is the version whose scoring program it runs, `current_version` the challenge's now.
    """

    id: str
    phase: str
    version: int
    current_version: int | None
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
    """A row before and after; `old` is null if it had no score, `new` if it loses its score."""

    team: str
    submission: str
    baseline: bool
    disqualified: str
    old: StandingOut | None
    new: StandingOut | None
    changed: bool
    moved: str  # such as "up 2"; empty if the rank is the same
    reason: str  # why it changes; empty if it does not


class FailedOut(Schema):
    submission: str
    team: str
    loses_score: bool  # else it never had one, and stays not scored
    failure: dict[str, Any] | None


class RescoreWholeOut(RescoreOut):
    """`changes` of `leaderboard`, in the new order, and `failed` are null once it is applied or discarded."""

    leaderboard: str | None
    changes: list[RescoredOut] | None
    failed: list[FailedOut] | None
    columns: list[ColumnOut] | None  # of `leaderboard`
    refusal: dict[str, Any] | None  # why the new scores cannot be applied


@router.get("/challenges/{challenge}/manage/rescores", response=Paged[RescoreOut], url_name="dashboard-rescores")
def list_rescores(request: Request[Challenge], challenge: str, page: PageQuery) -> dict[str, Any]:
    """List re-scores, newest first."""
    return page_of(listed(request.subject), page, _shown)


@router.post("/challenges/{challenge}/manage/rescores", response={201: RescoreOut}, url_name="begin-rescore")
@decorate_view(once)
def begin_rescore(request: Request[Challenge], challenge: str, content: PhaseIn) -> Status[Any]:
    """Re-score a phase with the current version. Nothing changes until it is applied."""
    return Status(201, _shown(verbs.begin(request.subject, content.phase, signed_in(request))))


@router.get("/rescores/{rescore}", response=RescoreWholeOut, url_name="rescore")
def get_rescore(request: Request[Rescore], rescore: str, leaderboard: str = "") -> dict[str, Any]:
    """The progress, and a leaderboard before and after: by its key, or the first one of the phase."""
    return _whole(request.subject, leaderboard)


@router.post("/rescores/{rescore}/apply", response=RescoreWholeOut, url_name="apply-rescore")
def apply_rescore(request: Request[Rescore], rescore: str) -> dict[str, Any]:
    """Make all new scores count, at once."""
    verbs.apply(request.subject, signed_in(request))
    return _whole(Rescore.objects.get(pk=rescore))


@router.post("/rescores/{rescore}/discard", response=RescoreWholeOut, url_name="discard-rescore")
def discard_rescore(request: Request[Rescore], rescore: str) -> dict[str, Any]:
    """Discard the new scores and cancel unfinished attempts. The leaderboard does not change."""
    verbs.discard(request.subject, signed_in(request))
    return _whole(Rescore.objects.get(pk=rescore))


def _shown(rescore: Rescore) -> dict[str, Any]:
    return {
        "id": rescore.pk,
        "phase": rescore.phase,
        "version": rescore.version.number,
        "current_version": current.number if (current := rescore.challenge.current) else None,
        "state": rescore.state,
        "created": rescore.created,
        "created_by": rescore.created_by.username,
        "decided": rescore.decided,
        **vars(progress(rescore)),
    }


def _whole(rescore: Rescore, leaderboard: str = "") -> dict[str, Any]:
    if rescore.state not in (Rescore.State.RUNNING, Rescore.State.READY):
        return {
            **_shown(rescore),
            "leaderboard": None,
            "changes": None,
            "failed": None,
            "columns": None,
            "refusal": None,
        }
    board = chosen_board(rescore, leaderboard)
    comparison = verbs.compare(rescore, board)
    changes = [
        {
            "team": change.row.name,
            "submission": change.row.entry.label,
            "baseline": change.row.entry.baseline,
            "disqualified": change.row.entry.disqualified,
            "old": _standing(change.old),
            "new": _standing(change.new),
            "changed": line.changed,
            "moved": line.moved,
            "reason": line.reason,
        }
        for line in lines_of(comparison, board)
        for change in [line.change]
    ]
    failed = [
        {
            "submission": each.submission_id,
            "team": each.submission.team.name,
            "loses_score": verbs.has_score(each),
            "failure": each.failure,
        }
        for each in comparison.failed
    ]
    columns = [
        {"key": each.key, "title": each.title, "descending": each.descending, "precision": each.precision}
        for each in board.columns
        if not each.hidden
    ]
    refusal = comparison.refusal.failure.as_body() if comparison.refusal else None
    found = {"leaderboard": board.key, "changes": changes, "failed": failed, "columns": columns, "refusal": refusal}
    return _shown(rescore) | found


def _standing(row: Row | None) -> dict[str, Any] | None:
    return {"rank": row.rank, "scores": dict(row.values)} if row else None

"""The leaderboard, and a team's own scores over time."""

from datetime import datetime

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from ninja import Router, Schema

from palio.web.http.request import Request
from palio.web.leaderboard.ranked import Sight, visible_columns
from palio.web.leaderboard.request import asked, etag_for, own_scores, private
from palio.web.models import Challenge

router = Router(tags=["board"])


class ColumnOut(Schema):
    key: str
    title: str
    descending: bool  # higher is better
    precision: int  # for display only


class RowOut(Schema):
    """A line of the board; `rank` and `rank_range` are None for who has none. The last three are the organizers'."""

    rank: int | None
    rank_range: tuple[int, int] | None  # the places that the cases cannot tell apart
    team: str
    baseline: bool
    scores: dict[str, float]
    interval: tuple[float, float] | None  # of the primary score, 95 %
    ranks: dict[str, int]
    entries: int
    last: datetime
    submission: str | None = None
    attempt: str | None = None
    disqualified: str | None = None


class BoardOut(Schema):
    own_team: str | None
    challenge: str
    title: str
    phase: str
    hidden: bool  # from participants, who see only their own row, without ranks, or nothing
    primary: str | None
    columns: list[ColumnOut]
    cases: int | None
    rows: list[RowOut]


class EntryOut(Schema):
    submission: str
    created: datetime
    scores: dict[str, float]
    note: str


@router.get("/challenges/{challenge}/leaderboard", response=BoardOut, url_name="leaderboard")
def board(request: Request[Challenge], challenge: str, phase: str | None = None, sort: str = "rank") -> HttpResponse:
    """The leaderboard of a phase, else of the one that is open. `sort`: a column's key, `team`, `entries` or `last`;
    with a minus in front of it the other way round."""
    what = asked(request, phase)
    etag = etag_for(request, what.stamp)
    unchanged = get_conditional_response(request, etag=etag)
    response = unchanged or HttpResponse(what.as_json(), "application/json; charset=utf-8")
    response["ETag"] = etag
    return private(response)


@router.get("/challenges/{challenge}/leaderboard/history", response=list[EntryOut], url_name="leaderboard-history")
def history(request: Request[Challenge], challenge: str, phase: str | None = None) -> list[dict[str, object]]:
    """The own team's submissions that have a score, oldest first; nothing where scores are hidden."""
    what = asked(request, phase)
    if what.team is None or what.seen is Sight.NOTHING:
        return []
    keys = [column.key for column in visible_columns(what.bundle)]
    return [
        {
            "submission": submission,
            "created": created,
            "scores": {key: scores[key] for key in keys if key in scores},
            "note": note,
        }
        for submission, created, scores, note in own_scores(what.team, what.phase)
    ]

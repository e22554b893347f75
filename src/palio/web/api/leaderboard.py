"""The leaderboard, and a team's own scores over time."""

from datetime import datetime

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from ninja import Router, Schema

from palio.web.http.request import Request
from palio.web.leaderboard.request import leaderboard_request, own_scores, private
from palio.web.leaderboard.visibility import shown_columns
from palio.web.models import Challenge

router = Router(tags=["leaderboard"])


class ColumnOut(Schema):
    key: str
    title: str
    descending: bool  # higher is better
    precision: int  # decimals, for display only


class RowOut(Schema):
    """A row of the leaderboard. Without a primary score, `rank` and `rank_range` are null. Only organizers, and a team
    that sees only its own row, get `submission`, `attempt` and `disqualified`."""

    rank: int | None
    rank_range: tuple[int, int] | None  # the ranks that the cases cannot tell apart
    team: str
    baseline: bool
    scores: dict[str, float]
    interval: tuple[float, float] | None  # 95 % interval of the primary score
    intervals: dict[str, tuple[float, float]]  # of every column that has one, by its key
    ranks: dict[str, int]
    entries: int
    last: datetime
    answers: dict[str, str] | None = None  # to `questions`
    submission: str | None = None
    attempt: str | None = None
    disqualified: str | None = None


class LeaderboardNameOut(Schema):
    key: str
    title: str


class LeaderboardOut(Schema):
    """One of the `leaderboards` of the phase. `questions` are those of the fact sheet whose answers are public."""

    own_team: str | None
    challenge: str
    title: str
    phase: str
    leaderboard: str
    leaderboard_title: str
    leaderboards: list[LeaderboardNameOut]
    hidden: bool  # from participants, who see only their own row without ranks, or nothing
    primary: str | None
    columns: list[ColumnOut]
    questions: list[LeaderboardNameOut]
    cases: int | None
    feedback: str | None  # what participants see of scores, if not exact ones
    rows: list[RowOut]


class EntryOut(Schema):
    submission: str
    created: datetime
    scores: dict[str, float]
    note: str


@router.get("/challenges/{challenge}/leaderboard", response=LeaderboardOut, url_name="leaderboard")
def leaderboard(
    request: Request[Challenge],
    challenge: str,
    phase: str | None = None,
    leaderboard: str | None = None,
    sort: str = "rank",
) -> HttpResponse:
    """A leaderboard of a phase. The default phase is the open one, the default leaderboard its first. Sort by `rank`,
    `team`, `entries`, `last`, the key of a column or `answer_` and the key of a question; a leading minus reverses the
    order."""
    wanted = leaderboard_request(request, phase)
    etag = wanted.etag(request)
    unchanged = get_conditional_response(request, etag=etag)
    response = unchanged or HttpResponse(wanted.json(), "application/json; charset=utf-8")
    response["ETag"] = etag
    return private(response)


@router.get("/challenges/{challenge}/leaderboard/history", response=list[EntryOut], url_name="leaderboard-history")
def history(
    request: Request[Challenge], challenge: str, phase: str | None = None, leaderboard: str | None = None
) -> list[dict[str, object]]:
    """The scored submissions of your team, oldest first; none if scores are hidden."""
    wanted = leaderboard_request(request, phase)
    keys = [column.key for column in shown_columns(wanted.board, wanted.phase)]
    return [
        {
            "submission": submission,
            "created": created,
            "scores": {key: scores[key] for key in keys if key in scores},
            "note": note,
        }
        for submission, created, scores, note in own_scores(wanted)
    ]

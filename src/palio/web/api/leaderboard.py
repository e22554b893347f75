"""The leaderboard, and a team's own scores over time."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from ninja import Field, Query, Router, Schema

from palio.web.http.request import Request
from palio.web.leaderboard.request import leaderboard_request, own_scores, private
from palio.web.leaderboard.robustness import robustness
from palio.web.leaderboard.visibility import shown_columns
from palio.web.models import Challenge
from palio.web.queries.compare import chosen, comparison

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
    affiliation: str  # of the team; empty if it states none
    baseline: bool
    scores: dict[str, float]
    interval: tuple[float, float] | None  # 95 % interval of the primary score
    intervals: dict[str, tuple[float, float]]  # of every column that has one, by its key
    ranks: dict[str, int]
    entries: int
    failed: int  # submissions without a score by the participant's own fault
    last: datetime
    movement: int | None = None  # places risen in the last day; null if it had no rank, or if nothing was submitted
    answers: dict[str, str] | None = None  # to `questions`
    submission: str | None = None
    attempt: str | None = None
    disqualified: str | None = None
    receipt: str | None = None  # its address, for organizers


class LeaderboardNameOut(Schema):
    key: str
    title: str


class ColumnsIn(Schema):
    columns: list[str] = Field(default_factory=list)


class RecordOut(Schema):
    """A submission that beat all before it, by when it was submitted; `team` is null if it has left the leaderboard."""

    submitted: datetime
    score: float
    interval: tuple[float, float] | None  # 95 %
    team: str | None


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
    group: str | None  # the chosen one, as column:value
    groups: dict[str, dict[str, int]]  # of cases to choose from: column, value, number of cases
    one_case: float | None  # how much one case changes the primary score, if that is the same for all
    notes: list[str]  # what the numbers justify saying
    no_intervals: str | None  # why there are none
    feedback: str | None  # what participants see of scores, if not exact ones
    best_over_time: list[RecordOut]
    rows: list[RowOut]


class ComparedOut(Schema):
    """A row of the leaderboard; `row` names it in addresses."""

    name: str
    row: str
    rank: str


class ComparedColumnOut(Schema):
    """A column of both. Where they were not compared, `no_interval` says why, and the numbers are null. `only_a` counts
    the cases that only A has right. `p_value` is not adjusted for other comparisons."""

    key: str
    title: str
    descending: bool
    precision: int
    cases: int | None
    a: float | None
    b: float | None
    difference: float | None  # of A minus B
    interval: tuple[float, float] | None  # 95 % interval of the difference
    interval_method: str | None
    no_interval: str | None
    p_value: float | None
    test: str | None
    only_a: int | None
    only_b: int | None
    chance_reversed: float | None  # that the one with the worse score is the better one
    sentences: list[str]


class ComparisonOut(Schema):
    challenge: str
    phase: str
    leaderboard: str
    primary: str | None
    a: ComparedOut
    b: ComparedOut
    columns: list[ComparedColumnOut]


class EntryOut(Schema):
    submission: str
    created: datetime
    scores: dict[str, float]
    note: str


@router.get("/challenges/{challenge}/leaderboard", response=LeaderboardOut, url_name="leaderboard")
def leaderboard(
    request: Request[Challenge],
    challenge: str,
    shown: Annotated[ColumnsIn, Query()],
    phase: str | None = None,
    leaderboard: str | None = None,
    metric: str | None = None,
    group: str | None = None,
    sort: str = "rank",
    q: str = "",
) -> HttpResponse:
    """A leaderboard of a phase. The default phase is the open one, the default leaderboard its first. `metric` is the
    key of a column to rank by instead of the primary one; rank ranges are only of that one. `group` shows the scores
    within a group of cases, such as `sex:f`. Sort by `rank`, `team`, `entries`, `last`, the key of a column or
    `answer_` and the key of a question; a leading minus reverses the order. `q` finds rows by a part of the team's
    name. `columns` are the keys of the columns to show, several times; the one that ranks is always there."""
    wanted = leaderboard_request(request, phase)
    etag = wanted.etag(request)
    unchanged = get_conditional_response(request, etag=etag)
    response = unchanged or HttpResponse(wanted.json(), "application/json; charset=utf-8")
    response["ETag"] = etag
    return private(response)


class RobustRowOut(Schema):
    """`redraws` says how often the team had `first_rank`, the rank after it, and so on, if the cases were drawn again.

    `better_than` are the teams that it is significantly better than. `ranks` are by the key of the column, and
    `by_case` by the mean of the ranks in each case. `chance_next_is_better` is about the next row.
    """

    team: str
    rank: int
    rank_range: tuple[int, int] | None
    better_than: list[str]
    chance_next_is_better: float | None
    ranks: dict[str, int | None]
    first_rank: int
    redraws: list[int]


class AgreementOut(Schema):
    first: str
    second: str
    tau: float | None  # Kendall's tau-b


class StatisticsOut(Schema):
    """`rows` is empty if nothing is known, for example because the scores are hidden, and `reason` may say why."""

    challenge: str
    phase: str
    leaderboard: str
    cases: int | None
    test: str | None
    redraws: int | None
    reason: str
    rows: list[RobustRowOut]
    agreement: list[AgreementOut]


@router.get("/challenges/{challenge}/statistics", response=StatisticsOut, url_name="statistics")
def statistics(
    request: Request[Challenge],
    challenge: str,
    response: HttpResponse,
    phase: str | None = None,
    leaderboard: str | None = None,
) -> dict[str, object]:
    """How robust the order of a leaderboard is: significant differences, ranks if the cases were drawn again, and
    Kendall's tau between the rankings by each column. The defaults are those of the leaderboard."""
    wanted = leaderboard_request(request, phase)
    found = robustness(wanted)
    private(response)
    return {
        "challenge": wanted.challenge.slug,
        "phase": wanted.phase.name,
        "leaderboard": wanted.board.key,
        "cases": found.cases if found else None,
        "test": found.details.test if found else None,
        "redraws": found.details.draws if found else None,
        "reason": "" if found else wanted.snapshot.statistics.no_ranges,
        "rows": found.as_json() if found else [],
        "agreement": [{"first": a.key, "second": b.key, "tau": tau} for a, b, tau in found.taus] if found else [],
    }


@router.get("/challenges/{challenge}/compare", response=ComparisonOut, url_name="compare")
def compare(
    request: Request[Challenge],
    challenge: str,
    a: str,
    b: str,
    phase: str | None = None,
    leaderboard: str | None = None,
) -> dict[str, Any]:
    """Compare two submissions of a phase on the same cases. `a` and `b` are names of teams on the leaderboard, keys of
    its rows, or ids of scored submissions that you can see."""
    wanted = leaderboard_request(request, phase)
    return comparison(wanted, chosen(wanted, a), chosen(wanted, b))


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

"""Submissions of a challenge with their latest attempts, filtered and sorted."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlencode

from django.db.models import Exists, F, OrderBy, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTransform
from pydantic import BaseModel, Field

from palio.core.attempt.states import State
from palio.core.bundle.model import SubmissionKind
from palio.web.models import Attempt, Challenge
from palio.web.queries.submission import LIVE

SCORE, NEWEST = "score", "-created"
SORTS = {
    "created": "submission__created",
    "team": "submission__team__name",
    "phase": "submission__phase",
    "state": "state",
    "file": "submission__file__name",
    "finished": "finished",
    SCORE: "",
}
STATES = tuple(State)
KINDS = tuple(SubmissionKind)
STANDINGS: Mapping[str, Q] = {
    "on the leaderboard": Q(submission__counted__isnull=False)
    & Q(submission__hidden=None, submission__withdrawn=None, submission__disqualified=""),
    "hidden": Q(submission__hidden__isnull=False),
    "withdrawn": Q(submission__withdrawn__isnull=False),
    "disqualified": ~Q(submission__disqualified=""),
    "baseline": Q(submission__baseline=True),
}


class SubmissionFilter(BaseModel, frozen=True):
    """Filters of pages and API; empty means all. `team` is an ID, `standing` a key of STANDINGS, `q` words of the note,
    file name, team or ID. `sort` is a key of SORTS, with a leading minus for descending.

    The API refuses invalid values; for a page, they match nothing.
    """

    phase: str = ""
    team: str = ""
    state: str = ""
    cause: str = ""
    code: str = ""
    kind: str = ""
    standing: Literal["", "on the leaderboard", "hidden", "withdrawn", "disqualified", "baseline"] = ""
    q: Annotated[str, Field(max_length=200)] = ""
    sort: str = NEWEST

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "SubmissionFilter":
        """From a query string; an invalid `sort` falls back to the time of submission."""
        names = [name for name in cls.model_fields if name in given]
        wanted = cls.model_construct(None, **{name: str(given[name]).replace("\0", "").strip() for name in names})
        return wanted if wanted.sort.removeprefix("-") in SORTS else wanted.model_copy(update={"sort": NEWEST})

    def query(self, **other: str) -> str:
        """As a query string, with some values replaced."""
        return urlencode(self.model_copy(update=other).named)

    @property
    def named(self) -> dict[str, str]:
        """The values that differ from the defaults."""
        return self.model_dump(exclude_defaults=True, warnings=False)

    @property
    def is_all(self) -> bool:
        return self.model_copy(update={"sort": NEWEST}) == SubmissionFilter()


def latest_attempts(challenge: Challenge) -> QuerySet[Attempt]:
    """The latest attempt of each submission, except those of a re-score that is not applied."""
    later = Attempt.objects.filter(LIVE, submission=OuterRef("submission"), number__gt=OuterRef("number"))
    return Attempt.objects.filter(LIVE, ~Exists(later), submission__challenge=challenge)


def find(challenge: Challenge, wanted: SubmissionFilter, primary: str) -> QuerySet[Attempt]:
    """The latest attempts of the matching submissions. `primary` is the key of the leaderboard's primary column."""
    rows = latest_attempts(challenge).select_related(
        "submission__team", "submission__user", "submission__file", "submission__counted", "version"
    )
    exact = {
        "submission__phase": wanted.phase,
        "submission__team": wanted.team,
        "submission__file__kind": wanted.kind,
        "state": wanted.state,
        "failure_cause": wanted.cause,
        "failure_code": wanted.code,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted.standing:
        rows = rows.filter(STANDINGS[wanted.standing]) if wanted.standing in STANDINGS else rows.none()
    for word in wanted.q.split():
        rows = rows.filter(
            Q(submission__note__icontains=word)
            | Q(submission__file__name__icontains=word)
            | Q(submission__team__name__icontains=word)
            | Q(submission=word)
        )
    return rows.order_by(_order(wanted.sort, primary), "-submission__created", "submission_id")


def _order(sort: str, primary: str) -> OrderBy:
    name = sort.removeprefix("-")
    of = KeyTransform(primary, "submission__counted__scores") if name == SCORE else F(SORTS[name])
    return of.desc(nulls_last=True) if sort.startswith("-") else of.asc(nulls_last=True)

"""Overview of a challenge for its organizers: counts, failures by responsible party, pending decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Count, Max
from django.utils import timezone

from palio.core.attempt.states import State
from palio.core.errors import Cause, party
from palio.web.models import Attempt, Challenge, Registration, Rescore
from palio.web.queries.dashboard_submissions import latest_attempts


@dataclass(frozen=True)
class Failing:
    """A failure and how many submissions failed with it in their latest attempt; `next_step` is from the latest.
    `query` finds these submissions.
    """

    cause: str
    action_needed: str
    code: str
    count: int
    last: datetime | None
    next_step: str

    @property
    def query(self) -> str:
        return urlencode({"state": State.FAILED, "cause": self.cause, "code": self.code})


@dataclass(frozen=True)
class Numbers:
    """`states` counts submissions by the state of their latest attempt; `scored_today` counts attempts since midnight,
    UTC.
    """

    participants: int
    teams: int
    submissions: int
    states: Mapping[str, int]
    scored_today: int
    pending: int  # join requests to decide
    open_rescores: tuple[Rescore, ...]


def numbers(challenge: Challenge, now: datetime | None = None) -> Numbers:
    midnight = (now or timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    counted = dict(latest_attempts(challenge).order_by().values_list("state").annotate(Count("identity")))
    by_state = dict(challenge.registrations.order_by().values_list("state").annotate(Count("id")))
    scored = Attempt.objects.filter(submission__challenge=challenge, state=State.SCORED, finished__gte=midnight)
    is_open = [Rescore.State.RUNNING, Rescore.State.READY]
    return Numbers(
        participants=by_state.get(Registration.State.APPROVED, 0),
        teams=challenge.teams.filter(memberships__isnull=False).distinct().count(),
        submissions=sum(counted.values()),
        states={state.value: counted[state] for state in State if state in counted},
        scored_today=scored.count(),
        pending=by_state.get(Registration.State.PENDING, 0),
        open_rescores=tuple(challenge.rescores.filter(state__in=is_open).order_by("created")),
    )


def failing(challenge: Challenge) -> list[Failing]:
    """What organizers can fix first, then what operators can, then participants' failures; most frequent first."""
    failed = latest_attempts(challenge).filter(state=State.FAILED).exclude(failure_cause="")
    rows = failed.order_by().values_list("failure_cause", "failure_code").annotate(Count("identity"), Max("finished"))
    order = [Cause.ORGANIZER, Cause.PLATFORM, Cause.PARTICIPANT, Cause.USAGE]
    found = []
    for cause, code, count, finished in rows:
        last = failed.filter(failure_cause=cause, failure_code=code).order_by("-finished").first()
        next_step = (last.failure or {}).get("next_step", "") if last else ""
        found.append(Failing(cause, party(Cause(cause)), code, count, finished, next_step))
    return sorted(found, key=lambda each: (order.index(Cause(each.cause)), -each.count, each.code))

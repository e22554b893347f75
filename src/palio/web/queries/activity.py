"""Activity in a challenge, for its organizers: submissions over time, scores, failures by party, and the funnel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext

from palio.core.attempt.states import ENDS, State
from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Column, Phase
from palio.core.bundle.pick_phase import find_phase, pick_phase
from palio.core.errors import Cause, party
from palio.core.leaderboard.axis import Axis
from palio.web.models import Challenge, Membership, Registration, Submission
from palio.web.queries.dashboard_submissions import latest_attempts
from palio.web.storage.bundles import current_bundle

OUTCOMES = ("scored", "failed", "cancelled", "in progress")
COLUMNS = ("chart", "from", "to", "item", "count")
PARTIES = (Cause.PARTICIPANT, Cause.ORGANIZER, Cause.PLATFORM)
_SPANS_DAYS = (1, 7, 28, 91, 364)  # of a bar
_MOST_BARS = 60


@dataclass(frozen=True)
class Period:
    """Submissions made from the beginning of the day `first` to the end of the day `last`, UTC, by OUTCOMES of their
    latest attempt.
    """

    first: date
    last: date
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class ScoreBin:
    """Submissions with a score from `low` up to `high`, which belongs to it only in the last bin."""

    low: float
    high: float
    count: int

    @property
    def low_text(self) -> str:
        return f"{self.low:g}"

    @property
    def high_text(self) -> str:
        return f"{self.high:g}"


@dataclass(frozen=True)
class Scores:
    """The scores in the primary column of a phase that count: of all teams' submissions, without baselines, and without
    hidden, withdrawn and disqualified ones. `reason` says why there are no bins.
    """

    phase: str
    column: str
    count: int
    bins: tuple[ScoreBin, ...]
    reason: str = ""


@dataclass(frozen=True)
class PartyFailures:
    """Submissions whose latest attempt failed, by the party that has to act. `share` is of all of these."""

    cause: str
    action_needed: str
    count: int
    share: float

    @property
    def percent(self) -> float:
        return round(100 * self.share, 1)


@dataclass(frozen=True)
class FunnelStep:
    """How many participants got this far. `share` is of those who joined, between 0 and 1."""

    name: str
    count: int
    share: float

    @property
    def percent(self) -> float:
        return round(100 * self.share, 1)


@dataclass(frozen=True)
class Activity:
    periods: tuple[Period, ...]
    span_days: int
    scores: Scores
    parties: tuple[PartyFailures, ...]
    funnel: tuple[FunnelStep, ...]


def activity(challenge: Challenge, phase: str = "", now: datetime | None = None) -> Activity:
    """`phase` is the one whose scores are counted; by default, and if there is none of this name, the open one."""
    span_days, periods = _periods(challenge, now or timezone.now())
    return Activity(periods, span_days, _scores(challenge, phase), _parties(challenge), _funnel(challenge))


def rows(found: Activity) -> Iterator[tuple[object, ...]]:
    """The numbers behind all charts, under COLUMNS."""
    for step in found.funnel:
        yield "participants", "", "", step.name, step.count
    for period in found.periods:
        for outcome in OUTCOMES:
            yield "submissions", period.first, period.last, outcome, period.counts[outcome]
    for each in found.scores.bins:
        yield "scores", each.low, each.high, f"{found.scores.phase}: {found.scores.column}", each.count
    for of_party in found.parties:
        yield "failures", "", "", of_party.action_needed, of_party.count


def _periods(challenge: Challenge, now: datetime) -> tuple[int, tuple[Period, ...]]:
    """Their length in days, and from the first submission to today as few as fit. Days are those of UTC."""
    made = [
        (created.astimezone(UTC).date(), _outcome(state))
        for created, state in latest_attempts(challenge).order_by().values_list("submission__created", "state")
    ]
    if not made:
        return 1, ()
    first = min(day for day, _ in made)
    last = max(now.astimezone(UTC).date(), *(day for day, _ in made))
    days = (last - first).days + 1
    span = next((span for span in _SPANS_DAYS if days <= span * _MOST_BARS), days // _MOST_BARS + 1)
    counts = [dict.fromkeys(OUTCOMES, 0) for _ in range(-(-days // span))]
    for day, outcome in made:
        counts[(day - first).days // span][outcome] += 1
    starts = [first + timedelta(days=span * place) for place in range(len(counts))]
    ends = [min(last, start + timedelta(days=span - 1)) for start in starts]
    return span, tuple(Period(*each) for each in zip(starts, ends, counts, strict=True))


def _outcome(state: str) -> str:
    return state if State(state) in ENDS else "in progress"


def _scores(challenge: Challenge, named: str) -> Scores:
    bundle = current_bundle(challenge)
    phase = (find_phase(bundle, named) if named else None) or pick_phase(bundle, None, timezone.now())
    primary = leaderboards_of(bundle, phase)[0].primary
    values = _values(challenge, phase, primary)
    if not values:
        computed = primary.computation is not None
        reason = gettext("No scores in this phase yet.")
        if computed:
            reason = gettext("%(column)s is computed from other columns.") % {"column": primary.title}
        return Scores(phase.name, primary.title, 0, (), reason)
    axis = Axis.around(values)
    edges = [float(tick) for tick in axis.ticks]
    if len(edges) < 8:  # twice as many bars
        edges = sorted({*edges, *((low + high) / 2 for low, high in pairwise(edges))})
    counts = [0] * (len(edges) - 1)
    for value in values:
        place = next((at for at, edge in enumerate(edges[1:]) if value < edge), len(counts) - 1)
        counts[place] += 1
    first = next(place for place, count in enumerate(counts) if count)
    last = next(place for place, count in reversed([*enumerate(counts)]) if count)
    made = zip(pairwise(edges), counts, strict=True)
    bins = tuple(ScoreBin(round(low, 9), round(high, 9), count) for (low, high), count in made)[first : last + 1]
    return Scores(phase.name, primary.title, len(values), bins)


def _values(challenge: Challenge, phase: Phase, primary: Column) -> list[float]:
    counted = Submission.objects.filter(challenge=challenge, phase=phase.name, counted__isnull=False)
    ranked = counted.filter(baseline=False, hidden=None, withdrawn=None, disqualified="")
    scores = ranked.order_by().values_list("counted__scores", flat=True)
    return [each[primary.key] for each in scores if each and primary.key in each]


def _parties(challenge: Challenge) -> tuple[PartyFailures, ...]:
    failed = latest_attempts(challenge).filter(state=State.FAILED).order_by()
    known = dict(failed.values_list("failure_cause").annotate(Count("identity")))
    counts = [(cause, known.get(cause.value, 0)) for cause in PARTIES]
    total = sum(count for _, count in counts) or 1
    return tuple(PartyFailures(cause.value, party(cause), count, count / total) for cause, count in counts)


def _funnel(challenge: Challenge) -> tuple[FunnelStep, ...]:
    """Participants count for what their team did, because teams submit together."""
    joined = challenge.registrations.filter(state=Registration.State.APPROVED)
    members = Membership.objects.filter(challenge=challenge, user__in=joined.values("user"))
    made = challenge.submissions.filter(baseline=False)
    steps = (
        ("joined", joined.count()),
        ("submitted", members.filter(team__in=made.values("team")).count()),
        ("scored", members.filter(team__in=made.filter(counted__isnull=False).values("team")).count()),
    )
    most = steps[0][1] or 1
    return tuple(FunnelStep(name, count, count / most) for name, count in steps)

"""Submission limits: whether a team can submit to a phase now, and how often. The only place for dates, numbers and
kinds.

The time of submission decides, not that of the upload. Submissions count toward the limits if `Submission.charged` says
so (see verbs.quota), or while they are unfinished. Failed builds, failures on sample cases and platform errors never
count. Days are in UTC.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from palio.core.attempt.states import ENDS
from palio.core.attempt.verdicts import EVALUATED_KINDS
from palio.core.bundle.model import Phase, SubmissionKind
from palio.core.errors import PalioError, counted
from palio.web.http.refusals import RefusedError
from palio.web.models import Attempt, Challenge, StoredFile, Submission, Team
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.uploads import most_bytes, refuse_size

AT_THE_SAME_TIME = 1  # unfinished submissions of a team per phase


@dataclass(frozen=True)
class Quota:
    """Limits and usage of a team in a phase. `refusal` is why it cannot submit now, `back` when that passes."""

    phase: Phase
    used_today: int
    used: int
    running: int
    refusal: RefusedError | None = None
    back: datetime | None = None

    @property
    def left_today(self) -> int | None:
        """None: no limit."""
        limits = [
            (self.phase.max_submissions_per_day, self.used_today),
            (self.phase.max_submissions, self.used),
        ]
        left = [max(most - used, 0) for most, used in limits if most is not None]
        return min(left) if left else None

    @property
    def left(self) -> int | None:
        most = self.phase.max_submissions
        return None if most is None else max(most - self.used, 0)

    @property
    def kinds(self) -> tuple[SubmissionKind, ...]:
        return tuple(kind for kind in self.phase.rules.submissions if kind in EVALUATED_KINDS)

    @property
    def most_bytes(self) -> int:
        return most_bytes(self.phase)


def quota_of(team: Team, phase: Phase, now: datetime | None = None) -> Quota:
    """The team's limits and usage, with the first reason against submitting."""
    now = now or timezone.now()
    counted_submissions = counting(team, phase.name)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    quota = Quota(
        phase,
        used_today=counted_submissions.filter(created__gte=midnight).count(),
        used=counted_submissions.count(),
        running=counted_submissions.filter(Exists(_running())).count(),
    )
    refusal, back = _in_the_way(team.challenge, quota, now, midnight + timedelta(days=1))
    return Quota(phase, quota.used_today, quota.used, quota.running, refusal, back)


def quotas_of(team: Team, now: datetime | None = None) -> list[Quota]:
    """The same for each phase of the challenge, in order."""
    return [quota_of(team, phase, now) for phase in current_bundle(team.challenge).phases]


def counting(team: Team, phase: str) -> QuerySet[Submission]:
    """The team's submissions that count toward its limits in a phase."""
    return Submission.objects.filter(Q(charged=True) | Exists(_running()), team=team, phase=phase)


def refuse_to_submit(team: Team, phase: Phase, file: StoredFile, now: datetime | None = None) -> None:
    """Raises RefusedError or PalioError if this file cannot be submitted to this phase now."""
    quota = quota_of(team, phase, now)
    if quota.refusal is not None:
        raise quota.refusal
    kind = SubmissionKind(file.kind)
    if kind not in quota.kinds:
        allowed = ", ".join(f"`{each}`" for each in quota.kinds) or "none that can be evaluated here yet"
        raise PalioError("submission-kind-refused", name=file.name, kind=file.kind, phase=phase.name, allowed=allowed)
    refuse_size(file.name, file.size_bytes, phase)


def _running() -> QuerySet[Attempt]:
    return Attempt.objects.filter(submission=OuterRef("pk"), rescore=None).exclude(state__in=[*ENDS])


def _in_the_way(
    challenge: Challenge, quota: Quota, now: datetime, tomorrow: datetime
) -> tuple[RefusedError | None, datetime | None]:
    phase = quota.phase
    if challenge.visibility == Challenge.Visibility.ARCHIVED:
        return RefusedError(
            "challenge-archived", "This challenge is over and only there to be read.", "Its board stays open."
        ), None
    if now < phase.start:
        return RefusedError(
            "phase-not-open",
            f"The phase “{phase.name}” opens on {_time(phase.start)}.",
            "Hand in then; files that you have uploaded stay in your list.",
        ), phase.start
    if phase.end is not None and now >= phase.end:
        return RefusedError(
            "phase-closed",
            f"The phase “{phase.name}” closed on {_time(phase.end)}, and what counts is the moment of submitting.",
            "What you have uploaded is in your list of files, to be chosen for a phase that is open.",
        ), None
    if len(phase.tasks) != 1:
        return RefusedError(
            "tasks-several",
            f"The phase “{phase.name}” has several tasks, which this platform cannot evaluate yet.",
            "Ask an organizer of the challenge.",
        ), None
    if phase.max_submissions is not None and quota.used >= phase.max_submissions:
        return RefusedError(
            "tries-used-up",
            f"Your team has used {_of(quota.used, phase.max_submissions)} in this phase.",
            "There are no more in this phase; its board stays open to you.",
            429,
        ), None
    if phase.max_submissions_per_day is not None and quota.used_today >= phase.max_submissions_per_day:
        return RefusedError(
            "tries-used-up-today",
            f"Your team has used {_of(quota.used_today, phase.max_submissions_per_day)} of today.",
            f"There are new ones on {_time(tomorrow)}, when the next day begins in UTC.",
            429,
        ), tomorrow
    if quota.running >= AT_THE_SAME_TIME:
        have = "has" if quota.running == 1 else "have"
        return RefusedError(
            "submission-running",
            f"{counted(quota.running, 'submission')} of your team in this phase {have} not ended.",
            "Wait for its end, or cancel it on its page.",
        ), None
    return None, None


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d at %H:%M} UTC"


def _of(used: int, most: int) -> str:
    return f"{'its one try' if most == 1 else f'all {most:,} tries' if used <= most else f'its {most:,} tries'}"

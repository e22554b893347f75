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
from palio.core.bundle.model import Phase, SubmissionKind
from palio.core.errors import PalioError, counted
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
    refusal: PalioError | None = None
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
        return self.phase.rules.submissions

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
    """The team's submissions that count toward its limits in a phase. Those that the phase has taken over do not."""
    return Submission.objects.filter(Q(charged=True) | Exists(_running()), team=team, phase=phase, migrated_from=None)


def refuse_to_submit(team: Team, phase: Phase, file: StoredFile, now: datetime | None = None) -> None:
    """Raises PalioError if this file cannot be submitted to this phase now."""
    quota = quota_of(team, phase, now)
    if quota.refusal is not None:
        raise quota.refusal
    kind = SubmissionKind(file.kind)
    if kind not in quota.kinds:
        allowed = ", ".join(f"`{each}`" for each in quota.kinds)
        raise PalioError("submission-kind-refused", name=file.name, kind=file.kind, phase=phase.name, allowed=allowed)
    refuse_size(file.name, file.size_bytes, phase)


def _running() -> QuerySet[Attempt]:
    return Attempt.objects.filter(submission=OuterRef("pk"), rescore=None).exclude(state__in=[*ENDS])


def _in_the_way(
    challenge: Challenge, quota: Quota, now: datetime, tomorrow: datetime
) -> tuple[PalioError | None, datetime | None]:
    phase = quota.phase
    if challenge.visibility == Challenge.Visibility.ARCHIVED:
        return PalioError("challenge-archived"), None
    if now < phase.start:
        return PalioError("phase-not-open", phase=phase.name, time=_time(phase.start)), phase.start
    if phase.end is not None and now >= phase.end:
        return PalioError("phase-closed", phase=phase.name, time=_time(phase.end)), None
    if phase.max_submissions is not None and quota.used >= phase.max_submissions:
        return PalioError("quota-exhausted", phase=phase.name, limit=counted(phase.max_submissions, "submission")), None
    if phase.max_submissions_per_day is not None and quota.used_today >= phase.max_submissions_per_day:
        return PalioError(
            "quota-exhausted-today",
            phase=phase.name,
            limit=counted(phase.max_submissions_per_day, "submission"),
            time=_time(tomorrow),
        ), tomorrow
    if quota.running >= AT_THE_SAME_TIME:
        return PalioError("submission-running", count=counted(quota.running, "submission")), None
    return None, None


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d at %H:%M} UTC"

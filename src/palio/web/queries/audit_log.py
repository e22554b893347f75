"""The audit log of a challenge, newest first."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet
from pydantic import BaseModel

from palio.core.errors import PalioError
from palio.web.models import Challenge, Event, Submission

PLATFORM = "the platform"


class AuditLogFilter(BaseModel, frozen=True):
    """Filters of pages and API; empty means all. `person` is a username or PLATFORM, `kind` a full event kind or the
    part before the dot, such as `submission`. `since` and `until` are days such as 2026-03-01, UTC, and include them.
    """

    person: str = ""
    submission: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "AuditLogFilter":
        return cls(**{name: str(given.get(name, "")).replace("\0", "").strip() for name in cls.model_fields})

    def query(self) -> str:
        return urlencode(self.model_dump(exclude_defaults=True))

    @property
    def is_all(self) -> bool:
        return self == AuditLogFilter()


def find(challenge: Challenge, wanted: AuditLogFilter) -> QuerySet[Event]:
    """Raises PalioError "date-invalid"."""
    rows = challenge.events.select_related("actor", "submission__file", "submission__team").order_by("-id")
    if wanted.person == PLATFORM:
        rows = rows.filter(actor=None)
    elif wanted.person:
        rows = rows.filter(actor__username__iexact=wanted.person)
    if wanted.submission:
        rows = rows.filter(submission=wanted.submission)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind) if "." in wanted.kind else rows.filter(kind__startswith=f"{wanted.kind}.")
    if wanted.since:
        rows = rows.filter(time__gte=_day(wanted.since, "since"))
    if wanted.until:
        rows = rows.filter(time__lt=_day(wanted.until, "until") + timedelta(days=1))
    return rows


def _day(written: str, field: str) -> datetime:
    """The beginning of the day."""
    try:
        return datetime.strptime(written, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise PalioError("date-invalid", field=field, value=written) from None


def kinds(challenge: Challenge) -> list[str]:
    """The event kinds that have occurred."""
    return list(challenge.events.order_by("kind").values_list("kind", flat=True).distinct())


def actors(challenge: Challenge) -> list[str]:
    names = challenge.events.exclude(actor=None).order_by("actor__username")
    return [*names.values_list("actor__username", flat=True).distinct(), PLATFORM]


def of_submission(submission: Submission) -> QuerySet[Event]:
    """What people did with a submission; what the controller did is in its attempts."""
    return submission.events.exclude(actor=None).select_related("actor").order_by("id")

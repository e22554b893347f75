"""The audit log of a challenge."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Router, Schema

from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request
from palio.web.models import Challenge, Event
from palio.web.queries import audit_log
from palio.web.queries.event_sentences import sentence

router = Router(tags=["dashboard"])


class EventOut(Schema):
    """`who` is null for the platform. `sentence` says what they did, in English."""

    time: datetime
    who: str | None
    kind: str
    sentence: str
    submission: str | None
    attempt: str
    detail: dict[str, Any]


@router.get("/challenges/{challenge}/manage/audit-log", response=Paged[EventOut], url_name="audit-log")
def list_events(
    request: Request[Challenge], challenge: str, page: PageQuery, asked: Annotated[audit_log.AuditLogFilter, Query()]
) -> dict[str, Any]:
    """List events, newest first. `kind` is a full event kind or the part before the dot. `since` and `until` are
    days.
    """
    return page_of(audit_log.find(request.subject, audit_log.AuditLogFilter.of(asked.model_dump())), page, _event)


def _event(event: Event) -> dict[str, Any]:
    return {
        "time": event.time,
        "who": event.actor.username if event.actor else None,
        "kind": event.kind,
        "sentence": sentence(event),
        "submission": event.submission_id,
        "attempt": event.attempt,
        "detail": event.detail,
    }

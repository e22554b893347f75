"""Participants of a challenge, and requests to join it."""

from datetime import datetime
from typing import Any

from ninja import Router, Schema
from pydantic import Field

from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Registration
from palio.web.queries.participants import registrations
from palio.web.verbs.joining import decide, decide_several

router = Router(tags=["participants"])


class ParticipantOut(Schema):
    id: str
    user: str
    state: str
    team: str | None
    created: datetime
    terms_version: int | None
    terms_accepted: datetime | None
    decided_by: str | None
    decided: datetime | None


class DecideIn(Schema):
    approve: bool


class DecideSeveralIn(DecideIn):
    """`registrations`: their IDs; those of another challenge are ignored."""

    registrations: list[str] = Field(max_length=1000)


class RefusedDecisionOut(Schema):
    """`name`: the username."""

    name: str
    code: str
    message: str


class DecidedOut(Schema):
    done: int
    refused: list[RefusedDecisionOut]


@router.get("/challenges/{challenge}/manage/registrations", response=Paged[ParticipantOut], url_name="participants")
def list_participants(
    request: Request[Challenge], challenge: str, page: PageQuery, state: str = "", q: str = ""
) -> dict[str, Any]:
    """List participants and join requests, oldest request first."""
    rows = registrations(request.subject, q=q.replace("\0", ""), state=state.replace("\0", ""))
    return page_of(rows, page, _participant)


@router.post(
    "/challenges/{challenge}/manage/registrations/decide", response=DecidedOut, url_name="decide-join-requests"
)
def decide_join_requests(request: Request[Challenge], challenge: str, content: DecideSeveralIn) -> Any:
    """Approve or refuse several join requests. One that cannot be decided so does not hold up the others."""
    chosen = request.subject.registrations.filter(pk__in=content.registrations)
    return decide_several(chosen, approve=content.approve, actor=signed_in(request))


@router.post("/registrations/{registration}/decide", response=ParticipantOut, url_name="decide-join-request")
def decide_join_request(request: Request[Registration], registration: str, content: DecideIn) -> dict[str, Any]:
    """Approve or refuse a join request."""
    subject = request.subject
    decide(subject, approve=content.approve, actor=signed_in(request))
    return _participant(registrations(subject.challenge).get(pk=subject.pk))


def _participant(found: Any) -> dict[str, Any]:
    return {
        "id": found.pk,
        "user": found.user.username,
        "state": found.state,
        "team": found.team,
        "created": found.created,
        "terms_version": found.terms_version.number if found.terms_version else None,
        "terms_accepted": found.terms_accepted,
        "decided_by": found.decided_by.username if found.decided_by else None,
        "decided": found.decided,
    }

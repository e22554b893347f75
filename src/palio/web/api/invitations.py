"""Invitation links to the platform, a challenge or a team: create, list, revoke, accept."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest
from django.urls import reverse
from ninja import Router, Schema, Status
from pydantic import Field

from palio.web.access.relations import own_team
from palio.web.api.joining import TeamNameOut, TermsIn
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Invitation, Team
from palio.web.verbs import invitations

router = Router(tags=["invitations"])


class InvitationIn(Schema):
    note: str = Field("", max_length=200)


class InvitationOut(Schema):
    """`code` and `url` are shown only once."""

    id: str
    code: str
    url: str
    expires: datetime


class OpenInvitationOut(Schema):
    """`account`: the user who signed up with it."""

    id: str
    note: str
    created: datetime
    created_by: str
    expires: datetime
    account: str | None


class AcceptIn(TermsIn):
    """`whole_team`: as a captain, bring along your team."""

    code: str = Field(max_length=200)
    whole_team: bool = False


class AcceptedOut(Schema):
    challenge: str
    team: TeamNameOut | None


@router.post("/invitations/accept", response=AcceptedOut, url_name="accept-invitation")
def accept_invitation(request: HttpRequest, content: AcceptIn) -> dict[str, Any]:
    """Join the challenge or the team of an invitation."""
    accepted = invitations.accept(
        content.code, signed_in(request), terms_digest=content.accept_terms, whole_team=content.whole_team
    )
    if accepted.challenge is None:
        raise Http404
    team = own_team(accepted.challenge, signed_in(request))
    return {"challenge": accepted.challenge.slug, "team": {"id": team.id, "name": team.name} if team else None}


# -- to the platform


@router.get("/invitations", response=list[OpenInvitationOut], url_name="list-invitations")
def list_to_platform(request: HttpRequest) -> list[dict[str, Any]]:
    return _open(_TO_PLATFORM)


@router.post("/invitations", response={201: InvitationOut}, url_name="invite-account")
def invite_to_platform(request: HttpRequest, content: InvitationIn) -> Status[Any]:
    """Create a link with which one person can sign up, once."""
    return _made(request, *invitations.invite(signed_in(request), note=content.note))


@router.delete("/invitations/{invitation}", response={204: None}, url_name="revoke-account-invitation")
def take_back_to_platform(request: HttpRequest, invitation: str) -> Status[None]:
    return _take_back(request, invitation, _TO_PLATFORM)


# -- into a challenge


@router.get(
    "/challenges/{challenge}/invitations", response=list[OpenInvitationOut], url_name="list-challenge-invitations"
)
def list_into_challenge(request: Request[Challenge], challenge: str) -> list[dict[str, Any]]:
    return _open(Q(challenge=request.subject, team=None))


@router.post("/challenges/{challenge}/invitations", response={201: InvitationOut}, url_name="invite-participant")
def invite_into_challenge(request: Request[Challenge], challenge: str, content: InvitationIn) -> Status[Any]:
    """Create a link with which one person can join the challenge, once."""
    made = invitations.invite(signed_in(request), challenge=request.subject, note=content.note)
    return _made(request, *made)


@router.delete("/challenges/{challenge}/invitations/{invitation}", response={204: None}, url_name="revoke-invitation")
def take_back_into_challenge(request: Request[Challenge], challenge: str, invitation: str) -> Status[None]:
    return _take_back(request, invitation, Q(challenge=request.subject, team=None))


# -- into a team


@router.get("/teams/{team}/invitations", response=list[OpenInvitationOut], url_name="list-team-invitations")
def list_into_team(request: Request[Team], team: str) -> list[dict[str, Any]]:
    return _open(Q(team=request.subject))


@router.post("/teams/{team}/invitations", response={201: InvitationOut}, url_name="invite-member")
def invite_into_team(request: Request[Team], team: str, content: InvitationIn) -> Status[Any]:
    """Create a link with which one participant can join the team, once."""
    return _made(request, *invitations.invite(signed_in(request), team=request.subject, note=content.note))


@router.delete("/teams/{team}/invitations/{invitation}", response={204: None}, url_name="revoke-member-invitation")
def take_back_into_team(request: Request[Team], team: str, invitation: str) -> Status[None]:
    return _take_back(request, invitation, Q(team=request.subject))


# -- helpers

_TO_PLATFORM = Q(challenge=None, team=None)


def _made(request: HttpRequest, invitation: Invitation, code: str) -> Status[Any]:
    url = request.build_absolute_uri(reverse("pages:invitation", args=[code]))
    return Status(201, {"id": invitation.id, "code": code, "url": url, "expires": invitation.expires})


def _open(of: Q) -> list[dict[str, Any]]:
    return [
        {
            "id": each.id,
            "note": each.note,
            "created": each.created,
            "created_by": each.created_by.username,
            "expires": each.expires,
            "account": each.used_by.username if each.used_by else None,
        }
        for each in invitations.open_invitations(of)
    ]


def _take_back(request: HttpRequest, invitation: str, of: Q) -> Status[None]:
    """Revoke an invitation; does nothing if it was used or revoked."""
    found = Invitation.objects.filter(of, pk=invitation).first()
    if found is None:
        raise Http404
    invitations.take_back(found, actor=signed_in(request))
    return Status(204, None)

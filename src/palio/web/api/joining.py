"""Joining a challenge, and roles in it."""

from datetime import datetime
from typing import Any, Literal

from django.http import Http404
from ninja import Router, Schema, Status
from ninja.decorators import decorate_view
from pydantic import Field

from palio.web.access.relations import own_team
from palio.web.api.idempotency import once
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Registration, Role
from palio.web.verbs import joining, roles

router = Router(tags=["joining"])


class TeamNameOut(Schema):
    id: str
    name: str


class RegistrationOut(Schema):
    """`state`: pending, approved, refused or withdrawn. `terms_are_new`: the terms have changed since they were
    accepted.
    """

    state: str
    created: datetime
    decided: datetime | None
    terms_version: int | None
    terms_accepted: datetime | None
    terms_are_new: bool
    team: TeamNameOut | None


class TermsIn(Schema):
    """`accept_terms` is the digest of the terms in GET /challenges/{challenge}; empty if there are none."""

    accept_terms: str = Field("", max_length=64)


class RoleIn(Schema):
    username: str = Field(max_length=150)
    kind: Literal["organizer", "scorer", "viewer"]


class RoleOut(Schema):
    username: str
    kind: str
    granted: datetime


@router.get("/challenges/{challenge}/registration", response=RegistrationOut, url_name="registration")
def get_registration(request: Request[Challenge], challenge: str) -> dict[str, Any]:
    """Your registration; 404 if you have never asked to join."""
    registration = joining.registration_of(request.subject, signed_in(request))
    if registration is None:
        raise Http404
    return _shown(registration)


@router.post("/challenges/{challenge}/registration", response={201: RegistrationOut}, url_name="join")
@decorate_view(once)
def join_challenge(request: Request[Challenge], challenge: str, content: TermsIn) -> Status[Any]:
    """Join a challenge; the state is approved or pending, depending on its settings."""
    found = joining.join(request.subject, signed_in(request), terms_digest=content.accept_terms)
    return Status(201, _shown(found))


@router.post("/challenges/{challenge}/registration/terms", response=RegistrationOut, url_name="accept-terms")
def accept_terms(request: Request[Challenge], challenge: str, content: TermsIn) -> dict[str, Any]:
    """Accept the terms of a later version."""
    registration = joining.registration_of(request.subject, signed_in(request))
    if registration is None:
        raise Http404
    return _shown(joining.accept_terms(registration, content.accept_terms))


@router.delete("/challenges/{challenge}/registration", response={204: None}, url_name="withdraw-from-challenge")
def withdraw(request: Request[Challenge], challenge: str) -> Status[None]:
    joining.withdraw(request.subject, signed_in(request))
    return Status(204, None)


@router.get("/challenges/{challenge}/roles", response=list[RoleOut], url_name="list-roles")
def list_roles(request: Request[Challenge], challenge: str) -> list[dict[str, Any]]:
    return [_role(role) for role in request.subject.roles.select_related("user").order_by("granted")]


@router.post("/challenges/{challenge}/roles", response=RoleOut, url_name="grant-role")
def grant_role(request: Request[Challenge], challenge: str, content: RoleIn) -> dict[str, Any]:
    """Give a user a role, replacing the one they have."""
    return _role(roles.grant(request.subject, content.username, content.kind, actor=signed_in(request)))


@router.delete("/challenges/{challenge}/roles/{username}", response={204: None}, url_name="revoke-role")
def revoke_role(request: Request[Challenge], challenge: str, username: str) -> Status[None]:
    roles.revoke(request.subject, username, actor=signed_in(request))
    return Status(204, None)


def _shown(registration: Registration) -> dict[str, Any]:
    approved = registration.state == Registration.State.APPROVED
    team = own_team(registration.challenge, registration.user) if approved else None
    return {
        "state": registration.state,
        "created": registration.created,
        "decided": registration.decided,
        "terms_version": registration.terms_version.number if registration.terms_version else None,
        "terms_accepted": registration.terms_accepted,
        "terms_are_new": joining.needs_terms(registration),
        "team": {"id": team.id, "name": team.name} if team else None,
    }


def _role(role: Role) -> dict[str, Any]:
    return {"username": role.user.username, "kind": role.kind, "granted": role.granted}

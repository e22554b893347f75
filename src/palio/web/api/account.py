"""The user's account and API tokens."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from palio.web.http.request import Request, signed_in
from palio.web.models import ApiToken, Membership, Role
from palio.web.verbs.tokens import make_token, revoke_token, valid_tokens

router = Router(tags=["account"])


class TokenOut(Schema):
    id: str
    name: str
    scopes: list[str]
    created: datetime
    expires: datetime | None
    last_used: datetime | None


class MembershipOut(Schema):
    challenge: str
    team: str
    id: str  # of the team


class OwnRoleOut(Schema):
    challenge: str
    kind: str


class OwnAccountOut(Schema):
    """`token` is the token of this request; null for a session."""

    username: str
    token: TokenOut | None
    memberships: list[MembershipOut]
    roles: list[OwnRoleOut]


class TokenIn(Schema):
    """`days` null: no expiration."""

    name: str = Field(max_length=80)
    scopes: list[str] = Field(max_length=10)
    days: int | None = 90


class NewTokenOut(TokenOut):
    """`secret` is the token to send; it is shown only once."""

    secret: str


@router.get("/me", response=OwnAccountOut, url_name="account")
def me(request: Request[None]) -> dict[str, Any]:
    user, token = signed_in(request), request.token
    memberships = Membership.objects.filter(user=user).select_related("team", "challenge").order_by("-joined")
    roles = Role.objects.filter(user=user).select_related("challenge").order_by("-granted")
    return {
        "username": user.username,
        "token": _shown(token) if token else None,
        "memberships": [
            {"challenge": each.challenge.slug, "team": each.team.name, "id": each.team_id} for each in memberships
        ],
        "roles": [{"challenge": each.challenge.slug, "kind": each.kind} for each in roles],
    }


@router.get("/tokens", response=list[TokenOut], url_name="list-tokens")
def list_tokens(request: HttpRequest) -> list[dict[str, Any]]:
    return [_shown(token) for token in valid_tokens(signed_in(request)).order_by("-created")]


@router.post("/tokens", response={201: NewTokenOut}, url_name="make-token")
def new_token(request: HttpRequest, content: TokenIn) -> Status[Any]:
    """Create a token. Needs a browser session: a token cannot create another."""
    token, secret = make_token(signed_in(request), content.name, content.scopes, days=content.days)
    return Status(201, _shown(token) | {"secret": secret})


@router.delete("/tokens/{token}", response={204: None}, url_name="revoke-token")
def revoke(request: Request[ApiToken], token: str) -> Status[None]:
    revoke_token(request.subject, actor=signed_in(request))
    return Status(204, None)


def _shown(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "created": token.created,
        "expires": token.expires,
        "last_used": token.last_used,
    }

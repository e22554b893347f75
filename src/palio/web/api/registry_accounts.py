"""A team's accounts at registries of images, for its captain. Secrets are accepted and never returned."""

from datetime import datetime
from typing import Any

from django.http import Http404
from ninja import Router, Schema, Status
from pydantic import Field

from palio.web.http.request import Request, signed_in
from palio.web.models import RegistryAccount, Team
from palio.web.verbs import registry_accounts

router = Router(tags=["teams"])


class RegistryAccountOut(Schema):
    id: str
    registry: str
    username: str
    saved: datetime
    saved_by: str


class RegistryAccountIn(Schema):
    """`secret`: a token or password that may pull the team's images."""

    registry: str = Field(max_length=300)
    username: str = Field(max_length=1000)
    secret: str = Field(max_length=20_000)


@router.get("/teams/{team}/registry-accounts", response=list[RegistryAccountOut], url_name="list-registry-accounts")
def list_all(request: Request[Team], team: str) -> list[dict[str, Any]]:
    return [_shown(each) for each in registry_accounts.accounts_of(request.subject)]


@router.post("/teams/{team}/registry-accounts", response=RegistryAccountOut, url_name="save-registry-account")
def save(request: Request[Team], team: str, content: RegistryAccountIn) -> dict[str, Any]:
    """Add an account, or replace the one at the same registry."""
    given = (content.registry, content.username, content.secret)
    return _shown(registry_accounts.save(request.subject, *given, actor=signed_in(request)))


@router.delete("/teams/{team}/registry-accounts/{account}", response={204: None}, url_name="delete-registry-account")
def delete(request: Request[Team], team: str, account: str) -> Status[None]:
    found = registry_accounts.accounts_of(request.subject).filter(pk=account).first()
    if found is None:
        raise Http404
    registry_accounts.delete(found, actor=signed_in(request))
    return Status(204, None)


def _shown(account: RegistryAccount) -> dict[str, Any]:
    return {
        "id": account.pk,
        "registry": account.registry,
        "username": account.username,
        "saved": account.saved,
        "saved_by": account.saved_by.username,
    }

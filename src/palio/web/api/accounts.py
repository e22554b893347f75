"""Accounts, for operators. Actions that give access to another account need a browser session."""

from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpRequest
from ninja import Router, Schema

from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import signed_in
from palio.web.models import User
from palio.web.verbs import accounts

router = Router(tags=["accounts"])


class AccountOut(Schema):
    username: str
    email: str
    joined: datetime
    last_login: datetime | None
    active: bool
    operator: bool
    may_publish: bool
    second_factor: bool


class AccountIn(Schema):
    """Only the given fields change."""

    active: bool | None = None
    may_publish: bool | None = None


class LinkOut(Schema):
    """`url` is shown only once."""

    url: str


@router.get("/accounts", response=Paged[AccountOut], url_name="accounts")
def list_accounts(request: HttpRequest, page: PageQuery, q: str = "") -> dict[str, Any]:
    """List all accounts by name; `q` is a part of the username or e-mail address."""
    sought = q.replace("\0", "").strip()
    rows = _accounts()
    if sought:
        rows = rows.filter(Q(username__icontains=sought) | Q(email__icontains=sought))
    return page_of(rows.order_by("username"), page, _shown)


@router.patch("/accounts/{username}", response=AccountOut, url_name="update-account")
def update_account(request: HttpRequest, username: str, content: AccountIn) -> dict[str, Any]:
    """Deactivate or reactivate an account, or set whether it may publish challenges."""
    found, actor = _account(username), signed_in(request)
    if content.active is not None:
        accounts.set_active(found, content.active, actor=actor)
    if content.may_publish is not None:
        accounts.set_publisher(found, content.may_publish, actor=actor)
    return _shown(_account(username))


@router.post("/accounts/{username}/reset-link", response=LinkOut, url_name="reset-link")
def reset_link(request: HttpRequest, username: str) -> dict[str, Any]:
    """Create a password reset link that works once. Needs a browser session."""
    return {"url": request.build_absolute_uri(accounts.reset_link(_account(username), actor=signed_in(request)))}


@router.post("/accounts/{username}/remove-second-factors", response=AccountOut, url_name="remove-second-factors")
def remove_second_factors(request: HttpRequest, username: str) -> dict[str, Any]:
    """Remove all second factors and passkeys of an account. Needs a browser session."""
    accounts.remove_second_factors(_account(username), actor=signed_in(request))
    return _shown(_account(username))


def _accounts() -> Any:
    return User.objects.annotate(has_second_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk"))))


def _account(username: str) -> Any:
    found = _accounts().filter(username=username).first()
    if found is None:
        raise Http404
    return found


def _shown(account: Any) -> dict[str, Any]:
    return {
        "username": account.username,
        "email": account.email,
        "joined": account.date_joined,
        "last_login": account.last_login,
        "active": account.is_active,
        "operator": account.is_superuser,
        "may_publish": account.is_staff or account.is_superuser,
        "second_factor": account.has_second_factor,
    }

"""What operators do for people. What would let somebody in as another person is done with no token."""

from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpRequest
from ninja import Router, Schema

from palio.web.api.paging import Page, PageQuery, page_of
from palio.web.http.request import signed_in
from palio.web.models import User
from palio.web.verbs import accounts

router = Router(tags=["people"])


class PersonOut(Schema):
    username: str
    email: str
    joined: datetime
    last_login: datetime | None
    active: bool
    operator: bool
    may_publish: bool
    second_factor: bool


class PersonIn(Schema):
    """What is to be otherwise; what is left out stays."""

    active: bool | None = None
    may_publish: bool | None = None


class LinkOut(Schema):
    """It is shown this once."""

    url: str


@router.get("/accounts", response=Page[PersonOut], url_name="list-people")
def list_people(request: HttpRequest, page: PageQuery, q: str = "") -> dict[str, Any]:
    """All accounts, by name; `q` is a part of their names or addresses."""
    sought = q.replace("\0", "").strip()
    rows = _people()
    if sought:
        rows = rows.filter(Q(username__icontains=sought) | Q(email__icontains=sought))
    return page_of(rows.order_by("username"), page, _shown)


@router.patch("/accounts/{username}", response=PersonOut, url_name="change-person")
def change_person(request: HttpRequest, username: str, content: PersonIn) -> dict[str, Any]:
    """Switches an account off or on again, and says whether its owner may publish challenges of their own."""
    found, actor = _person(username), signed_in(request)
    if content.active is not None:
        accounts.set_active(found, content.active, actor=actor)
    if content.may_publish is not None:
        accounts.set_publisher(found, content.may_publish, actor=actor)
    return _shown(_person(username))


@router.post("/accounts/{username}/reset-link", response=LinkOut, url_name="reset-link")
def reset_link(request: HttpRequest, username: str) -> dict[str, Any]:
    """A link with which they choose a new password, once. Only from a browser that is signed in, with no token."""
    return {"url": request.build_absolute_uri(accounts.reset_link(_person(username), actor=signed_in(request)))}


@router.post("/accounts/{username}/remove-second-factors", response=PersonOut, url_name="remove-second-factors")
def remove_second_factors(request: HttpRequest, username: str) -> dict[str, Any]:
    """Passkeys too. Only from a browser that is signed in, with no token."""
    accounts.remove_second_factors(_person(username), actor=signed_in(request))
    return _shown(_person(username))


def _people() -> Any:
    return User.objects.annotate(has_second_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk"))))


def _person(username: str) -> Any:
    found = _people().filter(username=username).first()
    if found is None:
        raise Http404
    return found


def _shown(person: Any) -> dict[str, Any]:
    return {
        "username": person.username,
        "email": person.email,
        "joined": person.date_joined,
        "last_login": person.last_login,
        "active": person.is_active,
        "operator": person.is_superuser,
        "may_publish": person.is_staff or person.is_superuser,
        "second_factor": person.has_second_factor,
    }

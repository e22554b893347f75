"""A request as views get it: who asks, what the address names, and what the user is to it."""

from enum import StrEnum
from typing import Generic, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from palio.web.models import ApiToken, User

Subject = TypeVar("Subject", covariant=True)


class Relation(StrEnum):
    """What a user is to a challenge, a submission or a team."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    PARTICIPANT = "participant"  # registered and approved in the challenge
    TEAM = "team"  # of the team that it belongs to
    CAPTAIN = "captain"  # of that team
    OWNER = "owner"  # its own: a token, an upload
    VIEWER = "viewer"
    SCORER = "scorer"
    ORGANIZER = "organizer"
    PUBLISHER = "publisher"  # may publish challenges of their own
    ADMIN = "admin"


class Request(HttpRequest, Generic[Subject]):
    """The type of a request that has passed all middleware. `Request[Challenge]` is one whose address names a
    challenge; a test compares the annotations of all views with `access.rules`.

    Only for annotations: Django makes its own class, and middleware adds these attributes.
    """

    user: User | AnonymousUser
    token: ApiToken | None  # what a program has signed in with
    htmx: HtmxDetails
    subject: Subject
    relations: frozenset[Relation]


def signed_in(request: HttpRequest) -> User:
    """The user, on pages that the access table keeps for those who have signed in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user

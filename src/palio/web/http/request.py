"""The request as views get it: user, subject of the URL, and the user's relations to it."""

from enum import StrEnum
from typing import Generic, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from palio.web.models import ApiToken, Team, User

Subject = TypeVar("Subject", covariant=True)


class Relation(StrEnum):
    """A relation of a user to a challenge, a submission or a team."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    PARTICIPANT = "participant"  # approved in the challenge
    TEAM = "team"  # member of the team it belongs to
    CAPTAIN = "captain"  # captain of that team
    OWNER = "owner"  # of a token or an upload
    RECEIVER = "receiver"  # of a message
    VIEWER = "viewer"
    SCORER = "scorer"
    ORGANIZER = "organizer"
    PUBLISHER = "publisher"  # may publish challenges
    ADMIN = "admin"


class Request(HttpRequest, Generic[Subject]):
    """The type of a request after all middleware. `Request[Challenge]` is one whose URL names a challenge; a test
    compares the annotations of all views with `access.rules`.

    Only for annotations: Django creates the instances, and middleware adds these attributes.
    """

    user: User | AnonymousUser
    token: ApiToken | None  # if authenticated with a token
    htmx: HtmxDetails
    subject: Subject
    relations: frozenset[Relation]
    team: Team | None  # the user's own, in the challenge of the subject


def signed_in(request: HttpRequest) -> User:
    """The user, in views that the access table restricts to signed-in users."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user

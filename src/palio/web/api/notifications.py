"""The user's notifications and their settings."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from palio.web.api.paging import Paged, PageRange, page_of
from palio.web.http.request import signed_in
from palio.web.models import Notification, NotificationSettings, User
from palio.web.queries import notifications as queries
from palio.web.verbs import accounts
from palio.web.verbs import notifications as verbs

router = Router(tags=["account"])


class NotificationOut(Schema):
    """`path`: of the page that it is about."""

    id: str
    kind: str
    challenge: str
    submission: str | None
    text: str
    path: str
    created: datetime
    read: datetime | None


class NotificationRange(PageRange):
    unread: bool = False


class ReadIn(Schema):
    """`ids` null: all."""

    ids: list[str] | None = Field(None, max_length=1000)


class ReadOut(Schema):
    marked: int


class NotificationSettingsIn(Schema):
    """`kinds`: for each kind, for each channel (`page`, `mail`), whether it is on; what is left out stays as it is.
    `digest`, for organizers: `off`, `daily` or `weekly`. `language` of e-mails and notifications: `en`, `de` or `fr`.
    """

    kinds: dict[str, dict[str, bool]] = Field(default_factory=dict, max_length=20)
    digest: str | None = None
    language: str | None = None


class NotificationSettingsOut(Schema):
    """`mail_address`: where e-mails go; empty if you get none."""

    kinds: dict[str, dict[str, bool]]
    digest: str
    language: str
    mail_address: str


@router.get("/notifications", response=Paged[NotificationOut], url_name="notifications")
def list_notifications(request: HttpRequest, wanted: Annotated[NotificationRange, Query()]) -> dict[str, Any]:
    """Your notifications, newest first."""
    return page_of(queries.listed(signed_in(request), unread=wanted.unread), wanted, _shown)


@router.post("/notifications/read", response=ReadOut, url_name="read-notifications")
def mark_read(request: HttpRequest, content: ReadIn) -> dict[str, Any]:
    """Mark notifications as read."""
    return {"marked": verbs.mark_read(signed_in(request), content.ids)}


@router.get("/notifications/settings", response=NotificationSettingsOut, url_name="notification-settings")
def get_settings(request: HttpRequest) -> dict[str, Any]:
    user = signed_in(request)
    return _settings(user, verbs.settings_of(user))


@router.patch("/notifications/settings", response=NotificationSettingsOut, url_name="set-notifications")
def set_notifications(request: HttpRequest, content: NotificationSettingsIn) -> dict[str, Any]:
    user = signed_in(request)
    found = verbs.settings_of(user)
    given = {f"{kind}/{channel}": on for kind, of in content.kinds.items() for channel, on in of.items()}
    off = {each for each in found.off if given.get(each) is not True} | {each for each, on in given.items() if not on}
    for each in given:
        verbs.refuse_unknown_choice(each)
    if content.language is not None:
        accounts.set_language(user, content.language)
    digest = found.digest if content.digest is None else content.digest
    return _settings(user, verbs.change_settings(user, off=off, digest=digest))


def _shown(row: Notification) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "challenge": row.challenge.slug,
        "submission": row.submission_id,
        "text": row.text,
        "path": row.path,
        "created": row.created,
        "read": row.read,
    }


def _settings(user: User, found: NotificationSettings) -> dict[str, Any]:
    return {
        "kinds": queries.choices(found),
        "digest": found.digest,
        "language": verbs.languages_of([user.pk])[user.pk],
        "mail_address": queries.mail_address(user),
    }

"""Announcements of a challenge, for organizers."""

from datetime import datetime
from typing import Any

from django.http import Http404
from ninja import Router, Schema, Status
from ninja.decorators import decorate_view

from palio.web.api.idempotency import once
from palio.web.http.request import Request, signed_in
from palio.web.models import Announcement, Challenge
from palio.web.verbs import announcements

router = Router(tags=["dashboard"])


class AnnouncementIn(Schema):
    title: str
    text: str


class AnnouncementOut(AnnouncementIn):
    """`number` names it to those who change or delete it."""

    number: int
    author: str
    created: datetime


@router.post("/challenges/{challenge}/manage/announcements", response={201: AnnouncementOut}, url_name="announce")
@decorate_view(once)
def announce(request: Request[Challenge], challenge: str, content: AnnouncementIn) -> Status[Any]:
    """Post an announcement to everyone who can see the challenge. The text is Markdown."""
    made = announcements.announce(request.subject, content.title, content.text, actor=signed_in(request))
    return Status(201, shown_announcement(made))


@router.patch(
    "/challenges/{challenge}/manage/announcements/{number}", response=AnnouncementOut, url_name="change-announcement"
)
def change_announcement(
    request: Request[Challenge], challenge: str, number: int, content: AnnouncementIn
) -> dict[str, Any]:
    said = _announcement(request, number)
    return shown_announcement(announcements.rewrite(said, content.title, content.text, actor=signed_in(request)))


@router.delete(
    "/challenges/{challenge}/manage/announcements/{number}", response={204: None}, url_name="delete-announcement"
)
def delete_announcement(request: Request[Challenge], challenge: str, number: int) -> Status[None]:
    announcements.delete(_announcement(request, number), actor=signed_in(request))
    return Status(204, None)


def _announcement(request: Request[Challenge], number: int) -> Announcement:
    found = request.subject.announcements.filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise Http404
    return found


def shown_announcement(said: Announcement) -> dict[str, Any]:
    given = {"title": said.title, "text": said.text, "author": said.author.username}
    return given | {"number": said.pk, "created": said.created}

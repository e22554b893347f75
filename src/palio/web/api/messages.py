"""Private messages to participants."""

from datetime import datetime
from typing import Any

from ninja import Router, Schema, Status
from ninja.decorators import decorate_view
from pydantic import Field

from palio.web.api.idempotency import once
from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Message
from palio.web.queries.messages import listed
from palio.web.verbs import messages

router = Router(tags=["dashboard"])


class MessageIn(Schema):
    """`to`: `all`, `not-submitted`, or `team` with the name of a team."""

    to: str
    team: str = ""
    title: str
    text: str = Field(description="Markdown.")


class PreviewOut(Schema):
    """How many participants would get the message, and how many of them by e-mail too."""

    receivers: int
    mailed: int


class MessageOut(Schema):
    id: str
    challenge: str
    title: str
    text: str
    author: str
    created: datetime


class SentOut(MessageOut):
    """`team`: its name, for messages to a team. `receivers`: how many participants got it."""

    to: str
    team: str | None
    receivers: int


@router.post("/challenges/{challenge}/manage/messages/preview", response=PreviewOut, url_name="preview-message")
def preview_message(request: Request[Challenge], challenge: str, content: MessageIn) -> dict[str, int]:
    """Check a message and count its receivers, without sending it."""
    draft = messages.draft(request.subject, *_parts(content), actor=signed_in(request))
    messages.refuse_too_many(draft)
    return {"receivers": draft.receivers, "mailed": draft.mailed}


@router.post("/challenges/{challenge}/manage/messages", response={201: SentOut}, url_name="send-message")
@decorate_view(once)
def send_message(request: Request[Challenge], challenge: str, content: MessageIn) -> Status[Any]:
    """Send a private message to participants. The text is Markdown."""
    made = messages.send(request.subject, *_parts(content), actor=signed_in(request))
    return Status(201, _sent(listed(request.subject).get(pk=made.pk)))


@router.get("/challenges/{challenge}/manage/messages", response=Paged[SentOut], url_name="list-messages")
def list_messages(request: Request[Challenge], challenge: str, page: PageQuery) -> dict[str, Any]:
    """List the messages that organizers sent, newest first."""
    return page_of(listed(request.subject).order_by("-created", "id"), page, _sent)


@router.get("/messages/{message}", response=MessageOut, url_name="message")
def get_message(request: Request[Message], message: str) -> dict[str, Any]:
    """A message that you got or that you may manage."""
    return _shown(request.subject)


def _parts(content: MessageIn) -> tuple[str, str, str, str]:
    return content.to, content.team, content.title, content.text


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.pk,
        "challenge": message.challenge.slug,
        "title": message.title,
        "text": message.text,
        "author": message.author.username,
        "created": message.created,
    }


def _sent(message: Any) -> dict[str, Any]:
    team = message.team.name if message.team else None
    return _shown(message) | {"to": message.audience, "team": team, "receivers": message.count}

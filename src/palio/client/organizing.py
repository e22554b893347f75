"""An organizer's requests to a platform: judge a submission, announce, write to participants."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from palio.client.connection import Connection, new_key


def disqualify(connection: Connection, submission: str, reason: str) -> dict[str, Any]:
    """Remove its rank; an empty reason reinstates it. Returns the submission as its organizers see it."""
    address = f"/submissions/{quote(submission, safe='')}/judge"
    done: dict[str, Any] = connection.post(address, {"disqualified": reason}, again=True)
    return done


def announce(connection: Connection, challenge: str, title: str, text: str) -> dict[str, Any]:
    """Post an announcement, whose text is Markdown, and return it."""
    address = f"/challenges/{quote(challenge, safe='')}/manage/announcements"
    made: dict[str, Any] = connection.post(address, {"title": title, "text": text}, key=new_key())
    return made


def preview_message(connection: Connection, challenge: str, content: Mapping[str, str]) -> dict[str, Any]:
    """Check a message and count its receivers: `receivers`, and `mailed` of them. `content` as in `send_message`."""
    found: dict[str, Any] = connection.post(f"{_messages(challenge)}/preview", content, again=True)
    return found


def send_message(connection: Connection, challenge: str, content: Mapping[str, str]) -> dict[str, Any]:
    """Send a private message and return it. `content` has `to` (an audience), `team`, `title` and `text` (Markdown)."""
    sent: dict[str, Any] = connection.post(_messages(challenge), content, key=new_key())
    return sent


def _messages(challenge: str) -> str:
    return f"/challenges/{quote(challenge, safe='')}/manage/messages"

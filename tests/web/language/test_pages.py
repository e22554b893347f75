"""Every page in German: no text is left in English, and no number in an attribute has a decimal comma."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.test import Client
from tests import messages
from tests.web.access.everything import Everything, address, make_everything, send
from tests.web.access.test_matrix import WRITTEN

Browser = Callable[..., Client]
# Attributes that programs read: browsers, scripts, forms.
NUMERIC = {
    "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "d", "dx", "dy", "width", "height", "viewbox", "transform",
    "value", "min", "max", "step", "maxlength", "minlength", "rows", "datetime", "points",
}  # fmt: skip
COMMA = re.compile(r"\d,\d")
# Names and texts of the challenge in this test that happen to be words of pages.
SAID_BY_PEOPLE = {"Final", "Practice", "Overview", "Terms", "All", "draft"}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.commas: list[str] = []
        self._skipped: list[str] = []  # open elements whose text is code, or said by people
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"code", "pre", "script", "style", "option"} or ("lang", "en") in attrs:
            self._skipped.append(tag)
        for name, value in attrs:
            if name in NUMERIC or name.startswith("data-"):
                self.commas += [f"{tag} {name}={value}"] if value and COMMA.search(value) else []
            if name in {"title", "aria-label", "placeholder", "alt"} and value:
                self.texts.append(value.strip())

    def handle_endtag(self, tag: str) -> None:
        if self._skipped and self._skipped[-1] == tag:
            self._skipped.pop()

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.texts.append(" ".join(data.split()))


@pytest.fixture
def everything(world: object, tmp_path: Path) -> Everything:
    return make_everything(world, tmp_path)  # type: ignore[arg-type]


def translated() -> set[str]:
    """English texts that are no German ones as well."""
    single = [each for each in messages.read("de") if each.id and not isinstance(each.id, tuple)]
    english = {str(each.id).replace("%%", "%") for each in single}
    return english - {str(each.string).replace("%%", "%") for each in single}


@pytest.mark.parametrize("role", ["captain", "organizer", "admin"])
def test_pages_in_german(everything: Everything, browser: Browser, role: str) -> None:
    client = browser(everything.people[role])
    client.cookies["django_language"] = "de"
    english, seen, wrong = translated() - SAID_BY_PEOPLE, 0, []
    for call in WRITTEN:
        if call.method != "GET" or call.name.startswith("api:") or call.name == "account_logout":
            continue
        answer = send(client, call, address(call, everything))
        if answer.status_code != 200 or not answer.get("Content-Type", "").startswith("text/html"):
            continue
        if b"<html" in answer.whole and b'<html lang="de">' not in answer.whole:
            continue  # a report of a scoring program
        page = _Page(answer.whole.decode())
        seen += 1
        wrong += [f"{call}: {attribute}" for attribute in page.commas]
        wrong += [f"{call}: “{text}” is English" for text in page.texts if text in english]
    assert seen > 20
    assert not wrong, "\n".join(wrong)

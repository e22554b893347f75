"""Everybody follows every link that they are shown: none is broken, none changes anything, no page lets a script in."""

import re
from collections import deque
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from tests.web.access.everything import ROLES, Everything, address, make_everything, send, whole
from tests.web.access.tables import changed_tables, tables
from tests.web.access.test_matrix import WRITTEN
from tests.web.world import World

_LINKS = {"href", "src", "hx-get", "hx-post", "action"}
_UNCHECKED = {"hx-post", "action"}  # what they send to is asked by the matrix, not followed


class Page(HTMLParser):
    """What a page links to, and what would let a script in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.unprotected: list[str] = []
        self._form: dict[str, str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.links += [value for name, value in given.items() if name in _LINKS - _UNCHECKED]
        harmful = [name for name in given if name.startswith(("on", "hx-on")) or name in ("style", "srcdoc")]
        harmful += [name for name, value in given.items() if value.lower().startswith(("javascript:", "data:text"))]
        is_inline = tag == "style" or (
            tag == "script" and "src" not in given and given.get("type") != "application/json"  # which is not run
        )
        if harmful or is_inline or (tag == "iframe" and "sandbox" not in given):
            self.inline.append(self.get_starttag_text() or tag)
        is_exempt = given.get("action") == "/language/"  # it looks at the header Origin instead
        if tag == "form" and given.get("method", "get").lower() == "post" and not is_exempt:
            self._form = given
        if tag == "input" and given.get("name") == "csrfmiddlewaretoken":
            self._form = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            self.unprotected.append(self._form.get("action", ""))
            self._form = None


@pytest.fixture
def everything(world: World, tmp_path: Path) -> Everything:
    return make_everything(world, tmp_path)


def test_links_shown_to_each_role_resolve(everything: Everything, browser: Callable[..., Client]) -> None:
    before = tables()
    wrong: list[str] = []
    for role in ROLES:
        seen = crawl(browser(everything.people[role]), wrong, role)
        assert len(seen) > 10, (role, seen)
    assert not wrong, "\n".join(wrong)
    assert changed_tables(before) == []


def test_get_changes_nothing(everything: Everything, browser: Callable[..., Client]) -> None:
    before = tables()
    for role in ROLES:
        client = browser(everything.people[role])
        for call in WRITTEN:
            if call.method == "GET" and call.name != "account_logout":
                send(client, call, address(call, everything))
    assert changed_tables(before) == []


def test_pages_of_strangers_without_private_text(everything: Everything, browser: Callable[..., Client]) -> None:
    """In no answer: another team's submission, file, note and upload, and the draft."""
    rival = everything.full.rival
    others = [rival.pk, rival.file_id, rival.file.name, rival.file.sha256, str(rival.counted_id),
              everything.rival_upload.pk, "/c/draft/", everything.unpublished.pk]  # fmt: skip
    told = []
    for role in ("anonymous", "stranger", "captain", "team mate", "other organizer", "publisher"):
        client = browser(everything.people[role])
        for call in WRITTEN:
            if call.method == "GET" and call.name != "account_logout":
                answer = send(client, call, address(call, everything))
                told += [f"{call}, {role}: {found}" for found in others if found.encode() in answer.whole]
    assert told == []


def crawl(client: Client, wrong: list[str], role: str) -> set[str]:
    """Follows links from the first page; addresses that differ in values of their query alone are one."""
    waiting, seen, shapes = deque([("/", "start")]), set[str](), set[str]()
    while waiting:
        url, source = waiting.popleft()
        parts = urlsplit(url)
        shape = f"{parts.path}?{sorted(name for name, _ in parse_qsl(parts.query))}"
        if parts.netloc or parts.scheme in ("mailto", "data") or shape in shapes:
            continue
        shapes.add(shape)
        if parts.path.startswith("/static/"):
            if finders.find(parts.path.removeprefix("/static/")) is None:
                wrong.append(f"{role}: {source} links to {url}, which is no file")
            continue
        seen.add(parts.path)
        answer = client.get(url)
        content = whole(answer)
        if answer.status_code in (301, 302):
            waiting.append((urljoin(url, answer["Location"]), url))
            continue
        if answer.status_code not in (200, 204):
            wrong.append(f"{role}: {source} links to {url}, which answers {answer.status_code}")
            continue
        wrong += [f"{role}: {url} {problem}" for problem in unprotected(answer)]
        if not answer.get("Content-Type", "").startswith("text/html") or parts.path.endswith("/report/"):
            continue
        page = Page(content.decode())
        wrong += [f"{role}: {url} has {tag} in it" for tag in page.inline]
        wrong += [f"{role}: {url} has an unprotected form to {action}" for action in page.unprotected]
        waiting.extend((urldefrag(urljoin(url, link)).url, url) for link in page.links)
    return seen


def unprotected(answer: object) -> list[str]:
    """What its headers lack."""
    headers = {name.lower(): value for name, value in answer.items()}  # type: ignore[attr-defined]
    policy = headers.get("content-security-policy", "")
    problems = []
    if headers.get("x-content-type-options") != "nosniff":
        problems.append("lets its type be guessed")
    if not re.search(r"frame-ancestors '(none|self)'", policy) or "x-frame-options" not in headers:
        problems.append("may be framed")
    if "default-src 'none'" not in policy or ("unsafe" in policy and not policy.startswith("sandbox;")):
        problems.append(f"has the policy {policy}")
    return problems

"""Looking at pages: signed in as somebody, in light or dark, wide or narrow; what is wrong is noted."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.test import Client
from tests.web.browser.places import Place

from palio.web.models import User

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

WIDE, NARROW = (1200, 900), (375, 720)
AXE = Path(__file__).with_name("axe.min.js")
_BAD = {"serious", "critical"}


@dataclass
class Look:
    """A page that is open. `problems` are what the browser's console said: errors, and what the policy refused."""

    page: "Page"
    problems: list[str] = field(default_factory=list)

    def axe(self, *, colours_alone: bool = False) -> list[str]:
        """What axe finds serious or worse. The script comes from the driver, which the page's policy does not bind."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        options = {"iframes": False, "resultTypes": ["violations"]} | (
            {"runOnly": ["color-contrast"]} if colours_alone else {}
        )
        found: dict[str, Any] = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{each['id']}: {node['html'][:120]}"
            for each in found["violations"]
            if each["impact"] in _BAD
            for node in each["nodes"]
        ]

    def is_wider_than_the_window(self) -> bool:
        wide: bool = self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        return wide


def context(
    browser: "Browser",
    server: str,
    user: User | None = None,
    *,
    dark: bool = False,
    size: tuple[int, int] = WIDE,
    scripts: bool = True,
) -> "BrowserContext":
    made = browser.new_context(
        base_url=server,
        java_script_enabled=scripts,
        color_scheme="dark" if dark else "light",
        viewport={"width": size[0], "height": size[1]},
        timezone_id="Europe/Rome",
        reduced_motion="reduce",
    )
    if user is not None:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        made.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": server}])
    return made


def look(opened: "BrowserContext", place: Place) -> Look:
    """Opens the page and waits until it is there. What a page that is an error loads is an error by its status."""
    seen = watched(opened.new_page())
    seen.page.goto(place.path)
    seen.page.wait_for_selector(place.ready)
    return seen


def watched(page: "Page") -> Look:
    """The page with its console noted from now on."""
    seen = Look(page)
    page.on("pageerror", lambda error: seen.problems.append(str(error)))
    page.on("console", lambda said: seen.problems.append(said.text) if _is_bad(said.type, said.text) else None)
    return seen


def _is_bad(kind: str, text: str) -> bool:
    """An error, and not merely the status of an answer that is meant: nothing is there, or what was sent is refused."""
    meant = ("the server responded with a status of 404", "the server responded with a status of 422")
    return kind in {"error", "warning"} and not any(status in text for status in meant)

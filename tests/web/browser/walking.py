"""Walking through a platform that runs as its operator runs it: by its pages alone, with an eye on each of them."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.web.browser.looking import Look, context, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

EVALUATED_MS = 120_000.0  # for what an engine does, on a machine that does much else

_DROPPED = """({name, content}) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(content), (each) => each.charCodeAt(0))], name));
  return transfer;
}"""
# Each text that the element has had, for as long as this document is on the screen.
_NOTED = """([selector, name]) => {
  const note = () => window[name](document.querySelector(selector)?.textContent.trim() ?? "");
  note();
  new MutationObserver(note).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


@dataclass
class Walker:
    """Somebody with a browser of their own. `problems` are what was found wrong on the way, on any page."""

    opened: "BrowserContext"
    seen: Look
    problems: list[str] = field(default_factory=list)

    @property
    def page(self) -> "Page":
        return self.seen.page

    def looks(self, where: str) -> None:
        """Looks closely at what is on the screen now."""
        found = self.seen.axe()
        found += ["wider than the window"] if self.seen.is_wider_than_the_window() else []
        self.problems += [f"{where}: {problem}" for problem in found]

    def follow(self, link: str) -> None:
        self.page.locator("main").get_by_role("link", name=link, exact=True).first.click()
        self.page.wait_for_load_state()  # a click waits until the next page begins, not until it is there

    def press(self, button: str, sure: str | None = None) -> None:
        """Presses it; `sure` is how the question that it asks is answered."""
        self.page.locator("main").get_by_role("button", name=button, exact=True).first.click()
        if sure is not None:
            self.page.locator("dialog").get_by_role("button", name=sure, exact=True).click()
        self.page.wait_for_load_state()

    def told(self) -> str:
        """What the page says has happened."""
        return self.page.locator(".message[role=status]").first.inner_text()

    def sign_up(self, name: str) -> None:
        """From wherever a sign-in is asked for, to where one wanted to go."""
        if "/signup/" not in self.page.url:
            self.follow("Sign up")
        self.page.fill("#id_username", name)
        self.page.fill("#id_password1", f"{name}-long-password")
        self.press("Sign up")

    def join(self) -> None:
        self.page.check("#accepted")
        self.page.locator("main button.primary").click()
        self.page.wait_for_load_state()

    def drop(self, file: Path) -> None:
        """Drags the file from the desktop onto the field."""
        content = base64.b64encode(file.read_bytes()).decode()
        transfer = self.page.evaluate_handle(_DROPPED, {"name": file.name, "content": content})
        self.page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})

    def note(self, selector: str, name: str) -> list[str]:
        """A list that grows with the texts of an element, without what it says twice in a row."""
        texts = list[str]()
        self.page.expose_function(name, lambda text: texts.append(text) if texts[-1:] != [text] else None)
        self.page.evaluate(_NOTED, [selector, name])
        return texts

    def wait_for_score(self) -> None:
        self.page.wait_for_selector("#state.scored", timeout=EVALUATED_MS)

    def all_problems(self) -> list[str]:
        return [*self.problems, *self.seen.problems]


def walker(browser: "Browser", address: str, *, scripts: bool = True) -> Walker:
    opened = context(browser, address, scripts=scripts)
    return Walker(opened, watched(opened.new_page()))

"""The animated picture in README: an organizer publishes MedNIST, a participant submits, the leaderboard shows.

The bundle is really published, by the form, with phantom images: real ones are never among the project's files. What
follows are pages of the platform that the other screenshots show. Pillow encodes it.
"""

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.web.browser import looking
from tests.web.browser.places import MADE, MEDNIST, Place, Platform, places

from palio.data.phantom import draw_phantom

if TYPE_CHECKING:
    from PIL.Image import Image
    from playwright.sync_api import Browser, Page

NAME = "walk.webp"
SIZE, CAPTION_HEIGHT, SHOWN_MS = (1000, 700), 56, 2600
_BUNDLE = ("competition.yaml", "logo.png", "pages", "input_data", "reference_data", "scoring_program", "manifest.csv")


@dataclass(frozen=True)
class Frame:
    caption: str
    picture: bytes  # PNG


def animate(browser: "Browser", address: str, platform: Platform, scratch: Path, target: Path) -> None:
    """Writes an animated WebP."""
    walk = (*_published(browser, address, platform, scratch), *_used(browser, address, platform))
    first, *others = [_drawn(each) for each in walk]
    first.save(target, save_all=True, append_images=others, duration=SHOWN_MS, loop=0, quality=80, method=6)


def _published(browser: "Browser", address: str, platform: Platform, scratch: Path) -> Iterator[Frame]:
    folder = scratch / "published"
    shutil.copytree(MEDNIST, folder, ignore=shutil.ignore_patterns(*MADE))
    draw_phantom(folder)
    kept = scratch / "bundle"
    kept.mkdir()
    for name in _BUNDLE:
        shutil.move(folder / name, kept / name)
    bundle = shutil.make_archive(str(scratch / "mednist"), "zip", kept)
    with looking.context(browser, address, platform.world.ada, size=SIZE) as opened:
        page = looking.look(opened, Place("publish", "/publish/", platform.world.ada)).page
        page.set_input_files("#bundle", bundle)
        page.fill("#slug", "mednist-2026")
        page.uncheck("#draft")
        yield Frame("An organizer uploads a bundle: data, limits and a scoring program", _shot(page))
        page.get_by_role("button", name="Publish", exact=True).click(timeout=120_000)
        page.wait_for_url("**/c/mednist-2026/**", timeout=120_000)
        page.goto("/c/mednist-2026/")
        yield Frame("Palio checks and audits it, and the challenge is online", _shot(page))


def _used(browser: "Browser", address: str, platform: Platform) -> Iterator[Frame]:
    by_name = {place.name: place for place in places(platform)}
    for name, caption in {
        "submit": "A participant submits code, not predictions",
        "submission-running": "Palio builds it and runs it on hidden images in a sandbox",
        "submission-scored": "The scoring program grades it: scores, intervals, a signed receipt",
        "leaderboard": "The leaderboard says which differences are real",
    }.items():
        place = by_name[name]
        with looking.context(browser, address, place.user, size=SIZE) as opened:
            page = looking.look(opened, place).page
            if name == "submit":
                content = {"name": "model.zip", "mimeType": "application/zip", "buffer": b"PK"}
                page.set_input_files("#file", content)  # type: ignore[arg-type]
            yield Frame(caption, _shot(page))


def _shot(page: "Page") -> bytes:
    page.wait_for_timeout(300)
    return page.screenshot()


def _drawn(frame: Frame) -> "Image":
    """The picture with its caption below."""
    from PIL import Image, ImageDraw, ImageFont

    whole = Image.new("RGB", (SIZE[0], SIZE[1] + CAPTION_HEIGHT), "#1b1b1f")
    whole.paste(Image.open(io.BytesIO(frame.picture)).convert("RGB"))
    font = ImageFont.load_default(22)
    ImageDraw.Draw(whole).text((24, SIZE[1] + CAPTION_HEIGHT / 2), frame.caption, "#ffffff", font, anchor="lm")
    return whole

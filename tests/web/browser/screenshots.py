"""`python -m tests.web.browser.screenshots [FOLDER [NAME...]]`: screenshots of the pages.

Without arguments, as in `make screenshots`, it replaces those in docs/img/platform: each page in light and in desktop
width, a few also in dark or on a phone, and the animated picture of README. With a FOLDER, it takes all three of each
page, or of the pages NAME.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.browser.places import Place, Platform

ALSO = {"leaderboard": ("-dark", "-phone"), "submission-scored": ("-dark",)}
CROWDS = (1, 12, 500)  # teams
LONGEST = 1_500  # pixels of a picture of a crowd
IMG = Path(__file__).resolve().parents[3] / "docs" / "img" / "platform"


def main(folder: Path, names: list[str], *, everything: bool) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.web.settings")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # the driver runs an event loop in this thread
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.management import call_command
    from django.test.testcases import LiveServerThread
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases
    from PIL import Image
    from playwright.sync_api import sync_playwright
    from tests.web.browser import animation, looking
    from tests.web.browser.dressing import beat, dress
    from tests.web.browser.places import make_platform

    settings.STYLEGUIDE = len(sys.argv) > 1  # not among the pictures in docs
    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    call_command("createcachetable")
    server = LiveServerThread("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as driver:
        # No scrollbar is in the pictures, so no room is left for one.
        flags = ["--no-sandbox", "--enable-features=OverlayScrollbar"]
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        looks = {"": {}, "-dark": {"dark": True}, "-phone": {"size": looking.NARROW}}
        address = f"http://127.0.0.1:{server.port}"
        platform = make_platform(Path(scratch))
        dress(platform, wrong=20)
        for place in _places(platform, names):
            for suffix, how in looks.items():
                if suffix and not everything and suffix not in ALSO.get(place.name, ()):
                    continue
                beat()
                with looking.context(browser, address, place.user, **how) as opened:  # type: ignore[arg-type]
                    look = looking.look(opened, place)
                    look.page.wait_for_timeout(300)
                    target = folder / f"{place.name}{suffix}.png"
                    look.page.screenshot(path=target, **_part(look.page, place))  # type: ignore[arg-type]
                    # A page has few colours, which makes a small file.
                    Image.open(target).convert("RGB").quantize(
                        256, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
                    ).save(target, optimize=True)
        if not names or animation.NAME in names:
            animation.animate(browser, address, platform, Path(scratch), folder / animation.NAME)
        browser.close()
    server.terminate()
    teardown_databases(databases, verbosity=0)


def _places(platform: "Platform", names: list[str]) -> "Iterator[Place]":
    """The pages, then the leaderboard of another challenge as more and more teams join it."""
    from tests.web.browser.places import crowd, places

    yield from (each for each in places(platform) if not names or each.name in names)
    other = platform.world.other
    other.visibility = other.Visibility.PUBLISHED
    other.save()
    for teams in CROWDS:
        if not names or any(name.startswith("leaderboard-of-") for name in names):
            yield crowd(other, teams)


def _part(page: "Page", place: "Place") -> dict[str, object]:
    """The whole page, or the beginning of one with hundreds of rows."""
    height = page.evaluate("document.documentElement.scrollHeight")
    if height <= LONGEST or not place.name.startswith("leaderboard-of-"):
        return {"full_page": True}
    width = page.evaluate("document.documentElement.clientWidth")
    return {"full_page": True, "clip": {"x": 0, "y": 0, "width": width, "height": LONGEST}}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMG, sys.argv[2:], everything=len(sys.argv) > 1)

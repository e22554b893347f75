"""How fast pages paint in a browser: home with many challenges, and the leaderboard of 500 teams.

`python -m benchmarks.pages` fills a database in a temporary folder, starts `palio serve` on it and opens each page in
headless Chromium, with an empty cache, in turn with an almost empty page that the same server serves as a file. The
browser tells the first contentful paint, the cumulative layout shift, and over the DevTools protocol the bytes of style
sheets and scripts as they were transferred, with headers.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.leaderboard import PAGE
from benchmarks.measuring import Line
from benchmarks.serving import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RUNS, CHALLENGES = 9, 40
LIMIT_PAINT_S, LIMIT_SHIFT, LIMIT_KB = 0.5, 0, 60
EMPTY = "empty.html"
BASELINE = "an almost empty file from the same server"
PAGES = {"home, 40 challenges": "/", "leaderboard, 500 teams": PAGE}
_SHIFT = """() => new Promise((done) => {
  let shift = 0;
  const seen = new PerformanceObserver((list) => { for (const each of list.getEntries()) shift += each.value; });
  seen.observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(shift), 300);
})"""
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@dataclass(frozen=True)
class Opened:
    """One opening of a page. `asset_bytes`: of its style sheets and scripts, compressed as they were transferred."""

    paint_s: float
    shift: float
    asset_bytes: int


def measure() -> list[Line]:
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium")
    if executable is None:
        raise RuntimeError("there is no Chromium (Debian's package `chromium`)")
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    setting = os.environ | {"PALIO_DATA": str(home / "data"), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    try:
        subprocess.run([sys.executable, "-m", "benchmarks.pages", "fill", str(home)], env=setting, check=True)
        server = Server(home)
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=executable, args=[*_FLAGS])
                found = _in_turn(browser, f"http://127.0.0.1:{server.port}")
                browser.close()
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return [line for name in PAGES for line in _lines(name, found[name], found[BASELINE])]


def _in_turn(browser: "Browser", site: str) -> dict[str, list[Opened]]:
    addresses = {BASELINE: f"{site}/static/{EMPTY}"} | {name: f"{site}{path}" for name, path in PAGES.items()}
    for address in addresses.values():
        _open(browser, address)  # the first one renders what is then cached
    found: dict[str, list[Opened]] = {name: [] for name in addresses}
    for _ in range(RUNS):
        for name, address in addresses.items():
            found[name].append(_open(browser, address))
    return found


def _open(browser: "Browser", address: str) -> Opened:
    """In a context of its own, which has no cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes: dict[str, int] = {}
    session.on("Network.responseReceived", lambda told: kinds.update({told["requestId"]: told["type"]}))
    session.on("Network.loadingFinished", lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]}))
    response = page.goto(address, wait_until="load")
    if response is None or not response.ok:
        raise RuntimeError(f"{address} did not open")
    shift, paint_ms = page.evaluate(_SHIFT), page.evaluate(_PAINT)
    context.close()
    assets = sum(size for request, size in sizes.items() if kinds.get(request) in {"Stylesheet", "Script"})
    return Opened(paint_ms / 1000, shift, int(assets))


def _lines(name: str, ours: list[Opened], theirs: list[Opened]) -> list[Line]:
    paints = [each.paint_s for each in ours]
    beside = statistics.median(each.paint_s for each in theirs)
    assets = statistics.median(each.asset_bytes for each in ours) / 1000
    return [
        Line(
            f"first contentful paint: {name}",
            statistics.median(paints),
            "s",
            BASELINE,
            beside,
            min(paints),
            max(paints),
            len(paints),
            f"{LIMIT_PAINT_S:g} s",
        ),
        Line(f"cumulative layout shift: {name}", max(each.shift for each in ours), "", limit=f"{LIMIT_SHIFT}"),
        Line(f"style sheets and scripts, compressed: {name}", assets, "kB", limit=f"{LIMIT_KB} kB"),
    ]


# -- inside the platform, in a process of its own


def _fill(home: Path) -> None:
    from django.conf import settings

    from benchmarks.leaderboard import fill
    from palio.web.models import Challenge, ChallengeVersion

    fill(home)
    first = ChallengeVersion.objects.get()
    for number in range(1, CHALLENGES):
        made = Challenge.objects.create(slug=f"bench-{number}", visibility=Challenge.Visibility.PUBLISHED)
        title = f"Segmentation of organ {number} in contrast-enhanced images"
        made.current = ChallengeVersion.objects.create(challenge=made, number=1, digest=first.digest, title=title)
        made.save()
    text = "<!doctype html><html lang=en><meta charset=utf-8><title>Empty</title><p>Almost empty."
    (Path(settings.STATIC_ROOT) / EMPTY).write_text(text)


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["fill"]:
        import django

        django.setup()
        _fill(Path(arguments[1]))
        return
    for line in measure():
        print(line.shown())


if __name__ == "__main__":
    main(sys.argv[1:])

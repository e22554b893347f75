"""The style sheet: its size, and the contrast that an accent is checked for."""

import gzip
import re
from pathlib import Path

from palio.core.bundle.color import DARK_PAPER, LIGHT_PAPER, contrast

STATIC = Path(__file__).resolve().parents[2] / "src" / "palio" / "web" / "static"
CSS = STATIC / "palio" / "palio.css"
MOST_BYTES = 60_000  # of style sheets and scripts on a page, compressed


def test_accent_checked_on_the_least_favorable_paper() -> None:
    """Text in the accent is never on a paper with less contrast than the one it was checked on."""
    light, dark = re.findall(r":root \{(.*?)\n *\}", CSS.read_text(), re.DOTALL)[:2]
    for block, paper, ink in ((light, LIGHT_PAPER, "#000000"), (dark, DARK_PAPER, "#ffffff")):
        for name in ("paper", "card", "sunk"):
            found = re.search(rf"--{name}: (#[0-9a-f]{{6}});", block)
            assert found is not None
            assert contrast(ink, found[1]) >= contrast(ink, paper)


def test_pages_load_little() -> None:
    """Of the largest page, which uploads: all of our own files and htmx."""
    import django_htmx

    files = [*(STATIC / "palio").glob("*.js"), *(STATIC / "vendor").glob("*/*.js"), *STATIC.rglob("*.css")]
    files += [*(Path(django_htmx.__file__).parent / "static" / "django_htmx").glob("htmx-2.min.js")]
    assert len(files) > 8
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= MOST_BYTES

"""What the documentation leads to is there."""

import re
from pathlib import Path

import pytest
from tests.conftest import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(ROOT.glob("docs/*.md"))
LINK = re.compile(r"\]\(([^)#:\s]+)")  # pages and pictures of this project, without a place in them


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_what_is_there(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_each_page_can_be_found_from_the_readme() -> None:
    found, new = {ROOT / "README.md"}, {ROOT / "README.md"}
    while new:
        linked = {(page.parent / link).resolve() for page in new for link in LINK.findall(page.read_text("utf-8"))}
        new = {page for page in linked if page.suffix == ".md"} - found
        found |= new
    assert [page.name for page in PAGES if page not in found] == []


def test_tour_shows_the_platforms_pages() -> None:
    shown = set(re.findall(r"\(img/platform/([\w-]+)\.png\)", (ROOT / "docs/tour.md").read_text(encoding="utf-8")))
    taken = {path.stem for path in (ROOT / "docs/img/platform").glob("*.png")}
    variants = {name for name in taken if name.endswith("-dark")}
    small = {
        "board-organizer",
        "desk-rescores",
        "error",
        "password-reset",
        "publish-version",
        "submit-not-yet",
        "terms",
    }
    assert taken - shown == variants | small

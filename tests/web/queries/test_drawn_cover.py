"""Covers drawn from a challenge's name."""

import xml.etree.ElementTree as ET

import pytest

from palio.web.queries.drawn_cover import drawn_cover

NAMES = ["mednist", "lesions", "bone-age", "nodules", "a", "x" * 200]


@pytest.mark.parametrize("accent", ["", "#0b6e4f", "#333333"])
@pytest.mark.parametrize("name", NAMES)
def test_cover_is_a_small_drawing(name: str, accent: str) -> None:
    cover = drawn_cover(name, accent)
    assert ET.fromstring(cover).tag == "svg"  # noqa: S314 - our own
    assert len(cover) < 4000
    assert "style" not in cover


def test_cover_is_the_same_for_a_name_and_differs_between_names() -> None:
    drawn_cover.cache_clear()
    first = [drawn_cover(name) for name in NAMES]
    drawn_cover.cache_clear()
    assert [drawn_cover(name) for name in NAMES] == first
    assert len({*first}) == len(NAMES)
    assert drawn_cover("mednist", "#0b6e4f") != drawn_cover("mednist")


def test_banner_is_wider() -> None:
    assert 'viewBox="0 0 960 120"' in drawn_cover("mednist", is_banner=True)
    assert 'viewBox="0 0 320 120"' in drawn_cover("mednist")

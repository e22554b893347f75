"""Contrast as in WCAG 2, and shades that can be read."""

import pytest

from palio.core.bundle.color import DARK_PAPER, LIGHT_PAPER, READABLE, contrast, is_color, readable_on, text_on


def test_contrast_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the known grey that just fails
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


@pytest.mark.parametrize("color", ["#000000", "#ffffff", "#ffcc00", "#2a58b0", "#123456", "#ff0000"])
@pytest.mark.parametrize("paper", [LIGHT_PAPER, DARK_PAPER])
def test_readable_shade(color: str, paper: str) -> None:
    shade = readable_on(paper, color)
    assert contrast(shade, paper) >= READABLE
    assert contrast(text_on(shade), shade) >= READABLE
    assert shade == color or contrast(color, paper) < READABLE


@pytest.mark.parametrize(
    ("written", "is_one"),
    [("#2a58b0", True), ("#2A58B0", True), ("2a58b0", False), ("#fff", False), ("#2a58b0;", False)],
)
def test_is_color(written: str, is_one: bool) -> None:
    assert is_color(written) is is_one

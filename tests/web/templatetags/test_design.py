"""Parts of pages that are drawn on the server."""

from datetime import timedelta

import pytest
from django.utils import timezone

from palio.web.templatetags.design import ICONS, countdown, icon, meter


@pytest.mark.parametrize("name", ICONS)
def test_icon_hidden_from_readers(name: str) -> None:
    drawn = icon(name)
    assert drawn.startswith('<svg class="icon" ')
    assert 'aria-hidden="true"' in drawn
    assert drawn.count("<svg") == drawn.count("</svg>") == 1
    assert "<path" in drawn or "<circle" in drawn or "<rect" in drawn


@pytest.mark.parametrize(
    ("share", "kind", "width"),
    [(0.0, "meter ", "1.0"), (0.5, "meter ", "50.0"), (0.8, "meter near", "80.0"), (1.7, "meter over", "100.0")],
)
def test_meter_of_a_limit(share: float, kind: str, width: str) -> None:
    assert f'class="{kind}"' in meter(share)
    assert f'<rect width="{width}"' in meter(share)


def test_meter_unknown() -> None:
    assert meter(None) == ""


def test_countdown_with_exact_time() -> None:
    when = timezone.now() + timedelta(days=3, hours=4, seconds=30)
    assert ">in 3\xa0days, 4\xa0hours<" in countdown(when)
    assert f'title="{when:%Y-%m-%d %H:%M} UTC"' in countdown(when)
    assert ">2\xa0weeks ago<" in countdown(timezone.now() - timedelta(days=16))

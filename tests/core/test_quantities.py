import pytest

from palio.core.quantities import duration_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (64 * 1024**2, "64.0 MiB"),
        (4 * 1024**3, "4.00 GiB"),
        (5000 * 1024**3, "5000.0 GiB"),
    ],
)
def test_size_text(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (83, "83 s"), (120, "2 min"), (500, "8 min 20 s"), (7500, "2 h 05 min")],
)
def test_duration_text(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text

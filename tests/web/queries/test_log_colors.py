"""Colors of logs become words, everything else stays text."""

import pytest

from palio.core.files.log import harmless
from palio.web.queries.log_colors import colored_runs
from palio.web.templatetags.design import colored


@pytest.mark.parametrize(
    ("log", "runs"),
    [
        (b"plain", [((), "plain")]),
        (b"\x1b[31mbad\x1b[0m ok", [(("red",), "bad"), ((), " ok")]),
        (b"\x1b[1;92mgood\x1b[22mless\x1b[39mnone", [(("bold", "green"), "good"), (("green",), "less"), ((), "none")]),
        (b"\x1b[38;5;196mx", [((), "x")]),  # a color of its own is none of ours
        (b"\x1b[mx", [((), "x")]),
        (b"\x1b[2Jx", [((), "\u241b[2Jx")]),  # no color, so it stays visible
        (b"", []),
    ],
)
def test_colored_runs(log: bytes, runs: list[tuple[tuple[str, ...], str]]) -> None:
    assert [*colored_runs(harmless(log))] == runs


def test_many_colors_cost_little() -> None:
    runs = [*colored_runs(harmless(b"\x1b[31mx\x1b[0my" * 50_000))]
    assert len(runs) < 6000
    assert runs[-1][0] == ()


def test_colored_log_is_escaped() -> None:
    assert colored(harmless(b"\x1b[31m<script>\x1b[0m&")) == '<span class="ansi-red">&lt;script&gt;</span>&amp;'

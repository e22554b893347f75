"""How values are shown on pages."""

from datetime import timedelta

import pytest

from palio.web.templatetags.palio import about, coded


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Make it with `palio pack FOLDER`.", "Make it with <code>palio pack FOLDER</code>."),
        ("`a` or `b`", "<code>a</code> or <code>b</code>"),
        ("Nothing of the kind.", "Nothing of the kind."),
        ("One ` that is alone", "One ` that is alone"),
        ("<b> and `<i>`", "&lt;b&gt; and <code>&lt;i&gt;</code>"),
        ("<b> and `", "&lt;b&gt; and `"),
    ],
)
def test_coded_backticks_escaped(said: str, shown: str) -> None:
    assert coded(said) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "shortly"), (0.9, "shortly"), (1.2, "in about 1 s"), (45.4, "in about 45 s"), (150, "in about 2 min 30 s")],
)
def test_about_precision(seconds: float, shown: str) -> None:
    assert about(timedelta(seconds=seconds)) == shown

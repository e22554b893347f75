"""Announcements as HTML: rendered once, whatever they are."""

import pytest
from django.core.cache import cache

from palio.core.errors import PalioError
from palio.web.reading import typed_markdown
from palio.web.reading.typed_markdown import is_readable, shown_texts


@pytest.mark.django_db
def test_text_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_texts(["*a*", "b", "*a*"]) == ["<p><em>a</em></p>\n", "<p>b</p>\n", "<p><em>a</em></p>\n"]
    monkeypatch.setattr(typed_markdown, "_in_child", None)
    assert shown_texts(["b", "*a*"]) == ["<p>b</p>\n", "<p><em>a</em></p>\n"]


@pytest.mark.django_db
def test_unrenderable_text_shown_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = typed_markdown._in_child

    def costly(texts: list[str]) -> list[str]:
        if any("<" in text for text in texts):
            raise PalioError("bundle-unreadable", name="The text", reason="it took longer than 5 s")
        return real(texts)

    monkeypatch.setattr(typed_markdown, "_in_child", costly)
    assert shown_texts(["*a*", "<b>"]) == ["<p><em>a</em></p>\n", '<pre tabindex="0">&lt;b&gt;</pre>']
    assert not is_readable("<b>")


@pytest.mark.django_db
def test_rendered_text_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    assert is_readable("*c*")
    monkeypatch.setattr(typed_markdown, "_in_child", None)
    assert shown_texts(["*c*"]) == ["<p><em>c</em></p>\n"]

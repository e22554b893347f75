"""Single values of a YAML file are set, and every other character stays."""

from collections.abc import Sequence

import pytest
import yaml

from palio.core.bundle.yaml_edit import with_value, written

TEXT = """\
# head
title: A   # the title
phases:
  - index: 0   # first
    name: 'One'
    start: 2026-01-01
    end:
  # between
  - {index: 1, name: Two}  # flow

palio:
  limits:
    predict: {time: 5 s}
# tail
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("title",), "B", "title: A ", "title: B "),
        (("title",), "it's: x", "title: A ", "title: 'it''s: x' "),
        (("phases", 0, "name"), "Uno", "'One'", "Uno"),
        (("phases", 0, "start"), "2026-02-01 12:00 UTC", "2026-01-01", "2026-02-01 12:00 UTC"),
        (("phases", 0, "end"), "2027-01-01", "end:\n", "end: 2027-01-01\n"),
        (("phases", 0, "limit"), "5", "end:\n", "end:\n    limit: 5\n"),
        (("phases", 1, "end"), None, "name: Two}", "name: Two, end: null}"),
        (("phases", 1, "palio", "limits", "time"), "9 s", "Two}", "Two, palio: {limits: {time: 9 s}}}"),
        (("palio", "limits", "predict", "time"), "10 min", "5 s", "10 min"),
        (("palio", "limits", "score", "time"), "1 h", "{time: 5 s}\n", "{time: 5 s}\n    score: {time: 1 h}\n"),
        (("docker_image",), "a/b:1", "{time: 5 s}\n", "{time: 5 s}\ndocker_image: a/b:1\n"),
    ],
)
def test_value_set(path: Sequence[str | int], value: str | None, old: str, new: str) -> None:
    assert with_value(TEXT, path, value) == TEXT.replace(old, new, 1)
    crlf = TEXT.replace("\n", "\r\n")
    assert with_value(crlf, path, value) == TEXT.replace(old, new, 1).replace("\n", "\r\n")


def test_value_set_without_last_newline() -> None:
    assert with_value("a: 1", ("b",), "2") == "a: 1\nb: 2\n"
    assert with_value("a:\n  b: 1", ("a", "c", "d"), "2") == "a:\n  b: 1\n  c: {d: 2}\n"


def test_value_set_after_block_text() -> None:
    text = "a: |\n  one\n  two\n\n# c\n"
    assert yaml.safe_load(with_value(text, ("b",), "2")) == {"a": "one\ntwo\n", "b": 2}


@pytest.mark.parametrize("path", [("phases",), ("phases", 5, "end"), ("title", "x")])
def test_value_that_is_none(path: Sequence[str | int]) -> None:
    with pytest.raises(ValueError, match="is no"):
        with_value(TEXT, path, "1")


@pytest.mark.parametrize(
    "value",
    ["a", "2026-01-01 23:59 UTC", "8 GiB", "", "null", "a: b", "# x", "'", "*a", "&a", "{", "- x", "x:", "[1", "%"],
)
def test_value_read_back(value: str) -> None:
    for text in (f"a: {written(value)}\n", f"{{a: {written(value)}}}\n"):
        node = yaml.compose(text, yaml.SafeLoader)
        assert node is not None
        assert node.value[0][1].value == value
        assert not node.value[0][1].tag.endswith("null")

import os
import pickle
import subprocess
import sys

import pytest

from palio.core.plain_words import MOST_CHARACTERS, PlainName, PlainWord, UnfitWordError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\0b", "it contains NUL (U+0000)"),
        ("a\nb", "it contains a newline (U+000A)"),
        ("a\r", "it contains a carriage return (U+000D)"),
        ("\x1b[2J", "it contains a control character (U+001B)"),
        ("\x7f", "it contains a control character (U+007F)"),
        ("\x85", "it contains a control character (U+0085)"),
        ("\u2028", "it contains a line separator (U+2028)"),
        ("\u2029", "it contains a paragraph separator (U+2029)"),
        ("a\ud800", "it contains half of a character (the surrogate U+D800)"),
        ("x" * (MOST_CHARACTERS + 1), "it has 65,537 characters; at most 65,536 are allowed"),
        ("\U0001f600" * 40_000, "it has 160,000 bytes; at most 131,071 are allowed"),
    ],
)
def test_word_invalid(text: str, reason: str) -> None:
    with pytest.raises(UnfitWordError) as refused:
        PlainWord(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize("text", ["", "plain", "with space", "a=b", "tab\there", "Zürich", "日本", "--flag", "\u00a0"])
def test_word_is_text(text: str) -> None:
    word = PlainWord(text)
    assert (word, type(word)) == (text, PlainWord)
    assert PlainWord(word) is word


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "it is empty"), ("A=B", "it contains `=`, which ends a name"), ("A\0", "it contains NUL (U+0000)")],
)
def test_name_invalid(text: str, reason: str) -> None:
    with pytest.raises(UnfitWordError) as refused:
        PlainName(text)
    assert refused.value.reason == reason


def test_word_checked_after_unpickling() -> None:
    assert type(pickle.loads(pickle.dumps(PlainWord("a")))) is PlainWord  # noqa: S301 - our own bytes
    forged = pickle.dumps(PlainWord("aZb")).replace(b"aZb", b"a\0b")
    with pytest.raises(UnfitWordError):
        pickle.loads(forged)  # noqa: S301 - our own bytes


def test_longest_word_fits_argument() -> None:
    longest = PlainWord("é" * (MOST_CHARACTERS - 1) + "x")
    program = "import sys; print(len(sys.argv[1]))"
    shown = subprocess.run([sys.executable, "-c", program, longest], capture_output=True, env=os.environ, check=True)
    assert int(shown.stdout) == MOST_CHARACTERS

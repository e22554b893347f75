import random
import re

import pytest

from palio.core.files.globs import (
    MOST_TOGETHER,
    Globs,
    PathMatcher,
    PatternError,
    TooMuchWorkError,
    glob,
    literal,
)


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        ("*.pth", ["a.pth", ".pth"], ["a/b.pth", "a.pthx"]),
        ("**/*.pth", ["a.pth", "a/b/c.pth"], ["a.py"]),
        ("data/**", ["data/x", "data/x/y", "data/"], ["data", "database"]),
        ("**", ["", "a", "a/b"], []),
        ("a**/b", ["ab", "a/b", "axx/y/b"], ["axb"]),
        ("a?.[ch]", ["ab.c", "a[.h"], ["a.c", "ab.d", "a/.c"]),
        ("[^a-c]", ["d"], ["a", "/", "", "dd"]),
        ("[!a]", ["!", "a"], ["b"]),
        (r"[\]\-a]", ["]", "-", "a"], ["\\"]),
        (r"\*\a", ["*a"], ["xa"]),
        ("a]", ["a]"], ["a"]),
        ("", [""], ["a"]),
        ("é*日", ["é日", "éx日"], ["e日"]),
    ],
)
def test_patterns(pattern: str, fits: list[str], others: list[str]) -> None:
    matches = glob(pattern).match
    assert [text for text in (*fits, *others) if matches(text)] == fits


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a[", "has a [ that is not closed by ], or nothing between them"),
        ("[]", "has a [ that is not closed by ], or nothing between them"),
        ("[]a]", "has a [ that is not closed by ], or nothing between them"),
        ("[a", "has a [ that is not closed by ], or nothing between them"),
        ("[a-]", r"has a - in [ ] without a character on each side; write \- for a literal -"),
        ("[z-a]", "has the range z-a, which is empty"),
        ("a\\", "ends with a backslash, which must be followed by a character"),
        ("[\\", "ends with a backslash, which must be followed by a character"),
        ("a" * 1025, "has 1,025 characters; at most 1,024 are allowed"),
    ],
)
def test_patterns_invalid(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError) as refused:
        glob(pattern)
    assert str(refused.value) == reason


def test_patterns_bounded() -> None:
    with pytest.raises(PatternError, match="is one too many: together they have more than 16,384 characters"):
        Globs(["a" * 1000] * (MOST_TOGETHER // 1000 + 1))
    with pytest.raises(PatternError, match=r"together they have more than 1,000 ranges in \[ \]"):
        Globs([f"[{'a' * 600}]"] * 2)


def test_patterns_agree_with_regex() -> None:
    chance = random.Random(29)
    for _ in range(5000):
        pattern = "".join(chance.choice("ab/**?") for _ in range(chance.randint(0, 8)))
        text = "".join(chance.choice("ab/") for _ in range(chance.randint(0, 8)))
        assert glob(pattern).match(text) == bool(_expression(pattern).fullmatch(text)), (pattern, text)


def _expression(pattern: str) -> re.Pattern[str]:
    pieces = re.findall(r"\*{2,}/?|.", pattern)
    at_end = pattern.endswith("**")
    translated = []
    for number, piece in enumerate(pieces):
        if piece.startswith("**"):
            translated.append(".*" if at_end and number == len(pieces) - 1 else "(?:.*/)?")
        else:
            translated.append({"*": "[^/]*", "?": "[^/]"}.get(piece, piece))
    return re.compile("".join(translated))


@pytest.mark.parametrize("pattern", ["*a" * 500 + "*b", "**/" * 300 + "b", "?*" * 500 + "b", "[^b]*" * 200 + "b"])
def test_patterns_backtracking(pattern: str) -> None:
    """Each would keep a backtracking matcher busy for years."""
    assert not glob(pattern).match("a" * 5000)


def test_pattern_literal() -> None:
    name = "a*[b]?\\c"
    assert (glob(literal(name)).match(name), glob(literal(name)).match("ax[b]?\\c")) == (True, False)


def test_pattern_matches_parent_folders() -> None:
    globs = Globs(["data", "*.pth", "**/x"])
    matcher = PathMatcher(globs)
    paths = ["data/a/b", "data/a", "other/x/y", "other", "m.pth", "other/m.pth", "data/x", "data/a/b"]
    assert [globs.numbers_of(matcher.ends(path)) for path in paths] == [[0], [0], [2], [], [1], [], [0, 2], [0]]


def test_pattern_work_bounded() -> None:
    matcher = PathMatcher(Globs(["**" + "a" * 1000] * 16))
    with pytest.raises(TooMuchWorkError):
        matcher.ends("b" * 2_000_000)

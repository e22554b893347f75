import pytest

from palio.core.dockerfile.dockerignore import ignored_by


@pytest.mark.parametrize(
    ("patterns", "ignored", "kept"),
    [
        ("*.pth", ["a.pth"], ["a/b.pth", "a.pthx"]),
        ("**/*.pth", ["a.pth", "a/b/c.pth"], ["a.py"]),
        ("/data/", ["data", "data/x"], ["other/data"]),
        ("data/**", ["data/x", "data/x/y"], ["database"]),
        ("a?.[ch]", ["ab.c"], ["a.c", "ab.d", "a/.c"]),
        ("*\n!keep.txt", ["x"], ["keep.txt"]),
        ("  # not a comment\n#data\n\n", [], ["data"]),
    ],
)
def test_dockerignore(patterns: str, ignored: list[str], kept: list[str]) -> None:
    decide = ignored_by(patterns)
    assert [path for path in (*ignored, *kept) if decide(path)] == ignored

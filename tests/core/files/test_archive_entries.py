import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from palio.core.errors import PalioError
from palio.core.files import archive
from palio.core.files.archive import Content, inspect_archive, unpack

LINK = (stat.S_IFLNK | 0o777) << 16


def write(path: Path, *entries: tuple[str, str] | tuple[str, str, int]) -> Path:
    """A zip of (name, content[, attributes]) in this order."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as target:
        warnings.simplefilter("ignore")  # zipfile's own, about names that are there twice
        for name, content, *attributes in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = attributes[0] if attributes else 0o644 << 16
            target.writestr(entry, content)
    return path


def unpacked(source: Path) -> tuple[Content, dict[str, str]]:
    folder = source.with_suffix("")
    content = unpack(source, folder, lenient=True)
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return content, files


def test_duplicate_name_last_wins(tmp_path: Path) -> None:
    source = write(tmp_path / "a.zip", ("a", "old"), ("same", "1"), ("b/c", "x"), ("a", "new"), ("same", "1"))
    with zipfile.ZipFile(source) as opened:
        opened.extractall(tmp_path / "python")
    content, files = unpacked(source)
    assert files == {"a": "new", "same": "1", "b/c": "x"}
    assert {name: (tmp_path / "python" / name).read_text() for name in files} == files
    assert [("different" in note, "such as a" in note, "such as same" in note) for note in content.changes] == [
        (False, False, True),
        (True, True, False),
    ]
    assert content.notes == content.changes


def test_links_inside_archive_followed(tmp_path: Path) -> None:
    content, files = unpacked(
        write(
            tmp_path / "a.zip",
            ("p/score.py", "s", 0o755 << 16),
            ("p/lib/a.py", "a"),
            ("p/lib/deep/b.py", "b"),
            ("i/score.py", "../p/score.py", LINK),
            ("i/lib", "../p/lib", LINK),
            ("again", "i/lib/deep", LINK),
            ("p/lib/up", "deep/b.py", LINK),
        )
    )
    assert files == {
        "p/score.py": "s",
        "p/lib/a.py": "a",
        "p/lib/deep/b.py": "b",
        "p/lib/up": "b",
        "i/score.py": "s",
        "i/lib/a.py": "a",
        "i/lib/deep/b.py": "b",
        "i/lib/up": "b",
        "again/b.py": "b",
    }
    assert (tmp_path / "a/i/score.py").stat().st_mode & 0o111
    assert len(content.changes) == 1


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../a.zip", "../../x", "missing", "link", ".", "folder", "..", "", "folder/../../x", "x" * 5000],
)
def test_links_outside_or_broken_refused(tmp_path: Path, target: str) -> None:
    source = write(tmp_path / "a.zip", ("folder/file", "x"), ("folder/link", target, LINK), ("top", "1"))
    if target == "folder":
        source = write(source, ("folder/file", "x"), ("folder/link", "../folder", LINK), ("top", "1"))
    with pytest.raises(PalioError) as refusal:
        unpack(source, tmp_path / "out", lenient=True)
    assert refusal.value.failure.code == "archive-unsafe"
    assert [line.partition(":")[0] for line in refusal.value.failure.evidence] == ["folder/link"]


def test_links_circular_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.zip", ("x/a", "../y", LINK), ("y/b", "../x", LINK), ("one", "two", LINK))
    with zipfile.ZipFile(source, "a") as target:
        entry = zipfile.ZipInfo("two")
        entry.external_attr = LINK
        target.writestr(entry, "one")
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source, lenient=True)
    assert len(refusal.value.failure.evidence) == 4


def test_links_multiplying_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 5000)
    rooms = [(f"{level}/{number}", f"../{level + 1}", LINK) for level in range(12) for number in range(10)]
    with pytest.raises(PalioError) as refusal:
        inspect_archive(write(tmp_path / "a.zip", ("12/file", "x"), *rooms), lenient=True)
    assert refusal.value.failure.code == "archive-unsafe"


def test_followed_links_count_in_size(tmp_path: Path) -> None:
    source = write(tmp_path / "a.zip", ("f/file", "x" * 1000), *((f"l{number}", "f", LINK) for number in range(20)))
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source, max_bytes=20_000, lenient=True)
    assert refusal.value.failure.code == "archive-unsafe"


def test_participant_archive_with_link_or_duplicate(tmp_path: Path) -> None:
    for entries in ((("a", "1"), ("a", "1")), (("a", "1"), ("b", "a", LINK))):
        with pytest.raises(PalioError) as refusal:
            inspect_archive(write(tmp_path / "a.zip", *entries))
        assert refusal.value.failure.code == "archive-unsafe"

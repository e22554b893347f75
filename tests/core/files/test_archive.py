import os
import random
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzzing import fuzzed, mutated

from palio.core.errors import PalioError
from palio.core.files import archive
from palio.core.files.archive import Content, inspect_archive, unpack
from palio.core.files.archive_names import OLD_CODE_PAGE, WINDOWS


def make_zip(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as target:
        for name, content in entries.items():
            target.writestr(name, content)
    return path


def make_entry(path: Path, name: str, mode: int, content: bytes = b"x") -> Path:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(entry, content)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_unpack_plain_zip(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "s.zip", {"Dockerfile": b"FROM x\n", "a/b.py": b"1"})
    assert unpack(source, tmp_path / "out") == Content(("Dockerfile", "a/b.py"), (), "")
    assert files_below(tmp_path / "out") == {"Dockerfile": b"FROM x\n", "a/b.py": b"1"}


def test_unpack_extra_top_folder_and_macos_entries(tmp_path: Path) -> None:
    entries = {"s/Dockerfile": b"1", "s/.DS_Store": b"2", "__MACOSX/s/._Dockerfile": b"3"}
    source = make_zip(tmp_path / "s.zip", entries)
    assert unpack(source, tmp_path / "out") == Content(
        ("Dockerfile",),
        (
            "2 entries added by macOS or Windows were skipped",
            "the extra top folder s/ was removed",
        ),
        "s/",
    )
    assert files_below(tmp_path / "out") == {"Dockerfile": b"1"}


def test_unpack_makes_empty_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as target:
        for name in ("s/", "s/Dockerfile", "s/data/deep/", "beside/", "__MACOSX/"):
            target.writestr(zipfile.ZipInfo(name), b"")
    old = os.umask(0o077)
    try:
        unpack(tmp_path / "s.zip", tmp_path / "out")
        unpack(tmp_path / "s.zip", tmp_path / "plain", plain=True)
    finally:
        os.umask(old)
    modes = {path.relative_to(tmp_path).as_posix(): oct(path.stat().st_mode) for path in tmp_path.rglob("*")}
    del modes["s.zip"]
    assert modes == {
        "out": "0o40755",
        "out/Dockerfile": "0o100644",
        "out/data": "0o40755",
        "out/data/deep": "0o40755",
        "plain": "0o40755",
        "plain/Dockerfile": "0o100644",
    }


@pytest.mark.parametrize("names", [("f", "f/"), ("f/", "f"), ("f", "f/g/")])
def test_unpack_a_file_that_is_a_folder(tmp_path: Path, names: tuple[str, ...]) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as target:
        for name in names:
            target.writestr(zipfile.ZipInfo(name), b"")
    with pytest.raises(PalioError) as refusal:
        unpack(tmp_path / "s.zip", tmp_path / "out")
    assert refusal.value.failure.evidence == ("f: is both a file and a folder",)


def test_unpack_plain_has_no_execute_bits(tmp_path: Path) -> None:
    unpack(make_entry(tmp_path / "s.zip", "run.sh", stat.S_IFREG | 0o755), tmp_path / "out", plain=True)
    assert stat.S_IMODE((tmp_path / "out/run.sh").stat().st_mode) == 0o644


def test_unpack_modes(tmp_path: Path) -> None:
    unpack(make_entry(tmp_path / "s.zip", "run.sh", stat.S_IFREG | 0o4777), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/run.sh").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("/etc/passwd", "an absolute or Windows path"),
        ("C:/x", "an absolute or Windows path"),
        ("..\\x", "leaves the folder (..)"),
        ("\\\\server\\x", "an absolute or Windows path"),
        ("\\x", "an absolute or Windows path"),
        ("../x", "leaves the folder (..)"),
        ("a/../../x", "leaves the folder (..)"),
        ("a//b", "an empty part in its name"),
        ("./a", "an empty part in its name"),
        ("a\nb", "control characters in its name"),
        ("/".join("x" * 40), "nested too deeply, or a name that is too long"),
        ("x" * 256, "nested too deeply, or a name that is too long"),
    ],
)
def test_inspect_refuses_name(tmp_path: Path, name: str, fault: str) -> None:
    source = make_zip(tmp_path / "s.zip", {name: b"x"})
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source)
    name = name.replace("\\", "/")
    shown = name.encode("unicode_escape").decode() if "\n" in name else name
    shown = shown if len(shown) <= 80 else f"{shown[:77]}…"
    assert refusal.value.failure.code == "archive-unsafe"
    assert refusal.value.failure.evidence == (f"{shown}: {fault}",)
    assert refusal.value.exit_code == 10


@pytest.mark.parametrize(
    ("mode", "fault"),
    [
        (stat.S_IFLNK | 0o777, "a link; put the file itself there"),
        (stat.S_IFIFO | 0o666, "neither a file nor a folder"),
    ],
)
def test_inspect_refuses_special_entry(tmp_path: Path, mode: int, fault: str) -> None:
    with pytest.raises(PalioError) as refusal:
        inspect_archive(make_entry(tmp_path / "s.zip", "x", mode, b"/etc/shadow"))
    assert refusal.value.failure.evidence == (f"x: {fault}",)


def test_inspect_lists_all_faults(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "s.zip", "w") as target:
        for name in ("a", "a", "B", "b", "f", "f/g", "../up"):
            target.writestr(name, b"x")
    with pytest.raises(PalioError) as refusal:
        inspect_archive(tmp_path / "s.zip")
    assert refusal.value.failure.evidence == (
        "../up: leaves the folder (..)",
        "a: appears more than once",
        "B: differs from another name only in case",
        "b: differs from another name only in case",
        "f: is both a file and a folder",
    )


def test_inspect_too_many_entries(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "s.zip", {f"{number}": b"" for number in range(archive.MAX_ENTRIES + 1)})
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source)
    assert refusal.value.failure.evidence == ("it has 100,001 entries; at most 100,000 are allowed",)


def test_inspect_long_list_of_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_zip(tmp_path / "s.zip", {f"{number}": b"" for number in range(100)})
    monkeypatch.setattr(archive, "MAX_LIST_BYTES", 1024)
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source)
    assert refusal.value.failure.message == (
        "s.zip cannot be read as a zip archive: its directory is larger than 1.00 KiB."
    )


def test_unpack_too_large_a_content(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("zeros", bytes(10_000_000))
    assert (tmp_path / "s.zip").stat().st_size < 20_000
    with pytest.raises(PalioError) as refusal:
        unpack(tmp_path / "s.zip", tmp_path / "out", max_bytes=1_000_000)
    assert refusal.value.failure.evidence == ("all files: 9.54 MiB unpacked; at most 976.6 KiB is allowed",)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "it does not begin like a zip"),
        (
            b"PK\x03\x04abc",
            "its list of contents is missing, which stands at the end, so it is probably incomplete",
        ),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "it is a 7z archive"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(100), "it is a RAR archive"),
        (b"\xfd7zXZ\x00" + bytes(100), "it is an xz file, such as a .tar.xz"),
    ],
)
def test_inspect_no_zip(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(PalioError) as refusal:
        inspect_archive(tmp_path / "s.zip")
    assert refusal.value.failure.message == f"s.zip cannot be read as a zip archive: {reason}."
    assert refusal.value.failure.code == "archive-invalid"


def test_inspect_empty_name(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "s.zip", {"x.csv": b"x"})
    source.write_bytes(source.read_bytes().replace(b"x.csv", b"\0.csv"))
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source)
    assert refusal.value.failure.evidence == (": an empty part in its name",)


def test_inspect_name_not_utf8(tmp_path: Path) -> None:
    """Old zips hold names in the code page of their maker's; one that says UTF-8 has to be."""
    source = make_zip(tmp_path / "s.zip", {"häll.csv": b"x"})
    source.write_bytes(source.read_bytes().replace("ä".encode(), b"\xff\xff"))
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source)
    assert refusal.value.failure.message == (
        "s.zip cannot be read as a zip archive: it contains a name that is marked as UTF-8 but is not."
    )
    make_zip(tmp_path / "s.zip", {"hell.csv": b"x"})
    (tmp_path / "s.zip").write_bytes((tmp_path / "s.zip").read_bytes().replace(b"hell", b"h\x84ll"))
    content = inspect_archive(tmp_path / "s.zip")
    assert content.files == ("häll.csv",)
    assert content.notes == (f"{OLD_CODE_PAGE}, such as häll.csv",)


def with_raw_name(path: Path, name: bytes, content: bytes = b"x") -> Path:
    """A zip whose only entry has these bytes as its name, not marked as UTF-8."""
    stand_in = b"x" * len(name)
    make_zip(path, {stand_in.decode(): content})
    path.write_bytes(path.read_bytes().replace(stand_in, name))
    return path


def test_inspect_name_utf8_without_the_mark(tmp_path: Path) -> None:
    content = inspect_archive(with_raw_name(tmp_path / "s.zip", "häll.csv".encode()))
    assert (content.files, content.notes) == (("häll.csv",), ())


def test_inspect_back_slash_in_multibyte_character(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as refusal:
        inspect_archive(with_raw_name(tmp_path / "s.zip", "表.csv".encode("shift_jis")))
    assert refusal.value.failure.code == "archive-unsafe"


def test_unpack_windows_back_slashes(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "s.zip", {"out\\a.csv": b"1", "out\\deep\\b.csv": b"2", "out\\empty\\": b""})
    content = unpack(source, tmp_path / "out")
    assert content == Content(
        ("a.csv", "deep/b.csv"),
        ("the extra top folder out/ was removed", f"{WINDOWS}, such as out/a.csv"),
        "out/",
    )
    assert files_below(tmp_path / "out") == {"a.csv": b"1", "deep/b.csv": b"2"}
    assert (tmp_path / "out/empty").is_dir()


def test_unpack_names_equal_after_decoding(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as refusal:
        unpack(make_zip(tmp_path / "s.zip", {"a\\b": b"1", "a/b": b"2"}), tmp_path / "out")
    assert refusal.value.failure.evidence == ("a/b: appears more than once",)


def test_unpack_skips_apple_double_files_only(tmp_path: Path) -> None:
    entries = {"a.csv": b"1", "._a.csv": b"\0\x05\x16\x07rest", "._mine": b"mine", "d/._e": b"\0\x05\x16\x07"}
    content = unpack(make_zip(tmp_path / "s.zip", entries), tmp_path / "out")
    assert content.notes == ("2 entries added by macOS or Windows were skipped",)
    assert files_below(tmp_path / "out") == {"a.csv": b"1", "._mine": b"mine"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_unpack_zip_in_zip(tmp_path: Path, method: int) -> None:
    inner = make_zip(tmp_path / "i.zip", {"a.csv": b"1" * 100_000, "b/c.csv": b"2"}, method).read_bytes()
    source = make_zip(tmp_path / "s.zip", {"mine/i.zip": inner, "__MACOSX/i.zip": b"x"}, method)
    content = unpack(source, tmp_path / "out", inner=True)
    assert (content.files, content.notes[-1]) == (
        ("a.csv", "b/c.csv"),
        "the only file in s.zip is another zip, i.zip, which was used instead",
    )
    assert files_below(tmp_path / "out") == {"a.csv": b"1" * 100_000, "b/c.csv": b"2"}
    assert unpack(source, tmp_path / "plain").files == ("i.zip",)  # unless it is asked for


def test_open_zip_in_zip_unsafe(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "i.zip", {"../x": b"1"}).read_bytes()
    with pytest.raises(PalioError) as refusal:
        unpack(make_zip(tmp_path / "s.zip", {"i.zip": inner}), tmp_path / "out", inner=True)
    assert (refusal.value.failure.code, refusal.value.failure.evidence) == (
        "archive-unsafe",
        ("../x: leaves the folder (..)",),
    )


def test_open_zip_in_zip_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_INNER_BYTES", 10)
    source = make_zip(tmp_path / "s.zip", {"i.zip": make_zip(tmp_path / "i.zip", {"a": b"1"}).read_bytes()})
    with pytest.raises(PalioError) as refusal, archive.open_archive(source, inner=True):
        pass
    assert refusal.value.failure.code == "archive-nested"


def test_inspect_encrypted(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "s.zip", {"a": b"1"})
    content = bytearray(source.read_bytes())
    content[content.find(b"PK\x01\x02") + 8] |= 1
    source.write_bytes(content)
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source)
    assert (refusal.value.failure.code, refusal.value.failure.evidence) == ("archive-encrypted", ("a",))


@pytest.mark.parametrize("method", [9, 93, 98, 200])
def test_inspect_compression_that_cannot_be_read(tmp_path: Path, method: int) -> None:
    source = make_zip(tmp_path / "s.zip", {"a": b"1"})
    content = bytearray(source.read_bytes())
    content[content.find(b"PK\x01\x02") + 10] = method
    source.write_bytes(content)
    with pytest.raises(PalioError) as refusal:
        inspect_archive(source)
    assert (refusal.value.failure.code, refusal.value.failure.evidence) == ("archive-compression", ("a",))


@fuzzed
@given(seed=st.integers(0, 2**64))
def test_unpack_mutated_zip(tmp_path: Path, seed: int) -> None:
    """Whatever is done to a zip's bytes: a refusal with a sentence, or files below the folder; nothing else."""
    chance = random.Random(seed)
    home = tmp_path / str(seed)
    home.mkdir(exist_ok=True)
    entries = {"Dockerfile": b"FROM x\n" * 50, "a/b.py": bytes(300)}
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    source = make_zip(home / "s.zip", entries, chance.choice(methods))
    content = source.read_bytes()
    if chance.random() < 0.3:
        content = make_zip(source, {"i.zip": mutated(content, chance)}, chance.choice(methods)).read_bytes()
    if chance.random() < 0.5:
        content = with_mutated_names(content, chance)
    source.write_bytes(mutated(content, chance) if chance.random() < 0.7 else content)
    before = {path for path in tmp_path.rglob("*") if home not in path.parents}
    try:
        unpack(source, home / "out", max_bytes=100_000, inner=True)
    except PalioError as refusal:
        assert refusal.failure.code.startswith("archive-")
        str(refusal.failure.as_json()).encode()
    assert {path for path in tmp_path.rglob("*") if home not in path.parents} == before
    assert sum(path.stat().st_size for path in (home / "out").rglob("*")) <= 200_000
    shutil.rmtree(home)


def with_mutated_names(content: bytes, chance: random.Random) -> bytes:
    """A zip in which names and attributes say something else, in one place or in both."""
    for name in (b"Dockerfile", b"a/b.py"):
        other = chance.choice((b"../../../../x", b"/////////////", b"\xff\0\x80\n<>:|?*", b"a/a/a/a/a/a/a"))[
            : len(name)
        ]
        content = content.replace(name, other, chance.choice((-1, 0, 1)))
    at = content.find(b"PK\x01\x02")
    links = bytes(2) + chance.choice((0o120777, 0o010666, 0o060666, 0o100644)).to_bytes(2, "little")
    return content[: at + 38] + links + content[at + 42 :] if chance.random() < 0.5 else content

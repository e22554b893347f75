import io
import os
import socket
import stat
import tarfile
from pathlib import Path

import pytest

from palio.core.engine import Collected
from palio.core.files.collect import MAX_REFUSALS, collect_folder, collect_tar, printable

BYTES, FILES = 10_000, 100


def _take(source: Path, destination: Path, max_bytes: int = BYTES, max_files: int = FILES) -> Collected:
    return collect_folder(source, destination, max_bytes=max_bytes, max_files=max_files)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "destination"


def test_regular_files_uniform_modes(source: Path, destination: Path) -> None:
    (source / "empty").mkdir()
    (source / "b" / "c").mkdir(parents=True)
    (source / "b" / "c" / "prêt à porter.csv").write_bytes(b"x" * 5000)
    (source / "a.csv").write_text("file,class\n")
    (source / "a.csv").chmod(0o4711)
    (source / "b").chmod(0o2777)
    previous = os.umask(0o077)
    try:
        collected = _take(source, destination)
    finally:
        os.umask(previous)
    assert collected == Collected(("a.csv", "b/c/prêt à porter.csv"), 5011)
    assert (destination / "b/c/prêt à porter.csv").read_bytes() == b"x" * 5000
    modes = {str(p.relative_to(destination)): stat.S_IMODE(p.stat().st_mode) for p in destination.rglob("*")}
    assert modes == {"a.csv": 0o644, "b": 0o755, "b/c": 0o755, "b/c/prêt à porter.csv": 0o644}


def test_large_file_copied(source: Path, destination: Path) -> None:
    content = os.urandom(5_000_000)
    (source / "volume.nii").write_bytes(content)
    _take(source, destination, max_bytes=5_000_000)
    assert (destination / "volume.nii").read_bytes() == content


def test_special_files_named(source: Path, destination: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the labels")
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "labels.csv").write_text("the labels")
    (source / "file").symlink_to(tmp_path / "secret")
    (source / "folder").symlink_to(tmp_path / "reference")
    os.link(tmp_path / "secret", source / "hard")
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(source / "socket"))
    assert _take(source, destination) == Collected(
        (),
        0,
        (
            "file: a symbolic link",
            "folder: a symbolic link",
            "hard: a hard link",
            "pipe: a named pipe",
            "socket: a socket",
        ),
    )
    assert list(destination.iterdir()) == []


def test_deceptive_names_refused(source: Path, destination: Path) -> None:
    for name in (b"line\nbreak", b"escape\x1b[2J", b"latin-\xe9", "left\u202etright".encode(), b"n" * 255):
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_text("1")
    assert _take(source, destination) == Collected(
        ("n" * 255,),
        1,
        (
            "escape\\x1b[2J: a name with control characters",
            "latin-\\xe9: a name that is not valid UTF-8",
            "left\\u202etright: a name with control characters",
            "line\\x0abreak: a name with control characters",
        ),
    )


def test_deep_tree_refused(source: Path, destination: Path) -> None:
    deep = source.joinpath(*["d"] * 32)
    deep.mkdir(parents=True)
    (deep.parent / "file").write_text("1")
    (deep / "file").write_text("1")
    (deep / "d" / "d" / "d").mkdir(parents=True)
    path = "/".join(["d"] * 33)
    assert _take(source, destination) == Collected(
        ("/".join(["d"] * 31) + "/file",),
        1,
        (f"{path}: more than 32 levels deep", f"{path[:-1]}file: more than 32 levels deep"),
    )


def test_long_path_refused(source: Path, destination: Path) -> None:
    inner = source
    for _ in range(5):
        inner = inner / ("d" * 250)
        inner.mkdir()
    collected = _take(source, destination)
    assert [line.rpartition(": ")[2] for line in collected.refused] == ["a path longer than 1,024 bytes"]


def test_bytes_and_files_capped(source: Path, destination: Path, tmp_path: Path) -> None:
    for name in "abc":
        (source / name).write_text("1234")
    assert _take(source, destination, max_bytes=8) == Collected(
        ("a", "b"), 8, ("the rest was skipped: c would exceed 8 B",)
    )
    assert _take(source, tmp_path / "second", max_files=2) == Collected(
        ("a", "b"), 8, ("the rest was skipped: more than 2 files",)
    )


def test_folders_and_refusals_capped(source: Path, destination: Path, tmp_path: Path) -> None:
    for number in range(5):
        (source / f"folder-{number}").mkdir()
    assert _take(source, destination, max_files=4).refused == ("the rest was skipped: more than 4 folders",)
    for number in range(3 * MAX_REFUSALS):
        (source / f"link-{number}").symlink_to("/")
    refused = _take(source, tmp_path / "second").refused
    assert (len(refused), refused[-1]) == (
        MAX_REFUSALS + 1,
        f"the rest was skipped: {MAX_REFUSALS} entries were refused",
    )


def test_sparse_file_apparent_size(source: Path, destination: Path) -> None:
    with (source / "sparse").open("wb") as file:
        file.truncate(10**12)
    assert _take(source, destination).refused == ("the rest was skipped: sparse would exceed 9.77 KiB",)


def test_source_link_not_followed(source: Path, destination: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(source)
    with pytest.raises(OSError, match="link"):
        _take(link, destination)


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, content


def _take_tar(stream: io.BytesIO, destination: Path, max_bytes: int = BYTES, max_files: int = FILES) -> Collected:
    return collect_tar(stream, destination, prefix="out", max_bytes=max_bytes, max_files=max_files)


def test_tar_stream_equals_folder(source: Path, destination: Path, tmp_path: Path) -> None:
    (source / "b").mkdir()
    (source / "b" / "c.csv").write_text("1")
    (source / "a.csv").write_text("file,class\n")
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(source, "out")
    stream.seek(0)
    by_tar, by_folder = _take_tar(stream, destination), _take(source, tmp_path / "second")
    assert by_tar == by_folder == Collected(("a.csv", "b/c.csv"), 12, ("link: a symbolic link", "pipe: a named pipe"))
    assert {p.name: p.read_text() for p in destination.rglob("*.csv")} == {"a.csv": "file,class\n", "c.csv": "1"}


def test_tar_stream_outside_refused(destination: Path, tmp_path: Path) -> None:
    stream = _tar(
        _member("out", tarfile.DIRTYPE),
        _member("out/../../escaped", content=b"1"),
        _member("/etc/passwd", content=b"1"),
        _member("elsewhere/file", content=b"1"),
        _member("out/a", content=b"1"),
        _member("out/a", content=b"2"),
        _member("out/a/b", content=b"3"),
        _member("out/hard", tarfile.LNKTYPE, link="out/a"),
        _member("out/null", tarfile.CHRTYPE),
        _member("out/line\nbreak", content=b"1"),
    )
    assert _take_tar(stream, destination) == Collected(
        ("a",),
        1,
        (
            "../../escaped: not a plain path",
            "/etc/passwd: not below the output folder",
            "elsewhere/file: not below the output folder",
            "a: named twice",
            "a/b: named twice",
            "hard: a hard link",
            "null: a device",
            "line\\x0abreak: a name with control characters",
        ),
    )
    assert {p.name: p.read_text() for p in tmp_path.rglob("*") if p.is_file()} == {"a": "1"}


def test_tar_stream_capped(destination: Path, tmp_path: Path) -> None:
    members = [_member(f"out/{name}", content=b"1234") for name in "abc"]
    assert _take_tar(_tar(*members), destination, max_bytes=8).files == ("a", "b")
    assert _take_tar(_tar(*members), tmp_path / "second", max_files=2).files == ("a", "b")


def test_printable_keeps_a_report_on_one_line() -> None:
    assert printable("a\nb\x7f") == "a\\x0ab\\x7f"
    assert len(printable("n" * 4000)) == 200

"""Backups that somebody has made to reach out of the folder that they are restored to."""

import gzip
import hashlib
import io
import json
import sqlite3
import stat
import tarfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio.core.errors import PalioError
from palio.web.config.configuration import Configuration
from palio.web.serving.backup import FOLDERS, sum_line
from palio.web.serving.restore import restore


@dataclass(frozen=True)
class Entry:
    name: str  # below palio-data
    content: bytes = b"x"
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    mode: int = 0o644
    top: str = "palio-data/"


def database() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "palio.sqlite3"
        with closing(sqlite3.connect(file)) as made, made:
            made.execute("CREATE TABLE a (b)")
        return file.read_bytes()


DATABASE = database()


def written(file: Path, entries: Sequence[Entry], about: dict[str, object] | None = None) -> Path:
    """A backup with right digests of whatever is in it."""
    said = {"format": "palio-backup 1", "when": "2026-05-01T12:00:00+00:00", "database": "palio.sqlite3"} | (
        about or {}
    )
    first = [Entry("backup.json", json.dumps(said).encode()), Entry("palio.sqlite3", DATABASE)]
    files = [each for each in (*first[1:], *entries) if each.kind == tarfile.REGTYPE]
    sums = "".join(sum_line(hashlib.sha256(each.content).hexdigest(), each.name) for each in files)
    last = Entry("SHA256SUMS", sums.encode(errors="surrogateescape"))
    with tarfile.open(file, "w") as tar:
        for each in (*first, *entries, last):
            info = tarfile.TarInfo(each.top + each.name)
            info.type, info.linkname, info.mode = each.kind, each.target, each.mode
            info.size = len(each.content) if each.kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(each.content))
    return file


def restored(folder: Path, entries: Sequence[Entry], about: dict[str, object] | None = None) -> Path:
    file = written(folder / "palio.tar", entries, about)
    restore(file, replace(Configuration(), data=folder / "data"))
    return folder / "data"


def refusal(folder: Path, entries: Sequence[Entry], about: dict[str, object] | None = None) -> str:
    with pytest.raises(PalioError) as caught:
        restored(folder, entries, about)
    assert caught.value.failure.code == "backup-invalid"
    assert not (folder / "data").exists() or [*(folder / "data").iterdir()] == []
    return caught.value.failure.message


LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "entries",
    [
        [Entry("bundles/a", kind=LINK, target="/etc"), Entry("bundles/a/passwd")],
        [Entry("bundles/a", kind=LINK, target="b"), Entry("bundles/b/c")],
        [Entry("bundles/a/l", kind=LINK, target="/tmp"), Entry("bundles/a/l/m", kind=LINK, target="x")],
        [Entry("bundles/a/l", kind=LINK, target="."), Entry("bundles/a/l/file")],
        [Entry("bundles/a/b/top", kind=LINK, target="../.."), Entry("bundles/a/b/out", kind=LINK, target="top/../x")],
        [
            Entry("bundles/a/b/top", kind=LINK, target=".."),
            Entry("bundles/a/out", kind=LINK, target="b/top/../../keys"),
        ],
        [Entry("bundles/a/l", kind=LINK, target="m"), Entry("bundles/a/m", kind=LINK, target="l")],
        [Entry("bundles/a/l", kind=LINK, target="../b/x")],
        [Entry("bundles/a/l", kind=HARD, target="palio-data/keys/k"), Entry("keys/k")],
        [Entry("keys/k", kind=LINK, target="/etc/shadow")],
        [Entry("palio.sqlite3", kind=LINK, target="/etc/shadow")],
        [Entry("store/ab/cd", kind=LINK, target="../x")],
        [Entry("runs", kind=LINK, target="/tmp")],
        [Entry("runs/a/pipe", kind=tarfile.FIFOTYPE)],
        [Entry("runs/a/disk", kind=tarfile.BLKTYPE)],
        [Entry("runs/a/folder", kind=tarfile.DIRTYPE)],
        [Entry("runs/a/x"), Entry("runs/a/x")],
        [Entry("runs/a/x"), Entry("runs/a/x/y")],
        [Entry("runs/a/../../../x")],
        [Entry("runs//x")],
        [Entry("x", top="/")],
        [Entry("keys/x", top="")],
        [Entry("keys/x", top="palio-data/../palio-data/")],
    ],
    ids=lambda entries: " ".join(each.name for each in entries),
)
def test_restore_unexpected_entry(tmp_path: Path, entries: list[Entry]) -> None:
    refusal(tmp_path, entries)
    assert {path.name for path in tmp_path.iterdir()} <= {"palio.tar", "data"}


@pytest.mark.parametrize("name", ["", "database.sqlite3", "../palio.sqlite3"])
def test_restore_without_database(tmp_path: Path, name: str) -> None:
    assert "no database" in refusal(tmp_path, [], {"database": name})


def test_restore_files_and_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = restored(
        tmp_path,
        [
            Entry("bundles/a/data/file", b"12345", mode=0o6777),
            Entry("bundles/a/near", kind=LINK, target="data/file"),
            Entry("bundles/a/b/folder", kind=LINK, target="../data"),
            Entry("bundles/a/far", kind=LINK, target="b/folder/../data/file"),
            Entry("keys/session-secret", mode=0o666),
        ],
        {"when": "\x1b[2J never"},
    )
    assert (data / "bundles/a/far").read_bytes() == b"12345"
    assert stat.S_IMODE((data / "bundles/a/data/file").stat().st_mode) == 0o755
    assert stat.S_IMODE((data / "keys/session-secret").stat().st_mode) == 0o600
    said = capsys.readouterr().out
    there = [path for path in data.rglob("*") if path.is_symlink() or path.is_file()]
    assert f"{len(there) - 3} files and 3 links" in said
    assert said.isprintable() or "\x1b" not in said


def test_restore_sparse_exbibyte(tmp_path: Path) -> None:
    file = written(tmp_path / "palio.tar", [Entry("runs/a/x", b"")])
    content = bytearray(file.read_bytes())
    at = content.index(b"palio-data/runs/a/x")
    content[at + 156 : at + 157] = tarfile.GNUTYPE_SPARSE
    content[at + 257 : at + 265] = b"ustar  \0"
    content[at + 483 : at + 495] = b"\x80" + (2**60).to_bytes(11, "big")
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
    file.write_bytes(content)
    with pytest.raises(PalioError) as caught:
        restore(file, replace(Configuration(), data=tmp_path / "data"))
    assert caught.value.failure.code == "backup-invalid"


def test_restore_claimed_exbibyte_of_digests(tmp_path: Path) -> None:
    file = written(tmp_path / "palio.tar", [])
    content = bytearray(file.read_bytes())
    at = content.rindex(b"palio-data/SHA256SUMS")
    content[at + 124 : at + 136] = b"\x80" + (2**60).to_bytes(11, "big")
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
    file.write_bytes(gzip.compress(content))
    with pytest.raises(PalioError) as caught:
        restore(file, replace(Configuration(), data=tmp_path / "data"))
    assert caught.value.failure.code == "backup-invalid"


def test_restore_nested_json(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "palio.tar", "w") as tar:
        info = tarfile.TarInfo("palio-data/backup.json")
        info.size = 60_000
        tar.addfile(info, io.BytesIO(b"[" * 60_000))
    with pytest.raises(PalioError) as caught:
        restore(tmp_path / "palio.tar", replace(Configuration(), data=tmp_path / "data"))
    assert caught.value.failure.code == "backup-invalid"


PARTS = st.sampled_from(["a", "b", "c", "l", "m", "..", ".", "keys"])
NAMES = st.builds(
    lambda top, below: "/".join([top, *below]),
    st.sampled_from(["bundles", "bundles", "runs", "keys", "store", "..", ""]),
    st.lists(PARTS, min_size=1, max_size=5),
)
ENTRIES = st.builds(
    Entry,
    NAMES,
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.REGTYPE, LINK, LINK, LINK, HARD, tarfile.DIRTYPE]),
    target=st.builds(lambda start, parts: start + "/".join(parts), st.sampled_from(["", "", "", "/"]), st.lists(PARTS)),
    mode=st.integers(0, 0o7777),
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ENTRIES, max_size=8))
def test_restore_any_content_stays_inside(entries: list[Entry]) -> None:
    with TemporaryDirectory() as work:
        folder = Path(work) / "a" / "b"
        folder.mkdir(parents=True)
        (Path(work) / "c").mkdir()
        before = {path: path.lstat().st_mtime_ns for path in Path(work).rglob("*") if path != folder}
        try:
            data = restored(folder, entries)
        except PalioError:
            assert {path.name for path in folder.rglob("*")} <= {"palio.tar", "data"}
        else:
            assert {path.name for path in data.iterdir()} == {"palio.sqlite3", *FOLDERS}
            for path in data.rglob("*"):
                if path.is_symlink():
                    top = data.joinpath(*path.relative_to(data).parts[:2]).resolve()
                    assert top.parent.parent == data.resolve()
                    assert path.resolve().is_relative_to(top)
                elif path.is_file():
                    assert path.stat().st_mode & 0o7022 == 0
        after = {
            path: path.lstat().st_mtime_ns for path in Path(work).rglob("*") if folder not in (path, *path.parents)
        }
        assert after == before

"""A backup of a platform that runs is a platform: everything that people had is there, and faults are found before."""

import hashlib
import io
import json
import sqlite3
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.web.serving.running import SQLITE_ONLY, Browser, Running, palio, running

from palio.web.config.data_folder import Folders
from palio.web.serving.backup import FOLDERS, sum_line

PASSWORD = "a-long-enough-password"  # noqa: S105
MADE_ANEW = {"static", "boards", "inputs", "statistics"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("platform") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def saved(platform: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backup") / "palio.tar"
    result = palio("backup", file, "--data", platform.data)
    assert result.returncode == 0, result.stderr
    return file


class Handing:
    """Hands files in without end, as the platform does: first the file in its place, then the row that names it."""

    def __init__(self, data: Path) -> None:
        self._folders = Folders(data)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Handing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            content = f"file {number}".encode() * 1000
            digest = hashlib.sha256(content).hexdigest()
            place = self._folders.store / digest[:2] / digest
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
            with closing(sqlite3.connect(self._folders.database, timeout=20)) as database, database:
                insert = "INSERT INTO palio_event (time, kind, attempt, detail) VALUES (datetime(), 'test', '', ?)"
                database.execute(insert, [json.dumps({"sha256": digest})])
            number += 1


def named_files(data: Path) -> list[str]:
    with closing(sqlite3.connect(data / "palio.sqlite3")) as database:
        rows = database.execute("SELECT detail FROM palio_event WHERE kind = 'test'").fetchall()
    return [json.loads(row[0])["sha256"] for row in rows]


@SQLITE_ONLY
def test_backup_during_writes_restores(tmp_path: Path) -> None:
    with running(tmp_path / "data") as started:
        browser = Browser()
        link = started.link()
        assert link
        where, page = browser.get(link)
        browser.post(where, page, password1=PASSWORD, password2=PASSWORD)
        run = started.data / "runs" / "abcdefghijklmnop"
        (run / ".work").mkdir(parents=True)
        (run / ".work" / "inputs").write_text("only while it runs")
        (run / "result.json").write_text("{}")
        with Handing(started.data):
            time.sleep(0.5)
            result = palio("backup", tmp_path / "palio.tar.gz", "--data", started.data, "--json")
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["gone"] == 0
        assert (tmp_path / "palio.tar.gz").stat().st_mode & 0o777 == 0o600
        started.end()
    restored = palio("restore", tmp_path / "palio.tar.gz", "--data", tmp_path / "elsewhere")
    assert restored.returncode == 0, restored.stderr
    there = Folders(tmp_path / "elsewhere")
    names = named_files(there.root)
    assert len(names) > 10
    assert [name for name in names if not (there.store / name[:2] / name).is_file()] == []
    assert [path.name for path in (there.runs / "abcdefghijklmnop").iterdir()] == ["result.json"]
    for key in ("session-secret", "receipt-key.pem"):
        assert (there.keys / key).read_bytes() == (started.data / "keys" / key).read_bytes()
        assert (there.keys / key).stat().st_mode & 0o777 == 0o600
    with running(there.root) as successor:
        assert successor.link() is None
        assert "admin" in browser.get(successor.address)[1], "who was signed in is so still"


def test_backup_folders(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    names = {name for name, kind in vars(Folders).items() if isinstance(kind, property)}
    below = {getattr(folders, name).relative_to(tmp_path).parts[0] for name in names if name != "root"}
    assert below - {"palio.sqlite3"} - MADE_ANEW == set(FOLDERS)


def test_backup_readable_without_palio(saved: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "xf", saved, "-C", tmp_path], check=True)
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], check=True, cwd=tmp_path / "palio-data")


def test_sums_escaped_names(tmp_path: Path) -> None:
    name = "a\\b\nc"
    (tmp_path / name).touch()
    told = subprocess.run(["sha256sum", name], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert sum_line(hashlib.sha256(b"").hexdigest(), name) == told


def test_restore_target_not_empty(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = palio("restore", saved, "--data", tmp_path)
    assert (result.returncode, "(target-not-empty)" in result.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@SQLITE_ONLY
def test_restore_into_empty_folder(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    assert palio("restore", saved, "--data", tmp_path).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"lost+found", "palio.sqlite3", *FOLDERS}


def refused(file: Path, tmp_path: Path) -> str:
    result = palio("restore", file, "--data", tmp_path / "restored")
    assert (result.returncode, "(backup-invalid)" in result.stderr) == (12, True), result.stderr
    left = list((tmp_path / "restored").rglob("*"))
    assert left == []
    return result.stderr


def test_restore_truncated_backup(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.tar").write_bytes(saved.read_bytes()[: saved.stat().st_size // 3])
    refused(tmp_path / "cut.tar", tmp_path)


def test_restore_changed_backup_names_file(saved: Path, tmp_path: Path) -> None:
    content = bytearray(saved.read_bytes())
    with tarfile.open(saved) as tar:
        content[tar.getmember("palio-data/keys/session-secret").offset_data] ^= 1
    (tmp_path / "changed.tar").write_bytes(content)
    assert "  | changed: keys/session-secret" in refused(tmp_path / "changed.tar", tmp_path)


@pytest.mark.parametrize("content", [b"", b"This is no backup.", b"\x1f\x8b broken"])
def test_restore_not_a_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.tar").write_bytes(content)
    refused(tmp_path / "other.tar", tmp_path)


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("palio-data/../../evil", None),
        ("/etc/evil", None),
        ("palio-data/evil", None),
        ("palio-data/runs/../../evil", None),
        ("palio-data/runs/a/link", "/etc"),
        ("palio-data/bundles/a/link", "../../keys"),
    ],
)
def test_restore_path_outside_folder(saved: Path, tmp_path: Path, name: str, link: str | None) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(saved) as old, tarfile.open(evil, "w") as new:
        for member in old:
            if member.name == "palio-data/SHA256SUMS":
                info = tarfile.TarInfo(name)
                if link:
                    info.type, info.linkname = tarfile.SYMTYPE, link
                new.addfile(info, io.BytesIO())
            new.addfile(member, old.extractfile(member))
    refused(evil, tmp_path)


def test_backup_not_a_platform(tmp_path: Path) -> None:
    result = palio("backup", tmp_path / "palio.tar", "--data", tmp_path)
    assert (result.returncode, "is not the data folder of a platform" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_restore_unknown_format(tmp_path: Path) -> None:
    result = palio("backup", tmp_path / "palio.zip", "--data", tmp_path)
    assert (result.returncode, "does not end in .tar, .tar.gz or .tgz" in result.stderr) == (2, True)


def test_backup_postgresql_unreachable(platform: Running, tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://palio:8462847@127.0.0.1:1/palio"}
    result = palio("backup", tmp_path / "palio.tar", "--data", platform.data, **given)
    assert result.returncode == 12
    assert "(database-unusable)" in result.stderr
    assert "8462847" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_restore_to_postgresql_unreachable(saved: Path, tmp_path: Path) -> None:
    result = palio("restore", saved, "--data", tmp_path / "r", DATABASE_URL="postgresql://a:8462847@127.0.0.1:1/palio")
    assert (result.returncode, "(database-unusable)" in result.stderr) == (12, True)
    assert "8462847" not in result.stderr
    assert list((tmp_path / "r").iterdir()) == []

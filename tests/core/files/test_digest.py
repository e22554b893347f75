"""One content, one digest; and nothing that is not the folder's own."""

import hashlib
import os
from pathlib import Path

import pytest

from palio.core.files.digest import UnfitFile, digest_entries, digest_file, files_below


def digest_folder(folder: Path) -> str:
    return digest_entries(files_below(folder))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_digest_of_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert digest_file(tmp_path / "a") == sha256(b"x" * 3_000_000)


def test_digest_of_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.txt").write_bytes(b"two")
    (tmp_path / "b.txt").write_bytes(b"one")
    lines = f"b.txt\0003\0{sha256(b'one')}\nb/z.txt\0003\0{sha256(b'two')}\n"
    assert digest_folder(tmp_path) == sha256(lines.encode())


def test_digest_ignores_tool_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    before = digest_folder(tmp_path)
    for name in ("__pycache__", ".git", "__MACOSX"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(b"x")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    os.utime(tmp_path / "a", (0, 0))
    assert digest_folder(tmp_path) == before


def test_digest_of_inner_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to("a")
    assert digest_folder(tmp_path) == digest_entries([("a", tmp_path / "a"), ("b", tmp_path / "a")])


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("../outside", "link is a link to the outside; put the file itself there"),
        ("nothing", "link is a broken link; put the file itself there"),
        ("link", "link is a broken link; put the file itself there"),
        (".", "link is a link to a folder; put the folder itself there"),
    ],
)
def test_digest_of_outer_link(tmp_path: Path, target: str, sentence: str) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(target)
    with pytest.raises(UnfitFile) as raised:
        digest_folder(tmp_path / "folder")
    assert str(raised.value) == sentence


def test_pipe_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnfitFile) as raised:
        digest_folder(tmp_path)
    assert str(raised.value) == "pipe is neither a file nor a folder; remove it"

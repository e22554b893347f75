import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from palio.core.errors import PalioError
from palio.data.sources import ARCHIVE_LIMIT_BYTES, FILE_LIMIT_BYTES, small_files

FILES = {"CXR/1.jpg": b"one", "Hand/2.jpg": b"two"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    return folder


def failure(source: Path) -> tuple[str, int]:
    with pytest.raises(PalioError) as raised:
        list(small_files(source))
    return str(raised.value), raised.value.exit_code


def test_small_files_reads_folders_and_archives_alike(folder: Path, tmp_path: Path) -> None:
    for name, mode in (("a.tar.gz", "w:gz"), ("a.tar", "w")):
        with tarfile.open(tmp_path / name, mode) as archive:  # type: ignore[call-overload]
            archive.add(folder, ".")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in FILES.items():
            zipped.writestr(name, content)
    for source in (folder, tmp_path / "a.tar.gz", tmp_path / "a.tar", tmp_path / "a.zip"):
        assert {name.removeprefix("./"): content for name, content in small_files(source)} == FILES


def test_small_files_ignores_large_hidden_linked(folder: Path) -> None:
    (folder / "large").write_bytes(bytes(FILE_LIMIT_BYTES + 1))
    (folder / ".hidden").write_bytes(b"x")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(folder / "absent")
    assert dict(small_files(folder)) == FILES


def test_small_files_archive_links_and_devices(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("x")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("../../climbs")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    assert list(small_files(path)) == [("../../climbs", b"abc")]


def test_small_files_unknown_source(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    said = f"{path} cannot be read: it is not a folder, .tar.gz or .zip archive."
    assert failure(path) == (said, 12)
    path.write_bytes(b"")
    assert failure(path) == (said, 12)


def test_small_files_missing_source(tmp_path: Path) -> None:
    assert failure(tmp_path / "x") == (f"{tmp_path}/x cannot be read: no such file or directory.", 12)


def test_small_files_truncated_archive(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, ".")
    path.write_bytes(path.read_bytes()[:-40])
    said, code = failure(path)
    assert said.startswith(f"{path} cannot be read: the archive is damaged or truncated (")
    assert code == 12
    zipped = tmp_path / "a.zip"
    zipped.write_bytes(b"PK\x03\x04 and no more")
    reason = "the archive is damaged or truncated (File is not a zip file)"
    assert failure(zipped) == (f"{zipped} cannot be read: {reason}.", 12)


def test_small_files_decompression_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    member = tarfile.TarInfo("zeros")
    member.size = ARCHIVE_LIMIT_BYTES * 2
    chunk = gzip.compress(bytes(2**24))
    path.write_bytes(gzip.compress(member.tobuf()) + chunk * (ARCHIVE_LIMIT_BYTES // 2**24 + 1))
    assert failure(path) == (f"{path} cannot be read: it inflates to more than 512.0 MiB.", 12)


def test_small_files_wrong_zip_size(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bytes(2**22))
    # the sizes in the local header and in the directory at the end now say 5 bytes
    path.write_bytes(path.read_bytes().replace((2**22).to_bytes(4, "little"), (5).to_bytes(4, "little")))
    assert failure(path) == (
        f"{path} cannot be read: the archive is damaged or truncated (Bad CRC-32 for file 'x').",
        12,
    )


def test_small_files_refuses_uncommon_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x", b"abc")
    assert failure(path) == (f"{path} cannot be read: x is encrypted or uses an uncommon compression.", 12)

import os
from pathlib import Path

import pytest

from palio.core.files.untrusted import UnreadableFileError, read_untrusted


def reason(path: Path, limit_bytes: int = 10) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read_untrusted(path, limit_bytes)
    return str(caught.value)


@pytest.mark.parametrize("content", ["", "0123456789", "\ufeffé"])
def test_read_up_to_limit(tmp_path: Path, content: str) -> None:
    (tmp_path / "a").write_text(content, encoding="utf-8")
    assert read_untrusted(tmp_path / "a", 10) == content.removeprefix("\ufeff")


def test_read_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_untrusted(tmp_path / "a", 10)


def test_read_special_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("secret")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert reason(tmp_path / "link") == "is a link, and links are not followed"
    assert reason(tmp_path / "dangling") == "is a link, and links are not followed"
    assert reason(tmp_path / "pipe") == "is not a regular file"
    assert reason(tmp_path / "folder") == "is not a regular file"
    assert reason(Path("/dev/zero")) == "is not a regular file"
    assert reason(tmp_path / "file" / "below") == "cannot be opened (Not a directory)"


def test_read_beyond_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 11)
    assert reason(tmp_path / "a") == "is larger than 10 bytes"


def test_read_not_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ab\xff")
    assert reason(tmp_path / "a") == "is not UTF-8 text (at byte 3)"

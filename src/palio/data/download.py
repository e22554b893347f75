"""Downloads a large file: resumes after interruptions, verifies before use, caches for next time."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from palio.core.errors import PalioError
from palio.core.files.staging import why, writing
from palio.core.quantities import KIB, MIB, size_text

SIZE_LIMIT_BYTES = 256 * MIB  # MedNIST has about 60 MiB; an endless response must not fill the disk
TIMEOUT_S = 30.0  # without data
CHUNK_BYTES = 256 * KIB

Progress = Callable[[int, int | None], None]  # bytes so far, total bytes if the server reported them


def cache_folder() -> Path:
    """The download cache: $XDG_CACHE_HOME/palio, or ~/.cache/palio."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "palio"


def fetch(url: str, to: Path, *, md5: str, next_step: str, progress: Progress | None = None) -> Path:
    """Returns `to`, downloading it from `url` (http or https) unless it already exists with this MD5.

    Partial downloads stay in `<to>.part` and are resumed by later calls. Raises `network-unavailable` (with
    `next_step`), `download-corrupt` (the file is removed), `disk-full` or `target-unwritable`.
    """
    if not url.startswith(("https://", "http://")):
        raise PalioError(
            "usage", problem=f"{url} is not a web address.", next_step="Use an address with http:// or https://."
        )
    part = to.with_name(to.name + ".part")
    with writing(part):
        to.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                reason = "another process is downloading it"
                raise _unavailable(url, reason, "Run the command again when that download has finished.") from None
            if _has_md5(to, md5):
                part.unlink(missing_ok=True)
                return to
            if not _has_md5(part, md5):
                _complete(url, file, next_step, progress)
            file.flush()
            if not _has_md5(part, md5):
                raise _corrupt(url, part, f"its MD5 is not {md5}")
            part.replace(to)
    return to


class _CutError(Exception):
    """The connection ended before the file did."""


def _complete(url: str, file: BinaryIO, next_step: str, progress: Progress | None) -> None:
    """Downloads the missing part of `file`, reconnecting as long as each connection makes progress."""
    while True:
        before = file.seek(0, os.SEEK_END)
        try:
            _transfer(url, file, progress)
            return
        except _CutError as cut:
            if file.tell() > before:
                continue
            partial = f"; {size_text(file.tell())} were saved and will be resumed" if file.tell() else ""
            raise _unavailable(url, f"{cut}{partial}", next_step) from cut


def _transfer(url: str, file: BinaryIO, progress: Progress | None) -> None:
    """Uses one connection to append what `file` lacks, or restarts if the server cannot resume."""
    start = file.tell()
    headers = {"User-Agent": "palio"} | ({"Range": f"bytes={start}-"} if start else {})
    with _network():
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)  # noqa: S310 - only http(s), see fetch
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if not resumed:
            file.truncate(0)
            start = 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        have = start
        while True:
            with _network():
                chunk = response.read(CHUNK_BYTES)
            if not chunk:
                break
            file.write(chunk)
            have += len(chunk)
            if have > SIZE_LIMIT_BYTES:
                raise _corrupt(url, Path(file.name), f"it is larger than {size_text(SIZE_LIMIT_BYTES)}")
            if progress:
                progress(have, total)
    if total is not None and have < total:
        raise _CutError("the connection was lost")


@contextmanager
def _network() -> Iterator[None]:
    """Distinguishes network errors from disk errors, because both are OSErrors."""
    try:
        yield
    except HTTPError as error:
        error.close()
        raise _CutError(f"the server returned {error.code} {error.reason}") from error
    except URLError as error:
        raise _CutError(why(error.reason) if isinstance(error.reason, OSError) else error.reason) from error
    except (HTTPException, OSError) as error:
        raise _CutError(
            f"the connection was lost ({why(error) if isinstance(error, OSError) else type(error).__name__})"
        ) from error


def _has_md5(path: Path, md5: str) -> bool:
    try:
        with path.open("rb") as file:
            # The publisher states an MD5; each image is checked by SHA-256 afterwards
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5
    except FileNotFoundError:
        return False


def _corrupt(url: str, part: Path, reason: str) -> PalioError:
    part.unlink()
    return PalioError("download-corrupt", url=url, reason=reason)


def _unavailable(url: str, reason: str, next_step: str) -> PalioError:
    return PalioError("network-unavailable", what="The archive of images", url=url, reason=reason, next_step=next_step)

"""Reads untrusted tar archives once from front to back, without extracting or storing a list of members.

Covered: truncated and invalid archives, plain or gzip; headers that claim gigabytes, repeat endlessly or point
backwards (at most HEADER_BYTES are read per member, only forwards); more bytes or members than the budget, counted
while unpacking and never believed. Not covered: names and types of members, which the caller judges; archives crafted
so that two readers see different members.
"""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from tarfile import TarInfo
from typing import Any

from palio.core.errors import counted
from palio.core.quantities import KIB, MIB, size_text

# Long paths and attributes fit. More would let tarfile search, count and recurse for minutes.
HEADER_BYTES = 16 * KIB
BLOCK_BYTES = MIB
GZIP_MAGIC = b"\x1f\x8b"
TAR_MAGIC_AT, TAR_MAGIC = 257, b"ustar"
_READ_ERRORS = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError)


class BrokenTarError(Exception):
    """The archive is invalid or incomplete. The text follows its name, as in `is truncated`."""


class BudgetError(Exception):
    """The archive contains more than allowed. The text follows its name."""


class Budget:
    """How much may still be read. `between` is called between blocks and may raise to stop reading."""

    def __init__(self, max_bytes: int, max_members: int, between: Callable[[], None] = lambda: None) -> None:
        self.between = between
        self.used_bytes = self.used_members = 0
        self._max_bytes, self._max_members = max_bytes, max_members

    def spend_bytes(self, size: int) -> None:
        self.between()
        self.used_bytes += size
        if self.used_bytes > self._max_bytes:
            raise BudgetError(f"unpacks to more than its limit of {size_text(self._max_bytes)}")

    def spend_member(self) -> None:
        self.used_members += 1
        if self.used_members > self._max_members:
            raise BudgetError(f"has more than {counted(self._max_members, 'entry', 'entries')}")


class TarStream:
    """An archive being read, plain or gzip. `read`, `seek` and `tell` are for tarfile."""

    def __init__(self, file: "io.BufferedReader[Any]", budget: Budget, *, hashed: bool = False) -> None:
        zipped = file.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)] == GZIP_MAGIC
        self._file = gzip.GzipFile(fileobj=file) if zipped else file
        self._budget = budget
        self._position = 0
        self._header_room = HEADER_BYTES
        self._last = b""
        self._hash = hashlib.sha256() if hashed else None

    def members(self) -> Iterator[TarInfo]:
        """Yields each member; its data can be read until the next one is requested.

        Raises BrokenTarError if the archive is incomplete, BudgetError if it exceeds the budget.
        """
        try:
            archive = tarfile.TarFile(fileobj=self, encoding="utf-8")  # type: ignore[arg-type]
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all it has read
                self._budget.spend_member()
                if set(archive.pax_headers) - {"comment"}:
                    raise BrokenTarError("changes all members' headers with a global one")
                yield member
                self._header_room = HEADER_BYTES
        except _READ_ERRORS as error:
            is_tar = self._position > tarfile.BLOCKSIZE or not isinstance(error, tarfile.ReadError)
            raise BrokenTarError(_reason(error) if is_tar else "is not a tar archive") from error
        # tarfile takes anything that is not a header for the end, but only a block of zeros or the end of the file is.
        if any(self._last) or len(self._last) not in (0, tarfile.BLOCKSIZE):
            raise BrokenTarError("is truncated")
        self._drain()

    def data(self, member: TarInfo) -> Iterator[bytes]:
        """The content of the member yielded last."""
        left = member.size
        while left > 0:
            block = self.take(left)
            left -= len(block)
            yield block

    def take(self, size: int) -> bytes:
        """Returns the next bytes, at least one and at most `size`. Raises BrokenTarError at the end."""
        if not (block := self._pull(size)):
            raise BrokenTarError("is truncated")
        return block

    def sha256(self) -> str:
        """The digest of the whole unpacked archive after `members` is exhausted, if the stream is `hashed`."""
        return self._hash.hexdigest() if self._hash else ""

    # -- called by tarfile

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise BrokenTarError("points backwards")
        while self._position < position:
            self.take(position - self._position)

    def read(self, size: int) -> bytes:
        # Counts what is requested, not what arrives: at the end of a file, tarfile may ask again and again.
        self._header_room -= max(size, 1)
        if size < 0 or self._header_room < 0:
            raise BrokenTarError(f"has a header of more than {HEADER_BYTES // KIB} KiB")
        self._last = b""
        while len(self._last) < size and (block := self._pull(size - len(self._last))):
            self._last += block
        return self._last

    def _pull(self, size: int) -> bytes:
        try:
            block = self._file.read(min(size, BLOCK_BYTES))
        except _READ_ERRORS as error:
            raise BrokenTarError(_reason(error)) from error
        self._budget.spend_bytes(len(block))
        self._position += len(block)
        if self._hash:
            self._hash.update(block)
        return block

    def _drain(self) -> None:
        """Reads to the end: data after the last member belongs to the digest, and gzip's checksum comes last."""
        while self._pull(BLOCK_BYTES):
            pass


class MemberFile(io.RawIOBase):
    """The content of the stream's last member, as a file."""

    def __init__(self, stream: TarStream, member: TarInfo) -> None:
        self._stream, self._left = stream, member.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left <= 0:
            return 0
        block = self._stream.take(min(len(buffer), self._left))
        self._left -= len(block)
        buffer[: len(block)] = block
        return len(block)


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "is truncated"
    return f"cannot be read ({str(error).strip().rstrip('.') or type(error).__name__})"

"""Tar archives from strangers, read front to back, once; nothing is extracted and no list of members is kept.

Covered: archives that break off or are no tar, plain or in gzip; headers that claim gigabytes, follow each other
without end or lead back (HEADER_BYTES are read per member, and only forwards); more bytes or members than a budget
has, counted as they are unpacked and never believed.
Not covered: what members are called and what they are, which is for the reader to judge; an archive made so that two
readers of tar see different members in it.
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
    """Not one whole archive; the text goes on after its name, as in `breaks off`."""


class BudgetError(Exception):
    """It holds more than it may; the text goes on after its name."""


class Budget:
    """How much may still be read; `between` is called between blocks, and may raise to end the reading."""

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
            raise BudgetError(f"holds more than {counted(self._max_members, 'entry', 'entries')}")


class TarStream:
    """One archive, plain or in gzip, being read. `read`, `seek` and `tell` are for tarfile."""

    def __init__(self, file: "io.BufferedReader[Any]", budget: Budget, *, hashed: bool = False) -> None:
        zipped = file.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)] == GZIP_MAGIC
        self._file = gzip.GzipFile(fileobj=file) if zipped else file
        self._budget = budget
        self._position = 0
        self._header_room = HEADER_BYTES
        self._last = b""
        self._hash = hashlib.sha256() if hashed else None

    def members(self) -> Iterator[TarInfo]:
        """Each member in turn; the data of one can be read until the next is asked for.

        Raises BrokenTarError where the archive is not whole, BudgetError where it is too much.
        """
        try:
            archive = tarfile.TarFile(fileobj=self, encoding="utf-8")  # type: ignore[arg-type]
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all it has read
                self._budget.spend_member()
                if set(archive.pax_headers) - {"comment"}:
                    raise BrokenTarError("changes the headers of all its members by a global one")
                yield member
                self._header_room = HEADER_BYTES
        except _READ_ERRORS as error:
            is_tar = self._position > tarfile.BLOCKSIZE or not isinstance(error, tarfile.ReadError)
            raise BrokenTarError(_reason(error) if is_tar else "is no tar archive") from error
        # tarfile takes whatever is no header for the end, which only a block of zeros or the end of the file is.
        if any(self._last) or len(self._last) not in (0, tarfile.BLOCKSIZE):
            raise BrokenTarError("breaks off")
        self._drain()

    def data(self, member: TarInfo) -> Iterator[bytes]:
        """The content of the member that was given last."""
        left = member.size
        while left > 0:
            block = self.take(left)
            left -= len(block)
            yield block

    def take(self, size: int) -> bytes:
        """At least one byte and at most `size` of what comes next. Raises BrokenTarError at the end."""
        if not (block := self._pull(size)):
            raise BrokenTarError("breaks off")
        return block

    def sha256(self) -> str:
        """Of the whole archive, unpacked, once `members` has ended; for a stream that is `hashed`."""
        return self._hash.hexdigest() if self._hash else ""

    # -- what tarfile asks for

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise BrokenTarError("leads back to a place before")
        while self._position < position:
            self.take(position - self._position)

    def read(self, size: int) -> bytes:
        # What is asked for counts, not what comes: at the end of a file, tarfile may ask again and again.
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
        """To the end of the file: what follows the last member belongs to the digest, and gzip's sum comes last."""
        while self._pull(BLOCK_BYTES):
            pass


class MemberFile(io.RawIOBase):
    """The content of the member that a stream gave last, as a file."""

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
        return "breaks off"
    return f"cannot be read ({str(error).strip().rstrip('.') or type(error).__name__})"

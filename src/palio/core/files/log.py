"""Writes a job's log safely: its beginning and end with the cut marked, and no terminal control sequences."""

import re
from codecs import getincrementaldecoder
from pathlib import Path
from types import TracebackType
from typing import Self

from palio.core.engine import LOG_HEAD_BYTES, LOG_TAIL_BYTES

# Everything that is not text, a tab or a line end: C0 and C1 controls including escape sequences and NUL. A carriage
# return is kept at the end of a line and becomes a line end elsewhere, so that progress bars stay readable.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(data: bytes) -> str:
    """The text of a log, with control characters as visible symbols and invalid UTF-8 as U+FFFD."""
    return _shown(data.decode("utf-8", errors="replace"))


def _shown(text: str) -> str:
    return _CONTROL.sub(lambda match: _visible(match[0]), text.replace("\r\n", "\n").replace("\r", "\n"))


# Colors, as builders print them. Other sequences are kept visible.
_COLOUR = re.compile("\u241b\\[[0-9;]*m")


def _visible(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


class LogWriter:
    """Writes a log to `path` as it arrives, up to LOG_HEAD_BYTES. `full` means that the rest is dropped.

    Characters and line ends that are split between two writes are put together again.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._room = LOG_HEAD_BYTES
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._pending = ""  # a carriage return whose line feed may still follow

    @property
    def full(self) -> bool:
        return self._room <= 0

    def write(self, data: bytes) -> None:
        if self.full:
            return
        text = self._pending + self._decode(data[: self._room])
        self._pending = "\r" if text.endswith("\r") else ""
        self._put(text.removesuffix("\r"))
        self._room -= len(data)

    def write_end(self, tail: bytes) -> None:
        """Marks the cut and adds the last LOG_TAIL_BYTES of the output."""
        self._finish()
        self._put(_end_of_cut_log(tail))

    def _put(self, text: str) -> None:
        self._file.write(_shown(text).encode())
        self._file.flush()

    def _finish(self) -> None:
        self._put(self._pending + self._decode(b"", final=True))
        self._pending = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        self._file.close()


def append_end(path: Path, tail: bytes) -> None:
    """Like `LogWriter.write_end`, for a log whose beginning is already written."""
    with path.open("ab") as file:
        file.write(_shown(_end_of_cut_log(tail)).encode())


def _end_of_cut_log(tail: bytes) -> str:
    return f"\n[palio: the middle of this log was cut here]\n{tail[-LOG_TAIL_BYTES:].decode('utf-8', 'replace')}"


def last_lines(path: Path, count: int = 12, width: int = 300) -> tuple[str, ...]:
    """The last `count` lines of a log, as returned by `lines_at_end`; none if unreadable."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
            text = harmless(file.read())
    except OSError:
        return ()
    return lines_at_end(text, count, width)


def lines_at_end(text: str, count: int = 12, width: int = 300) -> tuple[str, ...]:
    """The last `count` non-empty lines of a harmless text, without colors, each cut to `width` characters."""
    lines = [line.rstrip() for line in _COLOUR.sub("", text).split("\n") if line.strip()]
    return tuple(line if len(line) <= width else line[: width - 1] + "…" for line in lines[-count:])

"""What a job printed, kept safely: its beginning and its end, the cut marked, nothing in it that steers a terminal."""

import re
from codecs import getincrementaldecoder
from pathlib import Path
from types import TracebackType
from typing import Self

from palio.core.engine import LOG_HEAD_BYTES, LOG_TAIL_BYTES

# Everything that is not text, a tab or a line end: C0 and C1 controls, escape sequences among them, and NUL. A
# carriage return is kept where it ends a line and becomes a line end elsewhere, so that progress bars stay readable.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(data: bytes) -> str:
    """The text of a log, with each control character as a visible picture of itself; invalid UTF-8 as U+FFFD."""
    return _shown(data.decode("utf-8", errors="replace"))


def _shown(text: str) -> str:
    return _CONTROL.sub(lambda match: _visible(match[0]), text.replace("\r\n", "\n").replace("\r", "\n"))


# Colours, as builders print them; of the other sequences it matters that they were there.
_COLOUR = re.compile("\u241b\\[[0-9;]*m")


def _visible(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


class LogWriter:
    """Writes a log to `path` as it comes, at most LOG_HEAD_BYTES of it; `full` then says that the rest is not kept.

    What is split between two writes, a character of several bytes or the end of a line, is put together again.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._room = LOG_HEAD_BYTES
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._held = ""  # a carriage return whose line end may be still to come

    @property
    def full(self) -> bool:
        return self._room <= 0

    def write(self, data: bytes) -> None:
        if self.full:
            return
        text = self._held + self._decode(data[: self._room])
        self._held = "\r" if text.endswith("\r") else ""
        self._put(text.removesuffix("\r"))
        self._room -= len(data)

    def write_end(self, tail: bytes) -> None:
        """After a cut: says so and adds the last LOG_TAIL_BYTES of what was printed."""
        self._finish()
        self._put(_end_of_cut_log(tail))

    def _put(self, text: str) -> None:
        self._file.write(_shown(text).encode())
        self._file.flush()

    def _finish(self) -> None:
        self._put(self._held + self._decode(b"", final=True))
        self._held = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        self._file.close()


def append_end(path: Path, tail: bytes) -> None:
    """What `LogWriter.write_end` does, for a log whose kept beginning was written before."""
    with path.open("ab") as file:
        file.write(_shown(_end_of_cut_log(tail)).encode())


def _end_of_cut_log(tail: bytes) -> str:
    return f"\n[palio: the middle of this log was cut here]\n{tail[-LOG_TAIL_BYTES:].decode('utf-8', 'replace')}"


def last_lines(path: Path, count: int = 12, width: int = 300) -> tuple[str, ...]:
    """The last `count` lines of a log, as `lines_at_end` gives them; none if it is unreadable."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
            text = harmless(file.read())
    except OSError:
        return ()
    return lines_at_end(text, count, width)


def lines_at_end(text: str, count: int = 12, width: int = 300) -> tuple[str, ...]:
    """The last `count` lines of a harmless text, without empty ones and colours, each cut to `width` characters."""
    lines = [line.rstrip() for line in _COLOUR.sub("", text).split("\n") if line.strip()]
    return tuple(line if len(line) <= width else line[: width - 1] + "…" for line in lines[-count:])

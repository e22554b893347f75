"""What a job printed, kept safely: its beginning and its end, the cut marked, nothing in it that steers a terminal."""

import re
from pathlib import Path
from types import TracebackType
from typing import Self

from palio.core.job import LOG_HEAD_BYTES, LOG_TAIL_BYTES

# Everything that is not text, a tab or a line end: C0 and C1 controls, escape sequences among them, and NUL. A
# carriage return is kept where it ends a line and becomes a line end elsewhere, so that progress bars stay readable.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(data: bytes) -> str:
    """The text of a log, with each control character as a visible picture of itself; invalid UTF-8 as U+FFFD."""
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub(lambda match: _visible(match[0]), text)


def _visible(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


class LogWriter:
    """Writes a log to `path` as it comes, at most LOG_HEAD_BYTES of it; `full` then says that the rest is not kept."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._room = LOG_HEAD_BYTES

    @property
    def full(self) -> bool:
        return self._room <= 0

    def write(self, data: bytes) -> None:
        if self.full:
            return
        self._file.write(harmless(data[: self._room]).encode())
        self._file.flush()
        self._room -= len(data)

    def write_end(self, tail: bytes, *, noun: str = "log") -> None:
        """After a cut: says so and adds the last LOG_TAIL_BYTES of what was printed."""
        self._file.write(f"\n[palio: the middle of this {noun} was cut here]\n".encode())
        self._file.write(harmless(tail[-LOG_TAIL_BYTES:]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def last_lines(path: Path, count: int = 12, width: int = 300) -> tuple[str, ...]:
    """The last `count` lines of a log, without empty ones, each cut to `width` characters; none if unreadable."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
            text = harmless(file.read())
    except OSError:
        return ()
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    return tuple(line if len(line) <= width else line[: width - 1] + "…" for line in lines[-count:])

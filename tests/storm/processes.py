"""Processes by number and start, so that a number that was given again is not taken for the same process."""

from pathlib import Path


def started(process: int) -> str:
    """In the kernel's count; "" if it is gone."""
    return "".join(_status(process)[19:20])


def is_same(process: int, since: str) -> bool:
    """Whether it still runs. A process that has ended and that nobody has reaped does not."""
    status = _status(process)
    return bool(since) and status[19:20] == [since] and status[0] != "Z"


def _status(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []

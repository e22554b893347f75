"""A bounded call gives back what the function gives, and ends what passes a limit."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.errors import PalioError
from palio.core.quantities import MIB


def double(number: int) -> int:
    return 2 * number


def who() -> int:
    return os.getpid()


def refuse() -> None:
    raise PalioError("data-in-use", path="here", what="another", process="4711", evidence=["a line"])


def sleep() -> None:
    time.sleep(60)


def spin() -> None:
    while True:
        pass


def allocate(size: int) -> int:
    return len(bytearray(size))


def answer(size: int) -> str:
    return "x" * size


def recurse() -> None:
    recurse()


def crash() -> None:
    os.abort()


def break_down() -> None:
    raise KeyError("nothing there")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(path: str) -> str:
    if not Path(path).exists():
        Path(path).touch()
        die()
    return "answered"


def write(path: str, size: int) -> None:
    Path(path).write_bytes(bytes(size))


def test_answer_comes_back_from_another_process() -> None:
    assert call_bounded(double, 21) == 42
    assert call_bounded(who) != os.getpid()


def test_failure_is_raised_as_it_was() -> None:
    with pytest.raises(PalioError) as raised:
        call_bounded(refuse)
    assert (raised.value.failure.code, raised.value.failure.evidence) == ("data-in-use", ("a line",))


@pytest.mark.parametrize("function", [spin, sleep])
def test_time_limit_raised(function: Callable[[], None]) -> None:
    begin = time.monotonic()
    with pytest.raises(BoundsError, match=r"longer than 0\.5 s"):
        call_bounded(function, bounds=Bounds(time_s=0.5))
    assert time.monotonic() - begin < 30


def test_memory_limit_raised() -> None:
    with pytest.raises(BoundsError, match=r"more than 256\.0 MiB of memory"):
        call_bounded(allocate, 512 * MIB, bounds=Bounds(memory_bytes=256 * MIB))


@pytest.mark.parametrize(("function", "says"), [(recurse, "nested too deeply"), (crash, "crashed")])
def test_parser_crash_raised(function: Callable[[], None], says: str) -> None:
    with pytest.raises(BoundsError, match=says):
        call_bounded(function)


def test_large_answer_is_refused() -> None:
    with pytest.raises(BoundsError, match=r"is larger than 1\.00 MiB"):
        call_bounded(answer, 2 * MIB, bounds=Bounds(answer_bytes=MIB))


def test_files_are_bounded(tmp_path: Path) -> None:
    call_bounded(write, str(tmp_path / "small"), 1000, bounds=Bounds(file_bytes=1000))
    with pytest.raises((BoundsError, RuntimeError)):
        call_bounded(write, str(tmp_path / "large"), 1001, bounds=Bounds(file_bytes=1000))
    assert (tmp_path / "large").stat().st_size <= 1000


def test_child_killed_from_outside_is_replaced(tmp_path: Path) -> None:
    assert call_bounded(die_once, str(tmp_path / "died"), bounds=Bounds(file_bytes=1000)) == "answered"
    with pytest.raises(RuntimeError, match="killed from outside"):
        call_bounded(die)


def test_bug_is_raised_with_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="nothing there"):
        call_bounded(break_down)

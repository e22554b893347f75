"""Whatever a file does to its reader ends as a sentence, and costs others nothing."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from palio.core.bounded_call import Bounds
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.web.reading.bounded import Places, read_bounded

BOUNDS = Bounds(time_s=2, memory_bytes=256 * MIB, answer_bytes=1000)


def echo(value: object) -> object:
    return value


def sleep() -> None:
    time.sleep(60)


def fill() -> None:
    _ = b"x" * 1024 * MIB


def break_down() -> None:
    raise KeyError("/srv/palio/data/uploads")


def answer_much() -> str:
    return "x" * 10_000


def find_fault(folder: str) -> None:
    raise PalioError("folder-unreadable", path=f"{folder}/a", reason="\ud800\0", evidence=[f"{folder}/b"])


def reading(function: Callable[..., object], *arguments: object, folder: Path | None = None) -> str:
    with pytest.raises(PalioError) as caught:
        read_bounded(function, *arguments, bounds=BOUNDS, code="submission-unreadable", name="a.zip", folder=folder)
    return caught.value.failure.message


def test_bounded_result_returned() -> None:
    assert read_bounded(echo, {"a": [1]}, bounds=BOUNDS, code="submission-unreadable", name="a.zip") == {"a": [1]}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (sleep, "it took longer than 2 s"),
        (fill, "it needed more than 256.0 MiB of memory"),
        (answer_much, "its result is larger than 1000 B"),
        (break_down, "it crashed the program that reads it; the operator can see details in the log"),
    ],
)
def test_bounded_limit_exceeded_or_crash(
    function: Callable[..., object], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert reading(function) == f"a.zip could not be checked: {said}."
    assert ("KeyError" in caplog.text) == (function is break_down)


def test_bounded_failure_text_safe(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as caught:
        read_bounded(
            find_fault, str(tmp_path), bounds=BOUNDS, code="submission-unreadable", name="a.zip", folder=tmp_path
        )
    assert caught.value.failure.message == "a cannot be used: \\ud800\\0."
    assert caught.value.failure.evidence == ("b",)


def test_bounded_places_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    places, took = Places(2, each=1, waiting=1), list[str]()

    def take(owner: str, until: threading.Event) -> None:
        with places.taken_by(owner):
            took.append(owner)
            until.wait(30)

    def start(owner: str, until: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=take, args=(owner, until))
        thread.start()
        return thread

    first, second = threading.Event(), threading.Event()
    threads = [start("a", first)]
    while took != ["a"]:
        time.sleep(0.01)
    threads.append(start("a", second))  # waits, as it has one
    threads.append(start("b", second))
    while "b" not in took:
        time.sleep(0.01)
    with pytest.raises(PalioError) as caught, places.taken_by("c"):
        pass
    assert (caught.value.code, caught.value.status, took) == ("uploads-busy", 503, ["a", "b"])
    first.set()
    second.set()
    for thread in threads:
        thread.join()
    assert took == ["a", "b", "a"]
    with places.taken_by("a"), places.taken_by("c"):
        pass

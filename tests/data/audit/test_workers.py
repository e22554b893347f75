"""Processes that crash or hang on a file: that file is named, and all others are measured."""

import os
import time
from pathlib import Path

import pytest
from tests.data.audit.drawing import save

from palio.data.audit import workers
from palio.data.audit.listing import Source
from palio.data.audit.measure import Measured, measure


def crashing(path: Path | None, content: bytes | None, name: str) -> Measured:
    if name == "crash.png":
        os.abort()
    if name == "hang.png":
        time.sleep(60)
    return measure(path, content, name)


def _measure_batch(batch: list[workers.Item]) -> list[tuple[int, Measured]]:
    """Runs in the worker, which imports this module and not what a test has patched."""
    workers.__dict__.update(measure=crashing, FILE_S=1.0)
    return _REAL(batch)


_REAL = workers._measure_batch


@pytest.mark.parametrize(
    ("bad", "fault"), [("crash", "crashed the program that reads it"), ("hang", "took longer than 1 s to read")]
)
def test_file_that_breaks_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str, fault: str) -> None:
    monkeypatch.setattr(workers, "_measure_batch", _measure_batch)
    sources = [Source(name, save(tmp_path / name, at)) for at, name in enumerate(["1.png", f"{bad}.png", "2.png"])]
    found = dict(workers.measure_all(sources))
    assert [found[at].fault for at in range(3)] == ["", fault, ""]


def test_content_that_is_read_here(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", 1)
    ((at, found),) = workers.measure_all([Source("x.png", read=path.read_bytes)])
    assert (at, found.shape, found.time_ns) == (0, "32x32", None)

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


@pytest.mark.parametrize(
    ("bad", "fault"), [("crash", "crashed the program that reads it"), ("hang", "took longer than 1 s to read")]
)
def test_file_that_breaks_its_reader(tmp_path: Path, bad: str, fault: str) -> None:
    sources = [Source(name, save(tmp_path / name, at)) for at, name in enumerate(["1.png", f"{bad}.png", "2.png"])]
    found = dict(workers.measure_all(sources, measure=crashing, file_s=1.0))
    assert [found[at].fault for at in range(3)] == ["", fault, ""]


def test_content_that_is_read_here(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", 1)
    ((at, found),) = workers.measure_all([Source("x.png", read=path.read_bytes)])
    assert (at, found.shape, found.time_ns) == (0, "32x32", None)

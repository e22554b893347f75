"""Builds have a process of their own with limits, and images go when nobody uses them any more."""

import fcntl
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from palio.core.engine import Build, BuildLimits, End, JobResult
from palio.core.quantities import GIB, MIB
from palio.engines.bubblewrap import BubblewrapEngine, images
from palio.engines.bubblewrap.images import MOST_BYTES, RECENT_S, UNUSED_S, remove_unused

LIMITS = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    context = tmp_path / "context"
    (context / "e").mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM x\nCOPY e /opt/e\n")
    for number in range(300):
        (context / "e" / str(number)).touch()
    return Build("build", tmp_path.name, context, LIMITS, tmp_path / "build.log")


def _finish(build: Build, state: Path) -> JobResult:
    engine, deadline = BubblewrapEngine(state), time.monotonic() + 60
    engine.start(build)
    while (result := engine.poll(build)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    engine.remove(build)
    return result


def test_build_too_many_files(build: Build, tmp_path: Path) -> None:
    (build.context / "Dockerfile").write_text("FROM x\n" + "".join(f"COPY e /opt/{n}\n" for n in range(400)))
    result = _finish(build, tmp_path / "state")
    assert (result.end, result.exit_code, result.image) == (End.EXITED, 1, None)
    step, reason = result.detail.split("\n")
    assert step.startswith("line 3")
    assert reason.startswith("more than 100,000 files, folders and links would be copied")
    assert not list((tmp_path / "state").rglob("opt"))


def test_build_over_time(build: Build, tmp_path: Path) -> None:
    (build.context / "Dockerfile").write_text("FROM x\n" + "".join(f"COPY e /opt/{n}\n" for n in range(300)))
    result = _finish(replace(build, limits=replace(LIMITS, time_s=0.3)), tmp_path / "state")
    assert (result.end, result.image) == (End.TIME, None)
    assert not list((tmp_path / "state").rglob("opt"))


def test_build_file_larger_than_image(build: Build, tmp_path: Path) -> None:
    with (build.context / "large").open("wb") as file:
        file.truncate(2 * MIB)
    (build.context / "Dockerfile").write_text("FROM x\nCOPY large /opt/\n")
    result = _finish(replace(build, limits=replace(LIMITS, size_bytes=MIB)), tmp_path / "state")
    assert (result.end, result.image) == (End.IMAGE_SIZE, None)


def test_running_build_stopped(build: Build, tmp_path: Path) -> None:
    (build.context / "Dockerfile").write_text("FROM x\n" + "".join(f"COPY e /opt/{n}\n" for n in range(300)))
    engine = BubblewrapEngine(tmp_path / "state")
    engine.start(build)
    while not (tmp_path / "state/jobs/build/making/root").exists():
        assert engine.poll(build) is None
    engine.stop(build)
    result = engine.poll(build)
    assert result is not None
    assert (result.succeeded, result.image, result.detail) == (False, None, "stopped")
    assert not (tmp_path / "state/jobs/build/making").exists()
    engine.remove(build)


def _image(folder: Path, name: str, unused_s: float, size_bytes: int) -> Path:
    path = folder / name
    (path / "root").mkdir(parents=True)
    (path / "image.json").write_text(f'{{"size_bytes": {size_bytes}}}')
    when = time.time() - unused_s
    os.utime(path, (when, when))
    return path


def test_images_unused_removed(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    _image(folder, "old", UNUSED_S + 60, MIB)
    used = _image(folder, "old-and-in-use", UNUSED_S + 60, MIB)
    _image(folder, "recent", UNUSED_S - 60, MIB)
    held = os.open(used, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
        remove_unused(folder, tmp_path / "discarded")
    finally:
        os.close(held)
    assert {path.name for path in folder.iterdir()} == {"old-and-in-use", "recent"}
    assert not (tmp_path / "discarded").exists()


def test_images_beyond_space_removed(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name, unused_s in (("a", 5), ("b", 4), ("c", 3)):
        _image(folder, name, unused_s * RECENT_S, MOST_BYTES // 2)
    _image(folder, "just-used", 60, MOST_BYTES)
    remove_unused(folder, tmp_path / "discarded")
    assert {path.name for path in folder.iterdir()} == {"just-used"}
    assert images.image_name("digest") == images.image_name("digest") != images.image_name("another")

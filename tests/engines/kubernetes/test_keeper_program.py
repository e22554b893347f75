"""The keeper, run on this machine, and what is collected from what it keeps."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from palio.core.engine import Collected
from palio.core.files.collect import collect_tar
from palio.core.quantities import MIB
from palio.engines.kubernetes import keeper_program
from palio.engines.kubernetes.keeper_program import ARCHIVE, FIELDS, FINISH, SPACE, TOP

FILES = 20


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory where this user may mount one, as in a pod."""
    folder = tmp_path / "output"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system in memory")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "palio-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def keeping(output: Path, tmp_path: Path, most_bytes: int = MIB) -> Iterator[Path]:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in (SPACE, FINISH):
        (kept / name).touch()
    words = [sys.executable, "-I", "-c", Path(keeper_program.__file__).read_text()]
    keeper = subprocess.Popen([*words, str(output), str(kept), str(most_bytes), str(FILES)])
    try:
        yield kept
        assert keeper.wait(timeout=20) == 0
    finally:
        keeper.kill()
        keeper.wait()


def collected(output: Path, tmp_path: Path, fill: Callable[[Path], object]) -> tuple[Collected, Path]:
    with keeping(output, tmp_path) as kept:
        fill(output)
        (kept / FINISH).write_text("now")
    destination = tmp_path / "collected"
    with (kept / ARCHIVE).open("rb") as archive:
        return collect_tar(archive, destination, prefix=TOP, max_bytes=MIB, max_files=FILES), destination


def test_files_kept_as_written(output: Path, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "a/b").mkdir(parents=True)
        (folder / "a/b/c.csv").write_text("file,class\n")
        (folder / "empty").touch()

    found, destination = collected(output, tmp_path, fill)
    assert found == Collected(("a/b/c.csv", "empty"), 11)
    assert (destination / "a/b/c.csv").read_text() == "file,class\n"


def test_what_is_no_file_is_named(output: Path, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "link").symlink_to("/etc/shadow")
        (folder / "one").touch()
        os.link(folder / "one", folder / "other")
        os.mkfifo(folder / "pipe")
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(folder / "socket"))
        os.close(os.open(os.fsencode(folder) + b"/\xff", os.O_CREAT, 0o600))

    found, _ = collected(output, tmp_path, fill)
    assert found.files == ()
    reasons = dict(each.split(": ") for each in found.refused)
    assert [reasons[name] for name in ("link", "one", "other", "pipe", "socket")] == [
        "a symbolic link",
        "a hard link",
        "a hard link",
        "a named pipe",
        "a socket",
    ]
    assert len(found.refused) == 6


def test_deep_tree_ends_where_it_is_refused(output: Path, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        here = os.open(folder, os.O_RDONLY)
        for _ in range(3000):
            os.mkdir("d", dir_fd=here)
            inner = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(here)

    with keeping(output, tmp_path, most_bytes=8 * MIB) as kept:
        fill(output)
        (kept / FINISH).write_text("now")
    with (kept / ARCHIVE).open("rb") as archive:
        found = collect_tar(archive, tmp_path / "collected", prefix=TOP, max_bytes=MIB, max_files=5000)
    assert found.files == ()
    assert "more than 32 levels deep" in found.refused[0]
    assert (kept / ARCHIVE).stat().st_size < MIB


def test_sparse_file_larger_than_the_limit_is_not_copied(output: Path, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        with (folder / "sparse").open("wb") as file:
            file.truncate(1 << 40)

    found, _ = collected(output, tmp_path, fill)
    assert found == Collected((), 0, ("the rest was skipped: sparse would exceed 1.00 MiB",))
    assert (tmp_path / "kept" / ARCHIVE).stat().st_size < 20_000


def test_too_many_files_are_not_all_listed(output: Path, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        for number in range(5000):
            (folder / f"{number:05}").touch()

    found, _ = collected(output, tmp_path, fill)
    assert len(found.files) == FILES
    assert found.refused == (f"the rest was skipped: more than {FILES} files",)


def test_excess_is_told_while_the_job_runs(output: Path, tmp_path: Path) -> None:
    with keeping(output, tmp_path) as kept:
        (output / "small").write_bytes(bytes(1000))
        time.sleep(0.5)
        assert (kept / SPACE).read_text() == ""
        (output / "large").write_bytes(bytes(2 * MIB))
        deadline = time.monotonic() + 10
        while not (told := (kept / SPACE).read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (kept / FINISH).write_text("now")
    space = os.statvfs_result([json.loads((kept / SPACE).read_text() or told)[name] for name in FIELDS])
    assert (space.f_blocks - space.f_bfree) * space.f_frsize >= 2 * MIB


def test_output_is_kept_when_the_pod_ends_early(output: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in (SPACE, FINISH):
        (kept / name).touch()
    words = [sys.executable, "-I", "-c", Path(keeper_program.__file__).read_text()]
    keeper = subprocess.Popen([*words, str(output), str(kept), str(MIB), str(FILES)])
    (output / "half").write_text("done")
    time.sleep(1)
    keeper.terminate()
    assert keeper.wait(timeout=10) == 143
    with (kept / ARCHIVE).open("rb") as archive:
        found = collect_tar(archive, tmp_path / "collected", prefix=TOP, max_bytes=MIB, max_files=FILES)
    assert found.files == ("half",)

"""The keeper, run on this machine, and what is collected from what it keeps."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.docker_command import docker
from tests.engines.trial import BASE

from palio.core.engine import Collected, Limits
from palio.core.files.collect import collect_tar
from palio.core.quantities import MIB
from palio.engines.kubernetes import keeper_program
from palio.engines.kubernetes.keeper_program import ARCHIVE, FIELDS, FINISH, SPACE, TOP, USAGE
from palio.engines.kubernetes.launch import launched, launcher

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


# In a network and with counters of their own, as in a pod: the keeper, and then the job of another user.
POD = """
import json, os, shutil, subprocess, sys, time
from pathlib import Path
keeper, launch, job, counters, finish = map(json.loads, sys.argv[1:])
subprocess.run(["mount", "-t", "tmpfs", "palio-test", "/sys/fs/cgroup"], check=True)
for name, text in counters.items():
    path = Path("/sys/fs/cgroup", name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
shutil.copy(launch, job[0])  # where every user finds it
keeping = subprocess.Popen(keeper)
subprocess.run(job, user=14_231, group=14_231, extra_groups=[], env={"PATH": "/usr/bin:/bin"}, check=True)
time.sleep(0.5)
Path(finish).write_text("now")
sys.exit(keeping.wait(20))
"""
PEAK, MAXIMUM = "memory.peak", "memory/memory.max_usage_in_bytes"
COUNTERS = {
    "version 2": {PEAK: "123456\n", "cpu.stat": "usage_usec 2500000\nuser_usec 1\n", "pids.peak": "7\n"},
    "version 1": {MAXIMUM: "123456\n", "cpuacct/cpuacct.usage": "2500000000\n", "pids/pids.current": "7\n"},
}
MEASURED = {"peak_memory_bytes": 123_456, "cpu_s": 2.5, "peak_pids": 7}
FORGED = """
import os, socket, time
made = os.memfd_create("forged")
os.write(made, b"999999")
deadline = time.monotonic() + {seconds}
while time.monotonic() < deadline:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        try:
            other.connect("\\0palio-usage")
            socket.send_fds(other, [b"m"], [made])
            break
        except OSError:
            time.sleep(0.01)
"""


def use_told(
    output: Path, tmp_path: Path, counters: dict[str, str], *, program: str = "", late_s: int = 0
) -> dict[str, float]:
    """What the keeper tells of a job's use. `late_s`: how long its start takes."""
    kept, program_file = tmp_path / "kept", tmp_path / "launch"
    kept.mkdir()
    for name in (SPACE, FINISH):
        (kept / name).touch()
    program_file.write_bytes(launcher("amd64") or b"")
    program_file.chmod(0o755)
    keeper = [sys.executable, "-I", "-c", Path(keeper_program.__file__).read_text()]
    keeper += [str(output), str(kept), str(MIB), str(FILES)]
    if late_s:
        keeper = ["sh", "-c", f'sleep {late_s}; exec "$@"', "sh", *keeper]
    limits = Limits(time_s=30, memory_bytes=64 * MIB, cpus=1)
    command = ["/usr/bin/env", "python3", "-I", "-c", f"{program}\nimport time; time.sleep(0.5)"]
    job = ["/sys/fs/cgroup/launch", *launched(command, limits, limits_processes=True, has_keeper=True)[1:]]
    words = [json.dumps(each) for each in (keeper, str(program_file), job, counters, str(kept / FINISH))]
    pod = ["unshare", "--net", "--mount", sys.executable, "-c", POD, *words]
    subprocess.run(pod, check=True, timeout=60)
    told: dict[str, float] = json.loads((kept / SPACE).read_text())[USAGE]
    return told


needs_launcher = pytest.mark.skipif(platform.machine() != "x86_64", reason="the launcher is for x86-64")


@needs_launcher
@pytest.mark.parametrize("counters", COUNTERS.values(), ids=COUNTERS)
def test_use_of_the_job_measured(output: Path, tmp_path: Path, counters: dict[str, str]) -> None:
    assert use_told(output, tmp_path, counters) == MEASURED


@needs_launcher
def test_counter_that_the_node_lacks_is_left_out(output: Path, tmp_path: Path) -> None:
    counters = {name: text for name, text in COUNTERS["version 2"].items() if name != "memory.peak"}
    assert use_told(output, tmp_path, counters) == {"cpu_s": 2.5, "peak_pids": 7}


@needs_launcher
def test_program_cannot_send_counters_of_its_own(output: Path, tmp_path: Path) -> None:
    assert use_told(output, tmp_path, COUNTERS["version 2"], program=FORGED.format(seconds=0.5)) == MEASURED


@needs_launcher
def test_program_cannot_send_counters_where_the_node_has_none(output: Path, tmp_path: Path) -> None:
    assert use_told(output, tmp_path, {}, program=FORGED.format(seconds=0.5)) == {}


@needs_launcher
def test_program_cannot_send_counters_to_a_keeper_that_listens_late(output: Path, tmp_path: Path) -> None:
    """The launcher gives up after ten seconds."""
    told = use_told(output, tmp_path, COUNTERS["version 2"], program=FORGED.format(seconds=6), late_s=12)
    assert told == {}


BUSY = """
import subprocess, time
block = bytearray(100 << 20)
while time.process_time() < 1:
    pass
started = []
try:
    while True:
        started.append(subprocess.Popen(["sleep", "5"]))
except OSError as error:
    print(len(started), error.strerror)
time.sleep(0.5)
"""


@needs_launcher
@pytest.mark.docker
def test_use_measured_between_two_containers(tmp_path: Path) -> None:
    """As in a pod: two containers with one network, without privileges, of a user that is not root."""
    uid, name = 14_232, f"palio-test-{os.getpid()}-keeper"
    shared, kept = tmp_path / "shared", tmp_path / "kept"
    shared.mkdir()
    kept.mkdir()
    (shared / "launch").write_bytes(launcher("amd64") or b"")
    (shared / "launch").chmod(0o755)
    shutil.copy(keeper_program.__file__, shared / "keeper.py")
    for path in (kept, kept / SPACE, kept / FINISH):
        path.touch()
        os.chown(path, uid, uid)
    confined = ["--user", f"{uid}:{uid}", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    confined += ["--read-only", "--volume", f"{shared}:/shared:ro"]
    keeper = ["python3", "-I", "/shared/keeper.py", "/out", "/kept", str(MIB), str(FILES)]
    places = ["--network", "none", "--volume", f"{kept}:/kept", "--tmpfs", f"/out:size=2m,uid={uid}"]
    limits = Limits(time_s=30, memory_bytes=256 * MIB, cpus=1, pids=20)
    job = launched(["python3", "-c", BUSY], limits, limits_processes=True, has_keeper=True)
    docker("run", "--detach", "--name", name, *confined, *places, BASE, *keeper)
    try:
        given = ["--network", f"container:{name}", "--memory", "256m", "--volume", f"{shared}/launch:{job[0]}:ro"]
        assert docker("run", "--rm", *confined, *given, BASE, *job) == ["19 Resource temporarily unavailable"]
        (kept / FINISH).write_text("now")
        deadline = time.monotonic() + 20
        while not (kept / ARCHIVE).exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        docker("rm", "--force", name)
    used = json.loads((kept / SPACE).read_text())[USAGE]
    assert 100 * MIB <= used["peak_memory_bytes"] <= 256 * MIB
    assert 1 <= used["cpu_s"] < 5
    assert used["peak_pids"] == 20

"""What is this engine's own: how it survives being killed, what a sandbox shows, and what hides in its output."""

import json
import os
import signal
import stat
import subprocess
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from palio.core.engine import Build, BuildLimits, End, Enforcement, Job, JobResult, Limits, Mount
from palio.core.errors import PalioError
from palio.core.quantities import GIB, MIB
from palio.engines.bubblewrap import BubblewrapEngine
from palio.engines.bubblewrap.processes import kill_process
from palio.engines.output_folder import folder_usage

LIMITS = Limits(time_s=30, memory_bytes=256 * MIB, cpus=1, pids=64, shm_bytes=16 * MIB)


class JobBench:
    """An engine with one image, and jobs that run a program on it."""

    def __init__(self, folder: Path, **engine: Any) -> None:
        self.folder, self.state = folder, folder / "state"
        self.engine = BubblewrapEngine(self.state, **engine)
        self.jobs: list[Job] = []

    def image(self, dockerfile: str = "FROM x\n", **files: str) -> JobResult:
        context = self.folder / "context"
        context.mkdir(exist_ok=True)
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            (context / name).write_text(text)
        limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)
        build = Build("build", f"{dockerfile}{files}", context, limits, self.folder / "build.log")
        result = self.wait(build)
        self.engine.remove(build)
        return result

    def job(self, program: str, image: str | None = None, **limits: Any) -> Job:
        source = self.folder / "in"
        source.mkdir(exist_ok=True)
        source.chmod(0o755)
        (source / "program.py").write_text(textwrap.dedent(program))
        image = image or self.image().image or ""
        command, mounts = ("python", "/mnt/in/program.py"), (Mount(source, "/mnt/in"),)
        log, wanted = self.folder / "job.log", replace(LIMITS, **limits)
        job = Job(f"job-{len(self.jobs)}", image, wanted, log, "/mnt/out", mounts, command)
        self.jobs.append(job)
        return job

    def wait(self, work: Job | Build) -> JobResult:
        self.engine.start(work)
        deadline = time.monotonic() + 30
        while (result := self.engine.poll(work)) is None:
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.01)
        return result

    def run(self, program: str, **limits: Any) -> tuple[JobResult, str]:
        job = self.job(program, **limits)
        return self.wait(job), job.log.read_text()

    def known(self, job: Job, name: str) -> Any:
        """What the supervisor has written down, once it has."""
        path, deadline = self.state / "jobs" / job.name / name, time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < deadline, f"{name} is not written"
            time.sleep(0.01)
        return json.loads(path.read_text())

    def close(self) -> None:
        for job in self.jobs:
            self.engine.remove(job)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[JobBench]:
    made = JobBench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[JobBench]:
    """As for an ordinary user who may not make control groups."""
    made = JobBench(tmp_path, use_cgroups=False)
    yield made
    made.close()


# -- surviving


@pytest.mark.bubblewrap
def test_killed_supervisor_ends_sandbox(bench: JobBench) -> None:
    mark = f"palio-{time.time_ns()}"
    job = bench.job(f"""
        import os, signal, sys, time
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        if os.fork() == 0: os.setsid()
        os.execv(sys.executable, ["python", "-c", "import time; print(1, flush=True); time.sleep(60)", "{mark}"])
    """)
    bench.engine.start(job)
    supervisor, groups = bench.known(job, "supervisor.json"), bench.known(job, "groups.json")
    deadline = time.monotonic() + 10
    while len(_running(mark)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert kill_process(supervisor["pid"], supervisor["started"], signal.SIGKILL)
    with pytest.raises(PalioError) as raised:
        bench.wait(job)
    assert _running(mark) == []
    assert [group for group in groups if Path(group).exists()] == []
    assert raised.value.failure.code == "engine-fault"
    assert "was killed" in raised.value.failure.message
    bench.engine.start(job)  # what has begun is not begun again
    with pytest.raises(PalioError):
        bench.engine.poll(job)


def _running(mark: str) -> list[str]:
    """The command lines that hold the mark."""
    listing = subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if mark in line]


@pytest.mark.bubblewrap
def test_interrupted_start_resumes(bench: JobBench) -> None:
    job = bench.job("print('ran')")
    (bench.state / "jobs" / job.name / "etc").mkdir(parents=True)
    (bench.state / "jobs" / job.name / "task.part").write_text("{")
    with pytest.raises(PalioError):
        bench.engine.poll(job)
    assert bench.wait(job).succeeded


@pytest.mark.bubblewrap
def test_removed_job_cleaned_up(bench: JobBench) -> None:
    mark = f"palio-{time.time_ns()}"  # in the command lines of Palio's own processes, and of the job's
    job = bench.job("import time; print('begun', flush=True); time.sleep(30)")
    job = replace(job, name=mark, command=(*(job.command or ()), mark))
    bench.engine.start(job)
    groups = [Path(group) for group in bench.known(job, "groups.json")]
    while not job.log.exists() or job.log.read_text() != "begun\n":
        time.sleep(0.01)
    assert len(_running(mark)) == 4  # the supervisor, the guard, the init, and the program
    made = [group for group in groups if group.is_dir()]
    assert made or os.geteuid()
    bench.engine.remove(job)
    assert _running(mark) == []
    assert not any(group.exists() for group in groups)
    assert str(bench.folder) not in Path("/proc/self/mountinfo").read_text()
    assert list((bench.state / "jobs").iterdir()) == []


@pytest.mark.bubblewrap
def test_sandbox_failure_engine_fault(bench: JobBench) -> None:
    job = replace(bench.job(""), mounts=(Mount(bench.folder / "missing", "/mnt/in"),))
    with pytest.raises(PalioError, match="missing") as raised:
        bench.wait(job)
    assert raised.value.failure.code == "engine-fault"


@pytest.mark.bubblewrap
def test_unknown_image_engine_fault(bench: JobBench) -> None:
    with pytest.raises(PalioError) as raised:
        bench.engine.start(bench.job("", image="no-such-image"))
    assert raised.value.failure.code == "engine-fault"


def test_job_name_with_path_refused(bench: JobBench) -> None:
    for name in ("../elsewhere", "..", ""):
        with pytest.raises(ValueError, match="not a valid job name"):
            bench.engine.remove(Job(name, "", LIMITS, bench.folder / "log", "/mnt/out"))


def test_state_in_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    job = Job("job", "image", LIMITS, tmp_path / "log", "/mnt/out")
    with pytest.raises(PalioError):
        BubblewrapEngine().start(job)
    assert (tmp_path / "palio" / "bubblewrap" / "jobs" / "job").is_dir()
    assert stat.S_IMODE((tmp_path / "palio" / "bubblewrap" / "jobs" / "job").stat().st_mode) == 0o700


# -- what a sandbox shows


@pytest.mark.bubblewrap
def test_packages_of_this_python_importable(bench: JobBench) -> None:
    installed = metadata.version("numpy")
    assert bench.run("import numpy; print(numpy.__version__)")[1] == f"{installed}\n"


@pytest.mark.bubblewrap
def test_first_process_without_host_paths(bench: JobBench) -> None:
    _, log = bench.run("print(open('/proc/1/cmdline').read(), repr(open('/proc/1/environ').read()))")
    assert str(bench.folder) not in log
    assert log.endswith(" ''\n")


@pytest.mark.bubblewrap
def test_descriptors_not_inherited(bench: JobBench) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        _, log = bench.run("import os; print(sorted(os.listdir('/proc/self/fd')))")
    finally:
        os.close(reading)
        os.close(writing)
    assert log == "['0', '1', '2', '3']\n"  # 3 is the listing itself


@pytest.mark.bubblewrap
def test_mounts_nosuid_and_writable(bench: JobBench) -> None:
    _, log = bench.run("""
        for line in open("/proc/self/mounts"):
            _, target, kind, options, *_ = line.split()
            if "nosuid" not in options.split(","): print("setuid", target)
            if options.startswith("rw") and kind not in ("proc", "devpts", "devtmpfs"): print(target)
    """)
    assert sorted(log.split()) == ["/dev/shm", "/mnt/out", "/tmp"]


@pytest.mark.bubblewrap
@pytest.mark.parametrize("link", ["mnt", "mnt/in", "proc", ".python"])
def test_mount_ignores_image_links(bench: JobBench, link: str) -> None:
    """While bubblewrap mounts, /oldroot is the host's root: a link to it must not be followed."""
    victim = bench.folder / "victim"
    victim.mkdir()
    victim.chmod(0o777)
    context = bench.folder / "context" / "files"
    (context / link).parent.mkdir(parents=True)
    (context / link).symlink_to(f"/oldroot{victim}")
    image = bench.image("FROM x\nCOPY files /\n").image
    result = bench.wait(bench.job("", image=image))
    if link == "mnt":
        assert result.end is End.NOT_STARTED
        assert result.detail == "the image has a file or link at /mnt, but /mnt/in must be mounted there"
    else:
        assert result.succeeded  # what is mounted covers the link
    assert list(victim.iterdir()) == []


# -- limits where no control group keeps them


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    "program",
    [
        "import os; os.memfd_create('hidden')",
        "import ctypes, sys; sys.exit(ctypes.CDLL(None).shmget(0, 4096, 0o1600) == -1)",
    ],
    ids=["memfd", "System V"],
)
def test_memory_unobservable_refused(watching: JobBench, program: str) -> None:
    assert watching.run(program)[0].exit_code == 1


@pytest.mark.bubblewrap
def test_cpu_affinity_fixed(watching: JobBench) -> None:
    result, log = watching.run("""
        import os
        print(len(os.sched_getaffinity(0)))
        os.sched_setaffinity(0, range(os.cpu_count()))
    """)
    assert (result.exit_code, log.splitlines()[0]) == (1, "1")
    assert "Operation not permitted" in log


@pytest.mark.bubblewrap
def test_shared_pages_counted_once(watching: JobBench) -> None:
    result, _ = watching.run(
        """
        import mmap, os, time
        shared = mmap.mmap(-1, 60 << 20)
        shared.write(b"x" * (60 << 20))
        for _ in range(4):
            if os.fork() == 0:
                sum(shared[::4096]); time.sleep(0.5); os._exit(0)
        for _ in range(4): os.wait()
        """,
        memory_bytes=128 * MIB,
    )
    assert result.succeeded
    assert result.peak_memory_bytes is not None
    assert 60 * MIB < result.peak_memory_bytes < 128 * MIB


def test_guarantees_not_enforced() -> None:
    stated = {g.property: g.enforcement for g in BubblewrapEngine(use_cgroups=False).guarantees()}
    assert (stated["memory"], stated["output"]) == (Enforcement.NONE, Enforcement.KERNEL)


# -- what hides in the output folder


@pytest.mark.bubblewrap
def test_space_beyond_file_size(bench: JobBench) -> None:
    _, log = bench.run("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        file = os.open("/mnt/out/x", os.O_CREAT | os.O_RDWR)
        taken = libc.fallocate(file, 1, ctypes.c_int64(0), ctypes.c_int64(1 << 20))
        print(taken, os.strerror(ctypes.get_errno()))
    """)
    assert log == "-1 Operation not supported\n"


def test_usage_stops_at_limit(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(b"x" * 1000)
    (tmp_path / "two").write_bytes(b"x" * 500)
    (tmp_path / "link").symlink_to("/usr")
    assert folder_usage(str(tmp_path), 10**6, 100) == (1500 + len("/usr"), 3, 2)
    for number in range(1000):
        (tmp_path / f"f{number}").touch()
    assert folder_usage(str(tmp_path), 10**6, 100)[1] == 101

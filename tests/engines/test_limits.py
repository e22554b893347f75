"""Limits, each of them exhausted, on every engine."""

import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engines.trial import LIMITS, Trial

from palio.core.engine import (
    LOG_HEAD_BYTES,
    LOG_TAIL_BYTES,
    End,
    Enforcement,
)
from palio.core.errors import PalioError
from palio.core.quantities import MIB


def test_time_limit_ignoring_sigterm(trial: Trial) -> None:
    program = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("begun", flush=True)
        while True: time.sleep(1)
    """
    begin = time.monotonic()
    result, log = trial.run(program, time_s=1)
    assert (result.end, result.succeeded, log) == (End.TIME, False, "begun\n")
    assert 1 <= result.wall_s <= 1 + trial.slack_s
    assert time.monotonic() - begin < 1 + trial.slack_s + 2


def test_time_limit_grace(trial: Trial) -> None:
    program = """
        import signal, sys, time
        def end(*_):
            print("cleaning up", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        time.sleep(30)
    """
    result, log = trial.run(program, time_s=1)
    assert (result.end, log) == (End.TIME, "cleaning up\n")
    assert not result.succeeded


def test_daemon_ends_with_job(trial: Trial) -> None:
    program = """
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                sys.stdout.close()
                while True:
                    open("/mnt/out/alive", "w").write(str(time.time()))
                    time.sleep(0.01)
            os._exit(0)
        time.sleep(0.3)
    """
    job = trial.job(program)
    begin = time.monotonic()
    assert trial.wait(job).succeeded
    assert time.monotonic() - begin < 10
    ended = time.time()
    time.sleep(0.3)
    trial.engine.collect(job, trial.folder / "collected")
    written = float((trial.folder / "collected" / "alive").read_text() or 0)
    assert written <= ended


def test_memory_over_limit(trial: Trial) -> None:
    program = """
        blocks = []
        while True:
            blocks.append(bytearray(8 << 20))
            for place in range(0, 8 << 20, 4096): blocks[-1][place] = 1
    """
    result, _ = trial.run(program, memory_bytes=128 * MIB)
    assert (result.end, result.succeeded) == (End.MEMORY, False)
    assert result.peak_memory_bytes is not None
    assert 100 * MIB < result.peak_memory_bytes < 200 * MIB


def test_memory_of_child(trial: Trial) -> None:
    program = """
        import subprocess, sys
        child = subprocess.run([sys.executable, "-c", "import time; b = b'x' * (300 << 20); time.sleep(1)"])
        sys.exit(child.returncode != 0)
    """
    result, _ = trial.run(program, memory_bytes=128 * MIB)
    assert (result.end, result.succeeded) == (End.MEMORY, False)


def test_memory_shared_counted_once(trial: Trial) -> None:
    program = """
        import os, time
        block = b"x" * (60 << 20)
        for _ in range(4):
            if os.fork() == 0:
                time.sleep(0.7)
                os._exit(0)
        for _ in range(4): os.wait()
    """
    result, _ = trial.run(program, memory_bytes=128 * MIB)
    assert result.succeeded, result


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_memory_of_files(trial: Trial, folder: str) -> None:
    program = f"""
        import time
        with open("{folder}/fill", "wb", buffering=0) as file:
            try:
                for _ in range(300): file.write(b"x" * (1 << 20))
            except OSError: pass
        block = b"x" * (80 << 20)
        time.sleep(1)
    """
    result, _ = trial.run(program, memory_bytes=128 * MIB, shm_bytes=64 * MIB)
    assert (result.end, result.succeeded) == (End.MEMORY, False)


def test_processes_over_limit(trial: Trial) -> None:
    program = """
        import subprocess, sys, time
        started = []
        try:
            for _ in range(100): started.append(subprocess.Popen(["sleep", "5"]))
        except OSError as error:
            print(len(started), error.strerror)
            time.sleep(0.5)
            sys.exit(3)
    """
    result, log = trial.run(program, pids=20)
    assert (result.end, result.exit_code) == (End.EXITED, 3)
    assert log == "19 Resource temporarily unavailable\n"
    assert result.peak_pids is not None
    assert result.peak_pids >= 20


def test_fork_bomb_contained(trial: Trial) -> None:
    program = """
        import os
        while True:
            try: os.fork()
            except OSError: pass
    """
    begin = time.monotonic()
    result, _ = trial.run(program, time_s=2, pids=50)
    assert (result.end, result.succeeded) == (End.TIME, False)
    assert result.peak_pids is not None
    assert result.peak_pids >= 50
    assert time.monotonic() - begin < 2 + trial.slack_s + 3


def test_cpu_time_limit(trial: Trial) -> None:
    program = """
        import os, time
        for _ in range(3): os.fork()
        end = time.monotonic() + 1
        while time.monotonic() < end: pass
    """
    result, _ = trial.run(program, cpus=1)
    assert result.cpu_s is None or result.cpu_s <= 1.1 * result.wall_s + 0.3


def test_open_files_cores_file_size_limits(trial: Trial) -> None:
    program = """
        import resource
        print(*resource.getrlimit(resource.RLIMIT_NOFILE), *resource.getrlimit(resource.RLIMIT_CORE))
        files = []
        try:
            while True: files.append(open("/dev/null"))
        except OSError as error: print(len(files) < 100, error.strerror)
    """
    assert trial.run(program, open_files=100)[1] == "100 100 0 0\nTrue Too many open files\n"


@pytest.mark.parametrize("files", [1, 60])
def test_output_over_size(trial: Trial, files: int) -> None:
    program = f"""
        import time
        for number in range({files}):
            with open(f"/mnt/out/{{number}}", "wb") as file:
                for _ in range(max(1, 60 // {files})): file.write(b"x" * (1 << 20))
        time.sleep(20)
    """
    begin = time.monotonic()
    result, _ = trial.run(program, output_bytes=20 * MIB)
    assert (result.end, result.succeeded) == (End.OUTPUT_SIZE, False)
    assert "20.0 MiB" in result.detail
    assert time.monotonic() - begin < 10


def test_output_over_size_at_end(trial: Trial) -> None:
    result, _ = trial.run("open('/mnt/out/x', 'wb').write(b'x' * (21 << 20))", output_bytes=20 * MIB)
    assert (result.end, result.succeeded) == (End.OUTPUT_SIZE, False)


def test_output_over_files(trial: Trial) -> None:
    program = """
        import os, time
        for number in range(5000): os.close(os.open(f"/mnt/out/{number}", os.O_CREAT))
        time.sleep(20)
    """
    begin = time.monotonic()
    result, _ = trial.run(program, output_files=1000)
    assert (result.end, result.succeeded) == (End.OUTPUT_FILES, False)
    assert "1,000" in result.detail
    assert time.monotonic() - begin < 10


def test_shared_memory_size(trial: Trial) -> None:
    program = """
        import os
        facts = os.statvfs("/dev/shm")
        print(facts.f_blocks * facts.f_frsize)
        try: open("/dev/shm/fill", "wb", buffering=0).write(b"x" * (17 << 20))
        except OSError as error: print(error.strerror)
        print(os.path.getsize("/dev/shm/fill") == 16 << 20)
    """
    assert trial.run(program)[1].splitlines()[-1:] == ["True"]
    assert trial.run(program)[1].splitlines()[0] == str(16 * MIB)


def test_log_endless_capped(trial: Trial) -> None:
    program = """
        print("the beginning")
        for number in range(400_000): print("line", number)
        print("the end")
    """
    result, log = trial.run(program)
    assert result.succeeded
    lines = log.splitlines()
    assert (lines[0], lines[-1]) == ("the beginning", "the end")
    assert [line for line in lines if "cut" in line] == ["[palio: the middle of this log was cut here]"]
    assert LOG_HEAD_BYTES < len(log) < LOG_HEAD_BYTES + LOG_TAIL_BYTES + 1000


def test_log_endless_line_capped(trial: Trial) -> None:
    program = """
        import sys
        for _ in range(100): sys.stdout.write("x" * (1 << 20))
    """
    result, log = trial.run(program, memory_bytes=128 * MIB)
    assert result.succeeded
    assert len(log) < LOG_HEAD_BYTES + LOG_TAIL_BYTES + 1000


def test_log_control_characters(trial: Trial) -> None:
    program = r"""
        import sys
        sys.stdout.buffer.write(b"a\x00b\x1b[2J\x07c\ttab\nnext\rline \xff\xc3\xa9\x9b31m\n")
    """
    _, log = trial.run(program)
    assert not {character for character in log if ord(character) < 32 and character not in "\n\t"}
    assert "\x9b" not in log
    assert "\ttab\n" in log
    assert "é" in log


def test_limit_unavailable_refused(trial: Trial) -> None:
    trial.engine.check(LIMITS)
    for wrong, setting in (
        ({"cpus": 4096.0}, "cpus"),
        ({"memory_bytes": 1 << 50}, "memory"),
        ({"gpus": 1}, "gpus"),
    ):
        if setting == "gpus" and Path("/dev/nvidia0").exists():
            continue
        with pytest.raises(PalioError) as raised:
            trial.engine.check(replace(LIMITS, **wrong))
        assert raised.value.failure.code == "limit-unavailable"
        assert setting in raised.value.failure.message


def test_guarantees_in_order(trial: Trial) -> None:
    guarantees = trial.engine.guarantees()
    assert [guarantee.property for guarantee in guarantees] == [
        *("network", "root file system", "user", "capabilities", "memory", "cpus", "pids", "shared memory"),
        *("input", "output", "time", "log", "environment", "devices", "host", "build", "build network"),
    ]
    kept = {each.property: each.enforcement for each in guarantees if each.property != "build network"}
    not_enforced = {name for name, enforcement in kept.items() if enforcement is Enforcement.NONE}
    in_a_cluster = {"network", "pids", "shared memory", "output"} if trial.engine.name == "kubernetes" else set()
    assert not_enforced <= {"memory"} | in_a_cluster  # where nothing but watching is possible


HOG = """
    import os, signal, socket, sys, time
    import ctypes
    libc, kept = ctypes.CDLL(None), []
    def descriptors():
        one, other = socket.socketpair()
        kept.extend((one, other))
        one.setblocking(False)
        socket.send_fds(one, [b"x"], [0] * 250)
    def watches():
        if libc.inotify_init1(0) == -1: raise OSError
    def pending():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
        if libc.sigqueue(os.getpid(), signal.SIGRTMIN, None): raise OSError
    def queue():
        if libc.mq_open(f"/{len(kept)}-{time.monotonic_ns()}".encode(), 0o102, 0o600, None) == -1: raise OSError
    def pipe():
        import fcntl
        ends = os.pipe()
        kept.extend(ends)
        fcntl.fcntl(ends[1], 1031, 1 << 20)
    for take in (descriptors, watches, pending, queue, pipe):
        number = 0
        try:
            while number < 5000:
                take()
                number += 1
        except OSError: pass
        print(take.__name__, number, flush=True)
"""


def test_user_counts_per_job(trial: Trial) -> None:
    """One job takes all of it that it can and holds it; the other then gets as much as if it were alone."""
    holding = textwrap.dedent(HOG) + "print('holding', flush=True); time.sleep(8)"
    hog, honest = (trial.job(text, open_files=1024, cpus=0.5) for text in (holding, HOG))
    trial.start(hog)
    deadline = time.monotonic() + 30
    while not (hog.log.exists() and hog.log.read_text().endswith("holding\n")):
        assert trial.engine.poll(hog) is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert trial.wait(honest).succeeded
    beside, before = honest.log.read_text().splitlines(), hog.log.read_text().splitlines()
    assert beside == before[:-1]
    if not trial.engine.runs_in_parallel:
        ended = trial.engine.poll(hog)
        assert ended is not None
        assert ended.succeeded

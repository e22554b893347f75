"""How every engine runs jobs, and what is left of them."""

import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.engines.trial import BASE, Trial

from palio.core.engine import (
    GRACE_S,
    Collected,
    End,
    Job,
    Mount,
)
from palio.core.errors import PalioError
from palio.core.quantities import MIB


@pytest.mark.parametrize("code", [0, 1, 42])
def test_exit_code(trial: Trial, code: int) -> None:
    result, _ = trial.run(f"raise SystemExit({code})")
    assert (result.end, result.exit_code, result.succeeded) == (End.EXITED, code, code == 0)


def test_job_ended_by_signal(trial: Trial) -> None:
    result, _ = trial.run("import os; os.kill(os.getpid(), 11)")
    # The first process of a PID namespace does not get signals it has no handler for, not even its own.
    assert (result.end, result.exit_code) in [(End.EXITED, 139), (End.EXITED, 0)]
    result, _ = trial.run("import os; os.abort()")
    assert result.end is End.EXITED
    assert result.exit_code not in (0, None)


def test_times_utc_in_order(trial: Trial) -> None:
    before, in_whole_seconds = datetime.now(UTC), trial.engine.name == "kubernetes"
    if in_whole_seconds:
        before = before.replace(microsecond=0)
    result, _ = trial.run("import time; time.sleep(0.3)")
    assert before <= result.started <= result.finished <= datetime.now(UTC)
    assert (0.0 if in_whole_seconds else 0.3) <= result.wall_s < 5


def test_cpu_time_and_memory_measured(trial: Trial) -> None:
    program = """
        import time
        block = bytearray(100 << 20)
        begin = time.process_time()
        while time.process_time() - begin < 1.0: pass
    """
    result, _ = trial.run(program)
    assert result.cpu_s is not None
    assert 0.9 <= result.cpu_s < 5
    assert result.peak_memory_bytes is not None
    assert 100 * MIB <= result.peak_memory_bytes <= 256 * MIB


def test_log_both_streams_in_order(trial: Trial) -> None:
    program = """
        import sys, time
        for number in range(3):
            print("out", number, flush=True)
            time.sleep(0.05)
            print("err", number, file=sys.stderr, flush=True)
            time.sleep(0.05)
    """
    result, log = trial.run(program)
    assert result.succeeded
    assert log == "out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\n"


def test_log_while_running(trial: Trial) -> None:
    job = trial.job("import time; print('begun', flush=True); time.sleep(30)")
    trial.start(job)
    deadline = time.monotonic() + 10
    while not (job.log.exists() and job.log.read_text() == "begun\n"):
        assert trial.engine.poll(job) is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_image_without_command(trial: Trial) -> None:
    image = trial.image(f"FROM {BASE}\nENTRYPOINT []\nCMD []\n")
    result = trial.wait(trial.job(image=image))
    assert (result.end, result.succeeded) == (End.NOT_STARTED, False)
    assert "command" in result.detail.lower()


def test_program_missing(trial: Trial) -> None:
    result, _ = trial.run(command=("no-such-program", "x"))
    assert (result.end, result.succeeded) == (End.NOT_STARTED, False)
    assert "no-such-program" in result.detail


def test_starting_twice_runs_once(trial: Trial) -> None:
    job = trial.job("import time; print('once', flush=True); time.sleep(0.5)")
    trial.start(job)
    trial.engine.start(job)
    trial.another().start(job)
    assert trial.wait(job).succeeded
    trial.engine.start(job)
    assert trial.wait(job).succeeded
    assert job.log.read_text() == "once\n"


def test_fresh_engine_finds_jobs(trial: Trial) -> None:
    job = trial.job("import time; print('found', flush=True); time.sleep(1); raise SystemExit(7)")
    trial.start(job)
    assert trial.another().poll(job) is None
    assert trial.wait(job, trial.another()).exit_code == 7
    assert trial.another().poll(job) == trial.engine.poll(job)
    assert job.log.read_text() == "found\n"


def start_in_a_process_that_ends(trial: Trial, state: Path, job: Job) -> None:
    trial.works.append(job)
    starter = textwrap.dedent(f"""
        import datetime, pathlib
        from pathlib import PosixPath
        from palio.core.engine import Job, Limits, Mount
        from palio.engines.{trial.engine.name} import {type(trial.engine).__name__} as Engine
        Engine(*{[state] if trial.engine.name == "bubblewrap" else []!r}).start({job!r})
    """)
    subprocess.run([sys.executable, "-c", starter], check=True, timeout=30)


def test_job_outlives_starter(trial: Trial, state: Path) -> None:
    job = trial.job("import time; time.sleep(1); raise SystemExit(7)")
    start_in_a_process_that_ends(trial, state, job)
    assert trial.wait(job, trial.another()).exit_code == 7


def test_fresh_engine_log(trial: Trial, state: Path) -> None:
    job = trial.job("import time; print('begun', flush=True); time.sleep(3); print('done')")
    start_in_a_process_that_ends(trial, state, job)
    engine, deadline = trial.another(), time.monotonic() + 2.5
    while not job.log.exists() or job.log.read_text() != "begun\n":
        assert engine.poll(job) is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert trial.wait(job, engine).succeeded
    assert job.log.read_text() == "begun\ndone\n"


def test_fresh_engine_collects(trial: Trial, state: Path) -> None:
    job = trial.job("open('/mnt/out/left.csv', 'w').write('1')")
    start_in_a_process_that_ends(trial, state, job)
    engine = trial.another()
    assert trial.wait(job, engine).succeeded
    for fresh in (engine, trial.another()):
        destination = trial.folder / f"collected-{id(fresh)}"
        assert fresh.collect(job, destination).files == ("left.csv",)
        assert (destination / "left.csv").read_text() == "1"


def test_fresh_engine_time_limit(trial: Trial, state: Path) -> None:
    job = trial.job("import time; time.sleep(60)", time_s=2)
    start_in_a_process_that_ends(trial, state, job)
    result = trial.wait(job, trial.another())
    assert result.end is End.TIME
    assert result.wall_s < 2 + GRACE_S + trial.slack_s
    again = trial.another().poll(job)
    assert again is not None
    assert (again.end, again.started, again.finished) == (End.TIME, result.started, result.finished)


def test_fresh_engine_limit_exceeded(trial: Trial) -> None:
    job = trial.job("import time; open('/mnt/out/x', 'wb').write(bytes(3 << 20)); time.sleep(60)", output_bytes=MIB)
    trial.start(job)
    deadline = time.monotonic() + 30
    while (first := trial.engine.poll(job)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = trial.another().poll(job)
    assert second is not None
    assert (first.end, second.end, second.detail) == (End.OUTPUT_SIZE, End.OUTPUT_SIZE, first.detail)


def test_unknown_job_stopped_and_removed(trial: Trial) -> None:
    job = trial.job()
    trial.engine.stop(job)
    trial.engine.remove(job)


def test_stop_ends_all_processes(trial: Trial) -> None:
    program = """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.fork()
        while True:
            open(f"/mnt/out/{os.getpid()}", "w").write(str(time.time()))
            time.sleep(0.01)
    """
    job = trial.job(program)
    trial.start(job)
    time.sleep(0.7)
    assert trial.engine.poll(job) is None
    begin = time.monotonic()
    trial.engine.stop(job)
    stopped = time.time()
    assert time.monotonic() - begin < 1 + trial.slack_s
    result = trial.wait(job)
    assert not result.succeeded
    time.sleep(0.2)
    trial.engine.collect(job, trial.folder / "collected")
    written = [float(path.read_text() or 0) for path in (trial.folder / "collected").iterdir()]
    assert len(written) == 2
    assert max(written) <= stopped
    trial.engine.stop(job)


def test_output_with_links_and_devices(trial: Trial) -> None:
    program = """
        import os, socket
        os.chdir("/mnt/out")
        os.makedirs("a/b")
        open("a/b/result.csv", "w").write("file,class\\n")
        os.symlink("/etc/passwd", "link"); os.symlink("/", "root")
        open("one", "w").write("1"); os.link("one", "two")
        os.mkfifo("pipe")
        socket.socket(socket.AF_UNIX).bind("socket")
        open("new\\nline", "w").close()
        open(b"latin-\\xe9", "w").close()
        open("m" * 255, "w").close()
    """
    collected, destination = trial.collect(program)
    assert set(collected.files) - {"one", "two"} == {"a/b/result.csv", "m" * 255}
    reasons = {line.rpartition(": ")[0]: line.rpartition(": ")[2] for line in collected.refused}
    assert {name: reason for name, reason in reasons.items() if name not in ("one", "two")} == {
        "latin-\\xe9": "a name that is not valid UTF-8",
        "link": "a symbolic link",
        "new\\x0aline": "a name with control characters",
        "pipe": "a named pipe",
        "root": "a symbolic link",
        "socket": "a socket",
    }
    assert "a hard link" in (reasons.get("one"), reasons.get("two"))
    assert (destination / "a/b/result.csv").read_text() == "file,class\n"


def test_output_deeper_than_any_path(trial: Trial) -> None:
    program = """
        import os
        os.chdir("/mnt/out")
        for _ in range(2_500):
            os.mkdir("d"); os.chdir("d")
        open("deep", "w").close()
    """
    job = trial.job(program)
    result = trial.wait(job)
    assert (result.end, result.exit_code) == (End.EXITED, 0)
    collected = trial.engine.collect(job, trial.folder / "collected")
    assert collected.files == ()
    assert any("more than 32 levels deep" in line for line in collected.refused)
    trial.engine.remove(job)


def test_output_folders_without_permissions(trial: Trial) -> None:
    program = """
        import os
        os.makedirs("/mnt/out/closed")
        open("/mnt/out/closed/file", "w").write("1")
        os.chmod("/mnt/out/closed", 0)
    """
    collected, _ = trial.collect(program)
    assert collected.files == ("closed/file",)


def test_copies_are_writable_and_leave_their_sources(trial: Trial) -> None:
    program, submitted = trial.folder / "program", trial.folder / "submitted"
    for folder in (program, submitted, program / "lib"):
        folder.mkdir()
    (program / "run.py").write_text("own")
    (program / "lib" / "a.py").write_text("own")
    (submitted / "model.py").write_text("submitted")
    copies = (Mount(program, "/app/program"), Mount(submitted, "/mnt/out/input/res"), Mount(program, "/mnt/out"))
    collected, folder = trial.collect(
        """
        from pathlib import Path

        out, own = Path("/mnt/out"), Path("/app/program")
        assert (own / "lib" / "a.py").read_text() == "own"
        try:
            (own / "lib" / "a.py").write_text("changed")
            (own / "cache").mkdir()
            (own / "cache" / "b").write_text("new")
            Path(out, "limited.txt").write_text("writable")
            with (own / "large").open("wb") as file:
                file.write(bytes(20_000_000))
        except OSError as error:
            Path(out, "limited.txt").open("a").write(f" {error.errno}")
        (out / "input" / "res" / "new.txt").write_text("new")
        (out / "run.py").write_text("changed")
        """,
        copies=copies,
    )
    assert sorted(collected.files) == ["input/res/model.py", "input/res/new.txt", "lib/a.py", "limited.txt", "run.py"]
    assert (folder / "run.py").read_text() == "changed"
    no_space, read_only = "writable 28", " 30"
    assert (folder / "limited.txt").read_text() == (read_only if trial.engine.name == "kubernetes" else no_space)
    assert {path.read_text() for path in (program / "run.py", program / "lib" / "a.py")} == {"own"}
    assert [path.name for path in submitted.iterdir()] == ["model.py"]


def test_output_empty(trial: Trial) -> None:
    collected, destination = trial.collect("pass")
    assert collected == Collected((), 0)
    assert list(destination.iterdir()) == []


def test_removed_job_started_again(trial: Trial) -> None:
    job = trial.job("import os; print(os.listdir('/mnt/out')); open('/mnt/out/x', 'w').close()")
    assert trial.wait(job).succeeded
    trial.engine.remove(job)
    with pytest.raises(PalioError) as raised:
        trial.engine.poll(job)
    assert raised.value.failure.code == "engine-fault"
    assert trial.wait(job).succeeded
    assert job.log.read_text() == "[]\n"


def test_job_names_until_removed(trial: Trial) -> None:
    job = trial.job("print('here')")
    assert job.name not in trial.engine.job_names()
    trial.wait(job)
    assert job.name in trial.another().job_names()
    trial.engine.remove(job)
    assert job.name not in trial.engine.job_names()


def test_remove_running_job(trial: Trial) -> None:
    job = trial.job("import time; time.sleep(30)")
    trial.start(job)
    begin = time.monotonic()
    trial.engine.remove(job)
    assert time.monotonic() - begin < 1 + trial.slack_s
    with pytest.raises(PalioError):
        trial.engine.poll(job)

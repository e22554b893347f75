"""What every engine has to do: one list of behaviours, run for real on each. To be an engine is to pass it.

Programs are given to jobs through a mount, so that one image serves nearly all of them.
"""

import os
import shutil
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from palio.core.engine import (
    GRACE_S,
    LOG_HEAD_BYTES,
    LOG_TAIL_BYTES,
    Build,
    BuildLimits,
    Collected,
    End,
    Enforcement,
    Engine,
    Job,
    JobResult,
    Limits,
    Mount,
    environment,
)
from palio.core.errors import PalioError
from palio.core.files.tree import TIME_NS, digest_tree, entries_as_is
from palio.core.quantities import GIB, MIB
from palio.engines.job_users import job_uids

BASE = "python:3.11-slim"
DOCKERFILE = f'FROM {BASE}\nWORKDIR /app\nENV FROM_IMAGE=yes\nCMD ["python", "/mnt/in/program.py"]\n'
LIMITS = Limits(time_s=30, memory_bytes=256 * MIB, cpus=1, pids=64, shm_bytes=16 * MIB)
BUILD_LIMITS = BuildLimits(time_s=120, memory_bytes=2 * GIB, size_bytes=20 * GIB, network=False)
SLACK_S = 2.0  # within which whatever is ended has to be gone


@dataclass
class Trial:
    """An engine, a folder to prepare things in, and what has to be removed afterwards."""

    engine: Engine
    another: Callable[[], Engine]  # an engine object that knows nothing of the first, as in a new process
    folder: Path
    works: list[Job | Build] = field(default_factory=list)

    def build(self, dockerfile: str = DOCKERFILE, **files: str) -> tuple[Build, JobResult]:
        name = f"palio-test-{uuid4().hex[:12]}"
        context = self.folder / name
        context.mkdir()
        for path, text in {"Dockerfile": dockerfile, **files}.items():
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            (context / path).write_text(text)
        return self.build_from(context)

    def build_from(self, context: Path, **fields: Any) -> tuple[Build, JobResult]:
        name = f"palio-test-{uuid4().hex[:12]}"
        work = Build(name, digest_tree(context), context, BUILD_LIMITS, self.folder / f"{name}.log")
        work = replace(work, **fields)
        return work, self.wait(work)

    def image(self, dockerfile: str = DOCKERFILE, **files: str) -> str:
        work, result = self.build(dockerfile, **files)
        assert result.succeeded, work.log.read_text()
        assert result.image
        return result.image

    def job(self, program: str = "", *, image: str | None = None, **fields: Any) -> Job:
        name = f"palio-test-{uuid4().hex[:12]}"
        inputs = self.folder / name
        inputs.mkdir()
        inputs.chmod(0o755)
        (inputs / "program.py").write_text(textwrap.dedent(program))
        (inputs / "program.py").chmod(0o644)
        limits = replace(LIMITS, **{key: fields.pop(key) for key in list(fields) if hasattr(LIMITS, key)})
        return Job(
            name=name,
            image=image or self.image(),
            limits=limits,
            log=self.folder / f"{name}.log",
            output="/mnt/out",
            mounts=(Mount(inputs, "/mnt/in"),),
            **fields,
        )

    def start(self, work: Job | Build) -> None:
        self.works.append(work)
        self.engine.start(work)

    def wait(self, work: Job | Build, engine: Engine | None = None) -> JobResult:
        if engine is None:
            engine = self.engine
            self.start(work)
        deadline = time.monotonic() + 60
        while (result := engine.poll(work)) is None:
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)
        return result

    def run(self, program: str = "", **fields: Any) -> tuple[JobResult, str]:
        job = self.job(program, **fields)
        result = self.wait(job)
        return result, job.log.read_text()

    def collect(self, program: str, **fields: Any) -> tuple[Collected, Path]:
        job = self.job(program, **fields)
        assert self.wait(job).succeeded, job.log.read_text()
        destination = self.folder / f"{job.name}-collected"
        return self.engine.collect(job, destination), destination


def _bubblewrap(folder: Path) -> Engine:
    from palio.engines.bubblewrap import BubblewrapEngine

    return BubblewrapEngine(folder)


def _bubblewrap_watching(folder: Path) -> Engine:
    """As for an ordinary user who may not make control groups."""
    from palio.engines.bubblewrap import BubblewrapEngine

    return BubblewrapEngine(folder, use_cgroups=False)


def _docker(folder: Path) -> Engine:
    from palio.engines.docker import DockerEngine

    return DockerEngine()


@pytest.fixture(
    params=[
        pytest.param(_docker, marks=pytest.mark.docker, id="docker"),
        pytest.param(_bubblewrap, marks=pytest.mark.bubblewrap, id="bubblewrap"),
        pytest.param(_bubblewrap_watching, marks=pytest.mark.bubblewrap, id="bubblewrap-watching"),
    ]
)
def trial(request: pytest.FixtureRequest, tmp_path: Path, state: Path) -> Iterator[Trial]:
    made = Trial(request.param(state), lambda: request.param(state), tmp_path)
    yield made
    for work in made.works:
        made.engine.remove(work)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept for the module, so that its image is built once."""
    return tmp_path_factory.mktemp("state")


# -- how a job is run and how it ends


@pytest.mark.parametrize("code", [0, 1, 42])
def test_the_exit_code_is_passed_on(trial: Trial, code: int) -> None:
    result, _ = trial.run(f"raise SystemExit({code})")
    assert (result.end, result.exit_code, result.succeeded) == (End.EXITED, code, code == 0)


def test_a_job_ended_by_its_own_signal_is_no_success(trial: Trial) -> None:
    result, _ = trial.run("import os; os.kill(os.getpid(), 11)")
    # The first process of a PID namespace does not get signals it has no handler for, not even its own.
    assert (result.end, result.exit_code) in [(End.EXITED, 139), (End.EXITED, 0)]
    result, _ = trial.run("import os; os.abort()")
    assert result.end is End.EXITED
    assert result.exit_code not in (0, None)


def test_times_are_utc_and_in_order(trial: Trial) -> None:
    before = datetime.now(UTC)
    result, _ = trial.run("import time; time.sleep(0.3)")
    assert before <= result.started <= result.finished <= datetime.now(UTC)
    assert 0.3 <= result.wall_s < 5


def test_cpu_time_and_memory_are_measured(trial: Trial) -> None:
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


def test_the_log_has_both_streams_in_order(trial: Trial) -> None:
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


def test_the_log_can_be_read_while_the_job_runs(trial: Trial) -> None:
    job = trial.job("import time; print('begun', flush=True); time.sleep(30)")
    trial.start(job)
    deadline = time.monotonic() + 10
    while not (job.log.exists() and job.log.read_text() == "begun\n"):
        assert trial.engine.poll(job) is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_command_replaces_cmd_and_keeps_the_entry_point(trial: Trial) -> None:
    image = trial.image(f'FROM {BASE}\nENTRYPOINT ["echo", "entry"]\nCMD ["cmd"]\n')
    assert trial.run(image=image)[1] == "entry cmd\n"
    assert trial.run(image=image, command=("given", "two words"))[1] == "entry given two words\n"


def test_shell_forms_are_run_by_a_shell(trial: Trial) -> None:
    image = trial.image(f"FROM {BASE}\nENV NAME=palio\nCMD echo $NAME $((1 + 2)) && false\n")
    result, log = trial.run(image=image)
    assert (result.exit_code, log) == (1, "palio 3\n")


def test_files_workdir_and_environment_come_from_the_image(trial: Trial) -> None:
    dockerfile = f"""
        FROM {BASE}
        ARG WHERE=/opt/app
        WORKDIR $WHERE
        COPY app.py data/ ./
        COPY data /srv/data
        COPY tool /usr/local/bin/palio-tool
        ENV A=1 B="two words"
        CMD ["python", "app.py"]
    """
    program = "import os; print(os.getcwd(), sorted(os.listdir()), sorted(os.listdir('/srv/data')), os.environ['B'])"
    image = trial.image(textwrap.dedent(dockerfile), **{"app.py": program, "data/x": "1", "tool": "tool"})
    assert trial.run(image=image)[1] == "/opt/app ['app.py', 'x'] ['x'] two words\n"
    read = ("python", "-c", "print(open('/usr/local/bin/palio-tool').read(), open('/srv/data/x').read())")
    assert trial.run(image=image, command=read)[1] == "tool 1\n"
    assert trial.run(image=image, workdir="/srv", command=("pwd",))[1] == "/srv\n"


SHOW = """
import os, stat
for folder, folders, files in os.walk("/srv"):
    for name in folders + files:
        path = os.path.join(folder, name)
        found = os.lstat(path)
        content = os.readlink(path) if os.path.islink(path) else "" if os.path.isdir(path) else open(path).read()
        mode = 0 if os.path.islink(path) else stat.S_IMODE(found.st_mode)
        time = int(found.st_mtime) if stat.S_ISREG(found.st_mode) else 0
        print(ascii((path[len("/srv/"):], stat.S_IFMT(found.st_mode) | mode, content, time)))
"""
CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda context: (context / "a/b.txt").write_text("twp"),
    "a name": lambda context: (context / "a/b.txt").rename(context / "a/c.txt"),
    "the execute bit": lambda context: (context / "a/b.txt").chmod(0o755),
    "a bit of the mode": lambda context: (context / "a/b.txt").chmod(0o664),
    "bytecode": lambda context: (context / "__pycache__/b.txt").write_text("x"),
    "the name of bytecode": lambda context: (context / "__pycache__/b.txt").rename(context / "__pycache__/c"),
    "a repository": lambda context: (context / ".git/HEAD").write_text("x"),
    "what macOS leaves": lambda context: (context / ".DS_Store").write_text("x"),
    "a folder that macOS leaves": lambda context: (context / "__MACOSX").mkdir(),
    "an empty folder": lambda context: (context / "a/empty").mkdir(),
    "a link's target": lambda context: _removed(context / "a/link").symlink_to("nowhere"),
    "a link in place of a file": lambda context: _removed(context / "a/b.txt").symlink_to("c.txt"),
    "a folder in place of a file": lambda context: _removed(context / "a/b.txt").mkdir(),
    "what is ignored": lambda context: (context / ".dockerignore").write_text("ignored\n__pycache__\n"),
    "a file that is ignored": lambda context: (context / "ignored").write_text("x"),
}


def _removed(path: Path) -> Path:
    path.unlink()
    return path


def seen_of(context: Path) -> list[str]:
    """What a program sees of it. The Dockerfile is left out: an engine may be given its resolved text."""
    ignored = (context / ".dockerignore").read_text().split()
    return [
        ascii(
            (
                entry.name,
                stat.S_IFMT(entry.mode) if entry.is_link else entry.mode,
                "" if entry.is_folder else str(entry.path.readlink()) if entry.is_link else entry.path.read_text(),
                TIME_NS // 10**9 if stat.S_ISREG(entry.mode) else 0,
            )
        )
        for entry in entries_as_is(context)
        if entry.name.split("/")[0] not in ignored and entry.name != "Dockerfile"
    ]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_image_is_used_again_only_for_the_same_context(
    trial: Trial, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for name, text in {
        "Dockerfile": f"FROM {BASE}\nCOPY . /srv/\n",
        ".dockerignore": "ignored\n",
        "ignored": "1",
        "a/b.txt": "two",
        "__pycache__/b.txt": "two",
        ".git/HEAD": "two",
        ".DS_Store": "two",
    }.items():
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        (first / name).write_text(text)
        (first / name).chmod(0o644)
    (first / "a/link").symlink_to("b.txt")
    for folder in (path for path in first.rglob("*") if path.is_dir()):
        folder.chmod(0o755)
    shutil.copytree(first, second, symlinks=True)
    change(second)
    (_, before), (_, after), (again, reused) = map(trial.build_from, (first, second, first))
    assert before.image
    assert after.image
    assert reused.image == before.image
    assert "Reusing an image" in again.log.read_text()
    for image, context in ((before.image, first), (after.image, second)):
        result, log = trial.run(SHOW, image=image, command=("python", "/mnt/in/program.py"))
        assert result.succeeded, log
        seen = [line for line in log.splitlines() if not line.startswith("('Dockerfile', 33188, 'FROM ")]
        assert sorted(seen) == sorted(seen_of(context))


def test_an_image_is_used_again_only_for_the_same_build(trial: Trial, tmp_path: Path) -> None:
    """The same context with other arguments, another Dockerfile of it, and other limits."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {BASE}\nARG SAID=nothing\nENV SAID=$SAID\n")
    (context / "Other").write_text(f"FROM {BASE}\nENV SAID=other\n")
    builds: list[dict[str, Any]] = [
        {},
        {"arguments": {"SAID": "this"}},
        {"arguments": {"SAID": "that"}},
        {"dockerfile": "Other"},
        {"limits": replace(BUILD_LIMITS, memory_bytes=GIB)},
    ]
    said, keys = [], set()
    for fields in builds:
        work, result = trial.build_from(context, **fields)
        keys.add(work.image_key)
        command = ("python", "-c", "import os; print(os.environ['SAID'])")
        said.append(trial.run(image=result.image, command=command)[1].strip())
    assert said == ["nothing", "this", "that", "other", "nothing"]
    assert len(keys) == len(builds)


SCRIPT = "#!/bin/sh\necho started"
NOT_STARTABLE = {
    "no-bit": (SCRIPT, 0o644, "/opt/run.sh is not executable"),
    "crlf": (
        SCRIPT.replace("\n", "\r\n"),
        0o755,
        "the first line of /opt/run.sh ends in CR LF, so its interpreter is not found",
    ),
    "bom": (f"\ufeff{SCRIPT}", 0o755, "/opt/run.sh begins with a byte order mark, so its `#!` line is ignored"),
    "no-interpreter": (
        SCRIPT.replace("sh", "none"),
        0o755,
        "/opt/run.sh needs the interpreter /bin/none, which does not exist",
    ),
    "no-line": ("echo started", 0o755, "/opt/run.sh is a text file without a `#!` line"),
    "empty": ("", 0o755, "/opt/run.sh is empty"),
}
STARTS = {
    "path": '["/opt/run.sh"]',
    "relative": '["./run.sh"]',
    "shell": "/opt/run.sh",
    "shell-with-exec": "exec /opt/run.sh --quick",
}


@pytest.mark.parametrize("fault", NOT_STARTABLE)
def test_a_script_that_linux_cannot_start_is_named_before_it_is_started(
    trial: Trial, tmp_path: Path, fault: str
) -> None:
    text, mode, reason = NOT_STARTABLE[fault]
    context = _script_context(tmp_path, text, mode, STARTS["path"])
    work = trial.job(image=trial.build_from(context)[1].image, command=())
    result = trial.wait(work)
    assert (result.end, result.exit_code, result.detail.partition("\n")[0]) == (End.NOT_STARTED, None, reason)
    assert "started" not in work.log.read_text().splitlines()
    assert trial.wait(work, trial.another()).end is End.NOT_STARTED  # a new process finds the same


@pytest.mark.parametrize("start", STARTS)
def test_a_script_is_looked_at_however_it_is_started(trial: Trial, tmp_path: Path, start: str) -> None:
    named = "./run.sh" if start == "relative" else "/opt/run.sh"
    context = _script_context(tmp_path / "bad", SCRIPT, 0o644, STARTS[start])
    result, _ = trial.run(image=trial.build_from(context)[1].image, command=())
    assert (result.end, result.detail.partition("\n")[0]) == (End.NOT_STARTED, f"{named} is not executable")
    context = _script_context(tmp_path / "good", SCRIPT, 0o755, STARTS[start])
    result, log = trial.run(image=trial.build_from(context)[1].image, command=())
    assert (result.succeeded, log) == (True, "started\n")


def test_a_mounted_script_that_is_not_executable_is_named(trial: Trial) -> None:
    result, _ = trial.run("print()", command=("/mnt/in/program.py",))
    assert (result.end, result.detail.partition("\n")[0]) == (
        End.NOT_STARTED,
        "/mnt/in/program.py is not executable",
    )


def _script_context(context: Path, text: str, mode: int, start: str) -> Path:
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(f"FROM {BASE}\nWORKDIR /opt\nCOPY run.sh /opt/\nENTRYPOINT {start}\n")
    (context / "run.sh").write_text(text, newline="")
    (context / "run.sh").chmod(mode)
    return context


def test_an_image_without_a_command_is_not_started(trial: Trial) -> None:
    image = trial.image(f"FROM {BASE}\nENTRYPOINT []\nCMD []\n")
    result = trial.wait(trial.job(image=image))
    assert (result.end, result.succeeded) == (End.NOT_STARTED, False)
    assert "command" in result.detail.lower()


def test_a_program_that_is_not_there_is_not_started(trial: Trial) -> None:
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


def test_a_fresh_engine_finds_a_running_and_an_ended_job(trial: Trial) -> None:
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


def test_a_job_outlives_the_process_that_started_it(trial: Trial, state: Path) -> None:
    job = trial.job("import time; time.sleep(1); raise SystemExit(7)")
    start_in_a_process_that_ends(trial, state, job)
    assert trial.wait(job, trial.another()).exit_code == 7


def test_a_fresh_engine_sees_to_the_log_of_a_running_job(trial: Trial, state: Path) -> None:
    job = trial.job("import time; print('begun', flush=True); time.sleep(3); print('done')")
    start_in_a_process_that_ends(trial, state, job)
    engine, deadline = trial.another(), time.monotonic() + 2.5
    while not job.log.exists() or job.log.read_text() != "begun\n":
        assert engine.poll(job) is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert trial.wait(job, engine).succeeded
    assert job.log.read_text() == "begun\ndone\n"


def test_a_fresh_engine_collects_what_a_job_has_left(trial: Trial, state: Path) -> None:
    job = trial.job("open('/mnt/out/left.csv', 'w').write('1')")
    start_in_a_process_that_ends(trial, state, job)
    engine = trial.another()
    assert trial.wait(job, engine).succeeded
    for fresh in (engine, trial.another()):
        destination = trial.folder / f"collected-{id(fresh)}"
        assert fresh.collect(job, destination).files == ("left.csv",)
        assert (destination / "left.csv").read_text() == "1"


def test_a_fresh_engine_enforces_the_time_limit(trial: Trial, state: Path) -> None:
    job = trial.job("import time; time.sleep(60)", time_s=2)
    start_in_a_process_that_ends(trial, state, job)
    result = trial.wait(job, trial.another())
    assert result.end is End.TIME
    assert result.wall_s < 2 + GRACE_S + SLACK_S
    again = trial.another().poll(job)
    assert again is not None
    assert (again.end, again.started, again.finished) == (End.TIME, result.started, result.finished)


def test_a_fresh_engine_knows_which_limit_has_ended_a_job(trial: Trial) -> None:
    job = trial.job("import time; open('/mnt/out/x', 'wb').write(bytes(3 << 20)); time.sleep(60)", output_bytes=MIB)
    trial.start(job)
    deadline = time.monotonic() + 30
    while (first := trial.engine.poll(job)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = trial.another().poll(job)
    assert second is not None
    assert (first.end, second.end, second.detail) == (End.OUTPUT_SIZE, End.OUTPUT_SIZE, first.detail)


def test_an_unknown_job_may_be_stopped_and_removed(trial: Trial) -> None:
    job = trial.job()
    trial.engine.stop(job)
    trial.engine.remove(job)


# -- what a job can see and do


def test_the_environment_is_a_fixed_list_with_nothing_of_the_hosts(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_SECRET", "of the host")
    program = """
        import os
        for path in ("/proc/self/environ", "/proc/1/environ"):
            names = {entry.partition("=")[0] for entry in open(path).read().split("\\0")}
            print(" ".join(sorted(name for name in names if name.startswith("PALIO") or "SECRET" in name)))
        print(*sorted(set(os.environ) - {"PWD", "HOSTNAME", "PATH", "LC_CTYPE"}))
        print(os.environ["HOME"], os.environ["TMPDIR"], os.environ["PALIO_MEMORY_BYTES"], os.environ["GIVEN"])
    """
    job = trial.job(program, environment={"GIVEN": "a b"})
    assert trial.wait(job).succeeded
    own, first, names, values = job.log.read_text().splitlines()
    fixed = "PALIO_CPUS PALIO_MEMORY_BYTES PALIO_OUTPUT PALIO_TIME_S"
    assert own == fixed
    assert first in ("", fixed)
    assert {name for name in names.split() if not name.startswith(("PYTHON", "GPG", "PIP"))} == {
        "FROM_IMAGE",
        *(name for name in environment(job) if not name.startswith("PYTHON")),
    }
    assert values == f"/tmp /tmp {256 * MIB} a b"


def test_python_is_found_under_both_names(trial: Trial) -> None:
    assert trial.run(command=("python", "-c", "print(1)"))[1] == "1\n"
    assert trial.run(command=("python3", "-c", "print(2)"))[1] == "2\n"


def test_only_output_tmp_and_shm_are_writable(trial: Trial) -> None:
    program = """
        import os
        candidates = {"/", "/app", "/etc", "/usr", "/mnt", "/mnt/in", "/mnt/out", "/tmp", "/dev", "/dev/shm",
                      "/proc", "/proc/sys/kernel", "/root", "/home", "/var", "/run", "/opt", "/var/tmp"}
        for folder in sorted(filter(os.path.isdir, candidates)):
            try:
                with open(folder + "/written", "w") as file: file.write("x")
                print(folder)
            except OSError: pass
        try:
            with open("/mnt/in/program.py", "a") as file: file.write("x")
            print("input changed")
        except OSError: pass
    """
    result, log = trial.run(program)
    assert result.succeeded, log
    assert log.split() == ["/dev/shm", "/mnt/out", "/tmp"]


def test_the_user_has_no_groups_capabilities_or_new_privileges(trial: Trial) -> None:
    program = """
        import os, pwd
        facts = dict(line.strip().split(":", 1) for line in open("/proc/self/status"))
        for name in ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"):
            print(name, *facts[name].split())
        print("Seccomp", facts["Seccomp"].strip())
    """
    _, log = trial.run(program)
    none = "0000000000000000"
    uid = log.split()[1]
    assert int(uid) in job_uids()
    assert [line for line in log.splitlines() if not line.startswith(("Groups", "CapBnd"))] == [
        *(f"Uid {uid} {uid} {uid} {uid}", f"Gid {uid} {uid} {uid} {uid}", f"CapInh {none}", f"CapPrm {none}"),
        *(f"CapEff {none}", f"CapAmb {none}", "NoNewPrivs 1", "Seccomp 2"),
    ]
    assert "Groups\n" in log or f"Groups {uid}\n" in log


def test_no_namespace_mount_or_trace_can_be_made(trial: Trial) -> None:
    program = """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        user, mount = 0x10000000, 0x20000
        attempts = {
            "unshare user": lambda: libc.unshare(user),
            "unshare mount": lambda: libc.unshare(mount),
            "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
            "bind": lambda: libc.mount(b"/usr", b"/tmp", None, 4096, None),
            "umount": lambda: libc.umount2(b"/mnt/in", 2),
            "remount": lambda: libc.mount(None, b"/", None, 32, None),
            "trace": lambda: libc.ptrace(16, 1, 0, 0),
            "chroot": lambda: libc.chroot(b"/tmp"),
            "setuid": lambda: libc.setuid(0),
            "hostname": lambda: libc.sethostname(b"x", 1),
            "module": lambda: libc.syscall(175, 0, 0, 0),
            "keys": lambda: libc.syscall(250, 0, -3, 1),
        }
        for name, attempt in attempts.items():
            if attempt() != -1: print(name, "was allowed")
    """
    result, log = trial.run(program)
    assert (result.exit_code, log) == (0, "")


def test_there_is_no_network_but_loopback(trial: Trial) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"""
            import os, socket, time
            print(*sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else ["lo"])
            lines = open("/proc/net/dev").read().splitlines()[2:]
            tunnels = ("tunl", "sit", "ip6tnl", "gre", "erspan", "ip_vti", "ip6_vti", "ip6gre")  # down, in every one
            print(*[line.split(":")[0].strip() for line in lines if not line.strip().startswith(tunnels)])
            begin = time.monotonic()
            for address in (("127.0.0.1", {server.getsockname()[1]}), ("169.254.169.254", 80), ("1.1.1.1", 53)):
                try:
                    socket.create_connection(address, timeout=5)
                    print("reached", address)
                except OSError: pass
            try:
                socket.getaddrinfo("example.org", 80)
                print("resolved")
            except OSError: pass
            try:
                socket.socket(40, socket.SOCK_STREAM).connect((2, 1))  # AF_VSOCK, to the hypervisor
                print("vsock")
            except OSError: pass
            print(time.monotonic() - begin < 5)
            try:
                with socket.create_server(("127.0.0.1", 0)) as own:
                    socket.create_connection(own.getsockname()).close()
                print("none but loopback")
            except OSError:
                print("none, not even sockets")
        """
        result, log = trial.run(program)
    promised = trial.engine.guarantees()[0].detail.partition(":")[0]
    assert (result.exit_code, log.splitlines()[1:]) == (0, ["lo", "True", promised])


def test_nothing_of_the_host_can_be_seen(trial: Trial) -> None:
    (trial.folder / "secret").write_text("the labels")
    program = f"""
        import os, socket
        print(len([name for name in os.listdir("/proc") if name.isdigit()]) <= 3)
        print(os.path.exists({str(trial.folder / "secret")!r}), socket.gethostname() == {socket.gethostname()!r})
        for path in ("/var/run/docker.sock", "/run/docker.sock", "/root/.ssh", "/root/.bashrc", "/etc/shadow-", "/home",
                     "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/mem", "/run/systemd", "/sys/fs/cgroup/cgroup.procs"):
            try:
                if os.path.isdir(path) and not os.listdir(path): continue
                open(path, "rb").close() if not os.path.isdir(path) else None
                print("seen", path)
            except OSError: pass
    """
    assert trial.run(program)[1] == "True\nFalse False\n"


def test_other_processes_of_the_host_cannot_be_signalled(trial: Trial) -> None:
    program = f"""
        import os
        try: os.kill({os.getpid()}, 0)
        except ProcessLookupError: print("not there")
    """
    assert trial.run(program)[1] == "not there\n"


# -- limits, each of them exhausted


def test_the_time_limit_ends_a_job_that_ignores_term(trial: Trial) -> None:
    program = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("begun", flush=True)
        while True: time.sleep(1)
    """
    begin = time.monotonic()
    result, log = trial.run(program, time_s=1)
    assert (result.end, result.succeeded, log) == (End.TIME, False, "begun\n")
    assert 1 <= result.wall_s <= 1 + SLACK_S
    assert time.monotonic() - begin < 1 + SLACK_S + 2


def test_a_job_may_clean_up_when_its_time_is_over(trial: Trial) -> None:
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


def test_a_daemon_dies_with_its_job(trial: Trial) -> None:
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


def test_memory_beyond_the_limit_ends_the_job_as_such(trial: Trial) -> None:
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


def test_memory_of_a_child_counts(trial: Trial) -> None:
    program = """
        import subprocess, sys
        child = subprocess.run([sys.executable, "-c", "import time; b = b'x' * (300 << 20); time.sleep(1)"])
        sys.exit(child.returncode != 0)
    """
    result, _ = trial.run(program, memory_bytes=128 * MIB)
    assert (result.end, result.succeeded) == (End.MEMORY, False)


def test_memory_that_processes_share_counts_once(trial: Trial) -> None:
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
def test_files_in_memory_count_as_memory(trial: Trial, folder: str) -> None:
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


def test_processes_beyond_the_limit_are_refused_and_shown(trial: Trial) -> None:
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


def test_a_fork_bomb_is_contained(trial: Trial) -> None:
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
    assert time.monotonic() - begin < 2 + SLACK_S + 3


def test_cpu_time_is_limited(trial: Trial) -> None:
    program = """
        import os, time
        for _ in range(3): os.fork()
        end = time.monotonic() + 1
        while time.monotonic() < end: pass
    """
    result, _ = trial.run(program, cpus=1)
    assert result.cpu_s is None or result.cpu_s <= 1.1 * result.wall_s + 0.3


def test_open_files_cores_and_file_size_are_limited(trial: Trial) -> None:
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
def test_output_beyond_its_size_ends_the_job(trial: Trial, files: int) -> None:
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


def test_output_beyond_its_size_is_seen_after_a_job_that_has_just_ended(trial: Trial) -> None:
    result, _ = trial.run("open('/mnt/out/x', 'wb').write(b'x' * (21 << 20))", output_bytes=20 * MIB)
    assert (result.end, result.succeeded) == (End.OUTPUT_SIZE, False)


def test_output_beyond_its_number_of_files_ends_the_job(trial: Trial) -> None:
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


def test_shared_memory_is_as_large_as_declared(trial: Trial) -> None:
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


def test_an_endless_log_is_capped_with_the_cut_marked(trial: Trial) -> None:
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


def test_one_line_without_end_is_capped_too(trial: Trial) -> None:
    program = """
        import sys
        for _ in range(100): sys.stdout.write("x" * (1 << 20))
    """
    result, log = trial.run(program, memory_bytes=128 * MIB)
    assert result.succeeded
    assert len(log) < LOG_HEAD_BYTES + LOG_TAIL_BYTES + 1000


def test_control_characters_are_harmless_in_the_log(trial: Trial) -> None:
    program = r"""
        import sys
        sys.stdout.buffer.write(b"a\x00b\x1b[2J\x07c\ttab\nnext\rline \xff\xc3\xa9\x9b31m\n")
    """
    _, log = trial.run(program)
    assert not {character for character in log if ord(character) < 32 and character not in "\n\t"}
    assert "\x9b" not in log
    assert "\ttab\n" in log
    assert "é" in log


def test_a_limit_that_cannot_be_given_is_refused(trial: Trial) -> None:
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


def test_guarantees_are_stated_in_the_contracts_order(trial: Trial) -> None:
    guarantees = trial.engine.guarantees()
    assert [guarantee.property for guarantee in guarantees] == [
        *("network", "root file system", "user", "capabilities", "memory", "cpus", "pids", "shared memory"),
        *("input", "output", "time", "log", "environment", "devices", "host", "build", "build network"),
    ]
    kept = {each.property: each.enforcement for each in guarantees if each.property != "build network"}
    not_enforced = {name for name, enforcement in kept.items() if enforcement is Enforcement.NONE}
    assert not_enforced <= {"memory"}  # where nothing but watching is possible


# -- stopping, collecting, removing


def test_stop_ends_everything_before_it_returns(trial: Trial) -> None:
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
    assert time.monotonic() - begin < 1 + SLACK_S
    result = trial.wait(job)
    assert not result.succeeded
    time.sleep(0.2)
    trial.engine.collect(job, trial.folder / "collected")
    written = [float(path.read_text() or 0) for path in (trial.folder / "collected").iterdir()]
    assert len(written) == 2
    assert max(written) <= stopped
    trial.engine.stop(job)


def test_what_a_job_leaves_is_collected_without_following_anything(trial: Trial) -> None:
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


def test_a_tree_deeper_than_any_path_is_refused_and_removed(trial: Trial) -> None:
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


def test_folders_without_permissions_are_collected_and_removed(trial: Trial) -> None:
    program = """
        import os
        os.makedirs("/mnt/out/closed")
        open("/mnt/out/closed/file", "w").write("1")
        os.chmod("/mnt/out/closed", 0)
    """
    collected, _ = trial.collect(program)
    assert collected.files == ("closed/file",)


def test_an_empty_output_is_collected_as_such(trial: Trial) -> None:
    collected, destination = trial.collect("pass")
    assert collected == Collected((), 0)
    assert list(destination.iterdir()) == []


def test_a_removed_job_is_unknown_and_may_be_started_again(trial: Trial) -> None:
    job = trial.job("import os; print(os.listdir('/mnt/out')); open('/mnt/out/x', 'w').close()")
    assert trial.wait(job).succeeded
    trial.engine.remove(job)
    with pytest.raises(PalioError) as raised:
        trial.engine.poll(job)
    assert raised.value.failure.code == "engine-fault"
    assert trial.wait(job).succeeded
    assert job.log.read_text() == "[]\n"


def test_what_is_kept_of_a_job_is_listed_until_it_is_removed(trial: Trial) -> None:
    job = trial.job("print('here')")
    assert job.name not in trial.engine.job_names()
    trial.wait(job)
    assert job.name in trial.another().job_names()
    trial.engine.remove(job)
    assert job.name not in trial.engine.job_names()


def test_removing_a_running_job_ends_it(trial: Trial) -> None:
    job = trial.job("import time; time.sleep(30)")
    trial.start(job)
    begin = time.monotonic()
    trial.engine.remove(job)
    assert time.monotonic() - begin < 1 + SLACK_S
    with pytest.raises(PalioError):
        trial.engine.poll(job)


# -- builds


def test_the_same_digest_is_not_built_twice(trial: Trial) -> None:
    first, result = trial.build()
    again = replace(first, name=f"{first.name}-again", log=trial.folder / "again.log")
    repeated = trial.wait(again)
    assert (repeated.succeeded, repeated.image) == (True, result.image)
    assert "Reusing an image" in again.log.read_text()


def test_a_build_that_fails_says_which_step(trial: Trial) -> None:
    work, result = trial.build(f"FROM {BASE}\nWORKDIR /app\nCOPY model.pth /opt/\n")
    assert (result.end, result.succeeded, result.image) == (End.EXITED, False, None)
    assert "COPY model.pth /opt/" in result.detail
    assert "model.pth" in work.log.read_text()


def test_a_build_cannot_take_files_from_outside_its_context(trial: Trial) -> None:
    (trial.folder / "secret").write_text("the labels")
    work, result = trial.build(f"FROM {BASE}\nCOPY ../secret /opt/\n")
    assert (result.succeeded, result.image) == (False, None)
    assert "COPY ../secret /opt/" in result.detail
    assert "the labels" not in work.log.read_text()


def test_an_image_larger_than_its_limit_is_refused(trial: Trial) -> None:
    work, _ = trial.build()
    context = trial.folder / "large"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {BASE}\nCOPY large /opt/\n")
    (context / "large").write_bytes(b"x" * 2_000_000)
    limits = replace(BUILD_LIMITS, size_bytes=1_000_000)
    name = f"palio-test-{uuid4().hex[:12]}"
    large = replace(work, name=name, digest=name, context=context, limits=limits)
    result = trial.wait(large)
    assert (result.end, result.image) == (End.IMAGE_SIZE, None)
    assert int(result.detail) >= 2_000_000


def test_a_build_is_polled_by_a_fresh_engine_once_it_is_started_again(trial: Trial) -> None:
    work, result = trial.build()
    other = trial.another()
    other.start(work)
    deadline = time.monotonic() + 30
    while (found := other.poll(work)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found is not None
    assert (found.succeeded, found.image) == (True, result.image)
    with suppress(PalioError):
        other.remove(work)


# -- jobs beside each other

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


def test_what_the_kernel_counts_by_user_is_not_shared_with_other_jobs(trial: Trial) -> None:
    """One job takes all of it that it can and holds it; the other then gets as much as if it were alone."""
    holding = textwrap.dedent(HOG) + "print('holding', flush=True); time.sleep(8)"
    hog, honest = trial.job(holding, open_files=1024), trial.job(HOG, open_files=1024)
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

"""The process that runs one job: starts the sandbox, watches it, ends it at a limit, and records the result.

One is started for each job. It survives the process that started it, and holds the job's lock as long as it lives. In
the job's folder it reads task.json, and writes groups.json before it creates a cgroup, sandbox.json before the job's
first instruction runs, and result.json at the end. It imports little, because it is started often.
"""

import fcntl
import json
import math
import os
import random
import resource
import select
import signal
import socket
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from palio.core.engine import GRACE_S, End, Limits
from palio.core.files.collect import collect_folder
from palio.core.files.log import LogWriter
from palio.core.plain_words import PlainName, PlainWord
from palio.core.quantities import MIB, size_text
from palio.engines.bubblewrap import cgroup
from palio.engines.bubblewrap.inside import GO, description, failure, inside_command
from palio.engines.bubblewrap.launch import Launch, Launched, LaunchError, launch, memory_file
from palio.engines.bubblewrap.limits import limit_processes
from palio.engines.bubblewrap.processes import Processes, children, start_time
from palio.engines.bubblewrap.sources import Copy
from palio.engines.bubblewrap.streams import Printed, Reports
from palio.engines.bubblewrap.users import take_user
from palio.engines.output_folder import folder_usage
from palio.engines.output_space import output_excess
from palio.engines.seccomp_filter import AFFINITY, UNWATCHED_MEMORY, seccomp_filter

TASK, SUPERVISOR, GROUPS, SANDBOX, RESULT = (
    f"{name}.json" for name in ("task", "supervisor", "groups", "sandbox", "result")
)
COLLECTED, OUTPUT = "collected.json", "output"
_CHECK_S = 0.05
_CHECK_MIN_S = 0.005
_FILLING_BYTES_S = 4e9  # how fast memory can be filled; the closer to the limit, the sooner the next check
_OWN_PROCESSES = 2  # bubblewrap's, in the same cgroup
_MOST_MESSAGES_BYTES = 819_200  # in POSIX message queues, as on most systems
_READY_S = 30.0  # within which a sandbox starts, even on a busy machine


class SandboxError(Exception):
    """The sandbox could not be started; nothing of the job has run."""


def main(folder: Path) -> None:
    """Runs the job described in `folder`."""
    # The lock was passed to this process. The sandbox must not inherit it, because it could release or keep it.
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        with suppress(OSError):
            os.set_inheritable(number, False)
    try:
        result = _Supervision(folder).run()
    except Exception as error:  # noqa: BLE001 - the polling process must be told
        result = {"fault": str(error) or type(error).__name__}
    write_atomically(folder / RESULT, result)


def write_atomically(path: Path, content: object) -> None:
    """Writes JSON so that a reader sees all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(path)


class _Supervision:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._task: dict[str, Any] = json.loads((folder / TASK).read_text())
        self._limits = Limits(**self._task["limits"])
        self._group = cgroup.Cgroup({}, 1)
        self._ending: tuple[End, str] | None = None  # why the job is being ended, if it is
        self._kill_at = math.inf
        self._peak_memory_bytes = self._peak_pids = 0
        # Signals only set a flag; writing to this pipe lets the flag end a wait.
        self._stopped = False
        signal.signal(signal.SIGTERM, self._on_stop)
        self._wake, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_in)
        write_atomically(folder / SUPERVISOR, {"pid": os.getpid(), "started": start_time(os.getpid())})

    def _on_stop(self, *_: object) -> None:
        self._stopped = True

    def run(self) -> dict[str, Any]:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # examining a deep folder takes many
        try:
            with LogWriter(Path(self._task["log"])) as log:
                image = os.open(self._task["image"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(image, fcntl.LOCK_SH)  # so that it is not removed meanwhile
                user = take_user(Path(self._task["locks"]), self._task["users"], lambda: self._stopped)
                return _never_started() if user is None else self._run(log, user)
        finally:
            self._group.remove()

    def _run(self, log: LogWriter, user: int) -> dict[str, Any]:
        printed_out, printed = os.pipe()
        status_out, status = os.pipe()
        barrier, barrier_in = os.pipe()  # the sandbox waits here, fully prepared, until something is written
        self._inside, inside = socket.socketpair()
        self._printed, reports = Printed(printed_out, log), Reports(status_out)
        self._launched = self._launch(
            user, {"--json-status-fd": status, "--block-fd": barrier}, inside.detach(), printed
        )
        try:
            self._prepare(_first_process(self._launched.init), user)
        except (ProcessLookupError, SandboxError):
            self._launched.kill()
            os.waitpid(self._launched.guard, 0)
            self._printed.read_to_end()
            raise SandboxError(self._printed.last_line or "bubblewrap ended without output") from None
        started, begin = datetime.now(UTC), time.monotonic()
        self._inside.send(GO)
        os.write(barrier_in, b"\n")
        os.close(barrier_in)
        self._follow(begin + self._limits.time_s)
        os.waitpid(self._launched.guard, 0)
        finished = started + timedelta(seconds=time.monotonic() - begin)  # whatever the clock is set to meanwhile
        self._printed.read_to_end()
        return {
            **self._verdict(reports.exit_code()),
            "started": started.isoformat(),
            "finished": finished.isoformat(),
            "peak_memory_bytes": self._peak_memory_bytes or None,
            "peak_pids": self._peak_pids or None,
            "cpu_s": self._launched.cpu_s(),
        }

    def _launch(self, user: int, options: dict[str, int], inside: int, printed: int) -> Launched:
        limits, task = self._limits, self._task
        self._make_group()
        controllers = self._group.folders
        unwatched = () if "memory" in controllers else UNWATCHED_MEMORY
        pinned = () if "cpu" in controllers else AFFINITY
        if (calls := seccomp_filter((*unwatched, *pinned))) is not None:
            options["--seccomp"] = memory_file(calls)
        usable = sorted(os.sched_getaffinity(0))
        job = memory_file(
            description(
                [PlainWord(word) for word in task["command"]],
                PlainWord(task["workdir"]),
                {PlainName(name): PlainWord(value) for name, value in task["environment"].items()},
                make_workdir=task["make_workdir"],
            )
        )
        what = Launch(
            task["bwrap"],
            task["operations"],
            task["hidden"],
            inside_command(task["interpreter"], inside, job),
            user,
            printed,
            limits,
            resources={
                resource.RLIMIT_CORE: 0,
                resource.RLIMIT_NOFILE: limits.open_files,
                resource.RLIMIT_FSIZE: max(limits.output_bytes, limits.memory_bytes) + MIB,
                resource.RLIMIT_MSGQUEUE: _MOST_MESSAGES_BYTES,
            },
            # Other jobs are pinned too, so taking the first CPUs would not do.
            cpus=frozenset(random.sample(usable, min(len(usable), math.ceil(limits.cpus))) if pinned else ()),
            group=self._group,
            options=options,
            inherited=(inside, job),
            copies=tuple(Copy(*copy) for copy in task["copies"]),
        )
        try:
            return launch(what)
        except LaunchError as error:
            raise SandboxError(str(error)) from error
        finally:
            for descriptor in (printed, *options.values(), inside, job):
                os.close(descriptor)

    def _make_group(self) -> None:
        name, limits = self._task["group"], self._limits
        if not name:
            return
        write_atomically(self._folder / GROUPS, list(map(str, cgroup.places(name))))
        self._group = cgroup.make(name)
        self._group.limit(memory_bytes=limits.memory_bytes, pids=limits.pids + _OWN_PROCESSES, cpus=limits.cpus)

    def _prepare(self, first: int, user: int) -> None:
        """Does what must happen between the creation of the sandbox and the first instruction of the job."""
        self._first = os.pidfd_open(first)
        self._processes = Processes(first)
        if "memory" not in self._group.folders:
            self._processes.open_in_memory("/tmp", "/dev/shm", *self._task["writable"])  # noqa: S108 - the sandbox's own
        if "pids" not in self._group.folders:
            limit_processes(first, self._limits.pids, user)
        write_atomically(self._folder / SANDBOX, {"first": first, "started": start_time(first)})

    def _follow(self, deadline: float) -> None:
        """Watches until nothing of the sandbox is left."""
        poll = select.poll()
        ended = os.pidfd_open(self._launched.guard)
        for descriptor in (self._printed.descriptor, self._wake, ended):
            poll.register(descriptor, select.POLLIN)
        check_at = 0.0
        while True:
            now = time.monotonic()
            if now >= check_at:
                headroom_bytes = self._check(deadline)
                check_at = now + min(_CHECK_S, max(_CHECK_MIN_S, headroom_bytes / _FILLING_BYTES_S))
            if now >= self._kill_at:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._first, signal.SIGKILL)
                self._kill_at = math.inf
            for descriptor, _ in poll.poll(1000 * max(0.0, min(check_at, self._kill_at) - time.monotonic())):
                if descriptor == ended:
                    os.close(ended)
                    return
                if descriptor == self._wake:
                    os.read(self._wake, 512)
                elif not self._printed.read():
                    poll.unregister(descriptor)

    def _check(self, deadline: float) -> float:
        """Measures, and ends the job if it exceeds a limit. Returns the memory it may take until the next check."""
        memory_bytes, pids = self._measure()
        if self._ending:
            return math.inf
        limits = self._limits
        if self._group_out_of_memory() or memory_bytes > limits.memory_bytes:
            self._end(End.MEMORY, f"{size_text(self._peak_memory_bytes)} of {size_text(limits.memory_bytes)}")
        elif excess := output_excess(os.fstatvfs(self._launched.output), limits):
            self._end(*excess)  # it cannot write any more
        elif pids > limits.pids:  # only where the kernel cannot refuse them
            self._end(End.EXITED, f"{pids:,} processes and threads of {limits.pids:,}")
        elif time.monotonic() > deadline:
            self._end(End.TIME, f"{limits.time_s:g} s", grace_s=GRACE_S)
        elif self._stopped:
            self._end(End.EXITED, "stopped", grace_s=GRACE_S)
        return max(0, limits.memory_bytes - memory_bytes)

    def _measure(self) -> tuple[int, int]:
        """Memory and processes; updates the peaks."""
        group, limits = self._group, self._limits
        memory_bytes = pids = 0
        if len(group.folders.keys() & {"memory", "pids"}) < 2:
            memory_bytes, pids = self._processes.usage(limits.memory_bytes)
        if "pids" in group.folders:
            pids = limits.pids if group.refused_pids() else group.pids() - _OWN_PROCESSES
        if "memory" in group.folders:
            memory_bytes = group.memory_bytes() + group.queued_bytes()
        self._peak_memory_bytes = max(self._peak_memory_bytes, memory_bytes)
        self._peak_pids = max(self._peak_pids, pids)
        return memory_bytes, pids

    def _group_out_of_memory(self) -> bool:
        return "memory" in self._group.folders and self._group.out_of_memory()

    def _end(self, end: End, detail: str, *, grace_s: float = 0.0) -> None:
        self._ending = end, detail
        self._kill_at = time.monotonic() + grace_s
        if grace_s:
            self._processes.terminate()

    def _verdict(self, exit_code: int | None) -> dict[str, Any]:
        """How the job ended. Limits exceeded in its last moments count as much as those seen while it ran."""
        if not self._ending and exit_code is None and not self._group_out_of_memory():
            # Nothing of the job has run, so this is bubblewrap's own last message.
            raise SandboxError(self._printed.last_line or "bubblewrap ended without output")
        excess = self._take_output()
        self._measure_at_end()
        if self._group_out_of_memory():
            limit_bytes = self._limits.memory_bytes
            self._peak_memory_bytes = max(self._peak_memory_bytes, min(limit_bytes, self._group.peak_memory_bytes()))
            self._ending = End.MEMORY, f"{size_text(self._peak_memory_bytes)} of {size_text(limit_bytes)}"
        if not self._ending and (reason := failure(self._inside)):
            return {"end": End.NOT_STARTED, "exit_code": None, "detail": reason}
        end, detail = self._ending or excess or (End.EXITED, "")
        return {"end": end, "exit_code": 128 + signal.SIGKILL if exit_code is None else exit_code, "detail": detail}

    def _take_output(self) -> tuple[End, str] | None:
        """Collects the output before its file system disappears. Returns which limit it exceeds, and by how much."""
        limits, output = self._limits, self._launched.output
        excess = output_excess(os.fstatvfs(output), limits)
        if not excess:
            # A file may be larger than the space it takes.
            size_bytes = folder_usage(f"/proc/self/fd/{output}/.", limits.output_bytes, limits.output_files)[0]
            if size_bytes > limits.output_bytes:
                excess = End.OUTPUT_SIZE, f"{size_text(size_bytes)} of {size_text(limits.output_bytes)}"
        collected = collect_folder(
            output, self._folder / OUTPUT, max_bytes=limits.output_bytes, max_files=limits.output_files
        )
        write_atomically(self._folder / COLLECTED, asdict(collected))
        os.close(output)
        return excess

    def _measure_at_end(self) -> None:
        """Reads the kernel's own peaks, which include what was too short to be seen."""
        group = self._group
        if "memory" in group.folders:
            # What remains after all processes are gone are cached files, which the job did not need.
            self._peak_memory_bytes = max(
                self._peak_memory_bytes, group.peak_memory_bytes() - group.used_memory_bytes()
            )
        if "pids" in group.folders and group.refused_pids():
            self._peak_pids = max(self._peak_pids, self._limits.pids)


def _first_process(init: int) -> int:
    """The first process of the sandbox's own PID namespace, once the sandbox is ready. Raises SandboxError if it never
    is.

    It is bubblewrap's child, and the sandbox is ready when it has dropped its last capability.
    """
    deadline = time.monotonic() + _READY_S
    while start_time(init) is not None and time.monotonic() < deadline:
        with suppress(OSError, ValueError):
            (bwrap,) = children(init)
            (first,) = children(bwrap)
            if "\nCapEff:\t0000000000000000\n" in Path(f"/proc/{first}/status").read_text():
                return first
        time.sleep(0.0005)
    raise SandboxError


def _never_started() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"end": End.EXITED, "exit_code": 128 + signal.SIGTERM, "detail": "stopped", "started": now, "finished": now}

"""The process that runs one job: starts the sandbox, watches it, ends it at a limit, and writes down how it ended.

It is started for each job, goes on when whoever started it is gone, and holds the job's lock as long as it lives. In
the job's folder it reads task.json and writes sandbox.json before the job's first instruction runs, and result.json
at the end. It imports little, because it is started often.
"""

import json
import math
import os
import random
import resource
import select
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from palio.core.job import GRACE_S, MIB, End, Limits
from palio.core.log import LogWriter
from palio.core.quantities import size_text
from palio.engines.bubblewrap import cgroup
from palio.engines.bubblewrap.launch import adopt_orphans, launch, memory_file
from palio.engines.bubblewrap.limits import limit_processes
from palio.engines.bubblewrap.processes import Processes, start_time
from palio.engines.bubblewrap.seccomp import AFFINITY, UNWATCHED_MEMORY, seccomp_filter
from palio.engines.bubblewrap.streams import Printed, Reports
from palio.engines.output_folder import OutputWatch

TASK, SUPERVISOR, SANDBOX, RESULT = "task.json", "supervisor.json", "sandbox.json", "result.json"
_LOOK_S = 0.05
_LOOK_MIN_S = 0.005
_FILLING_BYTES_S = 4e9  # how fast memory can be filled; the nearer the limit, the sooner the next look
_OWN_PROCESSES = 2  # bubblewrap's, in the same control group
_NOT_STARTED = ("bwrap: execvp ", "bwrap: Can't chdir to ")


class SandboxError(Exception):
    """The sandbox could not be made; nothing of the job has run."""


def main(folder: Path) -> None:
    """Runs the job that is described in `folder`."""
    # The lock was handed to this process. It must not go on to the sandbox, which could let go of it or keep it.
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        with suppress(OSError):
            os.set_inheritable(number, False)
    try:
        result = _Supervision(folder).run()
    except Exception as error:  # noqa: BLE001 - whoever polls has to be told
        result = {"fault": str(error) or type(error).__name__}
    write_whole(folder / RESULT, result)


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON so that a reader sees all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(path)


class _Supervision:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._task: dict[str, Any] = json.loads((folder / TASK).read_text())
        self._limits = Limits(**self._task["limits"])
        self._group = cgroup.make(self._task["group"]) if self._task["group"] else cgroup.Cgroup({}, 1)
        self._ending: tuple[End, str] | None = None  # why the job is being ended, if it is
        self._kill_at = math.inf
        self._peak_memory_bytes = self._peak_pids = 0
        # Signals only set a flag; writing to this pipe is how the flag ends a wait.
        self._stopped = False
        signal.signal(signal.SIGTERM, self._on_stop)
        self._wake, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_in)
        write_whole(folder / SUPERVISOR, {"pid": os.getpid(), "started": start_time(os.getpid())})

    def _on_stop(self, *_: object) -> None:
        self._stopped = True

    def run(self) -> dict[str, Any]:
        adopt_orphans()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # looking through a deep folder takes many
        try:
            with LogWriter(Path(self._task["log"])) as log:
                return self._run(log)
        finally:
            self._group.remove()

    def _run(self, log: LogWriter) -> dict[str, Any]:
        limits = self._limits
        printed_out, printed = os.pipe()
        status_out, status = os.pipe()
        gate, gate_in = os.pipe()  # the sandbox waits at it, ready made, until it is written to
        bwrap = self._launch({"--json-status-fd": status, "--block-fd": gate}, printed)
        self._printed = Printed(printed_out, log)
        reports = Reports(status_out)
        first = reports.first_process()
        if first is None or not _is_set_up(first):
            os.waitpid(bwrap, 0)
            self._printed.read_to_end()
            raise SandboxError(self._printed.last_line or "bubblewrap ended without a word")
        self._prepare(first)
        watch = OutputWatch(self._task["output"], limits, self._processes.members)
        started, deadline = datetime.now(UTC), time.monotonic() + limits.time_s
        os.write(gate_in, b"\n")
        os.close(gate_in)
        self._follow(watch, deadline)
        cpu_s = _reap(bwrap) + _reap(first)
        finished = datetime.now(UTC)
        self._printed.read_to_end()
        return {
            **self._verdict(reports.exit_code(), watch),
            "started": started.isoformat(),
            "finished": finished.isoformat(),
            "peak_memory_bytes": self._peak_memory_bytes or None,
            "peak_pids": self._peak_pids or None,
            "cpu_s": cpu_s,
        }

    def _launch(self, descriptors: dict[str, int], printed: int) -> int:
        limits, controllers = self._limits, self._group.folders
        self._group.limit(memory_bytes=limits.memory_bytes, pids=limits.pids + _OWN_PROCESSES, cpus=limits.cpus)
        unwatched = () if "memory" in controllers else UNWATCHED_MEMORY
        pinned = () if "cpu" in controllers else AFFINITY
        if (calls := seccomp_filter((*unwatched, *pinned))) is not None:
            descriptors["--seccomp"] = memory_file(calls)
        usable = sorted(os.sched_getaffinity(0))
        child = launch(
            self._task["bwrap"],
            self._task["operations"],
            self._task["command"],
            limits={
                resource.RLIMIT_CORE: 0,
                resource.RLIMIT_NOFILE: limits.open_files,
                # Room for a file in /tmp as large as memory; in the output folder the watch sees it earlier.
                resource.RLIMIT_FSIZE: max(limits.output_bytes, limits.memory_bytes) + MIB,
            },
            # Others' jobs are pinned too, so that the first CPUs would not do.
            cpus=set(random.sample(usable, min(len(usable), math.ceil(limits.cpus)))) if pinned else None,
            group=self._group,
            descriptors=descriptors,
            printed=printed,
        )
        for descriptor in (printed, *descriptors.values()):
            os.close(descriptor)
        return child

    def _prepare(self, first: int) -> None:
        """What has to be done between the making of the sandbox and the first instruction of the job."""
        self._alive = os.pidfd_open(first)
        groups = [str(folder) for folder in self._group.folders.values()]
        write_whole(self._folder / SANDBOX, {"pid": first, "started": start_time(first), "groups": groups})
        self._processes = Processes(first)
        if "memory" not in self._group.folders:
            self._processes.open_in_memory("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
        if "pids" not in self._group.folders:
            limit_processes(first, self._limits.pids)

    def _follow(self, watch: OutputWatch, deadline: float) -> None:
        """Until nothing of the sandbox is left."""
        poll = select.poll()
        for descriptor in (self._printed.descriptor, self._wake, self._alive):
            poll.register(descriptor, select.POLLIN)
        look_at = 0.0
        while True:
            now = time.monotonic()
            if now >= look_at:
                headroom_bytes = self._look(watch, deadline)
                look_at = now + min(_LOOK_S, max(_LOOK_MIN_S, headroom_bytes / _FILLING_BYTES_S))
            if now >= self._kill_at:
                self._kill()
            for descriptor, _ in poll.poll(1000 * max(0.0, min(look_at, self._kill_at) - time.monotonic())):
                if descriptor == self._alive:
                    return
                if descriptor == self._wake:
                    os.read(self._wake, 512)
                elif not self._printed.read():
                    poll.unregister(descriptor)

    def _look(self, watch: OutputWatch, deadline: float) -> float:
        """Measures, and ends the job if it is past a limit. How much memory it may take until the next look."""
        memory_bytes, pids = self._measure()
        if self._ending:
            return math.inf
        limits = self._limits
        if self._group_out_of_memory() or memory_bytes > limits.memory_bytes:
            self._end(End.MEMORY, f"{size_text(self._peak_memory_bytes)} of {size_text(limits.memory_bytes)}")
        elif excess := watch.excess():
            self._end(*excess)
        elif pids > limits.pids:  # only where the kernel cannot refuse them
            self._end(End.EXITED, f"{pids:,} processes and threads of {limits.pids:,}")
        elif time.monotonic() > deadline:
            self._end(End.TIME, f"{limits.time_s:g} s", grace_s=GRACE_S)
        elif self._stopped:
            self._end(End.EXITED, "stopped", grace_s=GRACE_S)
        return max(0, limits.memory_bytes - memory_bytes)

    def _measure(self) -> tuple[int, int]:
        """Memory where it is watched, and processes; both go into the peaks."""
        group, limits = self._group, self._limits
        memory_bytes = pids = 0
        if len(group.folders.keys() & {"memory", "pids"}) < 2:
            memory_bytes, pids = self._processes.usage(limits.memory_bytes)
        if "pids" in group.folders:
            pids = limits.pids if group.refused_pids() else group.pids() - _OWN_PROCESSES
        used_bytes = group.memory_bytes() if "memory" in group.folders else memory_bytes
        self._peak_memory_bytes = max(self._peak_memory_bytes, used_bytes)
        self._peak_pids = max(self._peak_pids, pids)
        return (0 if "memory" in group.folders else memory_bytes), pids

    def _group_out_of_memory(self) -> bool:
        return "memory" in self._group.folders and self._group.out_of_memory()

    def _end(self, end: End, detail: str, *, grace_s: float = 0.0) -> None:
        self._ending = end, detail
        self._kill_at = time.monotonic() + grace_s
        if grace_s:
            self._processes.terminate()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._alive, signal.SIGKILL)
        self._kill_at = math.inf

    def _verdict(self, exit_code: int | None, watch: OutputWatch) -> dict[str, Any]:
        """How it ended. What was passed in its last moments counts as much as what was seen while it ran."""
        self._measure_at_end()
        if self._group_out_of_memory():
            limit_bytes = self._limits.memory_bytes
            self._peak_memory_bytes = max(self._peak_memory_bytes, min(limit_bytes, self._group.peak_memory_bytes()))
            self._ending = End.MEMORY, f"{size_text(self._peak_memory_bytes)} of {size_text(limit_bytes)}"
        excess = watch.excess(at_once=True)
        if not self._ending and exit_code is None:
            # Nothing of the job has run, so that this is bubblewrap's own last word.
            reason = self._printed.last_line
            if not reason.startswith(_NOT_STARTED):
                raise SandboxError(reason or "bubblewrap ended without a word")
            return {"end": End.NOT_STARTED, "exit_code": None, "detail": reason.removeprefix("bwrap: execvp ")}
        end, detail = self._ending or excess or (End.EXITED, "")
        return {"end": end, "exit_code": 128 + signal.SIGKILL if exit_code is None else exit_code, "detail": detail}

    def _measure_at_end(self) -> None:
        """The kernel's own peaks, which have what was too short to be seen."""
        group = self._group
        if "memory" in group.folders:
            # What is left when all processes are gone are cached files, which were no need of the job's.
            self._peak_memory_bytes = max(
                self._peak_memory_bytes, group.peak_memory_bytes() - group.used_memory_bytes()
            )
        if "pids" in group.folders and group.refused_pids():
            self._peak_pids = max(self._peak_pids, self._limits.pids)


def _is_set_up(first: int) -> bool:
    """Waits until the sandbox is made, which is when its first process has given up its last capability."""
    while start_time(first) is not None:
        with suppress(OSError):
            status = Path(f"/proc/{first}/status").read_text()
            if "\nCapEff:\t0000000000000000\n" in status:
                return True
        time.sleep(0.0005)
    return False


def _reap(child: int) -> float:
    """Waits for a process and gives the CPU time of it and of all that it has waited for, in seconds."""
    with suppress(ChildProcessError):
        usage = os.wait4(child, 0)[2]
        return usage.ru_utime + usage.ru_stime
    return 0.0

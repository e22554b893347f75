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
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from palio.core.job import GRACE_S, LOG_TAIL_BYTES, MIB, End, Limits
from palio.core.log import LogWriter
from palio.core.quantities import size_text
from palio.engines.bubblewrap import cgroup
from palio.engines.bubblewrap.launch import adopt_orphans, launch, memory_file
from palio.engines.bubblewrap.output import OutputWatch
from palio.engines.bubblewrap.processes import Processes, kill_process, start_time
from palio.engines.bubblewrap.seccomp import AFFINITY, UNWATCHED_MEMORY, seccomp_filter

TASK, SANDBOX, RESULT = "task.json", "sandbox.json", "result.json"
_LOOK_S = 0.05
_LOOK_MIN_S = 0.005
_FILLING_BYTES_S = 4e9  # how fast memory can be filled; the nearer the limit, the sooner the next look
_OWN_PROCESSES = 2  # bubblewrap's, in the same control group
_NOT_FOUND = "bwrap: execvp "


class SandboxError(Exception):
    """The sandbox could not be made; nothing of the job has run."""


def main(folder: Path) -> None:
    """Runs the job described in `folder`."""
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
        self._group = cgroup.make(self._task["group"])
        self._end: tuple[End, str] | None = None  # why the job is being ended, if it is
        self._kill_at = math.inf
        self._peak_memory = self._peak_pids = 0
        self._exit_code: int | None = None  # the job's own; None as long as its program has not ended by itself
        self._stopped = False
        signal.signal(signal.SIGTERM, self._on_stop)

    def _on_stop(self, *_: object) -> None:
        self._stopped = True

    def run(self) -> dict[str, Any]:
        adopt_orphans()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a deep output folder takes many
        try:
            with LogWriter(Path(self._task["log"])) as log:
                return self._run(log)
        finally:
            self._group.remove()

    def _run(self, log: LogWriter) -> dict[str, Any]:
        limits, group = self._limits, self._group
        group.limit(memory_bytes=limits.memory_bytes, pids=limits.pids + _OWN_PROCESSES, cpus=limits.cpus)
        status, status_in = os.pipe()
        blocked_out, blocked = os.pipe()
        printed, printed_in = os.pipe()
        descriptors = {"--json-status-fd": status_in, "--block-fd": blocked_out}
        if filter_ := self._filter():
            descriptors["--seccomp"] = memory_file(filter_)
        file_bytes = max(limits.output_bytes, limits.memory_bytes) + MIB
        bwrap = launch(
            self._task["bwrap"],
            self._task["operations"],
            self._task["command"],
            limits={
                resource.RLIMIT_CORE: 0,
                resource.RLIMIT_NOFILE: limits.open_files,
                resource.RLIMIT_FSIZE: file_bytes,
            },
            cpus=self._cpus(),
            group=group,
            descriptors=descriptors,
            printed=printed_in,
        )
        for descriptor in (printed_in, *descriptors.values()):
            os.close(descriptor)
        output = _Printed(printed, log)
        reports = _Reports(status)
        first = reports.first_process()
        if first is None:
            os.waitpid(bwrap, 0)
            output.read_to_end()
            raise SandboxError(output.last_line() or "bubblewrap ended without a word")
        self._first, self._started_ticks = first, start_time(first) or ""
        groups = [str(folder) for folder in group.folders.values()]
        write_whole(self._folder / SANDBOX, {"pid": first, "started": self._started_ticks, "groups": groups})
        self._processes = Processes(first)
        self._watch_memory()
        self._limit_processes()
        watch = OutputWatch(self._task["output"], limits, self._processes)
        alive = os.pidfd_open(first)
        started = datetime.now(UTC)
        deadline = time.monotonic() + limits.time_s
        os.write(blocked, b"\n")
        os.close(blocked)
        self._follow(bwrap, alive, output, watch, deadline)
        code, cpu_s = self._reap(bwrap, first, alive)
        output.read_to_end()
        finished = datetime.now(UTC)
        self._observe_group()
        return {
            **self._verdict(reports, output, watch, code),
            "started": started.isoformat(),
            "finished": finished.isoformat(),
            "peak_memory_bytes": self._peak_memory,
            "peak_pids": self._peak_pids,
            "cpu_s": cpu_s,
        }

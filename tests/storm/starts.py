"""How often each job was really started, as seen from outside: Docker's own events, or the sandboxes in /proc."""

import os
import re
import subprocess
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

_JOB = re.compile(rb"palio-[a-z0-9]+-(?:sample|sample-score|predict|score)(?![a-z0-9-])")
_LOOK_S = 0.05


class Starts:
    """Counts from its making until `end`. A sandbox that lives for less than _LOOK_S may be missed."""

    def __init__(self, engine: str, cache: Path) -> None:
        self._mark = os.fsencode(cache / "palio/bubblewrap/jobs")
        self._seen: set[tuple[str, str]] = set()  # a process with the time of its start, and the job
        self._stop = threading.Event()
        self._events: subprocess.Popen[bytes] | None = None
        if engine == "docker":
            command = ["docker", "events", "--filter", "event=start", "--format", "{{.Actor.Attributes.name}}"]
            self._events = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read_events if self._events else self._look)
        self._thread.start()

    def end(self) -> Counter[str]:
        self._stop.set()
        if self._events is not None:
            self._events.terminate()
            self._events.wait()
        self._thread.join()
        return Counter(job for _, job in self._seen)

    def _read_events(self) -> None:
        assert self._events is not None
        assert self._events.stdout is not None
        with self._events.stdout as lines:
            for number, line in enumerate(lines):
                if found := _JOB.fullmatch(line.strip()):
                    self._seen.add((str(number), found[0].decode()))

    def _look(self) -> None:
        """The outermost bwrap of a job is the child of a Python process whose arguments name the job.

        When it is gone, so may be the next: what has ever been the child of a bwrap is not one that was started.
        """
        inner: set[str] = set()
        while not self._stop.is_set():
            jobs: dict[int, str] = {}
            sandboxes: list[tuple[int, str]] = []
            for name in os.listdir("/proc"):  # noqa: PTH208 - often
                if not name.isdigit():
                    continue
                with suppress(OSError):
                    content = Path("/proc", name, "stat").read_text()
                    program, fields = content.partition("(")[2].rpartition(")")[0], content.rpartition(")")[2].split()
                    if program == "bwrap":
                        sandboxes.append((int(fields[1]), f"{name}:{fields[19]}"))
                    elif program.startswith("python"):
                        arguments = Path("/proc", name, "cmdline").read_bytes()
                        if self._mark in arguments and (found := _JOB.search(arguments)):
                            jobs[int(name)] = found[0].decode()
            outer = {process.partition(":")[0] for _, process in sandboxes}
            inner |= {process for parent, process in sandboxes if str(parent) in outer}
            self._seen |= {
                (process, jobs[parent]) for parent, process in sandboxes if parent in jobs and process not in inner
            }
            self._stop.wait(_LOOK_S)

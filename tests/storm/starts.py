"""How often each job really started, as seen from outside: Docker's events, also those of a node that runs pods with
it, or what the kernel executes in sandboxes.

`python -m tests.storm.starts CACHE` prints each bubblewrap job below that cache folder when its program is executed.
The kernel asks it before it executes the interpreter, which all jobs of a storm run, and waits for its answer. So it
misses no start, however short the job is. Only root may ask for that.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from palio.engines.bubblewrap.inside import inside_command
from palio.engines.kubernetes.classify import STAGE

_JOB = re.compile(rb"palio-[a-z0-9]+-(?:sample|sample-score|predict|score)(?![a-z0-9-])")
_POD = re.compile(r"(palio-[a-z0-9]+-(?:sample|sample-score|predict|score))-[a-z0-9]{5}")
_CONTAINERS = {  # where Docker's events name a job, and which of them
    "docker": (".Actor.Attributes.name",),
    "kubernetes": (
        'index .Actor.Attributes "io.kubernetes.pod.name"',
        "--filter",
        f"label=io.kubernetes.container.name={STAGE}",
    ),
}
_LATE_S = 0.2  # for an event to arrive
_READY = b"watching"
_READY_S = 30.0
_WAITS = b"\0".join(map(os.fsencode, inside_command("", 0, 0)[1:-2]))  # the process that is about to become a job

# fanotify(7)
_CLASS_CONTENT, _CLOEXEC, _MARK_ADD, _OPEN_EXEC_PERM, _ALLOW = 0x4, 0x1, 0x1, 0x40000, 1
_EVENT, _ANSWER = struct.Struct("=IBBHQii"), struct.Struct("=iI")


class Starts:
    """Counts from its making until `end`."""

    def __init__(self, engine: str, home: Path, cache: Path) -> None:
        self._counting: _Sandboxes | _Containers | None = None
        if engine in _CONTAINERS:
            self._counting = _Containers(*_CONTAINERS[engine])
        elif os.geteuid() == 0:
            self._counting = _Sandboxes(home, cache)

    def end(self) -> Counter[str] | None:
        """How often each job started; None if an ordinary user cannot know."""
        if self._counting is None:
            return None
        pods = [found[1] if (found := _POD.fullmatch(name)) else name for name in self._counting.end()]
        return Counter(name for name in pods if _JOB.fullmatch(name.encode()))


class _Containers:
    """Docker's events. An engine that is killed and started again is followed from the last event on."""

    def __init__(self, name: str, *filters: str) -> None:
        form = f"{{{{.TimeNano}}}} {{{{{name}}}}}"
        self._command = ["docker", "events", "--filter", "event=start", *filters, "--format", form]
        self._seen: set[tuple[int, str]] = set()
        self._since = time.time_ns()
        self._is_over = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="starts")
        self._thread.start()

    def end(self) -> list[str]:
        time.sleep(_LATE_S)
        self._is_over.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join()
        return [name for _, name in self._seen]

    def _run(self) -> None:
        while not self._is_over.is_set():
            since = f"{self._since // 10**9}.{self._since % 10**9:09}"
            with subprocess.Popen(
                [*self._command, "--since", since], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as self._process:
                if self._is_over.is_set():
                    self._process.terminate()
                for line in self._process.stdout or ():
                    nanoseconds, _, name = line.strip().partition(" ")
                    self._seen.add((int(nanoseconds), name))
                    self._since = max(self._since, int(nanoseconds))
            self._is_over.wait(_LATE_S)


class _Sandboxes:
    def __init__(self, home: Path, cache: Path) -> None:
        self._printed, self._is_over = home / "starts", False
        # Its arguments do not name the jobs' folder: what does is a supervisor, and struck.
        with self._printed.open("wb") as printed:
            self._process = subprocess.Popen([sys.executable, "-m", "tests.storm.starts", str(cache)], stdout=printed)
        deadline = time.monotonic() + _READY_S
        while _READY not in self._printed.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("what counts the starts does not start")
            time.sleep(0.05)

    def end(self) -> list[str]:
        if not self._is_over:
            self._is_over = True
            if self._process.poll() is not None:
                raise RuntimeError(f"what counts the starts ended with exit code {self._process.returncode}")
            self._process.terminate()
            self._process.wait()
        return self._printed.read_text().splitlines()


def watch(cache: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.fanotify_init(_CLASS_CONTENT | _CLOEXEC, os.O_RDONLY | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "fanotify_init")
    program = os.fsencode(Path(sys.executable).resolve())
    if libc.fanotify_mark(descriptor, _MARK_ADD, ctypes.c_uint64(_OPEN_EXEC_PERM), -1, program) < 0:
        raise OSError(ctypes.get_errno(), "fanotify_mark")
    mark = os.fsencode(cache / "palio/bubblewrap/jobs")
    print(_READY.decode(), flush=True)
    while True:
        events = os.read(descriptor, 4096)
        while events:
            size, _, _, _, _, opened, process = _EVENT.unpack_from(events)
            events = events[size:]
            try:
                if (job := _job(process, mark)) is not None:
                    print(job, flush=True)
            finally:
                with suppress(FileNotFoundError):  # the process was killed while it waited
                    os.write(descriptor, _ANSWER.pack(opened, _ALLOW))
                os.close(opened)


def _job(process: int, mark: bytes) -> str | None:
    """The job below the folder `mark` that this process becomes now; None if it becomes something else.

    One of its ancestors is the job's supervisor, or was forked from it, and has arguments that name the job's folder.
    """
    with suppress(OSError):
        if not _arguments(process).partition(b"\0")[2].startswith(_WAITS):  # bubblewrap has them further on
            return None
        while process > 1:
            arguments = _arguments(process)
            if mark in arguments and (found := _JOB.search(arguments)):
                return found[0].decode()
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _arguments(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


if __name__ == "__main__":
    watch(Path(sys.argv[1]))

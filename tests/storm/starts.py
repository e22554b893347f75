"""How often each job was really started, as seen from outside: Docker's own events, or the sandboxes in /proc.

`python -m tests.storm.starts FOLDER` prints each sandbox of the jobs below FOLDER once, until it is ended. It is a
process of its own, as a thread beside those of the storm would miss some.
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

_JOB = re.compile(rb"palio-[a-z0-9]+-(?:sample|sample-score|predict|score)(?![a-z0-9-])")
_LOOK_S = 0.04


class Starts:
    """Counts from its making until `end`. A sandbox that lives for less than _LOOK_S may be missed."""

    def __init__(self, engine: str, home: Path, cache: Path) -> None:
        self._printed = home / "starts"
        command = [sys.executable, "-m", "tests.storm.starts", str(cache / "palio/bubblewrap/jobs")]
        if engine == "docker":
            command = ["docker", "events", "--filter", "event=start", "--format", "{{.Actor.Attributes.name}}"]
        with self._printed.open("wb") as printed:
            self._process = subprocess.Popen(command, stdout=printed)

    def end(self) -> Counter[str]:
        self._process.terminate()
        self._process.wait()
        lines = self._printed.read_bytes().splitlines()
        return Counter(found[0].decode() for line in lines if (found := _JOB.fullmatch(line.strip())))


def watch(jobs_folder: Path) -> None:
    """The outermost bwrap of a job is the child of a Python process whose arguments name the job.

    When it is gone, so may be the next: what has ever been the child of a bwrap is not one that was started.
    """
    mark = os.fsencode(jobs_folder)
    inner: set[str] = set()
    seen: set[str] = set()
    while True:
        jobs: dict[str, str] = {}
        sandboxes: dict[str, tuple[str, str]] = {}  # by process: its parent, and the process with when it started
        for name in os.listdir("/proc"):  # noqa: PTH208 - often
            if not name.isdigit():
                continue
            with suppress(OSError):
                content = Path("/proc", name, "stat").read_text()
                program, fields = content.partition("(")[2].rpartition(")")[0], content.rpartition(")")[2].split()
                if program == "bwrap":
                    sandboxes[name] = fields[1], f"{name}:{fields[19]}"
                elif program.startswith("python"):
                    arguments = Path("/proc", name, "cmdline").read_bytes()
                    if mark in arguments and (found := _JOB.search(arguments)):
                        jobs[name] = found[0].decode()
        inner |= {process for parent, process in sandboxes.values() if parent in sandboxes}
        for parent, process in sandboxes.values():
            if parent in jobs and process not in inner and process not in seen:
                seen.add(process)
                print(jobs[parent], flush=True)
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))

"""Worker processes on the fake engine that do as they are told by the submission's `predict.py`."""

import fcntl
import os
import re
import signal
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.web.controller.programmed_engine import ProgrammedEngine, predict, score

from palio.core.bundle.model import SubmissionKind
from palio.core.engine import Job, JobResult, Work
from palio.core.quantities import GIB
from palio.core.submission.kinds import SubmissionFile
from palio.web.controller import limits, worker_process
from palio.web.controller.assignment import Assignment
from palio.web.controller.engines import Engines
from palio.web.controller.worker import WorkerProcesses

CPU_S = 2.0
MARK = "# please: "
GO_ON = "go-on"  # a submission that waits does so for this file


def workers(folder: Path) -> WorkerProcesses:
    """Their engine keeps everything in `folder`."""
    return WorkerProcesses(None, program(folder))


def program(folder: Path) -> str:
    return f"""
import json, sys
sys.path[:] = json.loads(sys.argv[1])
sys.path.insert(0, {str(Path.cwd())!r})
from tests.web.controller.misbehaving_worker import main
main({str(folder)!r})
"""


def please(what: str) -> str:
    """The beginning of a submission's program that has its worker do this."""
    return f"{MARK}{what}\n"


def main(folder: str) -> None:
    limits.STEP_CPU_S, limits.MEMORY_BYTES = CPU_S, GIB
    wish = wished(sys.stdin.read())  # the request, as a file in memory
    sys.stdin.seek(0)
    if wish == "garbage":
        os.write(1, b"garbage\n")
    if wish == "deep":
        os.write(1, b"[" * 100_000 + b"\n")
    if wish == "flood":
        for _ in range(5000):
            os.write(1, b"x" * 1024)

    def predicting(job: Job, output: Path) -> None:
        (Path(folder) / f"{job.name}.pid").write_text(f"{os.getpid()} {'PALIO_SECRET' in os.environ}")
        misbehave(wish, Path(folder))
        predict(job, output)

    engine = WaitingEngine(Path(folder), {"predict": predicting, "score": score}, waits=wish == "last")
    worker_process.main(Engines(lambda _: (engine, ""), lambda _: None))


@dataclass
class WaitingEngine(ProgrammedEngine):
    """`waits`: its predictions last until GO_ON exists, no matter which controller watches them."""

    waits: bool = False

    def poll(self, work: Work) -> JobResult | None:
        if self.waits and self._what(work) == "predict" and not (self.folder / GO_ON).exists():
            return None
        return super().poll(work)


def wished(request: str) -> str:
    match = re.search(r'"path": "([^"]+)"', request)
    if match is None or not zipfile.is_zipfile(match[1]):
        return ""
    with zipfile.ZipFile(match[1]) as archive:
        text = archive.read("predict.py").decode()
    return text.partition(MARK)[2].partition("\n")[0]


def misbehave(wish: str, folder: Path) -> None:
    match wish:
        case "hang":
            re.match("(a*)*b", "a" * 64)  # never lets another thread of its process run
        case "eat":
            eaten = []
            while True:
                eaten.append(bytearray(1 << 28))
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "raise":
            raise RuntimeError("it was told to")
        case "leave":
            os._exit(3)
        case "sleep":
            time.sleep(3600)
        case "print":
            print("{not JSON", flush=True)
            sys.stdout.write("x" * 100_000)
        case "slow":
            time.sleep(1)
        case "wait":
            while not (folder / GO_ON).exists():
                time.sleep(0.05)


def start_one(home: Path, in_thread: bool) -> int:
    """The process id of a worker that waits for its run folder, whose parent is this process."""

    (home / "run").mkdir()
    lock = os.open(home / "run", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    submission = SubmissionFile(home / "no.zip", SubmissionKind.CONTEXT, "0" * 64)
    given = Assignment("a" * 16, submission, home, "Final", "us", home / "run", "docker", home / "inputs", "s" * 16)
    process = WorkerProcesses(None).start(given, None, lambda: None, lambda: None).process
    time.sleep(1.5 if in_thread else 0)  # once for a worker that has been set up, once for one that has not
    return process

"""Which limits the nodes enforce, by experiment: a job of Palio's own that exceeds them, on a node of each kind.

Nothing in the API tells it: kubelets before 1.22 do not limit volumes in memory, and a sandbox may not implement the
kernel's limit on processes. The result is kept on the volume for an hour, so that commands need not wait for it.

Covered: nodes that differ in kubelet, operating system, container runtime or type. Not covered: nodes that differ from
others of their kind, and kinds that were added since; there, the launcher does not start a program whose processes are
not limited.
"""

import fcntl
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from palio.core.engine import Job, JobResult, Limits
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.kubernetes.api import Json
from palio.engines.kubernetes.settings import Settings
from palio.engines.output_space import output_size_bytes

FRESH_S = 3600.0
_KINDS = 8  # of nodes that are tried at most
_FILE = "palio-limits.json"
_RULE = 1  # increase whenever something else is tried
_WAIT_S, _POLL_S = 120.0, 0.1
_SHARED, OUTPUT = "/dev/shm", "/mnt/out"  # noqa: S108 - inside the container
LIMITS = Limits(time_s=60, memory_bytes=128 * MIB, cpus=0.5, pids=16, shm_bytes=2 * MIB, output_bytes=MIB)
PROGRAM = f"""
import json, os, signal
children = []
try:
    while len(children) < {4 * LIMITS.pids}:
        child = os.fork()
        if not child:
            signal.pause()
        children.append(child)
except OSError:
    pass
for child in children:
    os.kill(child, signal.SIGKILL)
spaces = {{path: os.statvfs(path) for path in ({_SHARED!r}, {OUTPUT!r})}}
sizes = {{path: space.f_blocks * space.f_frsize for path, space in spaces.items()}}
print(json.dumps({{"processes": len(children) + 1, "sizes": sizes}}))
"""


@dataclass(frozen=True)
class Enforced:
    """What nodes of all kinds enforce. `fault`: why that is unknown, if it is; then nothing counts as enforced."""

    processes: bool = False
    shared_memory: bool = False
    output: bool = False
    fault: str = ""
    time: float = field(default=0.0, compare=False)  # seconds since the epoch

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Enforced":
        """From what the program prints."""
        return cls(
            processes=told["processes"] == LIMITS.pids,
            shared_memory=told["sizes"][_SHARED] <= LIMITS.shm_bytes,
            output=told["sizes"][OUTPUT] <= output_size_bytes(LIMITS),
        )

    def __and__(self, other: "Enforced") -> "Enforced":
        return Enforced(
            self.processes and other.processes,
            self.shared_memory and other.shared_memory,
            self.output and other.output,
            self.fault or other.fault,
        )


def find_enforced(
    folder: Path,
    key: list[str],
    nodes: Iterable[Json],
    image: str,
    run: Callable[[Job, str], JobResult | None],
    *,
    settings: Settings | None = None,
    remove_earlier: Callable[[str], None] = lambda _: None,
) -> Enforced:
    """What is kept in the folder if it is fresh and about the same `key` and nodes, else the result of an experiment.

    `run` starts a job on the node of that name, waits for it, and removes it. Its log has to be read before. With
    `settings`, only nodes that they select count. `remove_earlier` removes the jobs whose names begin so, which
    killed processes left; nobody else has one then.
    """
    kinds = node_kinds(nodes, settings)
    key = [str(_RULE), image, *key, *sorted(kinds)]
    chosen = f"{settings.node_selector} {settings.tolerations}".strip() if settings else ""
    digest = sha256(chosen.encode()).hexdigest()[:16]
    name, jobs = f"palio-limits-{digest}.json" if chosen else _FILE, f"palio-limits-{digest}-"
    file = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process tries it for all
        if (kept := _read(file, key)) is not None:
            return kept
        remove_earlier(jobs)
        found = _try(kinds.values(), image, run, jobs)
        if not found.fault:
            half = file.with_suffix(".half")
            half.write_text(json.dumps({"key": key, **asdict(found), "time": time.time()}))
            half.rename(file)
    return found


def node_kinds(nodes: Iterable[Json], settings: Settings | None = None) -> dict[str, str]:
    """The name of a node of each kind on which jobs may run."""
    selector, tolerated = (settings.labels, settings.tolerated) if settings else ({}, [])
    found: dict[str, str] = {}
    for node in nodes:
        status, spec, labels = node.get("status", {}), node.get("spec", {}), node["metadata"].get("labels", {})
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
        barred = not selector.items() <= labels.items() or any(
            each.get("effect") != "PreferNoSchedule" and not any(_tolerates(one, each) for one in tolerated)
            for each in spec.get("taints") or ()
        )
        if not ready or barred or spec.get("unschedulable"):
            continue
        info = status.get("nodeInfo", {})
        facts = [info.get(name, "") for name in ("kubeletVersion", "osImage", "containerRuntimeVersion")]
        kind = ", ".join([*facts, labels.get("node.kubernetes.io/instance-type", "")])
        if len(found) < _KINDS:
            found.setdefault(kind, labels.get("kubernetes.io/hostname", ""))
    return found


def _tolerates(toleration: Mapping[str, str], taint: Mapping[str, str]) -> bool:
    return (
        toleration["key"] == taint.get("key")
        and toleration.get("value", taint.get("value", "")) == taint.get("value", "")
        and toleration.get("effect", taint.get("effect")) == taint.get("effect")
    )


def wait(poll: Callable[[], JobResult | None]) -> JobResult | None:
    """The result, or None if there is none in time."""
    deadline = time.monotonic() + _WAIT_S
    while (result := poll()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return result


def _try(nodes: Iterable[str], image: str, run: Callable[[Job, str], JobResult | None], named: str) -> Enforced:
    found: Enforced | None = None
    for node in nodes:
        with tempfile.TemporaryDirectory(prefix="palio-limits-") as folder:
            job = Job(
                name=f"{named}{uuid4().hex[:12]}",
                image=image,
                limits=LIMITS,
                log=Path(folder, "log"),
                output=OUTPUT,
                command=("python3", "-I", "-c", PROGRAM),
            )
            one = _try_one(job, node, run)
            found = one if found is None else found & one
    return found or Enforced(fault="no node is ready to run jobs")


def _try_one(job: Job, node: str, run: Callable[[Job, str], JobResult | None]) -> Enforced:
    try:
        result = run(job, node)
    except PalioError as error:
        return Enforced(fault=f"the job that tests it on {node} failed: {error.failure.message.rstrip('.')}")
    if result is None:
        return Enforced(fault=f"the job that tests it on {node} did not end within {_WAIT_S:.0f} s")
    with suppress(OSError, ValueError, KeyError, TypeError):
        return Enforced.read(json.loads(job.log.read_text()))
    said = job.log.read_text().strip().splitlines()[-1:] if job.log.exists() else []
    return Enforced(
        fault=f"the job that tests it on {node} ended otherwise: {''.join(said) or result.detail or result.end}"
    )


def _read(file: Path, key: list[str]) -> Enforced | None:
    try:
        content = json.loads(file.read_text())
        if content.pop("key") != key or not 0 <= time.time() - content["time"] < FRESH_S:
            return None
        return Enforced(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""A job is one container run on an engine; `Engine` is what Palio asks of whatever runs containers.

Names of jobs are identities: starting a job that exists is a no-op, so whoever was killed in between can start it
again and finds it. How a job ended is said by the engine, never read from a stream that the job can write.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from palio import __version__
from palio.core.quantities import KIB, MIB

JOB_UID = JOB_GID = 10001  # to be replaced everywhere by JOB_UIDS
JOB_UIDS = range(10001, 14097)  # of these, each running job has one for itself, whatever its image says
LOG_HEAD_BYTES, LOG_TAIL_BYTES = MIB, 64 * KIB  # what is kept of a log: its beginning and its end
IMAGE_RULE = 2  # to be raised whenever engines build something else from the same context
GRACE_S = 1.0  # between asking a job to end (TERM) and ending it (KILL)


@dataclass(frozen=True)
class Limits:
    """What a job may use. Sizes in bytes, times in seconds; memory includes swap, /tmp and /dev/shm."""

    time_s: float
    memory_bytes: int
    cpus: float
    pids: int = 512
    shm_bytes: int = 64 * MIB
    output_bytes: int = 64 * MIB
    output_files: int = 10_000
    open_files: int = 4096
    gpus: int = 0


@dataclass(frozen=True)
class BuildLimits:
    """What building an image may use; `size_bytes` bounds the image that comes out."""

    time_s: float
    memory_bytes: int
    size_bytes: int
    network: bool


@dataclass(frozen=True)
class Mount:
    """A folder or file of the host that a job sees read-only at `target` (absolute, inside the container)."""

    source: Path
    target: str


@dataclass(frozen=True)
class Build:
    """An image to be made from a folder with a Dockerfile.

    `digest` is that of the whole context (core.tree.digest_tree). `log` is where the engine writes what the build
    printed.
    """

    name: str
    digest: str
    context: Path
    limits: BuildLimits
    log: Path
    dockerfile: str = "Dockerfile"
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def image_key(self) -> str:
        """SHA-256 (hex) over everything that decides what is built; an image is reused only under the same key.

        Besides the context these are the Dockerfile's name, the build's arguments, the limits, which a step can see,
        and the version of Palio, which decides how a Dockerfile is read.
        """
        made_of = [self.digest, self.dockerfile, sorted(self.arguments.items()), asdict(self.limits), __version__]
        return hashlib.sha256(f"palio-image {IMAGE_RULE}\n{json.dumps(made_of)}".encode()).hexdigest()


@dataclass(frozen=True)
class Load:
    """An image to be taken from the archive that `docker save` made of it; `digest` is the archive's SHA-256.

    The engine looks through the archive before it loads any of it (core.image_archive), and gives the image no name
    that anybody else's could have. `log` is where the engine writes what it found.
    """

    name: str
    digest: str
    archive: Path
    limits: BuildLimits
    log: Path

    @property
    def image_key(self) -> str:
        """What an image that was loaded is found by again: every byte that it is made of is in the archive."""
        return self.digest


@dataclass(frozen=True)
class Job:
    """One run of a container, without network, as a user of its own, on a read-only root.

    `image` is what an engine's build gave; `command` replaces the image's own (its entry point stays), `workdir` its
    working directory. `output` is the one folder inside that the job may write and that is collected afterwards.
    `log` is where the engine writes what the job printed.
    """

    name: str
    image: str
    limits: Limits
    log: Path
    output: str
    mounts: tuple[Mount, ...] = ()
    command: tuple[str, ...] | None = None
    workdir: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


Work = Job | Build | Load  # what an engine starts, and what then ends


def environment(job: Job) -> dict[str, str]:
    """What every engine puts into a job's environment, beside its image's own; nothing of the host's is among it."""
    cpus = max(1, int(job.limits.cpus))
    return {
        "HOME": "/tmp",  # noqa: S108 - inside the container, where nothing else is writable
        "TMPDIR": "/tmp",  # noqa: S108
        "USER": "palio",  # images do not know the user, and libraries (MONAI) ask for its name when imported
        "LOGNAME": "palio",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # so that the log has what was printed before a kill
        "PYTHONHASHSEED": "0",  # so that the same input gives the same output
        "OMP_NUM_THREADS": str(cpus),  # libraries count the host's CPUs, not the job's
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait use up the CPU limit of those that work
        "PALIO_OUTPUT": job.output,
        "PALIO_CPUS": f"{job.limits.cpus:g}",
        "PALIO_MEMORY_BYTES": str(job.limits.memory_bytes),
        "PALIO_TIME_S": f"{job.limits.time_s:g}",
        **job.environment,
    }


class End(StrEnum):
    """How a job, build or load ended, as the engine saw it."""

    EXITED = "exited"
    TIME = "time limit"
    MEMORY = "memory limit"
    OUTPUT_SIZE = "output size limit"
    OUTPUT_FILES = "output file limit"
    IMAGE_SIZE = "image size limit"
    BASE_MISSING = "base image missing"
    NOT_STARTED = "not started"


@dataclass(frozen=True)
class JobResult:
    """How a job, build or load ended. Times are aware UTC; what the engine could not observe is None.

    `detail` is the engine's own words where `end` needs them: the step of the Dockerfile that failed, why a container
    could not be started, which limit was passed by how much.
    """

    end: End
    exit_code: int | None
    started: datetime
    finished: datetime
    peak_memory_bytes: int | None = None
    peak_pids: int | None = None
    cpu_s: float | None = None
    image: str | None = None  # of a build or load: what a Job's `image` takes
    detail: str = ""

    @property
    def succeeded(self) -> bool:
        return self.end is End.EXITED and self.exit_code == 0

    @property
    def wall_s(self) -> float:
        return (self.finished - self.started).total_seconds()

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"started": self.started.isoformat(), "finished": self.finished.isoformat()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        times = {name: datetime.fromisoformat(content[name]) for name in ("started", "finished")}
        return cls(**{**content, **times, "end": End(content["end"])})


@dataclass(frozen=True)
class Collected:
    """What was copied out of a job's output folder; `refused` says per entry why it was not taken."""

    files: tuple[str, ...]
    total_bytes: int
    refused: tuple[str, ...] = ()


class Enforcement(StrEnum):
    """How a property is kept. What can only be watched, and so passed between two looks, counts as not enforced.

    Watching is enough for time, which cannot jump past a limit, and for a log, which passes through the watcher.
    """

    KERNEL = "enforced by the kernel"
    WATCHING = "enforced by watching"
    NONE = "not enforced"


@dataclass(frozen=True)
class Guarantee:
    """One property of a job's isolation and how this engine on this machine keeps it."""

    property: str
    enforcement: Enforcement
    detail: str = ""


class Engine(Protocol):
    """What runs builds and jobs. All methods return at once, or within a second; only `poll` tells of an end.

    Faults of the engine itself are raised as PalioError("engine-fault"). For a Load, `poll` raises what
    core.image_archive refuses; an engine that does not load images is never given one.
    """

    name: str

    @property
    def loads_images(self) -> bool:
        """Whether it takes saved images."""

    @property
    def runs_side_by_side(self) -> bool:
        """Whether each running job has a user of its own; where it has not, jobs run one after the other."""

    def describe(self) -> str:
        """One line for people: product and version, as in `Docker 28.2`."""

    def guarantees(self) -> tuple[Guarantee, ...]:
        """How each property of the isolation contract is kept here, in the contract's order."""

    def check(self, limits: Limits) -> None:
        """Raises PalioError("limit-unavailable") if a limit cannot be given at all."""

    def start(self, work: Work) -> None:
        """Starts it, unless something of this name exists."""

    def poll(self, work: Work) -> JobResult | None:
        """The result, or None while it runs. Enforces, when called, the limits that are watched."""

    def stop(self, work: Work) -> None:
        """Ends it and everything it started; returns when nothing runs any more. Unknown names are fine."""

    def collect(self, job: Job, destination: Path) -> Collected:
        """Copies the regular files of an ended job's output folder below `destination`, following nothing."""

    def remove(self, work: Work) -> None:
        """Removes what the engine keeps for it: container, output folder. Built images stay. Unknown is fine."""

    def kept(self) -> frozenset[str]:
        """Names of all jobs, whoever's, of which there is anything on the engine."""

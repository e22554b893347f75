"""The `Engine` protocol: what Palio requires of anything that runs containers. A job is one container run.

A job's name is its identity. Starting a job that exists is a no-op, so a killed process can simply start it again. How
a job ended comes from the engine, never from a stream that the job can write.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from palio import __version__
from palio.core.quantities import KIB, MIB

JOB_UIDS = range(10001, 14097)  # each running job has one of these to itself, whatever its image says
LOG_HEAD_BYTES, LOG_TAIL_BYTES = MIB, 64 * KIB  # the part of a log that is kept: beginning and end
IMAGE_RULE = 2  # increase whenever engines build something else from the same context
COPY_SPARE_BYTES, COPY_SPARE_FILES = 16 * MIB, 1000  # what a job may add to a copy (Job.copies)
GRACE_S = 1.0  # between TERM and KILL


@dataclass(frozen=True)
class Limits:
    """What a job may use. Sizes in bytes, times in seconds. Memory includes swap, /tmp and /dev/shm."""

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
    """What an image build may use. `size_bytes` limits the resulting image."""

    time_s: float
    memory_bytes: int
    size_bytes: int
    network: bool


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host that a job sees read-only at `target`, an absolute path in the container."""

    source: Path
    target: str


@dataclass(frozen=True)
class Build:
    """An image to build from a folder with a Dockerfile.

    `digest` is the digest of the whole context (core.files.tree.digest_tree). `log` is the file for the build's output.
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
        """SHA-256 (hex) of everything that determines the image. An image is only reused under the same key.

        Covers the context, the Dockerfile's name, build arguments and limits (which a step can see), and Palio's
        version, which determines how a Dockerfile is read.
        """
        made_of = [self.digest, self.dockerfile, sorted(self.arguments.items()), asdict(self.limits), __version__]
        return hashlib.sha256(f"palio-image {IMAGE_RULE}\n{json.dumps(made_of)}".encode()).hexdigest()


@dataclass(frozen=True)
class Pull:
    """An image in a registry: `repository` such as ghcr.io/lab/model, and its manifest for the engine's platform."""

    repository: str
    manifest: str  # sha256:…
    platform: str


@dataclass(frozen=True)
class Load:
    """An image to load from an archive made by `docker save`. `digest` is the archive's SHA-256.

    With `pull`, the engine first writes the archive from a registry, and removes it afterwards; `digest` is then that
    of the manifest, which covers every byte of the image. The engine inspects the archive before it loads anything
    (core.submission.image_archive), and gives the image a name that no other image can have. `log` is the file for
    what it found.
    """

    name: str
    digest: str
    archive: Path
    limits: BuildLimits
    log: Path
    pull: Pull | None = None

    @property
    def image_key(self) -> str:
        """Finds a loaded image again. The archive contains every byte of it."""
        return self.digest


@dataclass(frozen=True)
class Job:
    """One container run without network, as its own user, on a read-only root.

    `image` comes from an engine's build. `command` replaces the image's command (but not its entry point), and
    `workdir` its working directory. `output` is the only writable folder that is collected afterwards. `log` is the
    file for the job's output.

    `copies` are folders of which the job gets a copy of its own at `target`, in memory. At `output` or below it, the
    output starts with the copy, which counts toward the limits of the output. Elsewhere, the job may change the copy
    and add COPY_SPARE_BYTES, where the engine limits such folders, and nothing of it is collected; other engines mount
    the folder read-only.
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
    copies: tuple[Mount, ...] = ()

    @property
    def output_copies(self) -> tuple[Mount, ...]:
        """The copies with which the output starts."""
        return tuple(copy for copy in self.copies if f"{copy.target}/".startswith(f"{self.output}/"))

    @property
    def own_copies(self) -> tuple[Mount, ...]:
        """The copies that have a file system of their own."""
        return tuple(copy for copy in self.copies if copy not in self.output_copies)


Work = Job | Build | Load  # what an engine starts and reports the end of


def environment(job: Job) -> dict[str, str]:
    """What every engine adds to the image's environment. Nothing comes from the host."""
    cpus = max(1, int(job.limits.cpus))
    return {
        "HOME": "/tmp",  # noqa: S108 - inside the container, where nothing else is writable
        "TMPDIR": "/tmp",  # noqa: S108
        "USER": "palio",  # the image has no such user, and libraries such as MONAI ask for its name on import
        "LOGNAME": "palio",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # so that the log has everything printed before a kill
        "PYTHONHASHSEED": "0",  # so that the same input gives the same output
        "OMP_NUM_THREADS": str(cpus),  # libraries count the host's CPUs, not the job's
        "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads would exhaust the job's CPU limit
        "PALIO_OUTPUT": job.output,
        "PALIO_CPUS": f"{job.limits.cpus:g}",
        "PALIO_MEMORY_BYTES": str(job.limits.memory_bytes),
        "PALIO_TIME_S": f"{job.limits.time_s:g}",
        **job.environment,
    }


class End(StrEnum):
    """How a job, build or load ended, as seen by the engine."""

    EXITED = "exited"
    TIME = "time limit"
    MEMORY = "memory limit"
    OUTPUT_SIZE = "output size limit"
    OUTPUT_FILES = "output file limit"
    IMAGE_SIZE = "image size limit"
    BASE_MISSING = "base image missing"
    INDEX_UNREACHABLE = "package index unreachable"
    NOT_STARTED = "not started"


@dataclass(frozen=True)
class JobResult:
    """How a job, build or load ended. Times are aware UTC; values that the engine could not observe are None.

    `detail` is the engine's message where `end` needs one: the Dockerfile step that failed, why a container did not
    start, by how much a limit was exceeded.
    """

    end: End
    exit_code: int | None
    started: datetime
    finished: datetime
    peak_memory_bytes: int | None = None
    peak_pids: int | None = None
    cpu_s: float | None = None
    image: str | None = None  # of a build or load: the value for a Job's `image`
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
class Waiting:
    """A job that its engine has accepted, and that starts once others no longer use what it needs. `position`: in the
    engine's queue, from 1; None if unknown.
    """

    position: int | None = None


@dataclass(frozen=True)
class Collected:
    """What was copied out of a job's output folder. `refused` gives a reason per rejected entry."""

    files: tuple[str, ...]
    total_bytes: int
    refused: tuple[str, ...] = ()


class Enforcement(StrEnum):
    """How a property is enforced. A limit that can be exceeded between two checks counts as not enforced.

    Watching is enough for time, which cannot jump past a limit, and for logs, which pass through the watcher.
    """

    KERNEL = "enforced by the kernel"
    WATCHING = "enforced by watching"
    NONE = "not enforced"


PROPERTIES = (  # of the isolation contract, in its order
    "network",
    "root file system",
    "user",
    "capabilities",
    "memory",
    "cpus",
    "pids",
    "shared memory",
    "input",
    "output",
    "time",
    "log",
    "environment",
    "devices",
    "host",
    "build",
    "build network",
)


@dataclass(frozen=True)
class Guarantee:
    """One property of a job's isolation, and how this engine enforces it on this machine."""

    property: str
    enforcement: Enforcement
    detail: str = ""


class Engine(Protocol):
    """Runs builds and jobs. All methods return within a second. Only `poll` reports an end.

    Faults of the engine itself are raised as PalioError("engine-fault"). For a Load, `poll` raises the errors of
    core.submission.image_archive. An engine that cannot load images never gets one.
    """

    name: str

    @property
    def loads_images(self) -> bool:
        """Whether the engine accepts saved images."""

    @property
    def runs_in_parallel(self) -> bool:
        """Whether each running job has its own user. If not, jobs run one after another."""

    def describe(self) -> str:
        """Product and version in one line, such as `Docker 28.2`."""

    def guarantees(self) -> tuple[Guarantee, ...]:
        """How each property of the isolation contract is enforced here, in the contract's order."""

    def has_image(self, name: str) -> bool | None:
        """Whether it has an image of that name, without pulling it. None if it uses no images."""

    def check(self, limits: Limits) -> None:
        """Raises PalioError("limit-unavailable") if the engine cannot enforce a limit at all."""

    def start(self, work: Work) -> None:
        """Starts the work unless work of this name exists."""

    def poll(self, work: Work) -> JobResult | None:
        """Returns the result, or None while it runs. Also enforces the limits that are watched."""

    def stop(self, work: Work) -> None:
        """Ends the work and everything it started; returns when nothing runs. Ignores unknown names."""

    def collect(self, job: Job, destination: Path) -> Collected:
        """Copies the regular files in a finished job's output folder to `destination`, without following links."""

    def remove(self, work: Work) -> None:
        """Removes the work's container and output folder, but no built images. Ignores unknown names."""

    def job_names(self) -> frozenset[str]:
        """Names of all jobs on the engine, running or not, regardless of who started them."""


@runtime_checkable
class QueueingEngine(Protocol):
    """An engine that may hold a job back until there is room for it."""

    def waiting(self, work: Work) -> Waiting | None:
        """That the work waited when it was last polled; None if it did not."""

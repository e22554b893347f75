"""The Docker engine.

Covered: no network; read-only root; a fresh /tmp in memory; uid 10001 without groups, capabilities or new privileges;
the engine's seccomp profile; memory without swap, CPU, process, file and core limits by the kernel; inputs read-only;
one writable folder, a volume of its own, whose size and number of files are watched; wall-clock time enforced from
outside; private IPC and PID namespaces; the log kept by the engine and bounded there.

Not covered: faults of the kernel that containers share with the host. Where the volume's files cannot be reached from
this process (another machine's engine, an unprivileged user), its size is asked of the engine, and the number of files
is checked only when they are collected. What is watched, while no process polls: a job beyond such a limit is ended,
and judged by it, once one does. The beginning of more than 32 MiB of log whose follower was killed.

All state is the engine's: containers and volumes are found by the job's name, so a new process goes on with them. An
image that a process was killed at is made again from the layers that are there; its log says which these are. A job
that ended when the engine was restarted is the engine's fault (lifetime.py).
"""

import io
import os
import tarfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from palio.core.collect import collect_folder, collect_tar
from palio.core.errors import PalioError
from palio.core.job import (
    GRACE_S,
    JOB_GID,
    JOB_UID,
    Build,
    Collected,
    End,
    Guarantee,
    Job,
    JobResult,
    Limits,
    Load,
    Work,
    environment,
)
from palio.core.quantities import size_text
from palio.engines.docker import promises
from palio.engines.docker.build import BuildThread, log_reused
from palio.engines.docker.connection import connect, faults_named
from palio.engines.docker.gate import remove_gate
from palio.engines.docker.image_thread import ImageThread, existing_image
from palio.engines.docker.layers import JOB_LABEL, Layers
from palio.engines.docker.lifetime import refuse_end_before
from palio.engines.docker.load import LoadThread, platform_of
from palio.engines.docker.logs import LogFollower, save_log
from palio.engines.docker.startable import why_not_startable
from palio.engines.docker.usage import (
    Usage,
    volume_folder,
    volume_usage,
    volumes_are_in_reach,
)
from palio.engines.output_folder import OutputWatch

OWNED_FOLDER_IMAGE = "palio-owned-folder:1"
NOT_FOUND_CODES = (126, 127)


class DockerEngine:
    name = "docker"
    loads_images = True
    runs_side_by_side = True

    def __init__(self, volumes_in_reach: bool | None = None) -> None:
        """`volumes_in_reach`: whether this process can read volumes itself; found out if not given."""
        with faults_named("connecting"):
            self._client = connect()
            self._info: dict[str, Any] = self._client.info()
            if volumes_in_reach is None:
                volumes_in_reach = volumes_are_in_reach(self._client, Path(self._info["DockerRootDir"]))
        self._volumes_in_reach = volumes_in_reach
        self._description: str | None = None
        self._images: dict[str, ImageThread | JobResult] = {}
        self._refused: dict[str, JobResult] = {}  # containers the engine would not even create
        self._followers: dict[str, LogFollower] = {}
        self._usage: dict[str, Usage] = {}
        self._watches: dict[str, OutputWatch] = {}

    def describe(self) -> str:
        if self._description is None:  # one call of the engine, which takes its time for it
            product = "Podman" if "podman" in str(self._client.version().get("Components", "")).lower() else "Docker"
            self._description = f"{product} {self._info['ServerVersion']}"
        return self._description

    def guarantees(self) -> tuple[Guarantee, ...]:
        return promises.guarantees(self._info, volumes_in_reach=self._volumes_in_reach)

    def check(self, limits: Limits) -> None:
        promises.check(self._info, limits)

    # -- builds and jobs

    def start(self, work: Work) -> None:
        with faults_named(f"starting {work.name}"):
            if not isinstance(work, Job):
                self._start_image(work)
            elif work.name not in self._refused and self._inspect(work.name) is None:
                self._start_job(work)

    def poll(self, work: Work) -> JobResult | None:
        with faults_named(f"watching {work.name}"):
            return self._poll_job(work) if isinstance(work, Job) else self._poll_image(work)

    def stop(self, work: Work) -> None:
        with faults_named(f"stopping {work.name}"):
            if not isinstance(work, Job):
                running = self._images.get(work.name)
                if isinstance(running, ImageThread):
                    running.stop(End.EXITED)
                return
            with suppress(NotFound):
                self._client.api.stop(work.name, timeout=int(GRACE_S))

    def collect(self, job: Job, destination: Path) -> Collected:
        limits = {"max_bytes": job.limits.output_bytes, "max_files": job.limits.output_files}
        with faults_named(f"collecting the output of {job.name}"):
            if self._volumes_in_reach:
                return collect_folder(volume_folder(self._client, _volume(job)), destination, **limits)
            chunks, _ = self._client.api.get_archive(job.name, job.output)
            prefix = job.output.rpartition("/")[2]
            return collect_tar(io.BufferedReader(_Chunks(chunks)), destination, prefix=prefix, **limits)

    def remove(self, work: Work) -> None:
        self.stop(work)
        if not isinstance(work, Job):
            if self._images.pop(work.name, None) is None and isinstance(work, Build):
                with faults_named(f"removing {work.name}"):  # what a process that was killed has left
                    remove_gate(self._client, work.name)
                    Layers.of_log(work.log).discard(self._client)
            return
        self._refused.pop(work.name, None)
        self._watches.pop(work.name, None)
        if usage := self._usage.pop(work.name, None):
            usage.close()
        if follower := self._followers.pop(work.name, None):
            follower.close()
        with faults_named(f"removing {work.name}"):
            with suppress(NotFound):
                self._client.api.remove_container(work.name, force=True, v=True)
            with suppress(NotFound):
                self._client.api.remove_container(_carrier(work), v=False)
            with suppress(NotFound):
                self._client.api.remove_volume(_volume(work), force=True)
            remove_gate(self._client, work.name)  # `kept` cannot say of what work something is

    def kept(self) -> frozenset[str]:
        labelled = {"label": JOB_LABEL}
        with faults_named("listing what is there"):
            containers = self._client.api.containers(all=True, filters=labelled)
            volumes = self._client.api.volumes(filters=labelled)["Volumes"] or []
            networks = self._client.api.networks(filters=labelled)
        return frozenset(each["Labels"][JOB_LABEL] for each in (*containers, *volumes, *networks))

    # -- images

    def _start_image(self, work: Build | Load) -> None:
        if work.name in self._images:
            return
        if existing := existing_image(self._client, work):
            if not work.log.exists():  # else a process that was killed has written down how it was made
                log_reused(work.log, existing.image or "")
            self._images[work.name] = existing
        elif isinstance(work, Build):
            self._images[work.name] = BuildThread(work)
        else:
            self._images[work.name] = LoadThread(work, platform_of(self._info))

    def _poll_image(self, work: Build | Load) -> JobResult | None:
        running = self._images[work.name]
        return running.poll() if isinstance(running, ImageThread) else running

    # -- jobs

    def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            return cast("dict[str, Any]", self._client.api.inspect_container(name))
        except NotFound:
            return None

    def _start_job(self, job: Job) -> None:
        self._make_output_volume(job)
        try:
            self._create_container(job)
        except ImageNotFound:
            raise
        except APIError as error:
            if error.response is not None and error.response.status_code == 400:
                now = datetime.now(UTC)
                reason = str(error.explanation)
                self._refused[job.name] = JobResult(End.NOT_STARTED, None, now, now, detail=reason)
                return
            if error.response is not None and error.response.status_code == 409:
                return  # somebody else has just started it
            raise
        self._run_container(job)

    def _run_container(self, job: Job) -> None:
        if fault := why_not_startable(self._client, self._client.api.inspect_container(job.name)):
            now = datetime.now(UTC)
            self._refused[job.name] = JobResult(End.NOT_STARTED, None, now, now, detail=str(fault))
            job.log.write_text(f"{fault}\n")
            return
        # A program that cannot be started leaves its reason in the container's state, where poll finds it.
        with suppress(APIError):
            self._client.api.start(job.name)
        self._follow(job)

    def _follow(self, job: Job) -> None:
        if job.name not in self._followers:
            self._followers[job.name] = LogFollower(job.name, job.log)

    def _make_output_volume(self, job: Job) -> None:
        """An empty volume that belongs to the job's user.

        A new volume belongs to root. Where its folder is out of reach, it is shown once to a container (never run) of
        an image that holds nothing but a folder of the right owner: a volume takes the owner of what it first covers.
        """
        self._client.api.create_volume(_volume(job), labels={JOB_LABEL: job.name})
        if self._volumes_in_reach:
            os.chown(volume_folder(self._client, _volume(job)), JOB_UID, JOB_GID)
            return
        with suppress(NotFound):
            self._client.api.remove_container(_carrier(job), v=False)  # of a process that was killed
        mount = Mount("/out", _volume(job), type="volume")
        config = self._client.api.create_host_config(mounts=[mount], network_mode="none")
        for _ in range(2):
            try:
                made = self._client.api.create_container(
                    OWNED_FOLDER_IMAGE, ["-"], name=_carrier(job), host_config=config, labels={JOB_LABEL: job.name}
                )
                break
            except ImageNotFound:
                self._client.api.import_image_from_data(_owned_folder(), *OWNED_FOLDER_IMAGE.split(":"))
        self._client.api.remove_container(made["Id"], v=False)

    def _create_container(self, job: Job) -> None:
        limits = job.limits
        declared = self._client.images.get(job.image).attrs["Config"].get("Volumes") or {}
        # A volume that an image declares would be a writable place on disk: memory covers it.
        in_memory = {path: "rw,nosuid,nodev,size=16m,mode=1777" for path in declared if path != job.output}
        in_memory["/tmp"] = f"rw,exec,nosuid,nodev,size={limits.memory_bytes},mode=1777"  # noqa: S108 - the job's
        # No more than is watched anyway: /tmp is memory, and a burst between two looks at the output ends here.
        largest_file = max(limits.output_bytes, limits.memory_bytes)
        mounts = [Mount(mount.target, str(mount.source), type="bind", read_only=True) for mount in job.mounts]
        mounts.append(Mount(job.output, _volume(job), type="volume", no_copy=True))
        config = self._client.api.create_host_config(
            network_mode="none",
            read_only=True,
            tmpfs=in_memory,
            mounts=mounts,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=limits.memory_bytes,
            memswap_limit=limits.memory_bytes,
            nano_cpus=int(limits.cpus * 1e9),
            pids_limit=limits.pids,
            shm_size=limits.shm_bytes,
            ulimits=[
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="nofile", soft=limits.open_files, hard=limits.open_files),
                Ulimit(name="fsize", soft=largest_file, hard=largest_file),
            ],
            ipc_mode="private",
            log_config=LogConfig(type="json-file", config={"max-size": "16m", "max-file": "2"}),
            device_requests=[DeviceRequest(count=limits.gpus, capabilities=[["gpu"]])] if limits.gpus else None,
        )
        self._client.api.create_container(
            job.image,
            list(job.command) if job.command else None,
            name=job.name,
            hostname="palio",
            user=f"{JOB_UID}:{JOB_GID}",
            working_dir=job.workdir,
            environment=environment(job),
            labels={JOB_LABEL: job.name},
            healthcheck={"test": ["NONE"]},
            host_config=config,
        )

    def _poll_job(self, job: Job) -> JobResult | None:
        if refused := self._refused.get(job.name):
            return refused
        container = self._inspect(job.name)
        if container is None:
            raise PalioError("engine-fault", engine=self.name, action=f"watching {job.name}", reason="it is gone")
        state = container["State"]
        if state["Status"] == "created":
            if state["Error"]:
                now = datetime.now(UTC)
                return JobResult(End.NOT_STARTED, state["ExitCode"], now, now, detail=_plain(state["Error"]))
            self._run_container(job)  # whoever made it was stopped before starting it
            return None
        usage = self._usage.setdefault(job.name, Usage(job.name))
        started = _time(state["StartedAt"])
        if state["Running"]:
            self._follow(job)  # whoever started it may be gone
            usage.sample(container["Id"], state["Pid"])
            self._enforce(job, started, usage)
            return None
        return self._ended(job, state, started, usage)

    def _enforce(self, job: Job, started: datetime, usage: Usage) -> None:
        elapsed = (datetime.now(UTC) - started).total_seconds()
        with suppress(APIError):  # it may have ended since it was looked at
            if elapsed > job.limits.time_s + GRACE_S or self._output_excess(job, usage):
                self._client.api.kill(job.name, "SIGKILL")
            elif elapsed > job.limits.time_s:
                self._client.api.kill(job.name, "SIGTERM")

    def _output_excess(self, job: Job, usage: Usage, *, at_once: bool = False) -> tuple[End, str] | None:
        """Which limit on the output folder is passed, and by how much."""
        if self._volumes_in_reach:
            if job.name not in self._watches:
                folder = str(volume_folder(self._client, _volume(job)))
                self._watches[job.name] = OutputWatch(folder, job.limits, usage.members)
            return self._watches[job.name].excess(at_once=at_once)
        size = volume_usage(self._client, _volume(job))
        if size > job.limits.output_bytes:
            return End.OUTPUT_SIZE, f"{size_text(size)} of {size_text(job.limits.output_bytes)}"
        return None

    def _ended(self, job: Job, state: dict[str, Any], started: datetime, usage: Usage) -> JobResult:
        finished = _time(state["FinishedAt"])
        follower = self._followers.pop(job.name, None)
        save_log(self._client, job.name, job.log, follower)
        result = JobResult(
            End.EXITED,
            int(state["ExitCode"]),
            started,
            finished,
            peak_memory_bytes=usage.peak_memory_bytes,
            peak_pids=usage.peak_pids,
            cpu_s=usage.cpu_s,
        )
        if state["OOMKilled"] and result.exit_code != 0:
            return replace(result, end=End.MEMORY, peak_memory_bytes=job.limits.memory_bytes)
        refuse_end_before(self._client, job.name, finished)
        if result.wall_s >= job.limits.time_s:
            return replace(result, end=End.TIME)
        if excess := self._output_excess(job, usage, at_once=True):
            return replace(result, end=excess[0], detail=excess[1])
        if result.exit_code in NOT_FOUND_CODES and state["Error"]:
            return replace(result, end=End.NOT_STARTED, detail=_plain(state["Error"]))
        return result


def _volume(job: Job) -> str:
    return f"{job.name}-out"


def _carrier(job: Job) -> str:
    return f"{job.name}-volume"


def _owned_folder() -> bytes:
    """A tar with one folder, /out, that belongs to the job's user."""
    folder = tarfile.TarInfo("out")
    folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o755, JOB_UID, JOB_GID
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(folder)
    return data.getvalue()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _plain(error: str) -> str:
    """The end of the runtime's chain of causes, which is the part that says something: `exec: "foo": not found`."""
    return f"exec: {cause}" if (cause := error.strip().rpartition("exec: ")[2]) != error.strip() else error.strip()


class _Chunks(io.RawIOBase):
    """A stream over the pieces that the engine sends."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

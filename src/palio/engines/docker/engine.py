"""The Docker engine.

Covered: a container for each job that confines it (container.py), with its own user and one writable folder
(holder.py); wall-clock time enforced from outside by a clock that nobody can set (stopwatch.py); a log stored and
bounded by the engine.

Not covered: time while no process polls: a job over its limit is ended and judged once one does. The beginning of a log
of more than 32 MiB if its follower was killed.

All state is in the engine: containers and volumes are found by the job's name, so a new process can continue. An image
whose process was killed is built again from the existing layers, which its log names. A job that ended because the
engine was restarted is the engine's fault (lifetime.py).
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from docker.errors import APIError, ImageNotFound, NotFound

from palio.core.dockerfile.image_names import ImageName, ImageNameError
from palio.core.engine import GRACE_S, Build, Collected, End, Guarantee, Job, JobResult, Limits, Load, Work
from palio.core.errors import PalioError
from palio.core.files.collect import collect_folder, collect_tar
from palio.engines.docker import promises
from palio.engines.docker.build import BuildThread, log_reused
from palio.engines.docker.connection import connect, faults_named
from palio.engines.docker.container import create_container
from palio.engines.docker.egress_proxy import remove_egress_proxy
from palio.engines.docker.holder import (
    UID_LABEL,
    create_holder,
    fill_copies,
    holder_archive,
    holder_starting,
    inspect_holder,
    output_space,
    remove_holder,
    start_holder,
    volume_name,
)
from palio.engines.docker.image_thread import ImageThread, existing_image
from palio.engines.docker.layers import JOB_LABEL, Layers
from palio.engines.docker.lifetime import refuse_end_before
from palio.engines.docker.load import LoadThread, platform_of
from palio.engines.docker.logs import LogFollower, save_log
from palio.engines.docker.overtime import has_overtime, mark_overtime
from palio.engines.docker.startable import why_not_startable
from palio.engines.docker.stopwatch import Clock, Stopwatch, age_s
from palio.engines.docker.usage import Usage, volume_folder, volumes_are_in_reach
from palio.engines.docker.views import bind_mounts, can_hide, make_views, remove_links
from palio.engines.job_users import job_uids
from palio.engines.output_space import output_excess
from palio.engines.start_errors import innermost_cause

NOT_FOUND_CODES = (126, 127)


class DockerEngine:
    name = "docker"
    loads_images = True
    runs_in_parallel = True

    def __init__(self, volumes_in_reach: bool | None = None, clock: Clock = time.monotonic) -> None:
        """`volumes_in_reach`: whether this process can read volumes directly; detected by default."""
        job_uids()  # reports a wrong setting before anything runs
        with faults_named("connecting"):
            self._client = connect()
            self._info: dict[str, Any] = self._client.info()
            if volumes_in_reach is None:
                volumes_in_reach = volumes_are_in_reach(self._client, Path(self._info["DockerRootDir"]))
        self._volumes_in_reach = volumes_in_reach
        self._hides_paths = volumes_in_reach and can_hide()
        self._description: str | None = None
        self._images: dict[str, ImageThread | JobResult] = {}
        self._refused: dict[str, JobResult] = {}  # containers that the engine would not even create
        self._followers: dict[str, LogFollower] = {}
        self._usage: dict[str, Usage] = {}
        self._clock = clock
        self._stopwatches: dict[str, Stopwatch] = {}

    def describe(self) -> str:
        if self._description is None:  # asked once, because the call is slow
            product = "Podman" if "podman" in str(self._client.version().get("Components", "")).lower() else "Docker"
            self._description = f"{product} {self._info['ServerVersion']}"
        return self._description

    def guarantees(self) -> tuple[Guarantee, ...]:
        return promises.guarantees(self._info, hides_paths=self._hides_paths)

    def has_image(self, name: str) -> bool:
        with faults_named(f"looking for the image {name}"):
            try:
                self._client.images.get(str(ImageName.read(name)))
            except (ImageNotFound, ImageNameError):
                return False
            return True

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
            labels = self._client.api.inspect_container(job.name)["Config"]["Labels"]
            inspect_holder(self._client, job, labels)
            if folder := self._output_folder(job):
                collected = collect_folder(folder, destination, **limits)
            else:
                with holder_archive(self._client, int(labels[UID_LABEL])) as (stream, prefix):
                    collected = collect_tar(stream, destination, prefix=prefix, **limits)
            inspect_holder(self._client, job, labels)  # it existed throughout, and so did the output
            return collected

    def remove(self, work: Work) -> None:
        self.stop(work)
        if not isinstance(work, Job):
            if self._images.pop(work.name, None) is None and isinstance(work, Build):
                with faults_named(f"removing {work.name}"):  # left by a killed process
                    remove_egress_proxy(self._client, work.name)
                    Layers.of_log(work.log).discard(self._client)
            return
        self._refused.pop(work.name, None)
        self._stopwatches.pop(work.name, None)
        if usage := self._usage.pop(work.name, None):
            usage.close()
        if follower := self._followers.pop(work.name, None):
            follower.close()
        with faults_named(f"removing {work.name}"):
            of_it = {"label": f"{JOB_LABEL}={work.name}"}
            found = [container["Id"] for container in self._client.api.containers(all=True, filters=of_it)]
            with ThreadPoolExecutor(max(1, len(found))) as pool:  # the job and what held its output, at once
                list(pool.map(self._remove_container, found))
            for volume in self._client.api.volumes(filters=of_it)["Volumes"] or []:
                with suppress(NotFound):
                    self._client.api.remove_volume(volume["Name"], force=True)
            remove_links(work)
            # A name from `job_names` may also be a build's.
            remove_egress_proxy(self._client, work.name)

    def _remove_container(self, identity: str) -> None:
        with suppress(NotFound):
            self._client.api.remove_container(identity, force=True, v=True)

    def job_names(self) -> frozenset[str]:
        labeled = {"label": JOB_LABEL}
        with faults_named("listing jobs"):
            containers = self._client.api.containers(all=True, filters=labeled)
            volumes = self._client.api.volumes(filters=labeled)["Volumes"] or []
            networks = self._client.api.networks(filters=labeled)
        return frozenset(each["Labels"][JOB_LABEL] for each in (*containers, *volumes, *networks))

    # -- images

    def _start_image(self, work: Build | Load) -> None:
        if work.name in self._images:
            return
        if existing := existing_image(self._client, work):
            if not work.log.exists():  # otherwise a killed process has recorded how it was made
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
        declared = self._client.images.get(job.image).attrs["Config"].get("Volumes") or {}
        uid = create_holder(self._client, job, self._info["Architecture"])
        with holder_starting(uid):
            try:
                mounts = make_views(self._client, job) if self._hides_paths else bind_mounts(job)
                container = create_container(self._client, self._info, job, uid, mounts, declared)
            except ImageNotFound:
                raise
            except APIError as error:
                if error.response is not None and error.response.status_code == 400:
                    now = datetime.now(UTC)
                    reason = str(error.explanation)
                    self._refused[job.name] = JobResult(End.NOT_STARTED, None, now, now, detail=reason)
                    return
                if error.response is not None and error.response.status_code == 409:
                    self._drop_own_holder(job, uid)
                    return
                raise
            self._run_container(job, uid, container)

    def _drop_own_holder(self, job: Job, uid: int) -> None:
        """Another process has just started the job."""
        container = self._inspect(job.name)
        if container and container["Config"]["Labels"].get(UID_LABEL) != str(uid):
            remove_holder(self._client, uid)

    def _run_container(self, job: Job, uid: int, container: str) -> None:
        """Starts the container with this id, which this process has created."""
        if fault := why_not_startable(self._client, self._client.api.inspect_container(container)):
            now = datetime.now(UTC)
            self._refused[job.name] = JobResult(End.NOT_STARTED, None, now, now, detail=str(fault))
            job.log.write_text(f"{fault}\n")
            return
        start_holder(self._client, uid)
        fill_copies(self._client, job, uid)
        with suppress(APIError):  # the container's state says why its program cannot be started
            self._client.api.start(container)
        self._follow(job)

    def _replace_container(self, job: Job, container: str) -> None:
        """Starts the job in place of a process that was killed between creating the container with this id and seeing
        it start.

        The engine may still be about to start that container, and would run a job again that has finished since. So
        another container takes its place, unless it is running by now, in which case the engine keeps it.
        """
        try:
            self._client.api.remove_container(container, v=True)
        except NotFound:
            pass
        except APIError as error:
            if error.response is None or error.response.status_code != 409:
                raise
            return
        self._start_job(job)

    def _follow(self, job: Job) -> None:
        if job.name not in self._followers:
            self._followers[job.name] = LogFollower(job.name, job.log)

    def _poll_job(self, job: Job) -> JobResult | None:
        if refused := self._refused.get(job.name):
            return refused
        container = self._inspect(job.name)
        if container is None:
            raise PalioError(
                "engine-fault", engine=self.name, action=f"watching {job.name}", reason="its container is gone"
            )
        state = container["State"]
        if state["Status"] == "created":
            if state["Error"]:
                now = datetime.now(UTC)
                return JobResult(End.NOT_STARTED, state["ExitCode"], now, now, detail=innermost_cause(state["Error"]))
            self._replace_container(job, container["Id"])
            return None
        usage = self._usage.setdefault(job.name, Usage(job.name))
        if state["Running"]:
            self._follow(job)  # the process that started it may be gone
            usage.sample(container["Id"], state["Pid"])
            self._enforce_time(job, container)
            return None
        return self._ended(job, container, usage)

    def _enforce_time(self, job: Job, container: dict[str, Any]) -> None:
        if job.name not in self._stopwatches:
            self._stopwatches[job.name] = Stopwatch(age_s(self._client, container), self._clock)
        over = self._stopwatches[job.name].elapsed_s() - job.limits.time_s
        if over > 0:
            mark_overtime(self._client, job)
            with suppress(APIError):  # it may have exited in the meantime
                self._client.api.kill(job.name, "SIGKILL" if over > GRACE_S else "SIGTERM")

    def _is_overtime(self, job: Job, result: JobResult, holder: dict[str, Any]) -> bool:
        """Whether the job ran for too long: it was ended for that, or ran that long while nobody watched.

        The engine's times are from a clock that may be set, so the time counted meanwhile bounds the difference.
        """
        if has_overtime(self._client, job):
            return True
        watched = self._stopwatches.get(job.name)
        if result.wall_s < job.limits.time_s:
            return False
        return (watched.elapsed_s() if watched else age_s(self._client, holder)) >= job.limits.time_s

    def _ended(self, job: Job, container: dict[str, Any], usage: Usage) -> JobResult:
        state, labels = container["State"], container["Config"]["Labels"]
        started, finished = _time(state["StartedAt"]), _time(state["FinishedAt"])
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
        if self._is_overtime(job, result, inspect_holder(self._client, job, labels)):
            return replace(result, end=End.TIME)
        if excess := self._output_excess(job, int(labels[UID_LABEL])):
            return replace(result, end=excess[0], detail=excess[1])
        if result.exit_code in NOT_FOUND_CODES and state["Error"]:
            return replace(result, end=End.NOT_STARTED, detail=innermost_cause(state["Error"]))
        return result

    def _output_folder(self, job: Job) -> Path | None:
        """The folder where this process can read the output, or None if it has to ask the holder.

        Even root has to if the engine mounts in a mount namespace of its own.
        """
        if not self._volumes_in_reach:
            return None
        folder = volume_folder(self._client, volume_name(job))
        return folder if folder.is_mount() else None

    def _output_excess(self, job: Job, uid: int) -> tuple[End, str] | None:
        """Which limit of the output folder is exceeded, and by how much."""
        if folder := self._output_folder(job):
            return output_excess(os.statvfs(folder), job.limits)
        return output_excess(output_space(self._client, uid), job.limits)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

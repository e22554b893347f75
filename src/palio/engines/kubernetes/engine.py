"""The Kubernetes engine: a batch/v1 Job with one pod for each job.

Covered: how a job ended, told from what the API says (classify.py), so that what happens to a node is never a
participant's failure; processes killed at any point, because a job is found by its name and is only ours if it has the
same specification; API servers that restart; a time limit that is enforced from outside, and by the kubelet if nobody
watches; a log that survives its pod's end.

Whether the cluster enforces network policies and limits on processes is found by experiment (proof.py), and each job
tests its own pod before it starts. Not covered: output, which is measured, not limited; `guarantees` says so. Two
processes that start different jobs at the same moment may give them the same user. A lost node may continue to run a
job whose attempt is over.

All state is in the cluster and on the volume.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from palio.core.engine import Collected, End, Guarantee, Job, JobResult, Limits, Waiting, Work
from palio.core.errors import Cause, PalioError
from palio.core.quantities import size_text
from palio.engines.docker import ImageConfig
from palio.engines.job_users import job_uids
from palio.engines.kubernetes import availability, experiment
from palio.engines.kubernetes.api import Cluster, ConflictError, Json
from palio.engines.kubernetes.classify import (
    BY_OUTPUT,
    BY_STOP,
    BY_TIME,
    KEEPER,
    Classification,
    Ending,
    classify,
)
from palio.engines.kubernetes.experiment import Enforced, find_enforced
from palio.engines.kubernetes.images import Images
from palio.engines.kubernetes.job_objects import (
    JobObjects,
    has_ended,
    never_ran,
    over_since,
    running_since,
    state,
    terminated,
    time_of,
)
from palio.engines.kubernetes.kueue import Kueue
from palio.engines.kubernetes.launch import launcher
from palio.engines.kubernetes.logs import LogFollower
from palio.engines.kubernetes.manifest import (
    JOB_NAME,
    OPTIONAL,
    QUEUE,
    SPEC,
    UID,
    job_manifest,
    object_name,
    what_did_not_survive,
)
from palio.engines.kubernetes.proof import Listener, Proof, own_address, prove, targets
from palio.engines.kubernetes.settings import PREFIX, Settings
from palio.engines.kubernetes.volume import Volume
from palio.engines.kubernetes.watch import PodWatch
from palio.engines.output_folder import folder_usage
from palio.engines.output_space import output_excess
from palio.engines.start_errors import innermost_cause

LOOK_S = 10.0
_MEASURE_S = 0.5  # between measurements of an output
_KEPT_S = 120.0  # of the largest output, on a slow volume
_CANNOT_START = ("StartError", "ContainerCannotRun")
_OF_TRIALS = ImageConfig(architecture="amd64")  # of an image that this machine may not have
_NEXT_STEPS = {
    Ending.NOT_ISOLATED: "Its program did not start. Make the cluster enforce network policies, or see what changed.",
    Ending.UNSCHEDULABLE: "Add a node that can run it, or lower the limits: `{kubectl} describe pod {pod}`.",
    Ending.IMAGE_MISSING: "Check the registry and the pull secret: `{kubectl} describe pod {pod}`.",
    Ending.REJECTED: "See what rejects it: `{kubectl} describe job {job}` and `{kubectl} get events`.",
    Ending.WAITED_TOO_LONG: "See what it waited for, then run it again: `{kubectl} get events`.",
}


@dataclass
class _Watched:
    """What one process knows about a job that it polls."""

    watch: PodWatch
    looked: float = float("-inf")  # monotonic
    measured: float = float("-inf")
    began: float | None = None  # monotonic, when its container started
    asked: float | None = None  # monotonic, when its keeper was asked for the output
    follower: LogFollower | None = None
    result: JobResult | None = None
    seen: Json = field(default_factory=dict)  # the pod as of the last look
    job: Json = field(default_factory=dict)  # and the job
    waiting: Waiting | None = None  # for quota, as of the last look


class KubernetesEngine:
    name = "kubernetes"
    loads_images = True
    runs_in_parallel = True

    def __init__(self, settings: Settings | None = None, *, look_s: float = LOOK_S) -> None:
        """`look_s`: the time between looks at a job, its events and its node while its pod does not change.

        Raises PalioError if jobs cannot run in the cluster.
        """
        self._look_s = look_s
        self._settings = settings or Settings.read()
        self._cluster = Cluster(self._settings)
        self._version = self._cluster.version()
        self._missing = availability.missing_fields(self._cluster, self._settings)
        availability.ensure_policy(self._cluster, self._settings)
        self._volume = Volume(self._settings.folder)
        self._images = Images(self._settings.registry)
        self._proof = Proof(fault=f"{PREFIX}GATE_IMAGE is not set")
        self._targets: tuple[str, ...] = ()
        if self._settings.gate_image:
            self._listener = Listener(own_address(self._cluster, self._settings))
            self._proof = prove(self._cluster, self._settings, self._listener)
            self._targets = targets(self._listener) if self._proof.isolates else ()
        self._kueue = Kueue(self._cluster, self._settings.namespace)
        self._watched: dict[str, _Watched] = {}
        self._enforced = Enforced(fault=f"{PREFIX}GATE_IMAGE is not set")
        namespace = self._settings.namespace
        self._objects = JobObjects(self._cluster, namespace)
        if image := self._settings.gate_image:
            nodes = self._cluster.get("/api/v1/nodes").get("items") or ()
            key = [namespace, self._settings.runtime_class]
            self._enforced = find_enforced(
                self._settings.folder,
                key,
                nodes,
                image,
                self._try,
                settings=self._settings,
                remove_earlier=self._remove_trials,
            )

    def describe(self) -> str:
        unverified = "" if self._cluster.is_verified else ", whose certificate the kubeconfig does not verify"
        return f"Kubernetes {self._version.removeprefix('v')}{unverified}"

    def guarantees(self) -> tuple[Guarantee, ...]:
        return availability.guarantees(self._missing, self._settings, self._proof, self._enforced)

    def has_image(self, name: str) -> bool:
        return self._images.has_image(name)

    def check(self, limits: Limits) -> None:
        availability.check(self._cluster, self._settings, limits)

    # -- builds and jobs

    def start(self, work: Work) -> None:
        if isinstance(work, Job):
            with self._faults_named("starting", work):
                self._start_job(work)
        else:
            self._images.start(work)

    def poll(self, work: Work) -> JobResult | None:
        if not isinstance(work, Job):
            return self._images.poll(work)
        with self._faults_named("watching", work):
            return self._poll_job(work)

    def waiting(self, work: Work) -> Waiting | None:
        watched = self._watched.get(work.name)
        return watched.waiting if watched else None

    def stop(self, work: Work) -> None:
        if not isinstance(work, Job):
            self._images.stop(work)
            return
        if not self._objects.end(work, BY_STOP):
            raise self._fault("stopping", work, "its node does not confirm that it stopped")

    def collect(self, job: Job, destination: Path) -> Collected:
        with self._faults_named("collecting the output of", job):
            return self._volume.collect(job, destination)

    def remove(self, work: Work) -> None:
        if isinstance(work, Job):
            with self._faults_named("removing", work):
                self._objects.end(work, BY_STOP)  # a node that is lost must not keep the job for ever
                self._objects.delete(work)
                self._forget(work)
                self._volume.remove(work)
        self._images.remove(work)

    def job_names(self) -> frozenset[str]:
        named = (each.get(JOB_NAME) for each in self._objects.annotations())
        return frozenset(name for name in named if name) | self._volume.job_names() | self._images.job_names()

    # -- starting

    def _try(self, job: Job, node: str) -> JobResult | None:
        """Runs a job that tests this node."""
        try:
            self._start_job(job, node=node)
            return experiment.wait(lambda: self.poll(job))
        finally:
            self.remove(job)

    def _remove_trials(self, prefix: str) -> None:
        for name in self.job_names():
            if name.startswith(prefix):
                self.remove(
                    Job(name, self._settings.gate_image, experiment.LIMITS, Path(os.devnull), experiment.OUTPUT)
                )

    def _start_job(self, job: Job, *, node: str = "") -> None:
        if self._volume.refusal(job):
            return
        existing = self._objects.find(job)
        if existing is None and (fault := self._images.why_not_startable(job)):
            now = datetime.now(UTC)
            job.log.write_text(f"{fault}\n")
            self._volume.refuse(job, JobResult(End.NOT_STARTED, None, now, now, detail=fault))
            return
        config = self._images.config(job.image) or (_OF_TRIALS if node else ImageConfig())
        program = launcher(config.architecture)
        is_kept = bool(self._settings.gate_image)
        uid = int(existing["metadata"]["annotations"].get(UID, 0)) if existing else self._free_uid(job)
        wanted = job_manifest(
            job,
            self._settings,
            uid=uid,
            inputs=self._volume.inputs(job),
            output=self._volume.output_path(job, is_kept=is_kept),
            begin=self._volume.begin_path(job) if is_kept and job.output_copies else "",
            claim=self._volume.claim_path(job) if is_kept else "",
            volumes=config.volumes,
            starts=config.starts(job.command),
            launcher=self._volume.launcher_path(job) if program else "",
            limits_processes=self._enforced.processes or bool(node),
            node=node,
            targets=self._targets,
            shares_cpus=is_kept
            and existing is None
            and not availability.has_cpus_for_keeper(self._cluster, job.limits),
        )
        if existing is None:
            self._volume.prepare(job, uid, launcher=program, is_kept=is_kept)
            try:
                created = self._cluster.create(self._objects.jobs, wanted)
            except ConflictError:  # another process has just created it
                existing = self._objects.find(job)
            else:
                self._refuse_unsafe(job, created, wanted)
        if existing is not None:
            self._refuse_other(job, existing, wanted)

    def _free_uid(self, job: Job) -> int:
        """A user that no job has, starting at a position that differs between jobs."""
        taken = {each.get(UID) for each in self._objects.annotations()}
        uids = job_uids()
        begin = int.from_bytes(sha256(job.name.encode()).digest()[:8]) % len(uids)
        for uid in chain(uids[begin:], uids[:begin]):
            if str(uid) not in taken:
                return uid
        raise self._fault("starting", job, f"all {len(uids):,} users for jobs are in use")

    def _refuse_unsafe(self, job: Job, created: Json, wanted: Json) -> None:
        lost = {path.rpartition(".")[2] for path in what_did_not_survive(created, wanted)} - OPTIONAL.keys()
        if lost:
            self._objects.delete(job)
            next_step = f"See which policy does that: `{self._cluster.kubectl} get mutatingwebhookconfigurations`."
            reason = f"the API server dropped or changed {', '.join(sorted(lost))}, which isolate it"
            raise PalioError("cluster-job-blocked", job=job.name, reason=reason, next_step=next_step)

    def _refuse_other(self, job: Job, existing: Json, wanted: Json) -> None:
        """A job of this name with another specification is not ours to judge."""
        theirs = existing["metadata"].get("annotations", {}).get(SPEC)
        if theirs != wanted["metadata"]["annotations"][SPEC]:
            name = object_name(job.name)
            raise PalioError(
                "cluster-job-blocked",
                job=job.name,
                reason="a job of this name exists with another specification",
                next_step=f"If nothing uses it, delete it: `{self._kubectl} delete job {name}`. Then run this again.",
            )

    # -- watching

    def _poll_job(self, job: Job) -> JobResult | None:
        if refused := self._volume.refusal(job):
            return refused
        watched = self._watched.get(job.name)
        if watched is None:
            selector = f"job-name={object_name(job.name)}"
            watched = self._watched[job.name] = _Watched(PodWatch(self._cluster, self._objects.pods, selector))
        if watched.result is not None:
            return watched.result
        if self._is_unchanged(watched):
            self._enforce(job, watched, watched.seen)
            return None
        found = self._look(job, watched)
        is_suspended = found is not None and found.ending is Ending.SUSPENDED
        watched.waiting = self._wait_for_quota(job, watched) if is_suspended else None
        if found is None or is_suspended:
            if watched.seen:
                self._follow(job, watched)
                self._enforce(job, watched, watched.seen)
            return None
        if not self._objects.is_settled(watched.job, watched.seen):
            return None
        self._raise_unless_own(job, found, watched.seen)
        if self._volume.has_keeper(job) and not self._is_kept(job, watched, found):
            return None
        watched.result = self._ended(job, found, watched)
        return watched.result

    def _wait_for_quota(self, job: Job, watched: _Watched) -> Waiting:
        """Raises PalioError if the job's program has run: what Kueue would start again is a second run of it."""
        if self._volume.has_run(job):
            why = self._kueue.revoked(watched.job) or "it was suspended"
            raise self._fault("running", job, f"its quota was revoked ({why})")
        queue = watched.job["metadata"].get("labels", {}).get(QUEUE, "")
        return Waiting(self._kueue.position(watched.job, queue) if queue else None)

    def _is_kept(self, job: Job, watched: _Watched, found: Classification) -> bool:
        """Whether the keeper has kept the output of a job that is over, which it is asked for. Raises PalioError if it
        cannot.
        """
        if terminated(watched.seen) is None:  # the program did not start
            return True
        keeper = terminated(watched.seen, KEEPER)
        if keeper is None and not has_ended(watched.seen):
            self._volume.finish(job)
            watched.asked = watched.asked or time.monotonic()
            if time.monotonic() - watched.asked > _KEPT_S:
                raise self._fault("keeping the output of", job, f"its keeper did not end within {_KEPT_S:.0f} s")
            return False
        if found.ending is Ending.DONE and not self._volume.has_archive(job):
            said = ": ".join(filter(None, ((keeper or {}).get("reason"), (keeper or {}).get("message"))))
            raise self._fault("keeping the output of", job, f"its keeper ended early ({said or 'unknown'})")
        return True

    def _is_unchanged(self, watched: _Watched) -> bool:
        """Whether the pod is as it was, as far as the API server tells, and was looked at a moment ago."""
        pods = watched.watch.pods
        if pods is None or time.monotonic() - watched.looked > self._look_s:
            return False
        return list(pods.values()) == ([watched.seen] if watched.seen else [])

    def _look(self, job: Job, watched: _Watched) -> Classification | None:
        found = self._objects.find(job)
        if found is None:
            raise self._fault("watching", job, "its job no longer exists")
        pods = self._objects.pods_of(job, found)
        if len(pods) > 1:
            return Classification(Ending.UNKNOWN, Cause.PLATFORM, False, "the cluster started a second pod for it")
        pod = pods[0] if pods else None
        if (
            pod
            and (running_since(pod) or terminated(pod))
            and not self._volume.is_first_pod(job, pod["metadata"]["uid"])
        ):
            return Classification(Ending.UNKNOWN, Cause.PLATFORM, False, "the cluster ran it again in a second pod")
        watched.job, watched.seen, watched.looked = found, pod or {}, time.monotonic()
        node = self._objects.node_of(pod)
        return classify(found, pod, self._objects.events_of(job, pod), node, self._cluster.now())

    def _enforce(self, job: Job, watched: _Watched, pod: Json) -> None:
        """Ends a pod that has run for too long or written too much."""
        started = running_since(pod)
        if started is None:
            return
        now = time.monotonic()
        if watched.began is None:
            watched.began = now - max(0.0, (self._cluster.now() - started).total_seconds())
        if now - watched.began > job.limits.time_s:
            self._objects.end_pod(pod, BY_TIME)
        elif now - watched.measured > _MEASURE_S:
            excess = self._output_excess(job)
            watched.measured = time.monotonic()
            if excess:
                self._objects.end_pod(pod, BY_OUTPUT)

    def _follow(self, job: Job, watched: _Watched) -> None:
        has_log = running_since(watched.seen) or terminated(watched.seen)
        if watched.follower is None and has_log:
            pod = watched.seen["metadata"]["name"]
            watched.follower = LogFollower(self._cluster, f"{self._objects.pods}/{pod}", job.log)

    def _raise_unless_own(self, job: Job, found: Classification, pod: Json) -> None:
        """Raises for an end that is not the job's own: retried, or the operator's to fix."""
        if found.ending in _NEXT_STEPS:
            names = {"job": object_name(job.name), "pod": pod.get("metadata", {}).get("name", "")}
            next_step = _NEXT_STEPS[found.ending].format(kubectl=self._kubectl, **names)
            reason = f"{found.ending}: {found.evidence}".rstrip(".")
            if found.ending is Ending.IMAGE_MISSING and not self._settings.registry:
                reason = f"its node does not have the image {job.image} of the Docker engine beside Palio ({reason})"
                next_step = availability.NAME_A_REGISTRY
            raise PalioError("cluster-job-blocked", job=job.name, reason=reason, next_step=next_step)
        if found.ending is Ending.NODE_PRESSURE:
            node, said = pod.get("spec", {}).get("nodeName", ""), found.evidence.rstrip(".")
            raise PalioError(
                "cluster-node-pressure", job=job.name, node=node, reason=said, kubectl=self._cluster.kubectl
            )
        if found.responsible is Cause.PLATFORM:
            raise self._fault("running", job, f"{found.ending}: {found.evidence}".rstrip("."))

    def _ended(self, job: Job, found: Classification, watched: _Watched) -> JobResult:
        pod, ended = watched.seen, terminated(watched.seen)
        began = (ended or state(pod).get("running") or {}).get("startedAt")
        if began and (ended or {}).get("reason") not in _CANNOT_START:
            self._follow(job, watched)
            if watched.follower:
                watched.follower.finish()
        elif not job.log.exists():
            job.log.write_text(f"{found.evidence}\n")
        started = time_of(began or pod["metadata"]["creationTimestamp"])
        finished = max(
            started, time_of(ended["finishedAt"]) if ended else over_since(watched.job) or self._cluster.now()
        )
        code = (ended or {}).get("exitCode")
        used: Mapping[str, Any] = self._volume.usage(job)
        result = JobResult(End.EXITED, code if code is not None else 137, started, finished, **used)
        excess = self._output_excess(job)
        match found.ending:
            case Ending.OUT_OF_MEMORY if excess is None:  # an output in memory may have filled it
                return replace(result, end=End.MEMORY, peak_memory_bytes=job.limits.memory_bytes)
            case Ending.DISK_LIMIT:
                end = End.MEMORY if "EmptyDir" in found.evidence else End.OUTPUT_SIZE
                return replace(result, end=end, detail=found.evidence)
            case Ending.TIME_LIMIT:
                return replace(result, end=End.TIME)
            case Ending.NOT_RUNNABLE if never_ran(ended):
                return replace(result, end=End.NOT_STARTED, detail=innermost_cause(found.evidence))
            case Ending.OUTPUT_LIMIT if excess is None:  # it was deleted since
                return replace(result, end=End.OUTPUT_SIZE, detail=f"more than {size_text(job.limits.output_bytes)}")
        if excess:
            return replace(result, end=excess[0], detail=excess[1])
        # Times of the API are whole seconds.
        return replace(result, end=End.TIME) if result.wall_s >= job.limits.time_s + 1 else result

    def _output_excess(self, job: Job) -> tuple[End, str] | None:
        limits = job.limits
        if self._volume.has_keeper(job):
            space = self._volume.space(job)
            return output_excess(space, limits) if space else None
        size, files, folders = folder_usage(str(self._volume.output(job)), limits.output_bytes, limits.output_files)
        if size > limits.output_bytes:
            return End.OUTPUT_SIZE, f"{size_text(size)} of {size_text(limits.output_bytes)}"
        if files + folders > limits.output_files:
            return End.OUTPUT_FILES, f"more than {limits.output_files:,} files and folders"
        return None

    def _forget(self, job: Job) -> None:
        if watched := self._watched.pop(job.name, None):
            watched.watch.close()
            if watched.follower:
                watched.follower.close()

    # -- objects

    @property
    def _kubectl(self) -> str:
        return f"{self._cluster.kubectl} -n {self._settings.namespace}"

    def _fault(self, action: str, work: Work, reason: str) -> PalioError:
        return PalioError("engine-fault", engine=self.name, action=f"{action} {work.name}", reason=reason)

    @contextmanager
    def _faults_named(self, action: str, work: Work) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._fault(action, work, str(error)) from error

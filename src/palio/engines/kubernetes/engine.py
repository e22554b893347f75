"""The Kubernetes engine: a batch/v1 Job with one pod for each job. This module starts and removes jobs; watching.py
follows them to their end.

Covered: how a job ended, told from what the API says (classify.py), so that what happens to a node is never a
participant's failure; processes killed at any point, because a job is found by its name and is only ours if it has the
same specification; a second pod of a job, in which the gate does not start its program (probe_program.py); API servers
that restart; a time limit that is enforced from outside, and by the kubelet if nobody watches; a log that survives its
pod's end.

Whether the cluster enforces network policies and limits on processes is found by experiment (proof.py), and each job
tests its own pod before it starts. Not covered: output, which is measured, not limited; `guarantees` says so. Two
processes that start different jobs at the same moment may give them the same user. A lost node may continue to run a
job whose attempt is over.

All state is in the cluster and on the volume.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path

from palio.core.engine import Collected, End, Guarantee, Job, JobResult, Limits, Waiting, Work
from palio.core.errors import PalioError
from palio.engines.docker import ImageConfig
from palio.engines.job_users import job_uids
from palio.engines.kubernetes import availability, experiment
from palio.engines.kubernetes.api import Cluster, ConflictError, Json
from palio.engines.kubernetes.classify import BY_STOP
from palio.engines.kubernetes.experiment import Enforced, find_enforced
from palio.engines.kubernetes.images import Images
from palio.engines.kubernetes.job_objects import JobObjects
from palio.engines.kubernetes.launch import launcher
from palio.engines.kubernetes.manifest import (
    JOB_NAME,
    OPTIONAL,
    SPEC,
    UID,
    job_manifest,
    object_name,
    what_did_not_survive,
)
from palio.engines.kubernetes.proof import Listener, Proof, own_address, prove, targets
from palio.engines.kubernetes.results import fault, faults_named
from palio.engines.kubernetes.settings import PREFIX, Settings
from palio.engines.kubernetes.volume import Volume
from palio.engines.kubernetes.watching import LOOK_S, WatchedJob

_OF_TRIALS = ImageConfig(architecture="amd64")  # of an image that this machine may not have


class KubernetesEngine:
    name = "kubernetes"
    loads_images = True
    runs_in_parallel = True

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        images: Images | None = None,
        prove: Callable[[Cluster, Settings, Listener], Proof] = prove,
        look_s: float = LOOK_S,
    ) -> None:
        """`look_s`: see WatchedJob. Raises PalioError if jobs cannot run in the cluster."""
        self._look_s = look_s
        self._settings = settings or Settings.read()
        self._cluster = Cluster(self._settings)
        self._version = self._cluster.version()
        self._missing = availability.missing_fields(self._cluster, self._settings)
        availability.ensure_policy(self._cluster, self._settings)
        self._volume = Volume(self._settings.folder)
        self._images = images or Images(self._settings.registry)
        self._proof = Proof(fault=f"{PREFIX}GATE_IMAGE is not set")
        self._targets: tuple[str, ...] = ()
        if self._settings.gate_image:
            self._listener = Listener(own_address(self._cluster, self._settings))
            self._proof = prove(self._cluster, self._settings, self._listener)
            self._targets = targets(self._listener) if self._proof.isolates else ()
        self._watched: dict[str, WatchedJob] = {}
        self._enforced = Enforced(fault=self._proof.fault)
        namespace = self._settings.namespace
        self._objects = JobObjects(self._cluster, namespace)
        if (image := self._settings.gate_image) and not self._proof.fault:  # else it would fail alike, after minutes
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
            with faults_named("starting", work):
                self._start_job(work)
        else:
            self._images.start(work)

    def poll(self, work: Work) -> JobResult | None:
        if not isinstance(work, Job):
            return self._images.poll(work)
        with faults_named("watching", work):
            if refused := self._volume.refusal(work):
                return refused
            if work.name not in self._watched:
                watched = WatchedJob(work, self._cluster, self._settings, self._volume, look_s=self._look_s)
                self._watched[work.name] = watched
            return self._watched[work.name].poll()

    def waiting(self, work: Work) -> Waiting | None:
        watched = self._watched.get(work.name)
        return watched.waiting if watched else None

    def stop(self, work: Work) -> None:
        if not isinstance(work, Job):
            self._images.stop(work)
            return
        if not self._objects.end(work, BY_STOP):
            raise fault("stopping", work, "its node does not confirm that it stopped")

    def collect(self, job: Job, destination: Path) -> Collected:
        with faults_named("collecting the output of", job):
            return self._volume.collect(job, destination)

    def remove(self, work: Work) -> None:
        if isinstance(work, Job):
            with faults_named("removing", work):
                self._objects.end(work, BY_STOP)  # a node that is lost must not keep the job for ever
                self._objects.delete(work)
                if watched := self._watched.pop(work.name, None):
                    watched.close()
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
        raise fault("starting", job, f"all {len(uids):,} users for jobs are in use")

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
            name, kubectl = object_name(job.name), f"{self._cluster.kubectl} -n {self._settings.namespace}"
            raise PalioError(
                "cluster-job-blocked",
                job=job.name,
                reason="a job of this name exists with another specification",
                next_step=f"If nothing uses it, delete it: `{kubectl} delete job {name}`. Then run this again.",
            )

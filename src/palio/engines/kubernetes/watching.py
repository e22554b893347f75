"""One job up to its end, as one process sees it: polls it, follows its log, and ends it at its limits."""

import time
from datetime import datetime

from palio.core.engine import Job, JobResult, Waiting
from palio.core.errors import Cause
from palio.engines.kubernetes.api import Cluster, Json
from palio.engines.kubernetes.classify import BY_OUTPUT, BY_TIME, KEEPER, Classification, Ending, classify
from palio.engines.kubernetes.job_objects import (
    JobObjects,
    began_at,
    has_ended,
    over_since,
    running_since,
    terminated,
)
from palio.engines.kubernetes.kueue import Kueue
from palio.engines.kubernetes.logs import LogFollower
from palio.engines.kubernetes.manifest import QUEUE, object_name
from palio.engines.kubernetes.results import excess_of, fault, raise_unless_own, result_of
from palio.engines.kubernetes.settings import Settings
from palio.engines.kubernetes.volume import Volume
from palio.engines.kubernetes.watch import PodWatch

LOOK_S = 10.0
KEPT_S = 120.0  # of the largest output, on a slow volume
_MEASURE_S = 0.5  # between measurements of an output
_CANNOT_START = ("StartError", "ContainerCannotRun")


class WatchedJob:
    """`waiting`: for quota, as of the last look. `look_s`: the time between looks at the job, its events and its node
    while its pod does not change. `kept_s`: the longest that its keeper may take.
    """

    def __init__(
        self,
        job: Job,
        cluster: Cluster,
        settings: Settings,
        volume: Volume,
        *,
        look_s: float = LOOK_S,
        kept_s: float = KEPT_S,
    ) -> None:
        self.waiting: Waiting | None = None
        self.measured = float("-inf")  # monotonic
        self._job, self._cluster, self._settings, self._volume = job, cluster, settings, volume
        self._objects = JobObjects(cluster, settings.namespace)
        self._kueue = Kueue(cluster, settings.namespace)
        self._look_s, self._kept_s = look_s, kept_s
        self._looked = float("-inf")  # monotonic, as are the next two
        self._began: float | None = None  # when its container started
        self._asked: float | None = None  # when its keeper was asked for the output
        self._follower: LogFollower | None = None
        self._result: JobResult | None = None
        self._pod: Json = {}  # as of the last look
        self._found: Json = {}  # and the job
        self._watch = PodWatch(cluster, self._objects.pods, f"job-name={object_name(job.name)}")

    def close(self) -> None:
        self._watch.close()
        if self._follower:
            self._follower.close()

    def poll(self) -> JobResult | None:
        if self._result is not None:
            return self._result
        if self._is_unchanged():
            self._enforce()
            return None
        found = self._look()
        is_suspended = found is not None and found.ending is Ending.SUSPENDED
        self.waiting = self._wait_for_quota() if is_suspended else None
        if found is None or is_suspended:
            if self._pod:
                self._follow()
                self._enforce()
            return None
        if not self._objects.is_settled(self._found, self._pod):
            return None
        raise_unless_own(self._job, found, self._pod, self._settings, self._cluster.kubectl)
        if self._volume.has_keeper(self._job) and not self._is_kept(found):
            return None
        self._finish_log(found)
        self._result = result_of(self._job, found, self._pod, self._over(), self._volume)
        return self._result

    def _is_unchanged(self) -> bool:
        """Whether the pod is as it was, as far as the API server tells, and was looked at a moment ago."""
        pods = self._watch.pods
        if pods is None or time.monotonic() - self._looked > self._look_s:
            return False
        return list(pods.values()) == ([self._pod] if self._pod else [])

    def _look(self) -> Classification | None:
        found = self._objects.find(self._job)
        if found is None:
            raise fault("watching", self._job, "its job no longer exists")
        pods = self._objects.pods_of(self._job, found)
        if len(pods) > 1:
            return Classification(Ending.UNKNOWN, Cause.PLATFORM, False, "the cluster started a second pod for it")
        pod = pods[0] if pods else None
        if (
            pod
            and (running_since(pod) or terminated(pod))
            and not self._volume.is_first_pod(self._job, pod["metadata"]["uid"])
        ):
            return Classification(Ending.UNKNOWN, Cause.PLATFORM, False, "the cluster ran it again in a second pod")
        self._found, self._pod, self._looked = found, pod or {}, time.monotonic()
        node = self._objects.node_of(pod)
        return classify(found, pod, self._objects.events_of(self._job, pod), node, self._cluster.now())

    def _wait_for_quota(self) -> Waiting:
        """Raises PalioError if the job's program has run: no other pod of the job would run it."""
        if self._volume.has_run(self._job):
            why = self._kueue.revoked(self._found) or "it was suspended"
            raise fault("running", self._job, f"its quota was revoked ({why})")
        queue = self._found["metadata"].get("labels", {}).get(QUEUE, "")
        return Waiting(self._kueue.position(self._found, queue) if queue else None)

    def _enforce(self) -> None:
        """Ends a pod that has run for too long or written too much."""
        started = running_since(self._pod)
        if started is None:
            return
        now = time.monotonic()
        if self._began is None:
            self._began = now - max(0.0, (self._cluster.now() - started).total_seconds())
        if now - self._began > self._job.limits.time_s:
            self._objects.end_pod(self._pod, BY_TIME)
        elif now - self.measured > _MEASURE_S:
            excess = excess_of(self._job, self._volume)
            self.measured = time.monotonic()
            if excess:
                self._objects.end_pod(self._pod, BY_OUTPUT)

    def _is_kept(self, found: Classification) -> bool:
        """Whether the keeper has kept the output of a job that is over, which it is asked for. Raises PalioError if it
        cannot.
        """
        if terminated(self._pod) is None:  # the program did not start
            return True
        keeper = terminated(self._pod, KEEPER)
        if keeper is None and not has_ended(self._pod):
            self._volume.finish(self._job)
            self._asked = self._asked or time.monotonic()
            if time.monotonic() - self._asked > self._kept_s:
                raise fault("keeping the output of", self._job, f"its keeper did not end within {self._kept_s:.0f} s")
            return False
        if found.ending is Ending.DONE and not self._volume.has_archive(self._job):
            said = ": ".join(filter(None, ((keeper or {}).get("reason"), (keeper or {}).get("message"))))
            raise fault("keeping the output of", self._job, f"its keeper ended early ({said or 'unknown'})")
        return True

    def _follow(self) -> None:
        has_log = running_since(self._pod) or terminated(self._pod)
        if self._follower is None and has_log:
            pod = self._pod["metadata"]["name"]
            self._follower = LogFollower(self._cluster, f"{self._objects.pods}/{pod}", self._job.log)

    def _finish_log(self, found: Classification) -> None:
        if began_at(self._pod) and (terminated(self._pod) or {}).get("reason") not in _CANNOT_START:
            self._follow()
            if self._follower:
                self._follower.finish()
        elif not self._job.log.exists():
            self._job.log.write_text(f"{found.evidence}\n")

    def _over(self) -> datetime:
        return over_since(self._found) or self._cluster.now()

"""A job's objects in the cluster: its Job, its pods, and what the API says about them. Ends pods and waits for that.

A pod is ended by moving its deadline to now, which keeps its log and status; an annotation says why.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from palio.core.engine import GRACE_S, Job
from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster, ConflictError, Json, NotFoundError
from palio.engines.kubernetes.classify import ENDED_BY, LAUNCHER_SAYS, STAGE
from palio.engines.kubernetes.manifest import MANAGED_BY, object_name

_STOPPED_S = 15.0
# Before 1.22, a kubelet that ends a pod reports that the pod failed before its container stops, and nothing after that.
_SETTLED = timedelta(seconds=GRACE_S + 3.0)
_ENDED = ("Succeeded", "Failed")
_SELECTOR = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())


class JobObjects:
    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self.jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self.pods = f"/api/v1/namespaces/{namespace}/pods"
        self._events = f"/api/v1/namespaces/{namespace}/events"

    def path(self, job: Job) -> str:
        return f"{self.jobs}/{object_name(job.name)}"

    def find(self, job: Job) -> Json | None:
        try:
            return self._cluster.get(self.path(job))
        except NotFoundError:
            return None

    def pods_of(self, job: Job, found: Json) -> list[Json]:
        """Those of this job, and not of an earlier one of its name."""
        listed = self._cluster.get(self.pods, labelSelector=f"job-name={object_name(job.name)}").get("items") or ()
        owner = found["metadata"]["uid"]
        return [
            pod
            for pod in listed
            if any(each.get("uid") == owner for each in pod["metadata"].get("ownerReferences") or ())
        ]

    def annotations(self) -> list[Json]:
        """Those of all of Palio's jobs in the namespace."""
        listed = self._cluster.get(self.jobs, labelSelector=_SELECTOR).get("items") or ()
        return [each["metadata"].get("annotations") or {} for each in listed]

    def delete(self, job: Job) -> None:
        """Its pods are deleted after it. Nothing if it is gone."""
        with suppress(NotFoundError):
            self._cluster.delete(self.path(job), {"propagationPolicy": "Background"})

    def node_of(self, pod: Json | None) -> Json | None:
        """None if the node is gone; empty if the pod has none yet."""
        name = (pod or {}).get("spec", {}).get("nodeName")
        if not name:
            return {}
        try:
            return self._cluster.get(f"/api/v1/nodes/{name}")
        except NotFoundError:
            return None

    def events_of(self, job: Job, pod: Json | None) -> list[Json]:
        names = [object_name(job.name), *([pod["metadata"]["name"]] if pod else [])]
        node = (pod or {}).get("spec", {}).get("nodeName")
        found: list[Json] = []
        for name in names:
            listed = self._cluster.get(self._events, fieldSelector=f"involvedObject.name={name}")
            found += listed.get("items") or ()
        if node:  # events of nodes are in the default namespace
            with suppress(PalioError):  # which this account may not be allowed to read
                selector = f"involvedObject.kind=Node,involvedObject.name={node},reason=SystemOOM"
                listed = self._cluster.get("/api/v1/namespaces/default/events", fieldSelector=selector)
                found += listed.get("items") or ()
        return found

    def end(self, job: Job, why: str) -> bool:
        """Ends the job's pods and waits for that. Returns whether nothing runs."""
        deadline = time.monotonic() + _STOPPED_S
        asked: set[str] = set()
        while (found := self.find(job)) is not None:
            pods = self.pods_of(job, found)
            running = [pod for pod in pods if not has_ended(pod)]
            if not running and (pods or over_since(found)):
                if asked and any(map(running_since, pods)):
                    time.sleep(_SETTLED.total_seconds())
                return True
            if not pods or any(not pod["spec"].get("nodeName") for pod in running):
                # No kubelet knows of it, so there is no log or status to keep.
                self.delete(job)
                continue
            for pod in running:
                if pod["metadata"]["uid"] not in asked:
                    self.end_pod(pod, why)
                    asked.add(pod["metadata"]["uid"])
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def end_pod(self, pod: Json, why: str) -> None:
        """Moves the pod's deadline to now. The first reason stays."""
        if ENDED_BY in pod["metadata"].get("annotations", {}):
            return
        change = {"metadata": {"annotations": {ENDED_BY: why}}, "spec": {"activeDeadlineSeconds": 1}}
        with suppress(NotFoundError, ConflictError):
            self._cluster.patch(f"{self.pods}/{pod['metadata']['name']}", change)

    def is_settled(self, job: Json, pod: Json) -> bool:
        """Whether the container of a pod that is over has stopped, too."""
        if not has_ended(pod) or not running_since(pod):
            return True
        over = over_since(job)
        return over is not None and self._cluster.now() - over > _SETTLED


def has_ended(pod: Json) -> bool:
    return pod.get("status", {}).get("phase") in _ENDED


def state(pod: Json, container: str = STAGE) -> Json:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    found: Json = next((each.get("state") or {} for each in statuses if each.get("name") == container), {})
    return found


def running_since(pod: Json) -> datetime | None:
    started = (state(pod).get("running") or {}).get("startedAt")
    return time_of(started) if started else None


def terminated(pod: Json, container: str = STAGE) -> Json | None:
    found: Json | None = state(pod, container).get("terminated")
    return found


def began_at(pod: Json) -> str | None:
    """When its program started, if it has."""
    found: str | None = (terminated(pod) or state(pod).get("running") or {}).get("startedAt")
    return found


def never_ran(ended: Json | None) -> bool:
    """Whether the runtime or the launcher could not start the program, rather than a program that ended with its code.

    A job may write the launcher's words itself: it has not succeeded in either case.
    """
    return ended is None or ended.get("reason") != "Error" or ended.get("message", "").startswith(LAUNCHER_SAYS)


def over_since(job: Json) -> datetime | None:
    conditions = job.get("status", {}).get("conditions") or ()
    ends = [each for each in conditions if each["type"] in ("Complete", "Failed") and each["status"] == "True"]
    return time_of(ends[0]["lastTransitionTime"]) if ends else None


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

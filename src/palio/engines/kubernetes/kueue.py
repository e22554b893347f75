"""What Kueue says about a job that it holds back: its place in the queue, and whether its quota was revoked.

Read from Kueue's own objects, which are found by discovery: the Workload of a job, and the list of pending workloads.
Both are optional: without Kueue, with an older one, or without the right to read them, nothing is known or fails.
"""

from collections.abc import Mapping
from typing import Any

from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster, NotFoundError

Object = Mapping[str, Any]

_GROUP, _VISIBILITY = "kueue.x-k8s.io", "visibility.kueue.x-k8s.io"
_JOB = f"{_GROUP}/job-uid"  # label of a workload
_REVOKED = ("Evicted", "Preempted")  # conditions of a workload
_MOST = "1000"  # pending workloads that are read; Kueue's default


class Kueue:
    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._versions: dict[str, str] | None = None

    def position(self, job: Object, queue: str) -> int | None:
        """The place of a job in its LocalQueue, from 1; None if it is unknown."""
        workload = self._workload(job)
        if workload is None or (version := self._version(_VISIBILITY)) is None:
            return None
        path = f"/apis/{_VISIBILITY}/{version}/namespaces/{self._namespace}/localqueues/{queue}/pendingworkloads"
        listed = self._get(path, limit=_MOST)
        return position(listed, workload["metadata"]["name"]) if listed else None

    def revoked(self, job: Object) -> str:
        """Why Kueue revoked the quota of the job, as it says; empty if it did not, or nobody knows."""
        workload = self._workload(job)
        return revoked(workload) if workload else ""

    def _workload(self, job: Object) -> Object | None:
        if (version := self._version(_GROUP)) is None:
            return None
        path = f"/apis/{_GROUP}/{version}/namespaces/{self._namespace}/workloads"
        listed = self._get(path, labelSelector=f"{_JOB}={job['metadata']['uid']}") or {}
        return next(iter(listed.get("items") or ()), None)

    def _version(self, group: str) -> str | None:
        """That the server prefers; None if it does not have the group."""
        if self._versions is None:
            listed = self._get("/apis") or {}
            self._versions = {
                each["name"]: each["preferredVersion"]["version"]
                for each in listed.get("groups") or ()
                if each.get("name") in (_GROUP, _VISIBILITY) and each.get("preferredVersion")
            }
        return self._versions.get(group)

    def _get(self, path: str, **query: str) -> Object | None:
        try:
            return self._cluster.get(path, **query)
        except NotFoundError:
            return None
        except PalioError as error:
            if error.failure.code == "cluster-unreachable":
                raise
            return None  # this account may not read it


def position(summary: Object, workload: str) -> int | None:
    """From 1, as people count; Kueue counts from 0. `summary` is a PendingWorkloadsSummary of the LocalQueue."""
    for each in summary.get("items") or ():
        if each.get("metadata", {}).get("name") == workload:
            return int(each.get("positionInLocalQueue", 0)) + 1
    return None


def revoked(workload: Object) -> str:
    """Its conditions that say so, with reasons and messages, such as `Evicted: Preempted: for a workload`."""
    found = [
        ": ".join(text for text in (each["type"], each.get("reason"), each.get("message")) if text)
        for each in workload.get("status", {}).get("conditions") or ()
        if each.get("type") in _REVOKED and each.get("status") == "True"
    ]
    return "; ".join(found)

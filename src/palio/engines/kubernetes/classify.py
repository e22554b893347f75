"""How a job ended, from what the Kubernetes API says about it: a pure function over the API's own objects.

The rules are tried in order, and the first that matches decides. Rules about interruptions come before rules about the
program, because an interrupted program may exit with any code. A program that had finished before any interruption is
judged by its own end.

Covered: Kubernetes 1.20 and later. Clusters before 1.26 do not mark interruptions (DisruptionTarget), so there their
reasons and messages decide. Not covered: a child process killed for memory in a container without memory.oom.group
(before 1.28): the container continues, and ends however its program reacts.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from palio.core.errors import Cause

Object = Mapping[str, Any]  # an object of the API, as parsed from its JSON

STAGE = "job"  # the name of the container that runs the job
KEEPER = "keeper"  # and of the one that keeps its output
GATE = "gate"  # and of the one before it, which lets it start if the pod reaches nothing
REACHED, NOT_CLAIMED = 3, 4  # exit codes of the gate, see probe_program
LAUNCHER_SAYS = 'exec: "'  # the beginning of its message about a program that it cannot start
TIME_LIMIT = "palio/time-limit-s"  # annotation of a pod: the job's time limit
ENDED_BY = "palio/ended-by"  # annotation of a pod that Palio ended: one of the values below
BY_TIME, BY_OUTPUT, BY_STOP = "time limit", "output limit", "stop"

NODE_LOST_S = 60  # kubelets are restarted, so a node that misses a few heartbeats may still finish its jobs
DELETED_S = 60  # beyond its grace period, a pod that is being deleted is on a node that no longer responds
PULL_S = 300  # registries restart, and kubelets try again
PENDING_S = 3600  # other jobs finish, and clusters grow
NO_POD_S = 60  # the API's controllers create a pod within seconds


class Ending(StrEnum):
    """Why a job is over. The last group is still waiting."""

    DONE = "done"
    FAILED = "program failed"
    OUT_OF_MEMORY = "out of memory"
    TIME_LIMIT = "time limit"
    OUTPUT_LIMIT = "output limit"
    DISK_LIMIT = "own disk limit"
    NOT_RUNNABLE = "command not runnable"
    STOPPED = "stopped"
    DISRUPTED = "disrupted"
    NODE_PRESSURE = "node under pressure"
    NODE_LOST = "node lost"
    NOT_ADMITTED = "refused by the node"
    NOT_CLAIMED = "not claimed"
    UNKNOWN = "unknown"
    NOT_ISOLATED = "not isolated"
    UNSCHEDULABLE = "cannot be scheduled"
    IMAGE_MISSING = "image cannot be pulled"
    REJECTED = "rejected by the cluster"
    WAITED_TOO_LONG = "waited too long"
    SUSPENDED = "suspended"


@dataclass(frozen=True)
class Classification:
    """`responsible` is None where nobody has to act. `charged`: it may count toward the participant's limit.

    `evidence` is what the API said.
    """

    ending: Ending
    responsible: Cause | None
    charged: bool
    evidence: str


_PARTICIPANT, _OPERATOR = Cause.PARTICIPANT, Cause.PLATFORM
_CHARGED = {
    Ending.FAILED,
    Ending.OUT_OF_MEMORY,
    Ending.TIME_LIMIT,
    Ending.OUTPUT_LIMIT,
    Ending.DISK_LIMIT,
    Ending.NOT_RUNNABLE,
}
_ENDED_BY = {BY_TIME: Ending.TIME_LIMIT, BY_OUTPUT: Ending.OUTPUT_LIMIT}
_NOBODY = {Ending.DONE, Ending.STOPPED, Ending.SUSPENDED}
_BY_SIGNAL = {137, 143}  # exit codes of programs that were killed or ended
_CLOCKS = timedelta(seconds=5)  # by which a node's clock may differ from the API server's
_SYSTEM_OOM_IS_TRUE = (1, 31)  # the oldest kubelet for which this was checked; 1.20 is wrong
_OWN_DISK = re.compile(r"Usage of EmptyDir volume|ephemeral (?:local )?storage (?:usage|limit)")
_NOT_EXECUTABLE = re.compile(r"exec: |executable file|no command specified|no such file or directory|exec format", re.I)
_DISRUPTIONS = {"Preempting", "NodeShutdown", "Terminated", "Shutdown"}  # reasons of pods, before DisruptionTarget
_CANNOT_START = {"StartError", "ContainerCannotRun"}
_NOT_ADMITTED = {"NodeAffinity", "NodePorts", "UnexpectedAdmissionError", "NodeName"}
_NOT_PULLED = {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
_NEVER_PULLED = {"ErrImageNeverPull"}
_WRONG_SPEC = {"InvalidImageName", "CreateContainerConfigError"}


def classify(
    job: Object | None, pod: Object | None, events: Sequence[Object], node: Object | None, now: datetime
) -> Classification | None:
    """How the job ended, or None while it runs or waits as it should.

    `pod` is the job's only pod, or None. `events` are those about the job and the pod. `node` is the pod's node, None
    if it no longer exists, or an empty mapping if it is unknown. `now` is aware.
    """
    if job is None:
        return _over(Ending.UNKNOWN, "the job no longer exists")
    if pod is None:
        return _without_pod(job, events, now)
    if refused := _gate(pod, REACHED) or _gate(pod, NOT_CLAIMED):
        return refused
    own = _own_end(pod, events, node)
    if own is not None:
        finished = _finished(pod)
        if finished is not None and all(finished < stamp for stamp in _interruptions(pod, events, node)):
            return own
    return _interrupted(pod, node, now) or _gate(pod) or own or _waiting(job, pod, now)


def _gate(pod: Object, code: int | None = None) -> Classification | None:
    """If the gate ended with this exit code; without one, if it ended with any but 0."""
    statuses = pod.get("status", {}).get("initContainerStatuses") or ()
    gate: Object = next((each for each in statuses if each.get("name") == GATE), {})
    ended = (gate.get("state") or {}).get("terminated")
    if not ended or ended.get("exitCode") in (0, None) or (code is not None and ended["exitCode"] != code):
        return None
    message = ended.get("message", "").strip()
    if ended["exitCode"] not in (REACHED, NOT_CLAIMED):
        return _over(Ending.REJECTED, f"the gate failed: {ended.get('reason', '')} {message}")
    try:
        told = json.loads(message)
        said = ", ".join(told["reached"]) if ended["exitCode"] == REACHED else str(told["claimed"])
    except (ValueError, KeyError, TypeError):
        said = message
    if ended["exitCode"] == NOT_CLAIMED:
        return _over(Ending.NOT_CLAIMED, f"its program did not start: {said}")
    return _over(Ending.NOT_ISOLATED, f"its pod reached {said}")


# -- interruptions


def _interrupted(pod: Object, node: Object | None, now: datetime) -> Classification | None:
    status = pod.get("status", {})
    reason, message = status.get("reason", ""), status.get("message", "")
    disruption = _condition(pod, "DisruptionTarget")
    if disruption and disruption.get("status") == "True":
        return _over(Ending.NODE_PRESSURE if reason == "Evicted" else Ending.DISRUPTED, _said(disruption))
    if reason == "Evicted":
        if _OWN_DISK.search(message):
            return _over(Ending.DISK_LIMIT, message)
        return _over(Ending.NODE_PRESSURE, message or reason)
    if reason in _DISRUPTIONS:
        return _over(Ending.DISRUPTED, f"{reason}: {message}")
    if reason in _NOT_ADMITTED or reason.startswith("OutOf"):
        return _over(Ending.NOT_ADMITTED, f"{reason}: {message}")
    if _terminated(pod) is not None:
        return _over(Ending.DISRUPTED, "the pod was deleted") if _is_deleted(pod) else None
    return _lost(pod, node, now)


def _lost(pod: Object, node: Object | None, now: datetime) -> Classification | None:
    """Whether nobody can say any more what the container does."""
    name = pod.get("spec", {}).get("nodeName")
    if name and node is None:
        return _over(Ending.NODE_LOST, f"the node {name} no longer exists")
    ready = _condition(node or {}, "Ready")
    if name and ready and ready.get("status") != "True":
        since = _time(ready.get("lastTransitionTime"))
        if since is None or now - since > timedelta(seconds=NODE_LOST_S):
            return _over(Ending.NODE_LOST, f"the node {name} is not ready: {_said(ready)}")
    deleted = _time(pod.get("metadata", {}).get("deletionTimestamp"))  # which includes the grace period
    if deleted and now - deleted > timedelta(seconds=DELETED_S):
        return _over(Ending.NODE_LOST, f"the node {name} does not confirm that the pod was deleted")
    return None


def _interruptions(pod: Object, events: Sequence[Object], node: Object | None) -> Iterator[datetime]:
    """When the pod was interrupted, as far as anybody recorded it. If nobody did, the beginning of time."""
    meta, status = pod.get("metadata", {}), pod.get("status", {})
    if deleted := _time(meta.get("deletionTimestamp")):
        yield deleted - timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0)
    disruption = _condition(pod, "DisruptionTarget")
    if disruption and disruption.get("status") == "True":
        yield _time(disruption.get("lastTransitionTime")) or datetime.min.replace(tzinfo=UTC)
    if status.get("reason") == "Evicted" or status.get("reason") in _DISRUPTIONS:
        stamps = [_event_time(event) for event in events if event.get("reason") in ("Evicted", "Preempting")]
        yield min((stamp for stamp in stamps if stamp), default=datetime.min.replace(tzinfo=UTC))
    ready = _condition(node or {}, "Ready")
    if ready and ready.get("status") != "True" and (since := _time(ready.get("lastTransitionTime"))):
        yield since


# -- the program's own end


def _own_end(pod: Object, events: Sequence[Object], node: Object | None) -> Classification | None:
    status = pod.get("status", {})
    ended = _terminated(pod)
    ended_by = pod.get("metadata", {}).get("annotations", {}).get(ENDED_BY)
    if ended is None:
        return _deadline(pod, None, ended_by)
    reason, message = ended.get("reason", ""), ended.get("message", "").strip()
    code = ended.get("exitCode")
    if reason == "ContainerStatusUnknown":
        return _over(Ending.UNKNOWN, f"{reason}: {message}")
    if reason in _CANNOT_START:
        return _over(Ending.NOT_RUNNABLE, message or reason)
    if reason == "OOMKilled" and code != 0:
        if system := _system_oom(events, node, ended):
            return _over(Ending.NODE_PRESSURE, system)
        return _over(Ending.OUT_OF_MEMORY, f"OOMKilled, exit code {code}")
    if (ended_by or status.get("reason") == "DeadlineExceeded") and not _ended_before(pod, ended, ended_by):
        return _deadline(pod, ended, ended_by)
    if code in (126, 127):
        return _over(Ending.NOT_RUNNABLE, message if message.startswith(LAUNCHER_SAYS) else f"exit code {code}")
    if code == 0:
        return _over(Ending.DONE, "exit code 0")
    killed = " (killed, perhaps for its use of memory)" if code == 137 else ""
    return _over(Ending.FAILED, f"exit code {code}{killed}")


def _ended_before(pod: Object, ended: Object, ended_by: str | None) -> bool:
    """Whether the program had finished by itself when Palio ended the pod for its time: a kubelet that did not respond
    reports that too late. An end by a signal may be some seconds early, as another clock than the node's decided.
    """
    if ended_by != BY_TIME:
        return False
    took, limit = _took(ended), _limit(pod)
    return took is not None and took < (limit - _CLOCKS if ended.get("exitCode") in _BY_SIGNAL else limit)


def _took(ended: Object) -> timedelta | None:
    started, finished = _time(ended.get("startedAt")), _time(ended.get("finishedAt"))
    return finished - started if started and finished else None


def _limit(pod: Object) -> timedelta:
    return timedelta(seconds=float(pod.get("metadata", {}).get("annotations", {}).get(TIME_LIMIT, "1e9")))


def _deadline(pod: Object, ended: Object | None, ended_by: str | None) -> Classification | None:
    """The pod's deadline, which Palio sets to now in order to end a pod, keeping its log."""
    status = pod.get("status", {})
    if ended is None and status.get("phase") not in ("Failed", "Succeeded"):
        return None
    if ended is None and status.get("reason") != "DeadlineExceeded":
        return _over(Ending.UNKNOWN, f"the pod is {status.get('phase')} without the status of its container")
    if ended_by is not None:
        return _over(_ENDED_BY.get(ended_by, Ending.STOPPED), f"ended by Palio: {ended_by}")
    if (took := _took(ended or {})) is not None and took >= _limit(pod):
        return _over(Ending.TIME_LIMIT, f"DeadlineExceeded after {took.total_seconds():.0f} s")
    return _over(Ending.WAITED_TOO_LONG, f"DeadlineExceeded: {status.get('message', '')}")


def _system_oom(events: Sequence[Object], node: Object | None, ended: Object) -> str | None:
    """The node's event of running out of memory itself, within a minute of the container's end.

    Old kubelets misread newer kernels, and report every container that exceeds its own limit in this way.
    """
    match = re.match(r"v(\d+)\.(\d+)", (node or {}).get("status", {}).get("nodeInfo", {}).get("kubeletVersion", ""))
    if not match or (int(match[1]), int(match[2])) < _SYSTEM_OOM_IS_TRUE:
        return None
    finished = _time(ended.get("finishedAt"))
    for event in events:
        at = _event_time(event)
        if event.get("reason") == "SystemOOM" and at and finished and abs(at - finished) < timedelta(minutes=1):
            return f"SystemOOM: {event.get('message', '')}"
    return None


# -- jobs that do not run


def _waiting(job: Object, pod: Object, now: datetime) -> Classification | None:
    if _is_suspended(job):
        return _over(Ending.SUSPENDED, _said(_condition(job, "Suspended") or {}))
    scheduled = _condition(pod, "PodScheduled")
    since = _time((scheduled or {}).get("lastTransitionTime")) or _created(pod) or now
    if scheduled and scheduled.get("status") == "False":
        is_over = now - since > timedelta(seconds=PENDING_S)
        return _over(Ending.UNSCHEDULABLE, _said(scheduled)) if is_over else None
    for waiting in _waits(pod):
        reason, said = waiting.get("reason", ""), _said(waiting)
        if reason in _NEVER_PULLED or (reason in _NOT_PULLED and now - since > timedelta(seconds=PULL_S)):
            return _over(Ending.IMAGE_MISSING, said)
        if reason in _WRONG_SPEC:
            return _over(Ending.REJECTED, said)
        if reason == "CreateContainerError":
            is_command = _NOT_EXECUTABLE.search(waiting.get("message", ""))
            return _over(Ending.NOT_RUNNABLE if is_command else Ending.REJECTED, said)
    return None


def _without_pod(job: Object, events: Sequence[Object], now: datetime) -> Classification | None:
    if _is_suspended(job):
        return _over(Ending.SUSPENDED, _said(_condition(job, "Suspended") or {}))
    failed = _condition(job, "Failed")
    if failed and failed.get("status") == "True":
        if failed.get("reason") == "DeadlineExceeded":
            return _over(Ending.WAITED_TOO_LONG, _said(failed))
        if failed.get("reason") == "PodFailurePolicy":
            return _over(Ending.DISRUPTED, _said(failed))
        return _over(Ending.UNKNOWN, f"its pod no longer exists; {_said(failed)}")
    complete = _condition(job, "Complete")
    status = job.get("status", {})
    if (complete and complete.get("status") == "True") or status.get("succeeded") or status.get("failed"):
        return _over(Ending.UNKNOWN, "its pod no longer exists")
    refused = [event.get("message", "") for event in events if event.get("reason") == "FailedCreate"]
    created = _created(job) or now
    if refused and now - created > timedelta(seconds=NO_POD_S):
        return _over(Ending.REJECTED, refused[-1])
    return None


# -- reading objects


def _over(ending: Ending, evidence: str) -> Classification:
    responsible = None if ending in _NOBODY else _PARTICIPANT if ending in _CHARGED else _OPERATOR
    return Classification(ending, responsible, ending in _CHARGED or ending is Ending.DONE, evidence.strip())


def _terminated(pod: Object) -> Object | None:
    """The end of the stage's container. Statuses of init containers are elsewhere."""
    found: Object | None = (_stage_status(pod).get("state") or {}).get("terminated")
    return found


def why_not_pulled(pod: Object) -> str:
    """What the kubelet says about an image that it could not pull; empty if there is none."""
    failed = (each for each in _waits(pod) if each.get("reason") in _NOT_PULLED | _NEVER_PULLED)
    return next(map(_said, failed), "")


def _waits(pod: Object) -> Iterator[Object]:
    status = pod.get("status", {})
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if waiting := (each.get("state") or {}).get("waiting"):
            yield waiting


def _stage_status(pod: Object) -> Object:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return next((each for each in statuses if each.get("name") == STAGE), {})


def _finished(pod: Object) -> datetime | None:
    return _time((_terminated(pod) or {}).get("finishedAt"))


def _is_deleted(pod: Object) -> bool:
    return bool(pod.get("metadata", {}).get("deletionTimestamp"))


def _is_suspended(job: Object) -> bool:
    return bool(job.get("spec", {}).get("suspend"))


def _created(thing: Object) -> datetime | None:
    return _time(thing.get("metadata", {}).get("creationTimestamp"))


def _condition(thing: Object, kind: str) -> Object | None:
    conditions = thing.get("status", {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), None)


def _said(thing: Object) -> str:
    return ": ".join(text for text in (thing.get("reason"), thing.get("message")) if text)


def _event_time(event: Object) -> datetime | None:
    return _time(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp"))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None

"""What the end of a job means for its attempt: a result, or the error of the one who has to act."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from palio.core.engine import End, Job, JobResult, Work
from palio.core.errors import Cause, PalioError
from palio.core.quantities import size_text
from palio.engines.kubernetes import availability
from palio.engines.kubernetes.api import Json
from palio.engines.kubernetes.classify import Classification, Ending
from palio.engines.kubernetes.job_objects import began_at, never_ran, terminated, time_of
from palio.engines.kubernetes.manifest import object_name
from palio.engines.kubernetes.settings import Settings
from palio.engines.kubernetes.volume import Volume
from palio.engines.output_folder import folder_usage
from palio.engines.output_space import output_excess
from palio.engines.start_errors import innermost_cause

_NEXT_STEPS = {
    Ending.NOT_ISOLATED: "Its program did not start. Make the cluster enforce network policies, or see what changed.",
    Ending.UNSCHEDULABLE: "Add a node that can run it, or lower the limits: `{kubectl} describe pod {pod}`.",
    Ending.IMAGE_MISSING: "Check the registry and the pull secret: `{kubectl} describe pod {pod}`.",
    Ending.REJECTED: "See what rejects it: `{kubectl} describe job {job}` and `{kubectl} get events`.",
    Ending.WAITED_TOO_LONG: "See what it waited for, then run it again: `{kubectl} get events`.",
}


def fault(action: str, work: Work, reason: str) -> PalioError:
    return PalioError("engine-fault", engine="kubernetes", action=f"{action} {work.name}", reason=reason)


@contextmanager
def faults_named(action: str, work: Work) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise fault(action, work, str(error)) from error


def raise_unless_own(job: Job, found: Classification, pod: Json, settings: Settings, kubectl: str) -> None:
    """Raises for an end that is not the job's own: retried, or the operator's to fix."""
    if found.ending in _NEXT_STEPS:
        names = {"job": object_name(job.name), "pod": pod.get("metadata", {}).get("name", "")}
        next_step = _NEXT_STEPS[found.ending].format(kubectl=f"{kubectl} -n {settings.namespace}", **names)
        reason = f"{found.ending}: {found.evidence}".rstrip(".")
        if found.ending is Ending.IMAGE_MISSING and not settings.registry:
            reason = f"its node does not have the image {job.image} of the Docker engine beside Palio ({reason})"
            next_step = availability.NAME_A_REGISTRY
        raise PalioError("cluster-job-blocked", job=job.name, reason=reason, next_step=next_step)
    if found.ending is Ending.NODE_PRESSURE:
        node, said = pod.get("spec", {}).get("nodeName", ""), found.evidence.rstrip(".")
        raise PalioError("cluster-node-pressure", job=job.name, node=node, reason=said, kubectl=kubectl)
    if found.responsible is Cause.PLATFORM:
        raise fault("running", job, f"{found.ending}: {found.evidence}".rstrip("."))


def result_of(job: Job, found: Classification, pod: Json, over: datetime, volume: Volume) -> JobResult:
    """`over`: when the job ended, if its container does not tell."""
    ended, began = terminated(pod), began_at(pod)
    started = time_of(began or pod["metadata"]["creationTimestamp"])
    finished = max(started, time_of(ended["finishedAt"]) if ended else over)
    code = (ended or {}).get("exitCode")
    used: Mapping[str, Any] = volume.usage(job)
    result = JobResult(End.EXITED, code if code is not None else 137, started, finished, **used)
    excess = excess_of(job, volume)
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


def excess_of(job: Job, volume: Volume) -> tuple[End, str] | None:
    """The limit that the output exceeds, and by what."""
    limits = job.limits
    if volume.has_keeper(job):
        space = volume.space(job)
        return output_excess(space, limits) if space else None
    size, files, folders = folder_usage(str(volume.output(job)), limits.output_bytes, limits.output_files)
    if size > limits.output_bytes:
        return End.OUTPUT_SIZE, f"{size_text(size)} of {size_text(limits.output_bytes)}"
    if files + folders > limits.output_files:
        return End.OUTPUT_FILES, f"more than {limits.output_files:,} files and folders"
    return None

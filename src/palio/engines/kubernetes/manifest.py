"""The objects of a job for the Kubernetes API: pure functions to dicts, and what the API kept of them.

Covered: everything that the pod security standard "restricted" asks for and more: a user of its own that is not root,
no capabilities, no new privileges, the runtime's seccomp profile, a read-only root, no service account token, no DNS,
no links to services; memory and CPU requested as limited, so that no other pod's use takes them away (except for what
the keeper requests, where no node has CPUs for both); writable space only in memory and in the job's output; the end of
a pod after its deadline even if nobody watches.

Limits on processes, open files, core dumps and file sizes, for which Kubernetes has no field, are set by a launcher in
the job's container (launch.py). The output is a file system in memory, from which a keeper beside the job keeps it
(keeper_program.py). Not covered: the file for termination messages, which a job may write on the node's disk.

An API server silently drops fields that it does not know. So what it returns is compared with what was sent.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from palio.core.engine import GRACE_S, Job, environment
from palio.core.quantities import GIB, MIB
from palio.engines.kubernetes.classify import GATE, KEEPER, STAGE, TIME_LIMIT
from palio.engines.kubernetes.launch import PATH as LAUNCHER
from palio.engines.kubernetes.launch import launched
from palio.engines.kubernetes.settings import Settings
from palio.engines.output_space import output_size_bytes

MANAGED_BY = {"app.kubernetes.io/managed-by": "palio"}  # label of every job and its pod
JOB_NAME, SPEC, UID = "palio/job", "palio/spec", "palio/uid"  # annotations of a job
QUEUE = "kueue.x-k8s.io/queue-name"  # label of a job that waits in a queue of Kueue
POLICY_NAME = "palio-no-network"
CONTROL = {"palio/probe": "control"}  # label of a pod to which the policy does not apply
LIMIT_SLACK_S = 600  # of a pod's deadline, which counts from before its image is pulled
WAIT_S = 24 * 3600  # in a queue, at most
LEFT_S = 7 * 24 * 3600  # an abandoned job is deleted after this time
PROOF_S = 180
CLAIM_FILE = "pod"  # in the folder of a job's claim
_CLAIM = "/claim"  # and that, in the gate
_PROBE = Path(__file__).with_name("probe_program.py")
_PROBE_BYTES = 256 * MIB  # thousands of threads
_TOLERATED_S = 30  # of a node that does not respond
_KEEPER = Path(__file__).with_name("keeper_program.py")
_KEEPER_MILLICPUS = 100
KEEPER_NEEDS = {"cpu": f"{_KEEPER_MILLICPUS}m", "memory": str(64 * MIB)}
_LOG_BYTES = GIB  # of the node's disk, for the log that is not yet rotated
_DECLARED_BYTES = 16 * MIB  # for each volume that an image declares
_COPY = "import shutil; shutil.copytree('/begin', '/out', symlinks=True, dirs_exist_ok=True)"
_CONFINED = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_READ_ONLY = {"readOnly": True, "recursiveReadOnly": "IfPossible"}
# With these, kubelets do not add the address of the API server to the environment.
_SERVICE = ("HOST", "PORT", "PORT_HTTPS")
_PORT = ("", "_443_TCP", "_443_TCP_PROTO", "_443_TCP_PORT", "_443_TCP_ADDR")
_BLANK = (*(f"KUBERNETES_SERVICE_{end}" for end in _SERVICE), *(f"KUBERNETES_PORT{end}" for end in _PORT))
# Fields that older servers do not know, and without which a job is still isolated. Without any other, it does not run.
OPTIONAL = {
    "hostUsers": "a user namespace of its own (Kubernetes 1.33)",
    "podFailurePolicy": "disruptions recorded on the job (Kubernetes 1.26)",
    "podReplacementPolicy": "no second pod before the first is over (Kubernetes 1.29)",
    "recursiveReadOnly": "read-only mounts below inputs (Kubernetes 1.31)",
    "supplementalGroupsPolicy": "no groups of the image (Kubernetes 1.31)",
    "ttlSecondsAfterFinished": "removal of abandoned jobs (Kubernetes 1.21)",
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUFFIXES = {"": Decimal(1), "m": Decimal("0.001")}
_SUFFIXES |= {letter: Decimal(1000**power) for power, letter in enumerate("kMGTPE", 1)}
_SUFFIXES |= {f"{letter}i": Decimal(1024**power) for power, letter in enumerate("KMGTPE", 1)}


def object_name(name: str) -> str:
    """The name of a job's objects: its own where Kubernetes allows it, else one that no other job has."""
    if _NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:16]}".lstrip("-")


def job_manifest(
    job: Job,
    settings: Settings,
    *,
    uid: int,
    inputs: Sequence[str],
    output: str,
    begin: str = "",
    claim: str = "",
    volumes: Sequence[str] = (),
    starts: Sequence[str] = (),
    launcher: str = "",
    limits_processes: bool = True,
    node: str = "",
    targets: Sequence[str] = (),
    shares_cpus: bool = False,
) -> dict[str, Any]:
    """The batch/v1 Job. `inputs` are the paths of the job's mounts in the claim's volume, in their order, and `output`
    is that of its output; `begin` that of what an output in memory starts with, and `claim` that of the folder
    where the one pod that may run it claims it. `volumes` are the paths that its image
    declares as volumes. `starts` is what its container starts, and `launcher` the path of the launcher that does, if
    there is one; `limits_processes`: whether it limits these too. `node`: the name of the only one it may run on. With
    `targets` (see probe_program), the job starts only if its pod reaches none of them. `shares_cpus`: what its keeper
    requests of the CPUs is requested less by the job, whose limit stays.
    """
    pod = _pod(job, settings, inputs, output, volumes)
    annotations = {TIME_LIMIT: f"{job.limits.time_s:g}"}
    spec = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": int(job.limits.time_s) + LIMIT_SLACK_S + WAIT_S,
        "ttlSecondsAfterFinished": LEFT_S,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
        },
        "template": {"metadata": {"labels": {**MANAGED_BY}, "annotations": annotations}, "spec": pod},
    }
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    # What follows is no part of what was asked for, and may differ in a process that starts it again.
    pod["securityContext"] |= {"runAsUser": uid, "runAsGroup": uid}
    if launcher and starts:
        has_keeper = bool(settings.gate_image)
        command = launched(starts, job.limits, limits_processes=limits_processes, has_keeper=has_keeper)
        _add_launcher(pod, command, launcher)
    if settings.gate_image:
        _add_keeper(pod, job, settings, output, shares_cpus=shares_cpus)
        if begin:
            pod["initContainers"] = [_begin_container(settings, begin)]
    _place(pod, settings, node)
    if claim:
        gate = probe_container(GATE, settings, "claim", [f"{_CLAIM}/{CLAIM_FILE}", *targets])
        gate["env"].append({"name": "PALIO_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}})
        gate["volumeMounts"] = [{"name": "data", "mountPath": _CLAIM, "subPath": claim}]
        pod["initContainers"] = [gate, *pod.get("initContainers", [])]
    labels = {**MANAGED_BY, **({QUEUE: settings.queue} if settings.queue else {})}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": object_name(job.name),
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {JOB_NAME: job.name, SPEC: digest, UID: str(uid)},
        },
        "spec": spec,
    }


def _place(pod: dict[str, Any], settings: Settings, node: str) -> None:
    """On the node of that name, or on those of the settings."""
    if selector := {"kubernetes.io/hostname": node} if node else settings.labels:
        pod["nodeSelector"] = selector
    pod["tolerations"] = [*pod["tolerations"], *settings.tolerated]


def probe_container(name: str, settings: Settings, mode: str, arguments: Sequence[str]) -> dict[str, Any]:
    """A container that runs probe_program."""
    resources = {"cpu": "100m", "memory": str(_PROBE_BYTES), "ephemeral-storage": str(MIB)}
    return {
        "name": name,
        "image": settings.gate_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-I", "-c", _PROBE.read_text(), mode, *arguments],
        "env": [{"name": "PALIO_NODE", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}],
        "resources": {"limits": resources, "requests": dict(resources)},
        "securityContext": dict(_CONFINED),
    }


def proof_manifest(
    name: str,
    settings: Settings,
    *,
    uid: int,
    containers: Sequence[Any],
    init: Sequence[Any] = (),
    node: str = "",
    is_control: bool = False,
) -> dict[str, Any]:
    """A Job without data that runs probes, as jobs run. `is_control`: the network policy does not apply to it."""
    pod = _confined(settings, [*containers], [], deadline_s=PROOF_S)
    pod["securityContext"] |= {"runAsUser": uid, "runAsGroup": uid}
    if init:
        pod["initContainers"] = [*init]
    _place(pod, settings, node)
    labels = {**CONTROL} if is_control else {**MANAGED_BY}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": settings.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": PROOF_S,
            "ttlSecondsAfterFinished": PROOF_S,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def network_policy(settings: Settings) -> dict[str, Any]:
    """No traffic in or out, for every job. Only some clusters enforce it."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": POLICY_NAME, "namespace": settings.namespace, "labels": {**MANAGED_BY}},
        "spec": {"podSelector": {"matchLabels": {**MANAGED_BY}}, "policyTypes": ["Ingress", "Egress"]},
    }


def what_did_not_survive(created: Any, wanted: Any) -> tuple[str, ...]:
    """The paths in `wanted` whose values are not in `created`, such as `spec.template.spec.hostUsers`.

    Quantities may be written differently. What `created` has in addition is ignored.
    """
    return tuple(_lost(created, wanted, ""))


def _lost(created: Any, wanted: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping):
        for key, value in wanted.items():
            below = f"{path}.{key}".lstrip(".")
            if not isinstance(created, Mapping) or key not in created:
                yield below
            else:
                yield from _lost(created[key], value, below)
    elif isinstance(wanted, list):
        if not isinstance(created, list) or len(created) < len(wanted):
            yield path
            return
        for number, value in enumerate(wanted):
            yield from _lost(created[number], value, f"{path}[{number}]")
    elif created != wanted and not (_is_quantity(path) and quantity(created) == quantity(wanted)):
        yield path


def _is_quantity(path: str) -> bool:
    return ".resources." in path or path.endswith(".sizeLimit")


def quantity(text: object) -> Decimal | None:
    """The value of a quantity such as `1500m` or `2Gi`, or None if it is none."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]{0,2})", str(text))
    if not match or match[2] not in _SUFFIXES:
        return None
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def _add_launcher(pod: dict[str, Any], command: Sequence[str], launcher: str) -> None:
    (container,) = pod["containers"]
    container.pop("args", None)
    container["command"] = list(map(_literal, command))
    container["volumeMounts"].append({"name": "data", "mountPath": LAUNCHER, "subPath": launcher, **_READ_ONLY})


def _add_keeper(pod: dict[str, Any], job: Job, settings: Settings, output: str, *, shares_cpus: bool) -> None:
    """Puts the output into memory, and the keeper beside the job. Containers start in their order."""
    (container,) = pod["containers"]
    held = "output"
    for mount in container["volumeMounts"]:
        if mount["mountPath"] == job.output:
            mount["name"] = held
            del mount["subPath"]
    if shares_cpus:
        left = max(round(job.limits.cpus * 1000) - _KEEPER_MILLICPUS, 0)
        container["resources"]["requests"]["cpu"] = f"{left}m"
    size = output_size_bytes(job.limits)
    pod["volumes"].append({"name": held, "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}})
    resources = {**KEEPER_NEEDS, "ephemeral-storage": str(MIB)}
    limits = (str(job.limits.output_bytes), str(job.limits.output_files))
    keeper = {
        "name": KEEPER,
        "image": settings.gate_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-I", "-c", _literal(_KEEPER.read_text()), "/out", "/kept", *limits],
        "env": [{"name": name} for name in _BLANK],
        "resources": {"limits": resources, "requests": dict(resources)},
        "securityContext": dict(_CONFINED),
        "volumeMounts": [
            {"name": held, "mountPath": "/out"},
            {"name": "data", "mountPath": "/kept", "subPath": output},
        ],
    }
    pod["containers"] = [keeper, container]


def _begin_container(settings: Settings, begin: str) -> dict[str, Any]:
    """Copies what the output starts with into memory, before the job starts."""
    resources = {**KEEPER_NEEDS, "ephemeral-storage": str(MIB)}
    return {
        "name": "begin",
        "image": settings.gate_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-I", "-c", _COPY],
        "env": [{"name": name} for name in _BLANK],
        "resources": {"limits": resources, "requests": dict(resources)},
        "securityContext": dict(_CONFINED),
        "volumeMounts": [
            {"name": "output", "mountPath": "/out"},
            {"name": "data", "mountPath": "/begin", "subPath": begin, **_READ_ONLY},
        ],
    }


def _literal(text: str) -> str:
    """Kubernetes replaces `$(NAME)`, and `$$` by `$`."""
    return text.replace("$", "$$")


def _pod(job: Job, settings: Settings, inputs: Sequence[str], output: str, volumes: Sequence[str]) -> dict[str, Any]:
    limits = job.limits
    resources = {"cpu": f"{round(limits.cpus * 1000)}m", "memory": str(limits.memory_bytes)}
    resources |= {"ephemeral-storage": str(_LOG_BYTES)}
    if limits.gpus:
        resources |= {"nvidia.com/gpu": str(limits.gpus)}
    in_memory = {"/tmp": limits.memory_bytes, "/dev/shm": limits.shm_bytes}  # noqa: S108 - inside the container
    in_memory |= {path: _DECLARED_BYTES for path in volumes if path not in (job.output, *in_memory)}
    mounts: list[dict[str, Any]] = [
        *({"name": f"memory-{number}", "mountPath": path} for number, path in enumerate(in_memory)),
        *(
            {"name": "data", "mountPath": mount.target, "subPath": path, **_READ_ONLY}
            for mount, path in zip((*job.mounts, *job.own_copies), inputs, strict=True)
        ),
        {"name": "data", "mountPath": job.output, "subPath": output},
    ]
    container: dict[str, Any] = {
        "name": STAGE,
        "image": job.image,
        "imagePullPolicy": "IfNotPresent" if settings.registry else "Never",
        "env": [
            *({"name": name} for name in _BLANK),
            *({"name": name, "value": _literal(value)} for name, value in environment(job).items() if value),
        ],
        "resources": {"limits": resources, "requests": dict(resources)},
        "securityContext": dict(_CONFINED),
        "volumeMounts": mounts,
    }
    if job.command:
        container["args"] = list(map(_literal, job.command))
    if job.workdir is not None:
        container["workingDir"] = job.workdir
    data = [
        *(
            {"name": f"memory-{number}", "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}}
            for number, size in enumerate(in_memory.values())
        ),
        {"name": "data", "persistentVolumeClaim": {"claimName": settings.claim}},
    ]
    return _confined(settings, [container], data, deadline_s=int(limits.time_s) + LIMIT_SLACK_S)


def _confined(settings: Settings, containers: list[Any], volumes: list[Any], *, deadline_s: int) -> dict[str, Any]:
    """The specification of a pod that cannot reach anything but its volumes, as far as Kubernetes has fields for it."""
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": int(GRACE_S),
        "activeDeadlineSeconds": deadline_s,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "hostname": "palio",
        "hostUsers": False,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "supplementalGroupsPolicy": "Strict",
        },
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{trouble}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": _TOLERATED_S,
            }
            for trouble in ("not-ready", "unreachable")
        ],
        "containers": containers,
        "volumes": volumes,
    }
    if settings.runtime_class:
        pod["runtimeClassName"] = settings.runtime_class
    if settings.pull_secret:
        pod["imagePullSecrets"] = [{"name": settings.pull_secret}]
    return pod

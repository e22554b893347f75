"""Whether jobs can run in the cluster, which properties it enforces, and which limits its nodes can provide."""

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from palio.core.engine import Enforcement, Guarantee, Job, Limits
from palio.core.errors import PalioError
from palio.core.quantities import MIB, size_text
from palio.engines.docker import why_unavailable as why_docker_unavailable
from palio.engines.fault import Unavailable
from palio.engines.job_users import job_uids
from palio.engines.kubernetes.api import Cluster, ConflictError, Json, NotFoundError
from palio.engines.kubernetes.experiment import Enforced
from palio.engines.kubernetes.manifest import (
    KEEPER_NEEDS,
    OPTIONAL,
    POLICY_NAME,
    job_manifest,
    network_policy,
    quantity,
    what_did_not_survive,
)
from palio.engines.kubernetes.proof import Proof
from palio.engines.kubernetes.registry import check_registry
from palio.engines.kubernetes.settings import PREFIX, Settings

# What Palio does, as in the roles of docs/kubernetes.md.
_RIGHTS = (
    ("batch", "jobs", ("create", "get", "list", "delete")),
    ("", "pods", ("get", "list", "watch", "patch")),
    ("", "pods/log", ("get",)),
    ("", "events", ("list",)),
    ("networking.k8s.io", "networkpolicies", ("create", "get")),
    ("", "nodes", ("get", "list")),
)
_OF_THE_CLUSTER = ("nodes",)
_NEEDED = {"pods", "count/pods", "count/jobs.batch", "cpu", "memory", "requests.cpu", "requests.memory"}
_NEEDED |= {"limits.cpu", "limits.memory", "requests.ephemeral-storage", "limits.ephemeral-storage"}
_SHARES_IMAGES = "docker://"
NAME_A_REGISTRY = (
    "Name a registry that Docker here can push to and the nodes can pull from: "
    f"`export {PREFIX}REGISTRY=registry.example:5000/palio`."
)
_SAMPLE = Job(
    name="palio-dry-run",
    image="palio-dry-run",
    limits=Limits(time_s=1, memory_bytes=64 * MIB, cpus=0.1),
    log=Path(),
    output="/mnt/out",
)


def why_unavailable() -> Unavailable | None:
    """None if jobs can run in the cluster, else what is missing and the command that adds it."""
    try:
        settings = Settings.read()
        cluster = Cluster(settings)
        cluster.version()
        check_claim(cluster, settings)
        check_rights(cluster, settings)
        check_quota(cluster, settings)
        missing_fields(cluster, settings)
        check_registry(settings.registry)
        check_shared_images(cluster, settings)
    except PalioError as error:
        return Unavailable(error.failure.message.rstrip("."), error.failure.next_step)
    if os.geteuid() != 0:
        return Unavailable(
            "Palio does not run as root, so it cannot read and remove what jobs of other users write",
            "Run it as root in a pod or container of its own that has the volume.",
        )
    if not os.access(settings.folder, os.W_OK):
        return Unavailable(
            f"{settings.folder} is not a folder that Palio may write to",
            f"Mount the volume of the claim {settings.claim} there, or set {PREFIX}FOLDER.",
        )
    return why_docker_unavailable()


def check_claim(cluster: Cluster, settings: Settings) -> None:
    """Raises PalioError unless the claim is bound to a volume."""
    path = f"/api/v1/namespaces/{settings.namespace}/persistentvolumeclaims/{settings.claim}"
    kubectl = f"{cluster.kubectl} -n {settings.namespace}"
    try:
        phase = cluster.get(path).get("status", {}).get("phase", "Pending")
    except NotFoundError:
        raise PalioError(
            "cluster-refused",
            reason=f"the namespace {settings.namespace} has no claim {settings.claim} of a volume",
            next_step=f"Create it as in docs/kubernetes.md (`{kubectl} apply -f claim.yaml`), or set {PREFIX}CLAIM.",
        ) from None
    if phase != "Bound":
        raise PalioError(
            "cluster-refused",
            reason=f"the claim {settings.claim} has no volume ({phase}); the cluster may have no default storage class",
            next_step=f"See `{kubectl} describe pvc {settings.claim}` and `{cluster.kubectl} get storageclass`.",
        )


def check_rights(cluster: Cluster, settings: Settings) -> None:
    """Raises PalioError for the first verb that Palio needs and may not use. Every account may ask this."""
    for group, resource, verbs in _RIGHTS:
        for verb in verbs:
            name, _, sub = resource.partition("/")
            wanted = {"group": group, "resource": name, "subresource": sub, "verb": verb}
            if resource not in _OF_THE_CLUSTER:
                wanted["namespace"] = settings.namespace
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": wanted},
            }
            found = cluster.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
            if not found.get("status", {}).get("allowed"):
                raise _forbidden(cluster, settings, verb, resource, group)


def _forbidden(cluster: Cluster, settings: Settings, verb: str, resource: str, group: str) -> PalioError:
    of_cluster = resource in _OF_THE_CLUSTER
    scope, where = ("cluster", "") if of_cluster else ("", f" -n {settings.namespace}")
    qualified = f"{resource}.{group}" if group else resource
    name = f"palio-{verb}-{resource.replace('/', '-')}"
    return PalioError(
        "cluster-refused",
        reason=f"this account may not {verb} {qualified}{'' if of_cluster else f' in {settings.namespace}'}",
        next_step=f"Allow it with `{cluster.kubectl} create {scope}role {name} --verb={verb} --resource={qualified}"
        f"{where}`, and bind that role to the account; docs/kubernetes.md has a role with all verbs.",
    )


def check_quota(cluster: Cluster, settings: Settings) -> None:
    """Raises PalioError if a quota of the namespace allows none of something that every job needs.

    Accounts that may not read quotas learn of them when a job waits.
    """
    try:
        quotas = cluster.get(f"/api/v1/namespaces/{settings.namespace}/resourcequotas").get("items") or ()
    except PalioError as error:
        if error.failure.code == "cluster-refused":
            return
        raise
    for quota in quotas:
        for resource, most in quota.get("spec", {}).get("hard", {}).items():
            if resource in _NEEDED and quantity(most) == 0:
                name = quota["metadata"]["name"]
                raise PalioError(
                    "cluster-refused",
                    reason=f"the quota {name} of the namespace {settings.namespace} allows 0 {resource}",
                    next_step=f"Raise it: `{cluster.kubectl} -n {settings.namespace} edit resourcequota {name}`.",
                )


def check_shared_images(cluster: Cluster, settings: Settings) -> None:
    """Raises PalioError if there is no registry, and a node whose runtime is not Docker, so that it has no images."""
    if settings.registry:
        return
    for node in cluster.get("/api/v1/nodes").get("items") or ():
        runtime = node.get("status", {}).get("nodeInfo", {}).get("containerRuntimeVersion", "")
        if not runtime.startswith(_SHARES_IMAGES):
            raise PalioError(
                "cluster-refused",
                reason=f"{PREFIX}REGISTRY is not set, and the node {node['metadata']['name']} ({runtime or 'unknown'}) "
                "does not have the images of the Docker engine beside Palio",
                next_step=NAME_A_REGISTRY,
            )


def _unknown_kind(cluster: Cluster, kind: str) -> PalioError:
    return PalioError(
        "cluster-refused",
        reason=f"its Kubernetes {cluster.version()} does not offer {kind}",
        next_step=f"See `{cluster.kubectl} api-versions`. If the cluster is newer than this Palio, upgrade Palio: "
        "`python -m pip install -U 'palio[kubernetes]'`.",
    )


def missing_fields(cluster: Cluster, settings: Settings) -> frozenset[str]:
    """Which of OPTIONAL the server does not know. Creates nothing.

    Raises PalioError if it drops any other field, or would not accept a job at all.
    """
    sample = replace(_SAMPLE, name=f"{_SAMPLE.name}-{os.getpid()}")
    wanted = job_manifest(sample, settings, uid=job_uids().start, inputs=(), output="palio-dry-run")
    try:
        created = cluster.create(f"/apis/batch/v1/namespaces/{settings.namespace}/jobs", wanted, dryRun="All")
    except NotFoundError:
        raise _unknown_kind(cluster, "batch/v1 jobs") from None
    lost = {path.rpartition(".")[2] for path in what_did_not_survive(created, wanted)}
    if unsafe := lost - OPTIONAL.keys():
        raise PalioError(
            "cluster-refused",
            reason=f"it drops or changes {', '.join(sorted(unsafe))} of jobs, which isolate them",
            next_step=f"See which policy does that: `{cluster.kubectl} get mutatingwebhookconfigurations`.",
        )
    return frozenset(lost)


def ensure_policy(cluster: Cluster, settings: Settings) -> None:
    """Creates the network policy. Raises PalioError if another of its name exists."""
    wanted = network_policy(settings)
    path = f"/apis/networking.k8s.io/v1/namespaces/{settings.namespace}/networkpolicies"
    try:
        cluster.create(path, wanted)
    except NotFoundError:
        raise _unknown_kind(cluster, "networking.k8s.io/v1 network policies") from None
    except ConflictError:
        pass
    else:
        return
    found = cluster.get(f"{path}/{POLICY_NAME}")
    if what_did_not_survive(found, wanted) or found["spec"].keys() - wanted["spec"].keys():
        raise PalioError(
            "cluster-refused",
            reason=f"the network policy {POLICY_NAME} was changed",
            next_step=f"Delete it, and Palio creates it again: `{cluster.kubectl} -n {settings.namespace} delete "
            f"networkpolicy {POLICY_NAME}`.",
        )


def guarantees(missing: frozenset[str], settings: Settings, proof: Proof, enforced: Enforced) -> tuple[Guarantee, ...]:
    """`missing` is from `missing_fields`."""
    kernel, watching, none = Enforcement.KERNEL, Enforcement.WATCHING, Enforcement.NONE
    uids = job_uids()
    users = "" if "hostUsers" in missing else ", in a user namespace of its own"
    groups = ", but the image's" if "supplementalGroupsPolicy" in missing else ""

    def by_experiment(name: str, *, holds: bool, yes: str, no: str) -> Guarantee:
        untested = f"not tested: {enforced.fault}" if enforced.fault else no
        return Guarantee(name, kernel if holds and not enforced.fault else none, yes if holds else untested)

    network, kubelets_pids = proof.guarantees()
    says = "of the job's user; tested on a node of each kind, and before each program starts"
    pids = Guarantee("pids", kernel, says)
    sandbox = f"; runtime class {settings.runtime_class}" if settings.runtime_class else ""
    return (
        network,
        Guarantee("root file system", kernel, "read-only; /tmp in memory"),
        Guarantee("user", kernel, f"a separate uid ({uids.start}-{uids.stop - 1}) per job, no groups{groups}{users}"),
        Guarantee(
            "capabilities",
            kernel,
            f"none, no new privileges, the runtime's seccomp profile and, on x86-64, Palio's stricter filter{sandbox}",
        ),
        Guarantee("memory", kernel, "including /tmp and /dev/shm"),
        Guarantee("cpus", kernel),
        pids if enforced.processes else kubelets_pids,
        by_experiment(
            "shared memory",
            holds=enforced.shared_memory,
            yes="a separate file system in the job's memory",
            no="within the job's memory, but nodes (before 1.22) do not limit its size; evicted beyond it",
        ),
        Guarantee("input", kernel, "read-only"),
        by_experiment(
            "output",
            holds=enforced.output,
            yes="a separate file system with that size, in the job's memory; its number of files by watching",
            no="within the job's memory, but nodes (before 1.22) do not limit its size; measured",
        ),
        Guarantee("time", watching, "from outside; by the kubelet if nobody watches"),
        Guarantee("log", kernel, "rotated by the kubelet"),
        Guarantee("environment", kernel, "a fixed list"),
        Guarantee("devices", kernel, "none but declared GPUs"),
        Guarantee("host", kernel, "own process, IPC and host namespaces; /proc/self/mountinfo shows paths of mounts"),
        Guarantee("build", watching, "on the Docker engine beside Palio"),
        Guarantee("build network", kernel, "none, or only public addresses through an egress proxy"),
    )


def check(cluster: Cluster, settings: Settings, limits: Limits) -> None:
    """Raises PalioError("limit-unavailable") for the first limit that no node can provide, beside the job's keeper,
    which may share the job's CPUs.
    """
    offers, wanted = _offers(cluster), _wanted(limits)
    if settings.gate_image:
        wanted["memory"] += quantity(KEEPER_NEEDS["memory"]) or 0
    for resource, setting in (("cpu", "cpus"), ("memory", "memory"), ("nvidia.com/gpu", "gpus")):
        most = max((quantity(offer.get(resource, 0)) or 0 for offer in offers), default=0)
        if wanted[resource] > most:
            is_memory = setting == "memory"
            value = size_text(int(wanted[resource])) if is_memory else f"{float(wanted[resource]):g}"
            raise PalioError(
                "limit-unavailable",
                setting=setting,
                value=value,
                engine="kubernetes",
                reason=f"its largest node offers {size_text(int(most)) if is_memory else f'{float(most):g}'}",
                next_step="Add a larger node, or lower the limit in competition.yaml.",
            )


def has_cpus_for_keeper(cluster: Cluster, limits: Limits) -> bool:
    """Whether a node provides the CPUs of a job's keeper beside all that the job may use."""
    wanted = _wanted(limits)
    for resource, size in KEEPER_NEEDS.items():
        wanted[resource] += quantity(size) or 0
    return any(
        all((quantity(offer.get(resource, 0)) or 0) >= size for resource, size in wanted.items())
        for offer in _offers(cluster)
    )


def _offers(cluster: Cluster) -> list[Json]:
    """What each node has for pods."""
    nodes = cluster.get("/api/v1/nodes").get("items") or ()
    return [node.get("status", {}).get("allocatable", {}) for node in nodes]


def _wanted(limits: Limits) -> dict[str, Decimal]:
    return {
        "cpu": Decimal(str(limits.cpus)),
        "memory": Decimal(limits.memory_bytes),
        "nvidia.com/gpu": Decimal(limits.gpus),
    }

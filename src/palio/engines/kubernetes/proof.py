"""What this cluster enforces, by experiment: nothing in the API says whether network policies or limits on processes
take effect.

Three kinds of pods, without data, run from the gate's image: one on a node of each kind that tries what jobs must not
reach, as the gate of each job does again; one beside it that counts how many processes it may start; and the control,
to which the policy does not apply and which has to reach this machine. Without the control, "blocked" could mean that
no pod reaches anything. The result is kept on the volume for an hour.

Covered: clusters that enforce no policy, or enforce it late; nodes that differ in kubelet, operating system, container
runtime or type. Not covered: a node that differs from others of its kind, except that each job's own gate tests it.
If this process ends while a gate runs, the gate cannot reach the listener, and decides by the other targets.
"""

import errno
import fcntl
import json
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from palio.core.engine import Enforcement, Guarantee
from palio.engines.job_users import job_uids
from palio.engines.kubernetes.api import Cluster, Json, NotFoundError
from palio.engines.kubernetes.classify import GATE, STAGE, why_not_pulled
from palio.engines.kubernetes.manifest import PROOF_S, probe_container, proof_manifest
from palio.engines.kubernetes.settings import PREFIX, Settings

FRESH_S = 3600.0
FRESH_FAULT_S = 300.0  # an operator who has changed the cluster does not wait for an hour
MOST_PIDS = 4096  # a pod that may start more counts as not limited
_KINDS = 8  # of nodes that are tried at most
_FILE = "palio-proof.json"
_NAMED = "palio-proof-"
_POLL_S = 0.5
_WAIT_S = PROOF_S + 30.0
# What a job must not reach; a name that begins with `$` is set by the kubelet, see probe_program.
_TARGETS = (
    "API server,tcp,$KUBERNETES_SERVICE_HOST,443",
    "kubelet,tcp,$PALIO_NODE,10250",
    "dns,udp,$KUBERNETES_SERVICE_HOST,53",
    "node-local DNS,udp,169.254.20.10,53",
    "metadata service,tcp,169.254.169.254,80",
    "the internet,tcp,1.1.1.1,443",
    "the internet,tcp,2606:4700:4700::1111,443",
)


@dataclass(frozen=True)
class Proof:
    """`reached`: what a job would reach. `is_controlled`: whether the control reached this machine. `pids`: for each
    kind of node, how many processes a pod may start, or None if that has no limit. `fault`: why there is no proof.
    """

    time: float = 0.0  # seconds since the epoch
    reached: tuple[str, ...] = ()
    is_controlled: bool = False
    pids: dict[str, int | None] = field(default_factory=dict)
    fault: str = ""

    @property
    def isolates(self) -> bool:
        return self.is_controlled and not self.reached and not self.fault

    def guarantees(self) -> tuple[Guarantee, Guarantee]:
        """Those of network and pids."""
        return self._network(), self._pids()

    def _network(self) -> Guarantee:
        if self.isolates:
            says = f"none: a network policy, and a job starts only after its pod reached none of {len(_TARGETS) + 1} "
            return Guarantee("network", Enforcement.KERNEL, says + "addresses, which a pod without the policy reaches")
        if self.fault:
            why = f"a network policy refuses everything, but whether the cluster enforces it is not known: {self.fault}"
        elif self.reached:
            why = f"the cluster does not enforce its network policies: a job reaches {', '.join(self.reached)}"
        else:
            why = f"not proved: pods do not reach this machine at all; set {PREFIX}ADDRESS to where they would"
        return Guarantee("network", Enforcement.NONE, why)

    def _pids(self) -> Guarantee:
        if self.fault or not self.pids:
            return Guarantee("pids", Enforcement.NONE, "only by the kubelet's podPidsLimit, which was not tested")
        free = sorted(kind for kind, most in self.pids.items() if most is None)
        if free:
            why = f"a pod starts {MOST_PIDS:,} processes on {', '.join(free)}; set the kubelet's podPidsLimit"
            return Guarantee("pids", Enforcement.NONE, why)
        most = max(most or 0 for most in self.pids.values())
        why = f"at most {most:,} in a pod, by the kubelet; a lower limit of the challenge is not enforced"
        return Guarantee("pids", Enforcement.KERNEL, why)


class Listener:
    """What a job must not reach, and the control has to: a port of this process, for as long as the object exists."""

    def __init__(self, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.create_server((address, 0), family=family, backlog=64)
        self.target = f"Palio,tcp,{address},{listening.getsockname()[1]}"
        threading.Thread(target=_accept, args=[listening], name="palio-gate-listener", daemon=True).start()
        weakref.finalize(self, listening.shutdown, socket.SHUT_RDWR)


def _accept(listening: socket.socket) -> None:
    with listening:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError as error:
                if error.errno == errno.EINVAL:  # it was shut down
                    return
                time.sleep(_POLL_S)  # too many open files, for example
            else:
                connection.close()


def targets(listener: Listener) -> tuple[str, ...]:
    return (listener.target, *_TARGETS)


def own_address(cluster: Cluster, settings: Settings) -> str:
    """Where pods would reach this machine: the address from which it reaches the API server, or else a node."""
    if settings.address:
        return settings.address
    found = _address_towards(cluster.host)
    if not found or found.startswith("127.") or found == "::1":
        found = next(filter(None, map(_address_towards, _node_addresses(cluster))), "")
    return found


def _address_towards(host: str) -> str:
    try:
        family, *_, place = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            connection.connect(place)  # sends nothing
            return str(connection.getsockname()[0])
    except OSError:
        return ""


def _node_addresses(cluster: Cluster) -> list[str]:
    nodes = cluster.get("/api/v1/nodes").get("items") or ()
    addresses = [each for node in nodes for each in node.get("status", {}).get("addresses") or ()]
    return [each["address"] for each in addresses if each["type"] == "InternalIP"]


def prove(cluster: Cluster, settings: Settings, listener: Listener) -> Proof:
    """The proof on the volume if it is fresh, else a new one, which takes some seconds."""
    file = settings.folder / _FILE
    with (settings.folder / f"{_FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process makes it for all
        key = [settings.gate_image, settings.namespace, settings.runtime_class, listener.target.split(",")[2]]
        if (kept := _read(file, key)) is not None:
            return kept
        proof = _Trial(cluster, settings, listener).run()
        if not proof.fault:
            temporary = file.with_suffix(".new")
            temporary.write_text(json.dumps({"key": key, **asdict(proof)}))
            temporary.replace(file)
        return proof


def _read(file: Path, key: list[str]) -> Proof | None:
    try:
        found = json.loads(file.read_text())
        if found.pop("key") != key:
            return None
        proof = Proof(**found | {"reached": tuple(found["reached"])})
        return proof if 0 <= time.time() - proof.time < (FRESH_S if proof.isolates else FRESH_FAULT_S) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _Trial:
    def __init__(self, cluster: Cluster, settings: Settings, listener: Listener) -> None:
        self._cluster, self._settings, self._listener = cluster, settings, listener
        namespace = settings.namespace
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._prefix = f"{_NAMED}{secrets.token_hex(4)}"
        self._not_pulled = ""

    def run(self) -> Proof:
        kinds = self._kinds()
        names = {kind: f"{self._prefix}-{number}" for number, kind in enumerate(kinds)}
        control = f"{self._prefix}-control"
        self._remove_earlier()
        try:
            for kind, name in names.items():
                self._create(name, kinds[kind])
            self._create(control, "", is_control=True)
            ended = self._wait([*names.values(), control])
        finally:
            for name in (*names.values(), control):
                self._delete(name)
        if self._not_pulled:
            return Proof(fault=f"the image {self._settings.gate_image} cannot be pulled: {self._not_pulled}")
        tried = {kind: ended[name] for kind, name in names.items() if name in ended}
        if not tried or control not in ended:
            return Proof(fault=f"the pods that test it did not end within {_WAIT_S:.0f} s")
        gates = [_message(pod, "containerStatuses", GATE) for pod in tried.values()]
        controlled = _message(ended[control], "containerStatuses", STAGE)
        if any(gate is None for gate in gates) or controlled is None:
            return Proof(fault=f"the image {self._settings.gate_image} does not run Python there")
        counts = {kind: _message(pod, "initContainerStatuses", STAGE) for kind, pod in tried.items()}
        return Proof(
            time=time.time(),
            reached=tuple(sorted({each for gate in gates if gate for each in gate["reached"]})),
            is_controlled=bool(controlled["reached"]),
            pids={kind: count["processes"] if count["limited"] else None for kind, count in counts.items() if count},
        )

    def _remove_earlier(self) -> None:
        """What is left of trials whose processes were killed. Nobody else makes one now, see `prove`."""
        for job in self._cluster.get(self._jobs).get("items") or ():
            if job["metadata"]["name"].startswith(_NAMED):
                self._delete(job["metadata"]["name"])

    def _delete(self, name: str) -> None:
        with suppress(NotFoundError):
            self._cluster.delete(f"{self._jobs}/{name}", {"propagationPolicy": "Background"})

    def _kinds(self) -> dict[str, str]:
        """A node of each kind that may run jobs."""
        found: dict[str, str] = {}
        for node in self._cluster.get("/api/v1/nodes").get("items") or ():
            info, labels = node.get("status", {}).get("nodeInfo", {}), node["metadata"].get("labels", {})
            conditions = node.get("status", {}).get("conditions") or ()
            is_ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
            taints = node.get("spec", {}).get("taints") or ()
            if (
                node.get("spec", {}).get("unschedulable")
                or not is_ready
                or any(taint["effect"] != "PreferNoSchedule" for taint in taints)
            ):
                continue
            kind = [info.get("kubeletVersion"), info.get("osImage"), info.get("containerRuntimeVersion")]
            kind += [labels.get("node.kubernetes.io/instance-type")]
            if len(found) < _KINDS:
                found.setdefault(", ".join(filter(None, kind)), labels.get("kubernetes.io/hostname", ""))
        return found

    def _create(self, name: str, node: str, *, is_control: bool = False) -> None:
        uid = job_uids().start
        if is_control:
            reach = probe_container(STAGE, self._settings, "reach", [self._listener.target])
            wanted = proof_manifest(name, self._settings, uid=uid, containers=[reach], is_control=True)
        else:
            gate = probe_container(GATE, self._settings, "gate", targets(self._listener))
            count = probe_container(STAGE, self._settings, "pids", [str(MOST_PIDS)])
            # In this order, because a gate that fails would keep the other from running.
            wanted = proof_manifest(name, self._settings, uid=uid, containers=[gate], init=[count], node=node)
        self._cluster.create(self._jobs, wanted)

    def _wait(self, names: Sequence[str]) -> dict[str, Json]:
        """The pods of these jobs that ended in time, by job."""
        ended: dict[str, Json] = {}
        deadline = time.monotonic() + _WAIT_S
        while len(ended) < len(names) and not self._not_pulled and time.monotonic() < deadline:
            for name in names:
                for pod in self._cluster.get(self._pods, labelSelector=f"job-name={name}").get("items") or ():
                    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
                        ended[name] = pod
                    self._not_pulled = self._not_pulled or why_not_pulled(pod)
            time.sleep(_POLL_S)
        return ended


def _message(pod: Json, statuses: str, container: str) -> dict[str, Any] | None:
    """What the probe of this container found, or None if it did not run to its end."""
    found = pod.get("status", {}).get(statuses) or ()
    status: Json = next((each for each in found if each.get("name") == container), {})
    try:
        told = json.loads(status["state"]["terminated"]["message"])
    except (KeyError, TypeError, ValueError):
        return None
    return told if isinstance(told, dict) else None

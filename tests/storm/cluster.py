"""The cluster that a storm strikes: its control plane and kubelet, and what Palio has in it.

`ControlPlane` keeps the processes running as a service manager does: whatever ends is started again with the same
arguments. That is more than what was killed, because schedulers and controller managers end by themselves when the API
server has been away for ten seconds. It takes the processes over from ../shared/tools/kubernetes-up, which writes their
numbers beside the kubeconfig. A cluster without these is struck only through its API.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.docker_command import docker_if_any
from tests.engines.kubernetes.packet_filter import network_policies_enforced
from tests.storm.processes import is_same, started

from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster, NotFoundError
from palio.engines.kubernetes.manifest import MANAGED_BY
from palio.engines.kubernetes.settings import Settings

COMPONENTS = ("etcd", "apiserver", "controller-manager", "scheduler", "kubelet")
_POLL_S = 0.25
_GRACE_S = (0, 1, 5)  # of a pod that is deleted
_OF_ATTEMPTS = ("-predict", "-score")


@dataclass
class _Component:
    name: str
    process: int
    started: str  # see `started`
    command: list[str]
    is_child: bool = False
    down_until: float = 0.0  # monotonic

    @property
    def is_running(self) -> bool:
        if self.is_child:
            with suppress(ChildProcessError):
                os.waitpid(self.process, os.WNOHANG)
        return is_same(self.process, self.started)


class ControlPlane:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._components = {name: self._take(name) for name in COMPONENTS}
        self._stop, self.failures = threading.Event(), list[str]()
        self.restarts = 0
        self._thread = threading.Thread(target=self._run, name="control-plane")
        self._thread.start()

    def kill(self, name: str, down_s: float) -> bool:
        """It is started again after `down_s`; False if it is down already."""
        component = self._components[name]
        if not component.is_running:
            return False
        component.down_until = time.monotonic() + down_s
        with suppress(ProcessLookupError):
            os.kill(component.process, signal.SIGKILL)
        return True

    def end(self) -> None:
        """Leaves all of it running."""
        self._stop.set()
        self._thread.join()
        self._start_missing()

    def _take(self, name: str) -> _Component:
        process = int((self._folder / f"{name}.pid").read_text())
        command = Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
        if not started(process) or command == [""]:
            raise RuntimeError(f"{name} does not run; start the cluster again")
        return _Component(name, process, started(process), command)

    def _run(self) -> None:
        while not self._stop.wait(_POLL_S):
            try:
                self._start_missing()
            except OSError as error:
                self.failures.append(f"the control plane could not be started again: {error}")

    def _start_missing(self) -> None:
        for component in self._components.values():
            if not component.is_running and (time.monotonic() >= component.down_until or self._stop.is_set()):
                self._start(component)

    def _start(self, component: _Component) -> None:
        """In a session of its own, so that it outlives the storm."""
        log = os.open(self._folder / f"{component.name}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        command = ["env", "-C", str(self._folder), *component.command]
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]  # type: ignore[list-item]
        try:
            process = os.posix_spawnp("env", command, os.environ, file_actions=actions, setsid=True)
        finally:
            os.close(log)
        component.process, component.started, component.is_child = process, started(process), True
        (self._folder / f"{component.name}.pid").write_text(f"{process}\n")
        self.restarts += 1


class StormCluster:
    """`settings` are those of the platform. `plane` is None where the cluster is not this machine's own."""

    def __init__(self, settings: Settings, plane: ControlPlane | None) -> None:
        self.plane, self._settings, self._cluster = plane, settings, Cluster(settings)
        self._jobs = f"/apis/batch/v1/namespaces/{settings.namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{settings.namespace}/pods"
        self._selector = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())

    def delete_pod(self, chance: random.Random) -> bool:
        """As somebody who tidies up, at once or with some seconds to end; False if there is none, or no answer."""
        return self._delete_one(self._pods, {"gracePeriodSeconds": chance.choice(_GRACE_S)}, chance)

    def delete_job(self, chance: random.Random) -> bool:
        return self._delete_one(self._jobs, {"propagationPolicy": "Background"}, chance)

    def _delete_one(self, path: str, how: Mapping[str, object], chance: random.Random) -> bool:
        with suppress(PalioError, NotFoundError):
            found = [name for name in self._names(path) if any(stage in name for stage in _OF_ATTEMPTS)]
            if found:
                self._cluster.delete(f"{path}/{chance.choice(found)}", dict(how))
                return True
        return False

    def _names(self, path: str) -> list[str]:
        listed = self._cluster.get(path, labelSelector=self._selector).get("items") or ()
        return sorted(each["metadata"]["name"] for each in listed)

    def left(self) -> list[str]:
        """What Palio or the kubelet has in it, on its volume and on this machine, and should not have any more."""
        try:
            found = [f"the job {name}" for name in self._names(self._jobs)]
            found += [f"the pod {name}" for name in self._names(self._pods)]
            listed = self._cluster.get("/api/v1/pods").get("items") or ()
        except PalioError as error:
            return [f"what is in the cluster is not known: {error}"]
        known = {each["metadata"]["uid"] for each in listed}
        found += [f"the folder {path}" for path in (self._settings.folder / "palio-jobs").glob("*")]
        if self.plane is not None:
            own = f"label=io.kubernetes.pod.namespace={self._settings.namespace}"
            found += docker_if_any("ps", "-a", "--filter", own, "--format", "the container {{.Names}}")
            mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
            of_pods = [mount.partition("/kubelet/pods/") for mount in mounts if "/kubelet/pods/" in mount]
            found += [f"the mount {''.join(parts)}" for parts in of_pods if parts[2].split("/")[0] not in known]
        return sorted(found)


@contextmanager
def storm_cluster() -> Iterator[StormCluster]:
    """The one that the environment names, with network policies that a packet filter enforces."""
    settings = Settings.read()
    folder = Path(os.environ.get("KUBECONFIG", "")).parent
    plane = ControlPlane(folder) if (folder / "kubelet.pid").exists() else None
    try:
        with network_policies_enforced():
            yield StormCluster(settings, plane)
    finally:
        if plane is not None:
            plane.end()

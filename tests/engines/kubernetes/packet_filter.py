"""What a network plugin would do, where a cluster has none that enforces policies: drop every packet of jobs' pods.

Like one, it learns of a pod a moment after the pod has started. Needs root, and pods on a bridge of this machine.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from palio.engines.kubernetes.api import Cluster
from palio.engines.kubernetes.manifest import MANAGED_BY

_POLL_S = 0.2
_CHAINS = ("INPUT", "FORWARD")
_OVER = ("Succeeded", "Failed")


class PacketFilter:
    def __init__(self, cluster: Cluster, namespace: str, *, drop_all: bool) -> None:
        self._cluster, self._pods = cluster, f"/api/v1/namespaces/{namespace}/pods"
        self._selector = {} if drop_all else {"labelSelector": ",".join(f"{k}={v}" for k, v in MANAGED_BY.items())}
        self._dropped: set[str] = set()
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(_POLL_S):
            pods = self._cluster.get(self._pods, **self._selector).get("items") or ()
            live = (pod["status"] for pod in pods if pod["status"].get("phase") not in _OVER)
            self._set({status["podIP"] for status in live if status.get("podIP")})
        self._set(set())

    def _set(self, addresses: set[str]) -> None:
        for address in addresses - self._dropped:
            self._change("-I", address)
        for address in self._dropped - addresses:
            self._change("-D", address)
        self._dropped = addresses

    def _change(self, how: str, address: str) -> None:
        for chain in _CHAINS:
            subprocess.run(["iptables", "-w", how, chain, "-s", address, "-j", "DROP"], check=True)


@contextmanager
def packets_dropped(cluster: Cluster, namespace: str, *, drop_all: bool = False) -> Iterator[None]:
    """Those of pods to which Palio's policy applies, or with `drop_all` those of every pod in the namespace."""
    made = PacketFilter(cluster, namespace, drop_all=drop_all)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield
    finally:
        made.stop.set()
        thread.join()

"""What a network plugin would do, where a cluster has none that enforces policies: drop every packet of jobs' pods.

Like one, it learns of a pod a moment after the pod has started. Needs root, and pods on a bridge of this machine.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster
from palio.engines.kubernetes.manifest import MANAGED_BY
from palio.engines.kubernetes.settings import Settings

_POLL_S = 0.2
_CHAIN = "palio-test"  # of its own, so that what a killed process left is found
_FROM = ("INPUT", "FORWARD")
_OVER = ("Succeeded", "Failed")


class PacketFilter:
    def __init__(self, cluster: Cluster, namespace: str, *, drop_all: bool) -> None:
        self._cluster, self._pods = cluster, f"/api/v1/namespaces/{namespace}/pods"
        self._selector = {} if drop_all else {"labelSelector": ",".join(f"{k}={v}" for k, v in MANAGED_BY.items())}
        self._dropped: set[str] = set()
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(_POLL_S):
            try:
                pods = self._cluster.get(self._pods, **self._selector).get("items") or ()
            except PalioError:  # the API server is away; a plugin keeps what it has set
                continue
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
        _iptables(how, _CHAIN, "-s", address, "-j", "DROP")


def _iptables(*arguments: str, check: bool = True) -> None:
    subprocess.run(["iptables", "-w", *arguments], check=check, capture_output=True)


def _remove_chain() -> None:
    for chain in _FROM:
        _iptables("-D", chain, "-j", _CHAIN, check=False)
    _iptables("-F", _CHAIN, check=False)
    _iptables("-X", _CHAIN, check=False)


def _make_chain() -> None:
    _remove_chain()
    _iptables("-N", _CHAIN)
    for chain in _FROM:
        _iptables("-I", chain, "-j", _CHAIN)


@contextmanager
def packets_dropped(cluster: Cluster, namespace: str, *, drop_all: bool = False) -> Iterator[None]:
    """Those of pods to which Palio's policy applies, or with `drop_all` those of every pod in the namespace."""
    made = PacketFilter(cluster, namespace, drop_all=drop_all)
    thread = threading.Thread(target=made.run)
    _make_chain()
    thread.start()
    try:
        yield
    finally:
        made.stop.set()
        thread.join()
        _remove_chain()


@contextmanager
def network_policies_enforced() -> Iterator[None]:
    """In the namespace that the environment names. No proof is taken from outside, or left there."""
    settings = Settings.read()
    _forget(settings)
    try:
        with packets_dropped(Cluster(settings), settings.namespace):
            yield
    finally:
        _forget(settings)


def _forget(settings: Settings) -> None:
    for file in settings.folder.glob("palio-proof.json"):
        file.unlink()

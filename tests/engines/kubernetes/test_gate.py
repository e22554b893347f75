"""The gate in a real cluster, both ways: where nothing enforces the network policy, and where a packet filter does."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engines.kubernetes.packet_filter import packets_dropped
from tests.engines.trial import BASE, Trial

from palio.core.engine import Enforcement, Guarantee
from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster
from palio.engines.kubernetes.engine import KubernetesEngine
from palio.engines.kubernetes.settings import Settings

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.docker,  # which builds the images
    pytest.mark.skipif(not shutil.which("iptables"), reason="iptables is missing: apt-get install iptables"),
]
CONNECT = """
    import socket
    for place in (("192.0.2.1", 80), ("1.1.1.1", 443)):
        try:
            socket.create_connection(place, 2)
            print("reached")
        except OSError:
            print("blocked")
"""


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Without a proof that an earlier test left, which later ones find again: it takes most of a minute."""
    made = replace(Settings.read(), gate_image=BASE)
    earlier = {file: file.read_bytes() for file in made.folder.glob("palio-*.json")}
    for file in earlier:
        file.unlink()
    yield made
    for file in made.folder.glob("palio-*.json"):
        file.unlink()
    for file, content in earlier.items():
        file.write_bytes(content)


def network(engine: KubernetesEngine) -> Guarantee:
    return next(each for each in engine.guarantees() if each.property == "network")


def test_policy_not_enforced_noticed(settings: Settings, tmp_path: Path) -> None:
    """The job runs as before, and what it reaches is said."""
    engine = KubernetesEngine(settings)
    found = network(engine)
    assert found.enforcement is Enforcement.NONE
    assert "a job reaches" in found.detail
    assert "Palio (" in found.detail
    trial = Trial(engine, lambda: engine, tmp_path)
    try:
        assert trial.run("print('runs')") == (trial.wait(trial.works[-1], engine), "runs\n")
    finally:
        for work in trial.works:
            engine.remove(work)


def test_policy_enforced_and_then_not(settings: Settings, tmp_path: Path) -> None:
    with ExitStack() as filtered:
        filtered.enter_context(packets_dropped(Cluster(settings), settings.namespace))
        engine = KubernetesEngine(settings)
        found = network(engine)
        assert found.enforcement is Enforcement.KERNEL, found.detail
        trial = Trial(engine, lambda: engine, tmp_path)
        try:
            result, log = trial.run(CONNECT)
            assert (result.succeeded, log) == (True, "blocked\nblocked\n")
        finally:
            for work in trial.works:
                engine.remove(work)
    # Now the cluster stops enforcing it, which only the gate of the next job can notice.
    trial.works.clear()
    job = trial.job("open('/mnt/out/ran', 'w')")
    try:
        with pytest.raises(PalioError) as raised:
            trial.wait(job)
        assert raised.value.failure.code == "cluster-job-blocked"
        assert "not isolated: its pod reached" in raised.value.failure.message
        assert not engine._volume.has_archive(job)
    finally:
        engine.remove(job)


def test_pods_without_any_network_prove_nothing(settings: Settings) -> None:
    with packets_dropped(Cluster(settings), settings.namespace, drop_all=True):
        found = network(KubernetesEngine(settings))
    assert found.enforcement is Enforcement.NONE
    assert "not proved" in found.detail


def test_proof_kept_for_the_next_process(settings: Settings) -> None:
    first = KubernetesEngine(settings)._proof
    assert KubernetesEngine(settings)._proof == first
    assert KubernetesEngine(replace(settings, gate_image=f"{BASE}@sha256:{'0' * 64}"))._proof.fault != first.fault

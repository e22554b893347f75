"""The probes' program on loopback, and what is made of what it found."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from palio.core.engine import Enforcement
from palio.engines.kubernetes import classify, probe_program
from palio.engines.kubernetes.probe_program import NOT_CLAIMED, REACHED, is_reached, main, read_targets
from palio.engines.kubernetes.proof import Listener, Proof

PROOF = Proof(time=1.0, is_controlled=True, pids={"v1.34": 1024})


@pytest.fixture
def message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(probe_program, "MESSAGE", str(tmp_path / "message"))
    monkeypatch.setattr(probe_program, "PATIENCE_S", 0.3)
    monkeypatch.setattr(probe_program, "STEADY_S", 0.1)
    return tmp_path / "message"


def said(message: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(message.read_text())
    return content


@pytest.fixture
def closed_port() -> Iterator[int]:
    """One that refuses connections."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address whose packets are dropped, as far as the program can tell."""
    real = socket.socket.connect

    def connect(self: socket.socket, place: Any) -> None:
        if place[0] == "192.0.2.77":
            raise TimeoutError
        real(self, place)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return "192.0.2.77"


def test_target_reached_listening_or_refusing_but_not_silent(closed_port: int, silent: str) -> None:
    listener = Listener("127.0.0.1")
    port = int(listener.target.rpartition(",")[2])
    assert is_reached("tcp", "127.0.0.1", port)
    assert is_reached("tcp", "127.0.0.1", closed_port)
    assert is_reached("udp", "127.0.0.1", closed_port)  # the kernel reports that nobody listens
    assert not is_reached("tcp", silent, 80)
    assert not is_reached("udp", silent, 53)


def test_gate_open_only_for_a_pod_that_reaches_nothing(message: Path, silent: str) -> None:
    listener = Listener("127.0.0.1")
    assert main(["gate", f"one,tcp,{silent},80", f"two,udp,{silent},53"]) == 0
    assert said(message)["reached"] == []
    assert said(message)["tried"] == ["one", "two"]
    assert main(["gate", f"one,tcp,{silent},80", listener.target]) == REACHED
    [reached] = said(message)["reached"]
    assert reached.startswith("Palio (127.0.0.1:")


def test_gate_waits_for_a_policy_that_takes_effect_late(message: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["x"], [], ["x"], [], []])
    monkeypatch.setattr(probe_program, "reached", lambda _: next(answers))
    assert main(["gate", "x,tcp,192.0.2.1,1"]) == 0
    assert list(answers) == []


def test_exit_codes_are_those_that_are_classified() -> None:
    assert (classify.REACHED, classify.NOT_CLAIMED) == (REACHED, NOT_CLAIMED)


def gate_of(pod: str, claim: Path, *targets: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALIO_POD", pod)
        return main(["claim", str(claim), *targets])


def test_only_the_first_pod_gets_the_claim(message: Path, tmp_path: Path) -> None:
    claim = tmp_path / "pod"
    assert gate_of("one", claim) == 0
    assert gate_of("two", claim) == NOT_CLAIMED
    assert said(message) == {"claimed": "another pod of this job was first (one)"}


def test_gate_of_one_pod_may_start_again_until_its_program_does(message: Path, tmp_path: Path, silent: str) -> None:
    claim, listener = tmp_path / "pod", Listener("127.0.0.1")
    assert gate_of("one", claim, listener.target) == REACHED
    assert gate_of("two", claim) == NOT_CLAIMED
    assert gate_of("one", claim, f"x,tcp,{silent},80") == 0
    assert gate_of("one", claim, f"x,tcp,{silent},80") == NOT_CLAIMED
    assert said(message) == {"claimed": "it may have started before in the same pod"}


def test_claim_whose_pod_was_killed_while_it_claimed_is_nobodys(message: Path, tmp_path: Path) -> None:
    (tmp_path / "pod").touch()
    assert gate_of("one", tmp_path / "pod") == NOT_CLAIMED
    assert said(message) == {"claimed": "another pod of this job was first (unknown)"}


def test_no_program_without_a_claim(message: Path, tmp_path: Path) -> None:
    """As on a full disk, where the message cannot be written either."""
    assert gate_of("one", tmp_path / "none/pod") == NOT_CLAIMED
    assert "No such file" in said(message)["claimed"]
    message.unlink()
    message.mkdir()
    assert gate_of("one", tmp_path / "none/pod") == NOT_CLAIMED


def test_one_of_many_pods_gets_the_claim(tmp_path: Path) -> None:
    """Each a process of its own, started at once."""
    command = [sys.executable, "-I", "-c", Path(probe_program.__file__).read_text(), "claim", str(tmp_path / "pod")]
    gates = [subprocess.Popen(command, env={"PALIO_POD": str(number)}) for number in range(8)]
    assert sorted(gate.wait() for gate in gates) == [0] + 7 * [NOT_CLAIMED]


def test_control_has_to_reach_everything(message: Path, silent: str) -> None:
    listener = Listener("127.0.0.1")
    assert main(["reach", listener.target]) == 0
    assert main(["reach", listener.target, f"one,tcp,{silent},80"]) == 1


def test_processes_counted_up_to_the_most(message: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["pids", "20"]) == 0
    assert said(message) == {"processes": 20, "limited": False}
    started: list[object] = []

    class Limited:
        def __init__(self, **_: object) -> None: ...

        def start(self) -> None:
            if len(started) == 6:
                raise RuntimeError("can't start new thread")
            started.append(self)

    monkeypatch.setattr("threading.Thread", Limited)
    assert main(["pids", "20"]) == 0
    assert said(message) == {"processes": 7, "limited": True}


def test_targets_from_the_kubelets_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.delenv("PALIO_NODE", raising=False)
    given = [
        "API server,tcp,$KUBERNETES_SERVICE_HOST,443",
        "dns,udp,$KUBERNETES_SERVICE_HOST,53",
        "k,tcp,$PALIO_NODE,1",
    ]
    assert read_targets(given) == [("API server", "tcp", "10.96.0.1", 443), ("dns", "udp", "10.96.0.10", 53)]


@pytest.mark.parametrize(
    ("proof", "network", "pids"),
    [
        (PROOF, "a job starts only after its pod reached none of 8 addresses", "at most 1,024 in a pod"),
        (replace(PROOF, reached=("kubelet (10.0.0.4:10250)",)), "a job reaches kubelet (10.0.0.4:10250)", "at most"),
        (replace(PROOF, is_controlled=False), "pods do not reach this machine at all", "at most"),
        (replace(PROOF, pids={"v1.34": 1024, "v1.33": None}), "none of 8", "4,096 processes on v1.33"),
        (Proof(fault="no image"), "is not known: no image", "was not tested"),
    ],
)
def test_guarantees_of_a_proof(proof: Proof, network: str, pids: str) -> None:
    found = proof.guarantees()
    assert network in found[0].detail
    assert pids in found[1].detail
    assert (found[0].enforcement is Enforcement.KERNEL) == proof.isolates == ("none of 8" in network)
    assert (found[1].enforcement is Enforcement.KERNEL) == ("at most" in pids)


def test_listener_ends_with_its_engine() -> None:
    listener = Listener("127.0.0.1")
    port = int(listener.target.rpartition(",")[2])
    socket.create_connection(("127.0.0.1", port), 5).close()
    del listener
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)

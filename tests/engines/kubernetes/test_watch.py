"""Following pods: a small server sends lists and watches, and records what was asked."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.engines.kubernetes.fake_api import Asked, Reply, refusal, serving

from palio.engines.kubernetes import watch as watch_module
from palio.engines.kubernetes.api import Cluster
from palio.engines.kubernetes.settings import Settings
from palio.engines.kubernetes.watch import PodWatch

PODS = "/api/v1/namespaces/palio-jobs/pods"


def pod(name: str, phase: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}, "status": {"phase": phase}}


def event(kind: str, about: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": about}).encode() + b"\n"


GONE = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})


class Script:
    """Replies to each list and each watch in turn; the last watch stays open until the test ends."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self._lock = threading.Lock()
        self.ended = threading.Event()

    def __call__(self, asked: Asked) -> Reply:
        with self._lock:
            if self._replies:
                return self._replies.pop(0)
        return Reply(lines=(b"\n",), pause=lambda: self.ended.wait(10))


def listed(version: str, *pods: dict[str, Any]) -> Reply:
    return Reply(content={"metadata": {"resourceVersion": version}, "items": list(pods)})


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def phases(watch: PodWatch) -> dict[str, str] | None:
    return None if watch.pods is None else {name: each["status"]["phase"] for name, each in watch.pods.items()}


def watched(
    script: Script, expected: dict[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: int
) -> list[Asked]:
    """Waits until the watch knows what is expected and has asked that often; returns what it asked."""
    monkeypatch.setattr(watch_module, "_RETRY_S", 0.05)
    with serving(script) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        watch = PodWatch(Cluster(Settings(tmp_path)), PODS, "job-name=a")
        try:
            until(lambda: len(fake.asked) >= asks and phases(watch) == expected)
        finally:
            begin = time.monotonic()
            watch.close()
            took = time.monotonic() - begin
            script.ended.set()
        assert took < 3, "it waits for the server"
        return fake.asked


def versions(asked: list[Asked]) -> list[str | None]:
    """From which version each watch began; None for a list."""
    return [each.query.get("resourceVersion") for each in asked]


def test_changes_arrive_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = (
        event("MODIFIED", pod("a", "Running", "8")),
        event("ADDED", pod("b", "Pending", "9")),
        event("DELETED", pod("a", "Running", "10")),
        event("BOOKMARK", {"metadata": {"resourceVersion": "11"}}),
    )
    script = Script(listed("7", pod("a", "Pending", "5")), Reply(lines=changes))
    asked = watched(script, {"b": "Pending"}, tmp_path, monkeypatch, asks=3)
    assert versions(asked)[:3] == [None, "7", "11"]  # resumed after the bookmark
    assert {each.query["labelSelector"] for each in asked} == {"job-name=a"}
    assert (asked[1].query["watch"], asked[1].query["timeoutSeconds"]) == ("true", "60")


def test_event_in_two_pieces_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = event("MODIFIED", pod("a", "Failed", "8"))
    pieces = (line[:20], line[20:], event("MODIFIED", pod("a", "Succeeded", "9"))[:30])
    script = Script(listed("7", pod("a", "Running", "5")), Reply(lines=pieces))
    asked = watched(script, {"a": "Failed"}, tmp_path, monkeypatch, asks=3)
    assert versions(asked)[:3] == [None, "7", "8"]  # before what was cut off


@pytest.mark.parametrize("gone", [Reply(lines=(GONE,)), refusal(410, "too old resource version")])
def test_version_that_is_gone_is_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: Reply) -> None:
    script = Script(listed("7", pod("a", "Running", "5")), gone, listed("50", pod("a", "Failed", "40")))
    asked = watched(script, {"a": "Failed"}, tmp_path, monkeypatch, asks=4)
    assert versions(asked)[:4] == [None, "7", None, "50"]


def test_everything_is_listed_again_at_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "RESYNC_S", 0.0)
    script = Script(listed("7", pod("a", "Running", "5")), *[listed("8", pod("a", "Succeeded", "8"))] * 500)
    asked = watched(script, {"a": "Succeeded"}, tmp_path, monkeypatch, asks=2)
    assert versions(asked)[:2] == [None, None]


def test_pods_are_unknown_while_the_server_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = refusal(503, "apiserver is shutting down")
    script = Script(listed("7", pod("a", "Running", "5")), failing, *[failing] * 50)
    asked = watched(script, None, tmp_path, monkeypatch, asks=4)
    assert versions(asked)[:4] == [None, "7", None, None]


def test_pods_are_known_again_when_the_server_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(refusal(503, "starting"), listed("7", pod("a", "Running", "5")))
    asked = watched(script, {"a": "Running"}, tmp_path, monkeypatch, asks=3)
    assert versions(asked)[:3] == [None, None, "7"]

"""The API's answers and failures, from a small server on this machine."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Event, Thread

import pytest
from tests.engines.kubernetes.fake_api import Asked, FakeApi, Reply, refusal, serving

from palio.core.errors import EXIT_CODES, PalioError
from palio.engines.kubernetes import api as api_module
from palio.engines.kubernetes.api import Cluster, ConflictError, GoneError, NotFoundError
from palio.engines.kubernetes.settings import Settings

PODS = "/api/v1/namespaces/palio-jobs/pods"
Connect = Callable[[Callable[[Asked], Reply]], tuple[Cluster, FakeApi]]


@pytest.fixture(autouse=True)
def _no_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@contextmanager
def connected(
    answer: Callable[[Asked], Reply], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> Iterator[tuple[Cluster, FakeApi]]:
    with serving(answer) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        yield Cluster(Settings(tmp_path, **settings)), fake


def failure(error: PalioError) -> tuple[str, str, str]:
    assert EXIT_CODES[error.failure.cause] == 12
    return error.failure.code, error.failure.message, error.failure.next_step


def test_objects_are_read_and_written_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = {"metadata": {"name": "a"}, "spec": {"fieldOfTheFuture": 1}}
    with connected(lambda asked: Reply(content=pod), tmp_path, monkeypatch) as (cluster, fake):
        assert cluster.get(PODS, labelSelector="a=b,c") == pod
        assert cluster.create(PODS, pod, dryRun="All") == pod
        assert cluster.patch(f"{PODS}/a", {"spec": None}) == pod
        cluster.delete(f"{PODS}/a", {"propagationPolicy": "Background"})
    assert [(asked.method, asked.path, asked.query, asked.content) for asked in fake.asked] == [
        ("GET", PODS, {"labelSelector": "a=b,c"}, None),
        ("POST", PODS, {"dryRun": "All"}, pod),
        ("PATCH", f"{PODS}/a", {}, {"spec": None}),
        ("DELETE", f"{PODS}/a", {}, {"propagationPolicy": "Background"}),
    ]
    assert {asked.headers["authorization"] for asked in fake.asked} == {"Bearer secret-token"}
    assert [asked.headers.get("content-type") for asked in fake.asked] == [
        None,
        "application/json",
        "application/merge-patch+json",
        "application/json",
    ]


@pytest.mark.parametrize(("status", "raised"), [(404, NotFoundError), (409, ConflictError), (410, GoneError)])
def test_answers_that_callers_handle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, raised: type[Exception]
) -> None:
    with (
        connected(lambda asked: refusal(status, 'pods "a" ...'), tmp_path, monkeypatch) as (cluster, _),
        pytest.raises(raised),
    ):
        cluster.get(f"{PODS}/a")


IN_NAMESPACE = (
    'jobs.batch is forbidden: User "system:serviceaccount:palio:controller" cannot create resource "jobs" in API group '
    '"batch" in the namespace "palio-jobs"'
)
IN_CLUSTER = 'nodes is forbidden: User "eve" cannot get resource "nodes" in API group "" at the cluster scope'
QUOTA = 'jobs.batch "a" is forbidden: exceeded quota: palio, requested: count/jobs.batch=1, limited: count/jobs.batch=0'


@pytest.mark.parametrize(
    ("reply", "code", "message", "command"),
    [
        (refusal(401, "Unauthorized"), "cluster-refused", "token may have expired", "kubectl get namespaces"),
        (
            refusal(403, 'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces"'),
            "cluster-refused",
            "does not accept the credentials (403)",
            "kubectl get namespaces",
        ),
        (
            refusal(403, IN_NAMESPACE),
            "cluster-refused",
            "system:serviceaccount:palio:controller may not create jobs.batch",
            "kubectl create role palio-create-jobs --verb=create --resource=jobs.batch -n palio-jobs` and `kubectl "
            "create rolebinding palio-create-jobs --role=palio-create-jobs --serviceaccount=palio:controller "
            "-n palio-jobs`",
        ),
        (
            refusal(403, IN_CLUSTER),
            "cluster-refused",
            "eve may not get nodes",
            "kubectl create clusterrole palio-get-nodes --verb=get --resource=nodes` and `kubectl create "
            "clusterrolebinding palio-get-nodes --clusterrole=palio-get-nodes --user=eve`",
        ),
        (refusal(403, QUOTA), "cluster-refused", "exceeded quota", "kubectl -n palio-jobs describe resourcequota"),
        (
            refusal(404, 'namespaces "palio-jobs" not found'),
            "cluster-refused",
            "the namespace palio-jobs does not exist",
            "kubectl create namespace palio-jobs",
        ),
        (refusal(422, 'Job "a" is invalid'), "cluster-refused", 'Job "a" is invalid', "kubectl version"),
        (refusal(429, "too many"), "cluster-unreachable", "status 429: too many", "kubectl cluster-info"),
        (refusal(500, "etcdserver: leader changed"), "cluster-unreachable", "leader changed", "kubectl cluster-info"),
        (Reply(503, raw=b"upstream down"), "cluster-unreachable", "status 503", "kubectl cluster-info"),
        (Reply(raw=b"<html>"), "cluster-refused", "is not a Kubernetes API server", "kubectl config get-contexts"),
        (Reply(404, raw=b"<html>"), "cluster-refused", "is not a Kubernetes API server", "kubectl config get-contexts"),
        (Reply(302, raw=b""), "cluster-refused", "is not a Kubernetes API server", "kubectl config get-contexts"),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, str) else None,
)
def test_failures_name_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply, code: str, message: str, command: str
) -> None:
    with connected(lambda asked: reply, tmp_path, monkeypatch) as (cluster, _), pytest.raises(PalioError) as raised:
        cluster.get(PODS)
    found = failure(raised.value)
    assert found[0] == code
    assert message in found[1]
    assert command in found[2]


def test_commands_name_the_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = refusal(401, "Unauthorized")
    with (
        connected(lambda asked: answer, tmp_path, monkeypatch, context="fake") as (cluster, _),
        pytest.raises(PalioError) as raised,
    ):
        cluster.get(PODS)
    assert "kubectl --context fake get namespaces" in raised.value.failure.next_step


def test_server_that_is_down_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(lambda asked: Reply(), tmp_path, monkeypatch) as (cluster, fake):
        address = fake.url
    with pytest.raises(PalioError) as raised:
        cluster.get(PODS)
    assert failure(raised.value) == (
        "cluster-unreachable",
        f"The Kubernetes API server does not respond: connection refused at {address}.",
        "Check `kubectl cluster-info`, and KUBECONFIG if it is set.",
    )


def test_server_that_is_silent_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "ANSWER_S", 0.2)
    done = Event()

    def answer(asked: Asked) -> Reply:
        done.wait(5)
        return Reply()

    with connected(answer, tmp_path, monkeypatch) as (cluster, _):
        begin = time.monotonic()
        with pytest.raises(PalioError, match="no answer in time"):
            cluster.get(PODS)
        assert time.monotonic() - begin < 3
        done.set()


def test_server_that_goes_away_during_the_handshake_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed at that moment: nothing is wrong with its certificate."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def go_away() -> None:
            connection, _ = server.accept()
            connection.recv(1)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
            connection.close()

        thread = Thread(target=go_away)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("KUBECONFIG", str(FakeApi(lambda _: Reply()).kubeconfig(tmp_path, url=url)))
        with pytest.raises(PalioError) as raised:
            Cluster(Settings(tmp_path)).get(PODS)
        thread.join()
    assert failure(raised.value)[0] == "cluster-unreachable"


def test_certificate_that_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.engines.kubernetes.certificates import self_signed

    with serving(lambda asked: Reply()) as fake, socket.create_server(("127.0.0.1", 0)) as listener:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(tmp_path))
        port = listener.getsockname()[1]
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path, url=f"https://127.0.0.1:{port}")))
        from threading import Thread

        def accept() -> None:
            connection, _ = listener.accept()
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

        thread = Thread(target=accept)
        thread.start()
        with pytest.raises(PalioError) as raised:
            Cluster(Settings(tmp_path)).get(PODS)
        thread.join(5)
    code, message, next_step = failure(raised.value)
    assert code == "cluster-refused"
    assert f"the certificate of https://127.0.0.1:{port} is not trusted: self" in message
    assert "--certificate-authority=FILE" in next_step


def test_wrong_context_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PalioError) as raised, connected(lambda a: Reply(), tmp_path, monkeypatch, context="other"):
        pass
    code, message, next_step = failure(raised.value)
    assert (code, "'other'" in message) == ("cluster-refused", True)
    assert "kubectl config get-contexts" in next_step


def test_missing_configuration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(PalioError) as raised:
        Cluster(Settings(tmp_path))
    code, _, next_step = failure(raised.value)
    assert (code, "export KUBECONFIG=" in next_step) == ("cluster-refused", True)


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kubernetes", None)
    with pytest.raises(PalioError) as raised:
        Cluster(Settings(tmp_path))
    assert failure(raised.value) == (
        "package-missing",
        "The engine `kubernetes` needs the Python package `kubernetes`, which is not installed.",
        "Install it with: python -m pip install 'palio[kubernetes]'",
    )


@pytest.mark.parametrize(
    ("version", "fault"),
    [({"gitVersion": "v1.20.2"}, None), ({"gitVersion": "v1.19.16"}, "at least 1.20"), ({}, "not a Kubernetes API")],
)
def test_version_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: dict[str, str], fault: str | None
) -> None:
    with connected(lambda asked: Reply(content=version), tmp_path, monkeypatch) as (cluster, _):
        if fault is None:
            assert cluster.version() == "v1.20.2"
        else:
            with pytest.raises(PalioError, match=fault):
                cluster.version()


def test_times_are_those_of_the_servers_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    reply = Reply(content={"gitVersion": "v1.34.2"}, headers={"Date": format_datetime(ahead, usegmt=True)})
    with connected(lambda asked: reply, tmp_path, monkeypatch) as (cluster, _):
        cluster.get("/version")
        assert abs(cluster.now() - ahead) < timedelta(seconds=10)
        with pytest.raises(PalioError) as raised:
            cluster.version()
    assert "ahead of this machine's" in raised.value.failure.message
    assert "timedatectl set-ntp true" in raised.value.failure.next_step

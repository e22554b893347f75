import socket

import pytest
from tests.engines.kubernetes.fake_api import Asked, Reply, serving

from palio.core.errors import PalioError
from palio.engines.kubernetes.registry import check_registry


def registry(asked: Asked) -> Reply:
    match asked.method:
        case "GET":
            return Reply()
        case "POST":
            return Reply(202, headers={"Location": f"{asked.path}1"})
    return Reply(204)


def test_registry_that_takes_uploads_keeps_none() -> None:
    with serving(registry) as fake:
        check_registry(f"{fake.url.removeprefix('http://')}/palio")
    asked = [(each.method, each.path) for each in fake.asked if each.path]
    assert asked[-2:] == [
        ("POST", "/v2/palio/palio-build/blobs/uploads/"),
        ("DELETE", "/v2/palio/palio-build/blobs/uploads/1"),
    ]


def test_registry_that_asks_for_credentials_is_left_to_docker() -> None:
    with serving(lambda _: Reply(401)) as fake:
        check_registry(fake.url.removeprefix("http://"))
    check_registry("")


@pytest.mark.parametrize(
    ("status", "reason"), [(405, "takes no uploads; it may be read-only (status 405)"), (500, "does not take uploads")]
)
def test_registry_that_takes_no_uploads_is_refused(status: int, reason: str) -> None:
    with (
        serving(lambda asked: Reply(status if asked.method == "POST" else 200)) as fake,
        pytest.raises(PalioError) as raised,
    ):
        check_registry(fake.url.removeprefix("http://"))
    assert raised.value.failure.code == "cluster-refused"
    assert reason in raised.value.failure.message
    assert "PALIO_KUBERNETES_REGISTRY" in raised.value.failure.next_step


def test_something_else_at_its_address_is_refused() -> None:
    with serving(lambda _: Reply(404)) as fake, pytest.raises(PalioError, match="it answers /v2/ with status 404"):
        check_registry(fake.url.removeprefix("http://"))


def test_registry_that_is_down_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PalioError) as raised:
            check_registry(f"127.0.0.1:{port}/palio")
    assert f"127.0.0.1:{port} does not respond" in raised.value.failure.message
    assert f"curl -i https://127.0.0.1:{port}/v2/" in raised.value.failure.next_step

from pathlib import Path

import pytest

from palio.core.errors import PalioError
from palio.web.config.configuration import Configuration
from palio.web.serving.public_requirements import refuse_unsafe

SAFE = {
    "url": "https://palio.example.org",
    "secret": "quite secret, " * 5,
    "secure_cookies": True,
    "trust_proxy": True,
}


def missing(**given: object) -> list[str]:
    """The settings that are said to be missing, by name."""
    with pytest.raises(PalioError) as raised:
        refuse_unsafe(Configuration(**given))  # type: ignore[arg-type]
    assert raised.value.failure.code == "serving-unsafe"
    lines = raised.value.failure.evidence
    return [line.partition(":")[0] for line in lines[: lines.index("")]]


def test_local_host_without_requirements() -> None:
    refuse_unsafe(Configuration())
    refuse_unsafe(Configuration(host="::1", url="http://localhost:9000"))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "10.1.2.3"])  # noqa: S104
def test_public_host_all_set(host: str) -> None:
    refuse_unsafe(Configuration(host=host, **SAFE))  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"host": "0.0.0.0"}, {"host": "::"}, {"allowed_hosts": ("palio.example.org",)}])  # noqa: S104
def test_public_host_all_missing_listed(given: dict[str, object]) -> None:
    assert missing(**given) == ["secret", "url", "secure_cookies", "trust_proxy"]


@pytest.mark.parametrize("name", SAFE)
def test_public_host_each_missing(name: str) -> None:
    assert missing(host="10.1.2.3", **{key: value for key, value in SAFE.items() if key != name}) == [name]


def test_public_host_without_tls_or_names() -> None:
    given = SAFE | {"url": "http://palio.example.org", "allowed_hosts": ("*",)}
    assert missing(**given) == ["url", "allowed_hosts"]


def test_public_host_example_valid(tmp_path: Path) -> None:
    from palio.web.config.configuration import read_configuration

    with pytest.raises(PalioError) as raised:
        refuse_unsafe(Configuration(host="10.1.2.3"))
    lines = list(raised.value.failure.evidence)
    toml = "\n".join(line.strip() for line in lines[lines.index("  [server]") : -1])
    (tmp_path / "secret").write_text("quite secret, " * 5)
    (tmp_path / "palio.toml").write_text(toml.replace("/etc/palio/secret", str(tmp_path / "secret")))
    refuse_unsafe(read_configuration({}, tmp_path))

"""The order of sources, the values they take, and problems, all of them at once."""

from dataclasses import fields
from pathlib import Path

import pytest

from palio.core.errors import PalioError
from palio.engines.named import NamedEngine
from palio.web.config.configuration import Configuration, read_configuration

SECRET = "s3cret-" * 10


def problems(environment: dict[str, str], folder: Path) -> tuple[str, ...]:
    with pytest.raises(PalioError) as raised:
        read_configuration(environment, folder)
    assert raised.value.failure.code == "configuration-invalid"
    assert raised.value.exit_code == 12
    return raised.value.failure.evidence


def write_toml(folder: Path, text: str) -> Path:
    (folder / "palio.toml").write_text(text)
    return folder / "palio.toml"


def test_defaults(tmp_path: Path) -> None:
    assert read_configuration({}, tmp_path) == Configuration(data=Path("palio-data"))


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    write_toml(tmp_path, '[server]\nport = 9000\nslots = 3\nallowed_hosts = ["a.example", "b.example"]\n')
    read = read_configuration({"PALIO_PORT": "9001"}, tmp_path)
    assert read == Configuration(port=9001, slots=3, allowed_hosts=("a.example", "b.example"))


def test_environment_value_types(tmp_path: Path) -> None:
    environment = {
        "PALIO_DATA": str(tmp_path / "data"),
        "PALIO_URL": "https://palio.example.org/",
        "PALIO_ALLOWED_HOSTS": "a.example, b.example",
        "PALIO_SECURE_COOKIES": "yes",
        "PALIO_CPUS": "1.5",
        "PALIO_SIGN_UP": "invitation",
        "PALIO_SECRET": SECRET,
        "DATABASE_URL": "postgresql://palio:pass@db/palio?sslmode=require",
    }
    assert read_configuration(environment, tmp_path) == Configuration(
        data=tmp_path / "data",
        url="https://palio.example.org",
        allowed_hosts=("a.example", "b.example"),
        secure_cookies=True,
        cpus=1.5,
        sign_up="invitation",
        secret=SECRET,
        database_url="postgresql://palio:pass@db/palio?sslmode=require",
    )


def test_substitutes_from_file_and_environment(tmp_path: Path) -> None:
    write_toml(
        tmp_path, '[server]\nport = 9000\n[images]\n"a.example/x:1" = "python:3"\n"a.example/y:1" = "python:3"\n'
    )
    read = read_configuration({"PALIO_IMAGES": "a.example/y:1=python:4"}, tmp_path)
    assert [read.images.of(f"a.example/{name}:1") for name in "xyz"] == ["python:3", "python:4", None]
    assert read.port == 9000


def test_named_engines_from_file_and_environment(tmp_path: Path) -> None:
    write_toml(tmp_path, '[engines.gpu]\nengine = "kubernetes"\nqueue = "gpu"\n[engines.large]\nslots = 2\n')
    large, gpu = NamedEngine(slots=2), NamedEngine(engine="kubernetes", queue="gpu")
    assert read_configuration({}, tmp_path).engines.by_name == (("gpu", gpu), ("large", large))
    replaced = read_configuration({"PALIO_ENGINES": '{"small": {"slots": 2}}'}, tmp_path).engines
    assert replaced.by_name == (("small", large),)
    write_toml(tmp_path, "[engines.gpu]\nslots = -1\ncpu = 2\n")
    assert len(problems({}, tmp_path)) == 2


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("images = 3\n", 1),
        ("[server]\nimages = 'a.example/x:1=python:3'\n", 1),
        ('[images]\n"a b" = "python:3"\n"x.example/a" = 3\n', 2),
        ('[images]\n"x.example/a:1" = "x.example/a:1"\n', 1),
    ],
)
def test_substitutes_invalid(tmp_path: Path, text: str, count: int) -> None:
    write_toml(tmp_path, text)
    assert len(problems({}, tmp_path)) == count


def test_palio_database_url_overrides_database_url(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": "postgresql://other/one", "PALIO_DATABASE_URL": "postgresql://this/one"}
    assert read_configuration(environment, tmp_path).database_url == "postgresql://this/one"


def test_value_from_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    assert read_configuration({"PALIO_SECRET_FILE": str(tmp_path / "secret")}, tmp_path).secret == SECRET
    write_toml(tmp_path, f'[server]\nsecret_file = "{tmp_path / "secret"}"\n')
    assert read_configuration({}, tmp_path).secret == SECRET


def test_value_and_file_both_set(tmp_path: Path) -> None:
    write_toml(tmp_path, f'[server]\nsecret = "{SECRET}"\nsecret_file = "secret"\n')
    assert problems({"PALIO_URL": "https://a.example", "PALIO_URL_FILE": "url"}, tmp_path) == (
        f"{tmp_path / 'palio.toml'}: [server] secret_file: `secret` is set too. Set only one of them",
        "PALIO_URL_FILE: PALIO_URL is set too. Set only one of them",
    )


def test_value_file_missing(tmp_path: Path) -> None:
    (problem,) = problems({"PALIO_SECRET_FILE": "/nowhere/secret"}, tmp_path)
    assert problem.startswith("PALIO_SECRET_FILE: cannot read /nowhere/secret: ")


def test_all_problems_listed(tmp_path: Path) -> None:
    file = write_toml(tmp_path, 'port = 1\n[server]\nslotz = 2\nworkers = true\nthreads = 1.5\nhost = ""\n[other]\n')
    assert problems({"PALIO_PORT": "70000", "PALIO_SIGN_UP": "all", "PALIO_MAX_UPLOAD_GIB": "nan"}, tmp_path) == (
        f"{file}: move `port` into the table [server]",
        f"{file}: move `other` into the table [server]",
        f"{file}: [server] slotz: unknown setting. Did you mean `slots`?",
        f"{file}: [server] workers: True is not allowed. Use a whole number from 0 to 64",
        f"{file}: [server] threads: 1.5 is not allowed. Use a whole number from 1 to 256",
        f"{file}: [server] host: '' is not allowed. Use non-empty text",
        "PALIO_MAX_UPLOAD_GIB: 'nan' is not allowed. Use a number from 0.001 to 1024",
        "PALIO_PORT: '70000' is not allowed. Use a whole number from 1 to 65535",
        "PALIO_SIGN_UP: 'all' is not allowed. Use `open` or `invitation`",
    )


@pytest.mark.parametrize(
    "value", ["palio.example.org", "ftp://a.example", "https://", "https://a.example/palio", "https://u:p@a.example"]
)
def test_invalid_url(tmp_path: Path, value: str) -> None:
    (problem,) = problems({"PALIO_URL": value}, tmp_path)
    assert problem.endswith("https://palio.example.org, without a path")


@pytest.mark.parametrize("name", [setting.name for setting in fields(Configuration) if setting.metadata["secret"]])
def test_secrets_masked(tmp_path: Path, name: str) -> None:
    """Neither where they are refused nor where a configuration is printed."""
    write_toml(tmp_path, f"[server]\n{name} = 8462847\n")
    assert "8462847" not in "".join(problems({f"PALIO_{name.upper()}": ""}, tmp_path))
    assert "8462847" not in repr(Configuration(**{name: "8462847"}))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["short", "x" * 60, "mysql://root:8462847@db/palio", "postgresql://8462847"])
def test_refused_secrets_masked(tmp_path: Path, value: str) -> None:
    shown = problems({"PALIO_SECRET": value, "PALIO_DATABASE_URL": value}, tmp_path)
    assert len(shown) == 2
    assert value not in "".join(shown)


def test_mistyped_variable_named(tmp_path: Path) -> None:
    (problem,) = problems({"PALIO_PROT": "80", "PALIO_MEDNIST": "x", "PALIO_HOME": "x", "PALIO_X": "y"}, tmp_path)
    assert problem == "PALIO_PROT: unknown setting. Did you mean `port`?"


def test_empty_variable_is_ignored(tmp_path: Path) -> None:
    assert read_configuration({"PALIO_PORT": "", "PALIO_URL_FILE": ""}, tmp_path) == Configuration()


def test_settings_required_together(tmp_path: Path) -> None:
    assert problems({"PALIO_OIDC_URL": "https://id.example", "PALIO_MAIL_URL": "smtp://a:b@c:587"}, tmp_path) == (
        "oidc_url also requires `oidc_client` and `oidc_secret`",
        "mail_url also requires `mail_from`",
    )


@pytest.mark.parametrize("content", [b"[server", b"\xff\xfe", b"server = 1"])
def test_configuration_file_invalid(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "palio.toml").write_bytes(content)
    (problem,) = problems({}, tmp_path)
    assert problem.startswith(f"{tmp_path / 'palio.toml'}")


def test_configuration_file_missing(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as raised:
        read_configuration({"PALIO_CONFIG": str(tmp_path / "none.toml")}, tmp_path)
    assert raised.value.failure.code == "source-unreadable"


@pytest.mark.parametrize(
    ("given", "local"),
    [
        ({}, True),
        ({"host": "127.3.2.1"}, True),
        ({"host": "::1", "url": "http://localhost:9000"}, True),
        ({"host": "0.0.0.0"}, False),  # noqa: S104
        ({"host": "10.0.0.1"}, False),
        ({"host": "::"}, False),
        ({"url": "https://palio.example.org"}, False),
        ({"allowed_hosts": ("palio.example.org",)}, False),
        ({"allowed_hosts": ("*",)}, False),
        ({"host": "localhost.example.org"}, False),
    ],
)
def test_is_local_by_host(given: dict[str, object], local: bool) -> None:
    assert Configuration(**given).is_local is local  # type: ignore[arg-type]


def test_browser_address() -> None:
    assert Configuration().address == "http://127.0.0.1:8000"
    assert Configuration(host="::1", port=9000).address == "http://[::1]:9000"
    assert Configuration(url="https://palio.example.org").address == "https://palio.example.org"


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/pre/fix/", "az://container/x", "gs://bucket"])
def test_store_url_read(tmp_path: Path, url: str) -> None:
    assert read_configuration({"PALIO_STORE_URL": url}, tmp_path).store_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["/srv/files", "http://bucket", "s3://", "s3://key:secret@bucket", "s3://bucket?sig=8462847", "s3://b:9000/x"],
)
def test_store_url_refused(tmp_path: Path, url: str) -> None:
    (shown,) = problems({"PALIO_STORE_URL": url}, tmp_path)
    assert "without credentials" in shown
    assert "secret" not in shown
    assert "8462847" not in shown

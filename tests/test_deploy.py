"""What deploy/ and compose.yaml name is there: settings, commands, files."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from palio.cli import palio
from palio.web.config.configuration import Configuration
from palio.web.serving import connections
from palio.web.verbs import uploads

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {setting.name for setting in fields(Configuration)}
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def is_setting(variable: str) -> bool:
    name = variable.removeprefix("PALIO_").removesuffix("_FILE").lower()
    return name in SETTINGS or variable in ("PALIO_CONFIG", "DATABASE_URL")


@pytest.mark.parametrize("service", ["pages", "controller"])
def test_compose_settings_and_commands_exist(service: str) -> None:
    told = COMPOSE["services"][service]
    assert [name for name in told["environment"] if not is_setting(name)] == []
    command, *flags = told["command"]
    shown = CliRunner().invoke(palio, [command, "--help"]).output
    assert [flag for flag in flags if flag.startswith("--") and flag not in shown] == []


def test_compose_docker_socket_controller_only() -> None:
    with_socket = [
        name
        for name, told in COMPOSE["services"].items()
        if any("docker.sock" in str(volume) for volume in told.get("volumes", []))
    ]
    assert with_socket == ["controller"]


def test_compose_values_in_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)(:-)?", (ROOT / "compose.yaml").read_text()))
    given = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy/compose.env").read_text(), re.MULTILINE))
    assert {name for name, default in used if not default} <= given


def test_unit_settings_exist() -> None:
    unit = (ROOT / "deploy/palio.service").read_text()
    assert [name for name in re.findall(r"(?:PALIO_|DATABASE_)\w+(?==)", unit) if not is_setting(name)] == []


def test_image_sources_exist() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert [path for line in copied for path in line.split() if not (ROOT / path).exists()] == []


def test_image_and_compose_same_user() -> None:
    (user,) = re.findall(r"useradd --uid (\d+)", (ROOT / "deploy/Dockerfile").read_text())
    commands, page = (ROOT / "compose.yaml").read_text(), (ROOT / "docs/operate.md").read_text()
    assert set(re.findall(r"-o (\d+)|uid=(\d+)", commands)) == {(user, ""), ("", user)}
    assert len(re.findall(rf"install (?:-d )?-o {user} ", commands)) == 2  # the data folder and the secret
    assert f"user {user}" in page
    assert f"user {user}" in (ROOT / "deploy/compose.env").read_text()


def test_proxies_timeouts_match() -> None:
    nginx, caddy = ((ROOT / "deploy" / name).read_text() for name in ("nginx.conf", "Caddyfile"))
    set_in_nginx = dict(re.findall(r"^    (\w+) ([^;]+);", nginx, re.MULTILINE))
    assert set_in_nginx["client_header_timeout"] == f"{connections.HEADER_S:g}s"
    assert set_in_nginx["keepalive_timeout"] == f"{connections.HEADER_S:g}s"
    assert set_in_nginx["client_body_timeout"] == f"{connections.SLACK_S:g}s"
    assert set_in_nginx["send_timeout"] == f"{connections.SLACK_S:g}s"
    assert set_in_nginx["limit_conn"] == f"palio {connections.MOST_OF_ADDRESS}"
    assert set_in_nginx["proxy_request_buffering"] == "on"
    buffers, size_kib = re.findall(r"\d+", set_in_nginx["large_client_header_buffers"])
    assert int(buffers) * int(size_kib) * 1024 == connections.HEADER_BYTES
    assert int(set_in_nginx["client_max_body_size"].removesuffix("m")) * 1024**2 > uploads.CHUNK_BYTES
    set_in_caddy = dict(re.findall(r"^\t+(\w+) (\w+)$", caddy, re.MULTILINE))
    assert set_in_caddy["read_header"] == set_in_caddy["idle"] == f"{connections.HEADER_S:g}s"
    assert set_in_caddy["read_body"] == f"{connections.BODY_S / 3600:g}h"
    assert set_in_caddy["max_header_size"] == f"{connections.HEADER_BYTES // 1024}KiB"


@pytest.mark.parametrize("name", ["publish", "publish-version", "submit"])
def test_nginx_unbuffered_uploads(name: str) -> None:
    from django.urls import reverse

    (pattern,) = re.findall(r"location ~ (\S+)", (ROOT / "deploy/nginx.conf").read_text())
    assert re.search(pattern, reverse(f"pages:{name}", kwargs={} if name == "publish" else {"challenge": "a"}))


@pytest.mark.parametrize("name", ["publish", "publish-version"])
def test_nginx_unbuffered_api_bodies(name: str) -> None:
    from django.urls import reverse

    (pattern,) = re.findall(r"location ~ (\S+)", (ROOT / "deploy/nginx.conf").read_text())
    assert re.search(pattern, reverse(f"api:{name}", kwargs={} if name == "publish" else {"challenge": "a"}))

"""The egress proxy, the only way out of a build with a network. It reaches public addresses, but not the host.

The steps of a build run on an internal network of their own, on which the host has no address and only the proxy is
reachable. The proxy (egress_proxy_program.py) is a container of an image that the operator trusts, which is also on the
engine's default network. Steps learn its address from the engine's predefined build arguments, which do not become part
of the image or its history.

Covered: the host's own services at any of its addresses, metadata services, private and other special networks, ports
other than 80 and 443, other builds and containers; steps that ignore the proxy, which have no other way out; a process
killed at any moment, because everything carries the build's name. A step is root in its container and can craft raw
frames: the host may receive them on that network, but has no IPv4 or IPv6 address there to respond from. Not covered:
frames that need no response, such as a UDP packet. Steps that ignore the proxy (ssh, git://) have no network.
"""

import ipaddress
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig

from palio.core.engine import Build
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.docker.layers import JOB_LABEL

IMAGE_VARIABLE, REACH_VARIABLE, PORTS_VARIABLE = "PALIO_EGRESS_PROXY_IMAGE", "PALIO_BUILD_REACH", "PALIO_BUILD_PORTS"
DEFAULT_IMAGE = "python:3.11-slim"
_OUTSIDE = "bridge"
_USER = "10000:10000"  # below those of jobs
_POLL_S = 0.02
_BRIDGE_OPTIONS = {
    "com.docker.network.bridge.inhibit_ipv4": "true",  # the host gets no address on it; the proxy checks that
    "com.docker.network.bridge.enable_icc": "true",
    # IPv6 requires an MTU of 1280. With less, Linux gives the bridge no link-local address, at which the host would
    # respond to hand-crafted frames.
    "com.docker.network.driver.mtu": "1279",
}
_LOCAL_ADDRESS = re.compile(r"\|-- ([0-9.]+)\n\s*/32 host LOCAL")


def _program() -> ModuleType:
    """Imported by builds with a network only, as asyncio takes longer to import than most calls of the engine."""
    return import_module("palio.engines.docker.egress_proxy_program")


def proxy_name(name: str) -> str:
    return f"{name}-egress-proxy"


def network_name(name: str) -> str:
    return f"{name}-network"


def reach_of(text: str) -> tuple[str, ...]:
    """Private networks that builds may reach, from `10.1.2.0/24, 10.9.0.7/32`. Raises PalioError("usage")."""
    try:
        return tuple(str(ipaddress.IPv4Network(part.strip())) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise PalioError(
            "usage",
            problem=f"{REACH_VARIABLE} is {text!r}, but {error}.",
            next_step="Write networks separated by commas, such as 10.1.2.0/24,10.9.0.7/32.",
        ) from error


def ports_of(text: str) -> tuple[int, ...]:
    """The ports that builds may reach: the usual ones and those of `8080, 3141`. Raises PalioError("usage")."""
    more = [part.strip() for part in text.split(",") if part.strip()]
    for part in more:
        if not re.fullmatch(r"[0-9]{1,5}", part) or not 0 < int(part) < 2**16:
            raise PalioError(
                "usage",
                problem=f"{PORTS_VARIABLE} is {text!r}, but {part!r} is not a port.",
                next_step="Write numbers from 1 to 65535 separated by commas, such as 8080,3141.",
            )
    return (*_program().PORTS, *map(int, more))


class EgressProxy:
    """A running proxy: its network, and the build arguments that tell steps about it."""

    def __init__(self, client: docker.DockerClient, name: str, address: str) -> None:
        self._client = client
        self._name = name
        self.network = network_name(name)
        url = f"http://{address}:{_program().PORT}"
        self.arguments = {key: url for word in ("http_proxy", "https_proxy") for key in (word, word.upper())}

    def refusals(self) -> list[str]:
        """What the proxy has refused so far, as sentences."""
        try:
            said = self._client.api.logs(proxy_name(self._name), stdout=True, stderr=False)
        except APIError:
            return []
        lines = bytes(said).decode(errors="replace").splitlines()
        begin = _program().REFUSED
        return [line.removeprefix(begin) for line in lines if line.startswith(begin)]


@contextmanager
def open_egress_proxy(client: docker.DockerClient, build: Build) -> Iterator[EgressProxy]:
    """Creates a build's network and proxy, and removes both at the end.

    Raises PalioError("limit-unavailable") if that fails, or if the host responds on that network.
    """
    rules = {
        "reach": reach_of(os.environ.get(REACH_VARIABLE, "")),
        "ports": ports_of(os.environ.get(PORTS_VARIABLE, "")),
        "time_s": build.limits.time_s,
    }
    image = os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE
    remove_egress_proxy(client, build.name)  # left by a killed process
    try:
        try:
            proxy = _open(client, build.name, image, rules)
        except (DockerException, OSError) as error:
            raise _unavailable(str(getattr(error, "explanation", None) or error), image) from error
        yield proxy
    finally:
        remove_egress_proxy(client, build.name)


def remove_egress_proxy(client: docker.DockerClient, name: str) -> None:
    """Removes everything that exists of a build's proxy."""
    for container in (proxy_name(name), f"{proxy_name(name)}-host"):
        with suppress(NotFound):
            client.api.remove_container(container, force=True, v=True)
    with suppress(NotFound):
        for left in client.api.inspect_network(network_name(name))["Containers"] or {}:  # of a step, if the engine died
            with suppress(APIError):
                client.api.remove_container(left, force=True)
        client.api.remove_network(network_name(name))


def _open(client: docker.DockerClient, name: str, image: str, given: dict[str, Any]) -> EgressProxy:
    try:
        client.images.get(image)
    except ImageNotFound:
        client.images.pull(image)
    client.api.create_network(
        network_name(name), driver="bridge", internal=True, options=_BRIDGE_OPTIONS, labels={JOB_LABEL: name}
    )
    peers = client.api.inspect_network(network_name(name))["IPAM"]["Config"][0]["Subnet"]
    rules = {"peers": peers, "host": _host_addresses(client, name, image), **given}
    program = Path(str(_program().__file__)).read_text(encoding="utf-8")
    container = _container(client, proxy_name(name), image, ["python3", "-I", "-c", program, json.dumps(rules)], name)
    client.api.connect_container_to_network(container, network_name(name))
    client.api.start(container)
    _wait_until_ready(client, container, image)
    networks = client.api.inspect_container(container)["NetworkSettings"]["Networks"]
    return EgressProxy(client, name, networks[network_name(name)]["IPAddress"])


def _wait_until_ready(client: docker.DockerClient, container: str, image: str) -> None:
    said = ""
    while _program().READY not in said.splitlines():
        ended = not client.api.inspect_container(container)["State"]["Running"]
        said = bytes(client.api.logs(container)).decode(errors="replace")
        if said.startswith(_program().EXPOSED):
            raise _exposed(said.removeprefix(_program().EXPOSED).strip())
        if ended:
            raise _unavailable(f"the egress proxy exited immediately ({said.strip()[-200:] or 'no output'})", image)
        time.sleep(_POLL_S)


def _host_addresses(client: docker.DockerClient, name: str, image: str) -> list[str]:
    """All IPv4 addresses of the engine's machine, which may be a different one."""
    command = ["cat", "/proc/net/fib_trie"]
    container = _container(client, f"{proxy_name(name)}-host", image, command, name, network="host")
    client.api.start(container)
    client.api.wait(container)
    said = bytes(client.api.logs(container)).decode(errors="replace")
    client.api.remove_container(container, force=True)
    found = sorted(set(_LOCAL_ADDRESS.findall(said)))
    if not found:
        raise _unavailable("it does not report the addresses of its machine", image)
    return found


def _container(
    client: docker.DockerClient, name: str, image: str, command: list[str], build: str, network: str = _OUTSIDE
) -> str:
    config = client.api.create_host_config(
        network_mode=network,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=256 * MIB,
        memswap_limit=256 * MIB,
        pids_limit=64,
        log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
    )
    created = client.api.create_container(
        image,
        command,
        name=name,
        user=_USER,
        entrypoint="",
        labels={JOB_LABEL: build},
        healthcheck={"test": ["NONE"]},
        host_config=config,
    )
    return str(created["Id"])


def _exposed(address: str) -> PalioError:
    return _refused(
        f"its machine responds at {address} on the build's network, so steps could reach it",
        "Use an engine that supports the network option com.docker.network.bridge.inhibit_ipv4, such as Docker. Or "
        "set build.network to false in competition.yaml.",
    )


def _unavailable(reason: str, image: str) -> PalioError:
    return _refused(
        reason.rstrip("."),
        f"Builds with a network use an egress proxy, which runs in the image {image}: pull it, or set {IMAGE_VARIABLE} "
        "to another image with python3. Or set build.network to false in competition.yaml.",
    )


def _refused(reason: str, next_step: str) -> PalioError:
    return PalioError(
        "limit-unavailable",
        engine="docker",
        setting="build.network",
        value="true",
        reason=reason,
        next_step=next_step,
    )

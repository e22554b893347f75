"""Checks whether the kernel can start a container's program, before the container is started.

An engine starts a container even if its script has no interpreter, and all that remains is a line in its log, which a
program could have printed as well. So this reads the file through the engine. For paths that cannot be read, the engine
reports what it finds.
"""

import base64
import io
import json
import os
import tarfile
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import docker
import requests

from palio.core.files.entry_point import HEAD_BYTES, StartFault, program_path, start_fault
from palio.engines.docker.connection import ANSWER_S

_LINK, _KINDS, _PERMISSIONS = 1 << 27, 0x8F280000, 0o777  # of Go's os.FileMode, which the engine returns
_LINKS = 8
_STAT = "X-Docker-Container-Path-Stat"
_HEAD_BYTES = 64 * 1024  # of the tar: headers come before the content


def why_not_startable(client: docker.DockerClient, container: dict[str, Any]) -> StartFault | None:
    """Why a container, as described by the engine, cannot be started, if that can be determined."""
    named = program_path([container["Path"], *container["Args"]])
    if named is None:
        return None
    identity = container["Id"]
    path = os.path.normpath(os.path.join(container["Config"]["WorkingDir"] or "/", named))  # noqa: PTH118 - inside
    found = _stat(client, identity, path)
    for _ in range(_LINKS):
        if found is None or not found["mode"] & _LINK:
            break
        path = found["linkTarget"]
        found = _stat(client, identity, path)
    if found is None or found["mode"] & _KINDS:
        return None
    head = _head(client, identity, path) if found["mode"] & 0o111 else b""
    if head is None:
        return None
    return start_fault(named, found["mode"] & _PERMISSIONS, head, lambda other: bool(_stat(client, identity, other)))


def _stat(client: docker.DockerClient, identity: str, path: str) -> dict[str, Any] | None:
    answer = client.api.head(_archive(client, identity, path), timeout=ANSWER_S)
    if answer.status_code != requests.codes.ok or _STAT not in answer.headers:
        return None
    found: dict[str, Any] = json.loads(base64.b64decode(answer.headers[_STAT]))
    return found


def _head(client: docker.DockerClient, identity: str, path: str) -> bytes | None:
    """The beginning of a regular file, from the tar that the engine sends. Does not wait for the rest."""
    begin = b""
    with client.api.get(_archive(client, identity, path), stream=True, timeout=ANSWER_S) as answer:
        if answer.status_code != requests.codes.ok:
            return None
        for piece in answer.iter_content(_HEAD_BYTES):
            begin += piece
            if len(begin) >= _HEAD_BYTES:
                break
    with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(begin)) as archive:
        member = archive.next()
        content = archive.extractfile(member) if member and member.isreg() else None
        return content.read(HEAD_BYTES) if content else None
    return None


def _archive(client: docker.DockerClient, identity: str, path: str) -> str:
    return f"{client.api.base_url}/v{client.api.api_version}/containers/{identity}/archive?path={quote(path)}"

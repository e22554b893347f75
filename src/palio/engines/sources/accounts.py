"""Accounts at registries: the operator's, in the file format of `docker login`, and a team's for its own images."""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palio.core.errors import PalioError
from palio.core.files.staging import why

VARIABLE = "PALIO_REGISTRY_CREDENTIALS"
_HUB_KEYS = ("docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io")


@dataclass(frozen=True)
class Credential:
    """An account at a registry. `secret` is a password or token; it is neither printed nor logged."""

    username: str
    secret: str = field(repr=False)


_teams: dict[str, Credential] = {}  # by registry, in a process that works for a single team


def use_teams_account(registry: str, credential: Credential) -> None:
    """From now on, this registry's images are pulled with a team's account. For processes that serve only that team."""
    _teams[registry] = credential


def account_for(registry: str) -> Credential | None:
    """The team's account at a registry, else the operator's, else None. Raises PalioError as `operators_account`."""
    return _teams.get(registry) or operators_account(registry)


def operators_account(registry: str, environment: Mapping[str, str] | None = None) -> Credential | None:
    """The account for a registry, such as ghcr.io, in the file that PALIO_REGISTRY_CREDENTIALS names; else None.

    Raises PalioError "usage" if the file cannot be used. No message repeats its content.
    """
    path = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if not path:
        return None
    try:
        content = json.loads(Path(path).read_bytes())
        accounts = content["auths"]
        keys = _HUB_KEYS if registry == "docker.io" else (registry, f"https://{registry}", f"https://{registry}/")
        found = next((accounts[key] for key in keys if key in accounts), None)
        return None if found is None else _account(found)
    except OSError as error:
        reason = why(error)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        reason = "it is not a JSON file as `docker login` writes it, with user names and passwords under `auths`"
    raise PalioError(
        "usage",
        problem=f"{VARIABLE} names {path}, which cannot be used: {reason}.",
        next_step=f"Write it with `docker --config FOLDER login {registry}` on a machine without a credential helper, "
        "and name FOLDER/config.json.",
    )


def _account(found: Mapping[str, str]) -> Credential:
    if "auth" in found:
        username, _, secret = base64.b64decode(found["auth"], validate=True).decode().partition(":")
    else:
        username, secret = found["username"], found["password"]
    if not username or not secret:
        raise ValueError
    return Credential(username, secret)

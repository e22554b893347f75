"""This machine's configuration of pip, for a pip in a sandbox: indexes, folders of wheels, proxy, certificates.

It may hold passwords, so it reaches the sandbox in a file and never in arguments, and nothing of it is in a log.
"""

import ast
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

_KEYS = ("index-url", "extra-index-url", "find-links", "trusted-host", "cert", "client-cert", "proxy", "constraint")
_KEYS += ("timeout", "default-timeout", "retries", "no-index", "pre", "only-binary")
_WHERE = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PATH")
_PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_READ_S = 60


@dataclass(frozen=True)
class PipConfiguration:
    """`environment` configures pip inside; `places` are the host's files and folders that it names."""

    environment: Mapping[str, str]
    places: tuple[str, ...]


def caller_environment() -> dict[str, str]:
    """What pip would read in this process, to be passed on to the process of a build."""
    names = {*_WHERE, *_PASSED, *(name.lower() for name in _PASSED)}
    return {name: value for name, value in os.environ.items() if name in names or name.startswith("PIP_")}


def read_configuration(python: str, caller: Mapping[str, str]) -> PipConfiguration:
    """Asks pip for its configuration. A pip that cannot tell has none."""
    ran = subprocess.run(
        [python, "-I", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        env=dict(caller),
        cwd="/",
        timeout=_READ_S,
        check=False,
    )
    found: dict[str, str] = {}
    for wanted in ("global", "install", ":env:"):  # a later one comes first
        for line in ran.stdout.splitlines():
            section, _, rest = line.partition(".")
            key, equals, value = rest.partition("=")
            if section == wanted and equals and key in _KEYS:
                found[key] = str(ast.literal_eval(value))
    environment = {f"PIP_{key.upper().replace('-', '_')}": " ".join(text.split()) for key, text in found.items()}
    passed = {name: caller[name] for name in caller if name.upper() in _PASSED}
    return PipConfiguration({"PIP_RETRIES": "1", **environment, **passed}, tuple(_places(found, passed)))


def _places(found: Mapping[str, str], passed: Mapping[str, str]) -> list[str]:
    named = [word for key in ("index-url", "extra-index-url", "find-links") for word in found.get(key, "").split()]
    named += [found[key] for key in ("cert", "client-cert") if key in found]
    named += found.get("constraint", "").split()
    named += [text for name, text in passed.items() if name.upper() in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
    places = [unquote(urlsplit(word).path) if word.startswith("file://") else word for word in named]
    roots = []
    for place in places:
        path = Path(place)
        if path.is_absolute() and path.exists() and place != "/":
            # A simple index links to files beside it.
            roots.append(str(path.parent if path.name == "simple" and path.parent != Path("/") else path))
    return [*dict.fromkeys(roots)]

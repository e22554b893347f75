"""Image names that a Dockerfile may use: full names that no engine can mistake for anything else.

Refused: ids and prefixes of ids, names that could be one, and the names that Palio gives to the images it builds, which
belong to other submissions. Accepted names are written out with registry and tag or digest; no engine looks those up
among its ids.
"""

import re
from dataclasses import dataclass
from typing import Self

_MOST_CHARACTERS = 255
_HOST = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_REGISTRY = re.compile(rf"{_HOST}(?:\.{_HOST})*(?::[0-9]{{1,5}})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PERHAPS_AN_ID = re.compile(r"(sha[0-9]+:)?[0-9a-f]+", re.IGNORECASE)
_HUB, _LOCAL = "docker.io", "localhost"
_OWN = "palio-"


class ImageNameError(ValueError):
    """Why a name is refused, as a clause."""


@dataclass(frozen=True)
class ImageName:
    registry: str
    path: str
    version: str  # `:tag`, or `@sha256:...`

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}{self.version}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Parses the image that `text` names on every engine. Raises ImageNameError."""
        name = cls._split(text)
        if _PERHAPS_AN_ID.fullmatch(text):
            raise ImageNameError("an image name is required, because ids could belong to other submissions")
        if name is None:
            raise ImageNameError(f"`{text[:80]}` is not an image name; write one like python:3.11-slim, in lower case")
        path = name.path.removeprefix("library/")
        if name.registry.split(":")[0] in (_HUB, _LOCAL) and path.startswith(_OWN) and "/" not in path:
            raise ImageNameError("images of other submissions cannot be used")
        return name

    @classmethod
    def of_engine(cls, text: str) -> Self | None:
        """Parses a name that an engine reports for an image. Returns None if it is not a name."""
        return cls._split(text)

    @classmethod
    def _split(cls, text: str) -> Self | None:
        if len(text) > _MOST_CHARACTERS:
            return None
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            return None
        registry, slash, path = rest.partition("/")
        if not slash or not ("." in registry or ":" in registry or registry == _LOCAL):
            registry, path = _HUB, rest
        path, colon, tag = path.partition(":")
        if colon and not _TAG.fullmatch(tag):
            return None
        registry = _HUB if registry == f"index.{_HUB}" else registry
        if registry == _HUB and "/" not in path:
            path = f"library/{path}"
        if not _REGISTRY.fullmatch(registry) or not _PATH.fullmatch(path):
            return None
        # If there are both, the digest decides.
        return cls(registry, path, f"@{digest}" if at else f":{tag or 'latest'}")

"""Reads a saved image's manifest: which members of the archive are its configuration and layers.

There are two layouts: `manifest.json`, written by every version of `docker save`, else OCI, from `index.json` through
the image's manifest; an index of one image for several platforms is read for the engine's. All of it is untrusted:
sizes are limited before, types are checked, and objects whose keys differ only in case are refused where JSON parsers
disagree about them.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

MANIFEST, INDEX = "manifest.json", "index.json"
_SHOWN = 200  # characters of a list
_DIGEST = re.compile(r"(sha256:)([0-9a-f]{64})")
_NAMED_BY_DIGEST = re.compile(r"(?:blobs/sha256/|sha256:|)([0-9a-f]{64})(?:\.json)?")

T = TypeVar("T")


class ManifestError(Exception):
    """The image's metadata is invalid. The text is a complete clause."""


@dataclass(frozen=True)
class Parts:
    """Members of the archive: the configuration, and the layers from the lowest up."""

    config: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    platform: str  # such as linux/amd64
    diff_ids: tuple[str, ...]  # SHA-256 of each unpacked layer, in hex


def find_parts(documents: Mapping[str, bytes], platform: str) -> Parts:
    """Finds the parts for `platform`, such as linux/amd64, from the archive's JSON documents by name.

    Raises ManifestError.
    """
    if MANIFEST in documents:
        return _parts_of_manifest(_parsed(MANIFEST, documents))
    if INDEX in documents:
        return _parts_of_index(documents, platform)
    raise ManifestError(f"it has neither {MANIFEST} nor {INDEX}, so it is not a saved image")


def read_config(name: str, documents: Mapping[str, bytes]) -> Config:
    """Reads the image's configuration. Raises ManifestError."""
    config = _parsed(name, documents)
    rootfs = _member(name, config, "rootfs", dict)
    for found in (config, rootfs):
        if len({key.casefold() for key in found}) != len(found):
            raise ManifestError(f"{name}: has keys that differ only in case")
    platform = "/".join(_member(name, config, key, str) for key in ("os", "architecture"))
    digests = [_DIGEST.fullmatch(str(text)) for text in _member(name, rootfs, "diff_ids", list)]
    if not all(digests):
        raise ManifestError(f"{name}: its rootfs.diff_ids are not all SHA-256 digests")
    return Config(platform, tuple(digest[2] for digest in digests if digest))


def _parts_of_manifest(images: object) -> Parts:
    if not isinstance(images, list) or not images:
        raise ManifestError(f"{MANIFEST}: is not a list of images")
    if len(images) > 1:
        raise ManifestError(f"it has {len(images):,} images; save exactly one")
    config = _member(MANIFEST, images[0], "Config", str)
    layers = _member(MANIFEST, images[0], "Layers", list)
    if not all(isinstance(layer, str) for layer in layers):
        raise ManifestError(f"{MANIFEST}: its Layers are not all names")
    return Parts(plain_name(config), tuple(plain_name(layer) for layer in layers))


def _parts_of_index(documents: Mapping[str, bytes], platform: str) -> Parts:
    name = INDEX
    for _ in range(3):  # an index may contain an index, which contains the image's manifest
        document = _parsed(name, documents)
        if not isinstance(document, dict) or "manifests" not in document:
            break
        images = [image for image in _member(name, document, "manifests", list) if not _is_attestation(image)]
        name = _blob(name, _for_platform(images, platform))
    manifest = _parsed(name, documents)
    layers = _member(name, manifest, "layers", list)
    return Parts(_blob(name, _member(name, manifest, "config", dict)), tuple(_blob(name, layer) for layer in layers))


def _for_platform(images: list[object], platform: str) -> object:
    """The only image of an index, or the one for the platform if they are for different platforms."""
    if len(images) == 1:
        return images[0]
    platforms = [_platform(image) for image in images]
    if not platforms or None in platforms or platforms.count(platform) > 1:
        raise ManifestError(f"it has {len(images):,} images; save exactly one, for one platform")
    if platform not in platforms:
        there = ", ".join(sorted({each for each in platforms if each}))
        raise ManifestError(
            f"it is for the platforms {there[:_SHOWN]}, but this engine runs {platform}; "
            f"build it with `docker build --platform {platform}`"
        )
    return images[platforms.index(platform)]


def _platform(image: object) -> str | None:
    """The platform that an index states for an image. Its configuration is compared with the engine's later."""
    platform = image.get("platform") if isinstance(image, dict) else None
    if not isinstance(platform, dict):
        return None
    parts = [platform.get("os"), platform.get("architecture")]
    return "/".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None


def _is_attestation(image: object) -> bool:
    """Whether it is build provenance, which builders write next to an image."""
    notes = image.get("annotations") if isinstance(image, dict) else None
    return isinstance(notes, dict) and "vnd.docker.reference.type" in notes


def _blob(name: str, descriptor: object) -> str:
    digest = _DIGEST.fullmatch(_member(name, descriptor, "digest", str))
    if not digest:
        raise ManifestError(f"{name}: refers to a part without a SHA-256 digest")
    return f"blobs/sha256/{digest[2]}"


def _parsed(name: str, documents: Mapping[str, bytes]) -> Any:
    """Parses a document and checks its digest if its name is one."""
    if name not in documents:
        raise ManifestError(f"{name}: is listed as a part of the image, but the archive has no such JSON document")
    digest = _NAMED_BY_DIGEST.fullmatch(name)
    if digest and hashlib.sha256(documents[name]).hexdigest() != digest[1]:
        raise ManifestError(f"{name}: its content does not match its name, which is a digest")
    try:
        return json.loads(documents[name].decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise ManifestError(f"{name}: is not valid JSON") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a duplicate key")
    return dict(pairs)


def _member(name: str, document: object, key: str, kind: type[T]) -> T:
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise ManifestError(f"{name}: `{key}` is missing or has the wrong type")
    return value


def plain_name(name: str) -> str:
    """A member's name as others refer to it: `./a` and `a/` become `a`."""
    return name.removeprefix("./").rstrip("/")

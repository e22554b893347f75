"""What a saved image says of itself: which members of its archive are its configuration and its layers.

Two layouts: `manifest.json`, which `docker save` writes in every version; else that of the OCI, from `index.json` over
the image's manifest. Everything is a participant's word: sizes are capped before it comes here, types are checked, and
an object whose keys differ only in case is refused where readers of JSON differ over it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

MANIFEST, INDEX = "manifest.json", "index.json"
_DIGEST = re.compile(r"(sha256:)([0-9a-f]{64})")
_NAMED_BY_DIGEST = re.compile(r"(?:blobs/sha256/|sha256:|)([0-9a-f]{64})(?:\.json)?")

T = TypeVar("T")


class ManifestError(Exception):
    """What is wrong with what the image says of itself; the text is a clause of its own."""


@dataclass(frozen=True)
class Parts:
    """Members of the archive: the configuration, and the layers from the lowest up."""

    config: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    platform: str  # such as linux/amd64
    diff_ids: tuple[str, ...]  # SHA-256 of each layer, unpacked, in hex


def find_parts(documents: Mapping[str, bytes]) -> Parts:
    """From the archive's JSON documents by name. Raises ManifestError."""
    if MANIFEST in documents:
        return _parts_of_manifest(_parsed(MANIFEST, documents))
    if INDEX in documents:
        return _parts_of_index(documents)
    raise ManifestError(f"it holds neither {MANIFEST} nor {INDEX}, so it is no saved image")


def read_config(name: str, documents: Mapping[str, bytes]) -> Config:
    """What the image's configuration says. Raises ManifestError."""
    config = _parsed(name, documents)
    rootfs = _member(name, config, "rootfs", dict)
    for found in (config, rootfs):
        if len({key.casefold() for key in found}) != len(found):
            raise ManifestError(f"{name}: holds keys that differ only in upper and lower case")
    platform = "/".join(_member(name, config, key, str) for key in ("os", "architecture"))
    digests = [_DIGEST.fullmatch(str(text)) for text in _member(name, rootfs, "diff_ids", list)]
    if not all(digests):
        raise ManifestError(f"{name}: its rootfs.diff_ids are not all SHA-256 digests")
    return Config(platform, tuple(digest[2] for digest in digests if digest))


def _parts_of_manifest(images: object) -> Parts:
    if not isinstance(images, list) or not images:
        raise ManifestError(f"{MANIFEST}: is not a list of images")
    if len(images) > 1:
        raise ManifestError(f"it holds {len(images):,} images; save exactly one")
    config = _member(MANIFEST, images[0], "Config", str)
    layers = _member(MANIFEST, images[0], "Layers", list)
    if not all(isinstance(layer, str) for layer in layers):
        raise ManifestError(f"{MANIFEST}: its Layers are not all names")
    return Parts(plain_name(config), tuple(plain_name(layer) for layer in layers))


def _parts_of_index(documents: Mapping[str, bytes]) -> Parts:
    name = INDEX
    for _ in range(3):  # an index may hold an index, and that the image's manifest
        document = _parsed(name, documents)
        if not isinstance(document, dict) or "manifests" not in document:
            break
        images = [image for image in _member(name, document, "manifests", list) if not _is_attestation(image)]
        if len(images) != 1:
            raise ManifestError(f"it holds {len(images):,} images; save exactly one, for one platform")
        name = _blob(name, images[0])
    manifest = _parsed(name, documents)
    layers = _member(name, manifest, "layers", list)
    return Parts(_blob(name, _member(name, manifest, "config", dict)), tuple(_blob(name, layer) for layer in layers))


def _is_attestation(image: object) -> bool:
    """Whether it is what builders write beside an image about how it was made."""
    notes = image.get("annotations") if isinstance(image, dict) else None
    return isinstance(notes, dict) and "vnd.docker.reference.type" in notes


def _blob(name: str, descriptor: object) -> str:
    digest = _DIGEST.fullmatch(_member(name, descriptor, "digest", str))
    if not digest:
        raise ManifestError(f"{name}: names a part by something else than a SHA-256 digest")
    return f"blobs/sha256/{digest[2]}"


def _parsed(name: str, documents: Mapping[str, bytes]) -> Any:
    """A document; where its name is a digest, that of its content."""
    if name not in documents:
        raise ManifestError(f"{name}: is named as a part of the image, and no such JSON document is in the archive")
    digest = _NAMED_BY_DIGEST.fullmatch(name)
    if digest and hashlib.sha256(documents[name]).hexdigest() != digest[1]:
        raise ManifestError(f"{name}: its content is not what its name, a digest, says")
    try:
        return json.loads(documents[name].decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise ManifestError(f"{name}: is not valid JSON") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key that stands there twice")
    return dict(pairs)


def _member(name: str, document: object, key: str, kind: type[T]) -> T:
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise ManifestError(f"{name}: lacks `{key}`, or it is of the wrong type")
    return value


def plain_name(name: str) -> str:
    """A member's name as others refer to it: `./a` and `a/` are `a`."""
    return name.removeprefix("./").rstrip("/")

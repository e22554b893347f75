"""Images by reference: pinned to a digest when they are submitted, and pulled when they are evaluated."""

import errno
import json
import os
import platform as machine
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tarfile import BLOCKSIZE, TarInfo
from typing import IO, Any

from palio.core.engine import Pull
from palio.core.errors import PalioError
from palio.core.quantities import size_text
from palio.core.submission.reference import Reference, parse_image
from palio.engines.sources.accounts import Credential, account_for, operators_account
from palio.engines.sources.hosts import OpenHosts
from palio.engines.sources.registry import INDEX_TYPES, MANIFEST_TYPES, Document, Registry, UnreachableError, parsed

PLATFORM_VARIABLE = "PALIO_IMAGE_PLATFORM"
PIN_S = 40.0
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_LAYERS = 500
_MAX_NESTED = 2
_ROOM = 2  # the archive, and the engine's own copy of it


def this_platform() -> str:
    """The platform that references are pinned for: PALIO_IMAGE_PLATFORM, else that of this machine."""
    found = os.environ.get(PLATFORM_VARIABLE, "").strip()
    if not found:
        return f"linux/{_ARCHITECTURES.get(machine.machine(), machine.machine())}"
    if not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+", found):
        raise PalioError(
            "usage",
            problem=f"{PLATFORM_VARIABLE} is {found!r}, which is not a platform.",
            next_step="Write one like linux/amd64, or unset it.",
        )
    return found


def pin_image(
    text: str,
    *,
    max_bytes: int,
    time_s: float = PIN_S,
    account: Credential | None = None,
) -> Reference:
    """Looks up what a reference means now, and checks what can be checked without pulling it.

    `account`: the team's at this registry; without one, the operator's is used.

    Raises PalioError: "reference-invalid", "source-refused", "source-unreachable", "registry-unauthorized",
    "reference-not-found", "reference-platform", "reference-too-large", "reference-unfit" and others of the table's
    part about sources. The operator is responsible for servers that the configuration names, the participant for
    others.
    """
    name, tag = parse_image(text)
    hosts, own = OpenHosts.read(), operators_account(name.registry)
    credential = account or own
    image, platform = str(name), this_platform()
    try:
        with Registry(name.registry, name.path, image, credential, hosts=hosts, time_s=time_s) as registry:
            given = registry.manifest(name.version[1:])
            manifest = _for_platform(registry, given, image, platform)
            parts = _Parts.of(manifest, image, platform)
            if parts.size_bytes > max_bytes:
                sizes = {"size": size_text(parts.size_bytes), "limit": size_text(max_bytes)}
                raise PalioError("reference-too-large", image=image, **sizes)
            command = _command(registry.config(parts.config, parts.sizes[parts.config]), image, platform)
    except UnreachableError as error:
        is_ours = (own is not None and account is None) or hosts.scheme_of(error.host) is not None
        raise PalioError(
            "source-failing" if is_ours else "source-unreachable", host=error.host, reason=error.reason
        ) from None
    return Reference(
        repository=f"{name.registry}/{name.path}",
        tag=tag,
        digest=given.digest,
        manifest=manifest.digest,
        platform=platform,
        size_bytes=parts.size_bytes,
        command=command,
    )


def pull_image(pull: Pull, archive: Path, *, max_bytes: int, time_s: float, between: Callable[[], None]) -> None:
    """Writes the image as an archive in the OCI layout. Every part has its digest.

    `between` is called between pieces and may raise to stop. Raises PalioError, "source-failing" if the registry does
    not deliver, and OSError if the archive cannot be written.
    """
    registry_name, _, path = pull.repository.partition("/")
    credential = account_for(registry_name)
    image = f"{pull.repository}@{pull.manifest}"
    try:
        with Registry(registry_name, path, image, credential, hosts=OpenHosts.read(), time_s=time_s) as registry:
            manifest = registry.manifest(pull.manifest)
            parts = _Parts.of(manifest, image, pull.platform)
            if parts.size_bytes > max_bytes:
                sizes = {"size": size_text(parts.size_bytes), "limit": size_text(max_bytes)}
                raise PalioError("reference-too-large", image=image, **sizes)
            if shutil.disk_usage(archive.parent).free < _ROOM * parts.size_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(archive))
            with archive.open("wb") as file:
                for name, content in (
                    ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
                    ("index.json", _index(manifest)),
                    (_blob_name(manifest.digest), manifest.content),
                ):
                    _write(file, name, len(content), iter([content]), between)
                for digest, size in parts.sizes.items():
                    _write(file, _blob_name(digest), size, registry.blob(digest, size), between)
                file.write(bytes(2 * BLOCKSIZE))
    except UnreachableError as error:
        raise PalioError("source-failing", host=error.host, reason=error.reason) from None


@dataclass(frozen=True)
class _Parts:
    """The configuration's digest, and the size in bytes of each part by digest, each part once."""

    config: str
    sizes: dict[str, int]

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes.values())

    @classmethod
    def of(cls, manifest: Document, image: str, platform: str) -> "_Parts":
        with _judged(image, platform):
            content = parsed(manifest.content)
            config, layers = content["config"], content["layers"]
            if not isinstance(layers, list) or not layers:
                raise ValueError("it has no layers, so it is not an image")
            if len(layers) > _MAX_LAYERS:
                raise ValueError(f"it has {len(layers):,} layers; at most {_MAX_LAYERS} are allowed")
            for layer in layers:
                kind = str(layer.get("mediaType", ""))
                if layer.get("urls") or "foreign" in kind or "nondistributable" in kind:
                    raise ValueError("it has a layer that lies outside its registry")
                if kind.endswith("zstd"):
                    raise ValueError("its layers are compressed with zstd; push it with gzip layers")
            return cls(_descriptor(config)[0], dict(_descriptor(each) for each in (config, *layers)))


@contextmanager
def _judged(image: str, platform: str) -> Iterator[None]:
    """Turns what is wrong with a document into PalioError "reference-unfit"."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        is_said = isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError | UnicodeError)
        reason = str(error) if is_said else "its manifest or configuration is not valid"
        raise PalioError("reference-unfit", image=image, platform=platform, reason=reason) from None


def _for_platform(registry: Registry, document: Document, image: str, platform: str) -> Document:
    """The image's manifest, chosen from an index if there is one."""
    for _ in range(_MAX_NESTED + 1):
        kind = document.media_type
        with _judged(image, platform):
            content = parsed(document.content)
            if kind in MANIFEST_TYPES or ("layers" in content and "manifests" not in content):
                return document
            if kind not in INDEX_TYPES and "manifests" not in content:
                raise ValueError("it is neither an image nor an index of images, or in a format of before 2017")
            entries = [each for each in content["manifests"] if not _is_attestation(each)]
            chosen = next((each for each in entries if _platform_of(each) == platform), None)
            digest = _descriptor(chosen)[0] if chosen is not None else ""
            found = sorted({_platform_of(each) for each in entries})
        if not digest:
            there = " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)
            raise PalioError("reference-platform", image=image, found=there or "no platform", platform=platform)
        document = registry.manifest(digest)
    raise PalioError("reference-unfit", image=image, platform=platform, reason="its index contains indexes")


def _command(content: bytes, image: str, platform: str) -> tuple[str, ...]:
    with _judged(image, platform):
        config = parsed(content)
        found = f"{config['os']}/{config['architecture']}"
        run = config.get("config") or {}
        words = [*(run.get("Entrypoint") or ()), *(run.get("Cmd") or ())]
        if not all(isinstance(word, str) for word in words):
            raise TypeError
        if found == platform and not words:
            raise ValueError("it names no program to run: it has neither ENTRYPOINT nor CMD")
    if found != platform:
        raise PalioError("reference-platform", image=image, found=found[:80], platform=platform)
    return tuple(words)


def _descriptor(content: Any) -> tuple[str, int]:
    digest, size = content["digest"], content["size"]
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError("it refers to a part without a SHA-256 digest")
    if type(size) is not int or size < 0:
        raise TypeError
    return digest, size


def _platform_of(entry: Any) -> str:
    platform = entry.get("platform") or {}
    return f"{platform.get('os', 'unknown')}/{platform.get('architecture', 'unknown')}"


def _is_attestation(entry: Any) -> bool:
    """Whether it is build provenance, which builders put beside an image."""
    return "vnd.docker.reference.type" in (entry.get("annotations") or {}) or _platform_of(entry) == "unknown/unknown"


def _index(manifest: Document) -> bytes:
    media_type = manifest.media_type if manifest.media_type in MANIFEST_TYPES else MANIFEST_TYPES[0]
    entry = {"mediaType": media_type, "digest": manifest.digest, "size": len(manifest.content)}
    return json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _write(file: IO[bytes], name: str, size: int, pieces: Iterator[bytes], between: Callable[[], None]) -> None:
    member = TarInfo(name)
    member.size = size
    file.write(member.tobuf())
    for piece in pieces:
        between()
        file.write(piece)
    file.write(bytes(-size % BLOCKSIZE))

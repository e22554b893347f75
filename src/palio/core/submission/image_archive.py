"""Inspects an untrusted saved image in one pass before an engine sees it. Nothing is extracted.

Covered: an incomplete archive, in both layouts of `docker save` and the OCI layout; more or fewer than one image;
another platform than the engine's; content that does not match its digest, so that no image can borrow a layer of
another image on the engine; odd names and entries that are not files, folders or links inside the archive; in each
layer, what image_layer covers; too many unpacked bytes or entries (a bomb is read up to the limit, never stored). Not
covered: what the image's programs do, which is the sandbox's job; layers that two tar readers interpret differently,
and what image_layer leaves out: there the engine's own checks apply.
"""

import io
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tarfile import TarInfo

from palio.core.errors import PalioError, counted
from palio.core.files.collect import name_refusal, printable
from palio.core.files.tar_stream import (
    BLOCK_BYTES,
    GZIP_MAGIC,
    TAR_MAGIC,
    TAR_MAGIC_AT,
    BrokenTarError,
    Budget,
    BudgetError,
    MemberFile,
    TarStream,
)
from palio.core.quantities import MIB
from palio.core.submission.image_layer import Layer, inspect_layer, path_fault
from palio.core.submission.image_manifest import ManifestError, Parts, find_parts, plain_name, read_config

MAX_MEMBERS = 10_000
MAX_LAYER_ENTRIES = 1_000_000
MAX_DOCUMENT_BYTES = 4 * MIB
MAX_DOCUMENTS_BYTES = 32 * MIB  # of all together, because they are kept in memory
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SHOWN = 20


@dataclass(frozen=True)
class SavedImage:
    """An image that may be loaded: the members of its archive, and its unpacked size."""

    parts: Parts
    size_bytes: int


def inspect_image(
    path: Path, *, platform: str, max_bytes: int, between: Callable[[], None] = lambda: None
) -> SavedImage:
    """Inspects the only image in the archive, for an engine that runs `platform`, such as linux/amd64.

    `between` is called between blocks and may raise to stop reading. Raises PalioError "image-unsafe" or
    "image-invalid" with all problems.
    """
    reading = _Reading(max_bytes, between)
    with path.open("rb") as file:
        parts = reading.judge(file, platform)
    found = reading.unsafe + reading.invalid
    shown = found[:_SHOWN] + ([f"and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else [])
    if reading.unsafe:
        raise PalioError("image-unsafe", name=path.name, count=counted(len(found), "fault"), evidence=shown)
    if parts is None or found:
        reason = found[0] if len(found) == 1 else counted(len(found), "fault")
        raise PalioError("image-invalid", name=path.name, reason=reason, evidence=shown if len(found) > 1 else [])
    return SavedImage(parts, reading.unpacked.used_bytes)


class _Reading:
    """What one pass has found: JSON documents, layers and links by name, and faults."""

    def __init__(self, max_bytes: int, between: Callable[[], None]) -> None:
        self.unsafe: list[str] = []
        self.invalid: list[str] = []
        self.unpacked = Budget(max_bytes, MAX_LAYER_ENTRIES, between)
        self._packed = Budget(max_bytes, MAX_MEMBERS, between)
        self._documents: dict[str, bytes] = {}
        self._documents_room = MAX_DOCUMENTS_BYTES
        self._layers: dict[str, Layer | str] = {}  # or why it is not a layer
        self._links: dict[str, str] = {}
        self._names: set[str] = set()

    def judge(self, file: io.BufferedReader, platform: str) -> Parts | None:
        """Reads the whole archive and records faults. Returns the image's parts, if any."""
        try:
            stream = TarStream(file, self._packed)
            for member in stream.members():
                self._take(member, stream)
            return self._judge_image(platform)
        except BudgetError as error:
            self.unsafe.append(f"it {error}")
        except (BrokenTarError, ManifestError) as error:
            self.invalid.append(_shown(f"it {error}" if isinstance(error, BrokenTarError) else str(error)))
        return None

    def _take(self, member: TarInfo, stream: TarStream) -> None:
        name = plain_name(member.name)
        if fault := self._fault(name, member):
            self.unsafe.append(f"{printable(member.name)}: {fault}")
        elif member.isreg():
            self._take_file(name, member, stream)
        elif not member.isdir():
            self._links[name] = _target(member)
        if not member.isdir():
            self._names.add(name)

    def _fault(self, name: str, member: TarInfo) -> str | None:
        if name in self._names:
            return "appears more than once"
        if name in ("", ".") and member.isdir():
            return None
        if fault := path_fault(name) or name_refusal(name.split("/")):
            return fault
        if member.issym() or member.islnk():
            return "a link to the outside" if path_fault(_target(member)) else None
        return None if member.isdir() or (member.isreg() and not member.issparse()) else "neither a file nor a folder"

    def _take_file(self, name: str, member: TarInfo, stream: TarStream) -> None:
        """Keeps a document, inspects a layer, and ignores anything else. They are told apart by their first bytes."""
        file = io.BufferedReader(MemberFile(stream, member), BLOCK_BYTES)
        start = file.peek(TAR_MAGIC_AT + len(TAR_MAGIC))[:BLOCK_BYTES]
        if start[TAR_MAGIC_AT:].startswith(TAR_MAGIC) or start.startswith(GZIP_MAGIC) or (start and not any(start)):
            try:
                self._layers[name] = inspect_layer(file, self.unpacked)
            except BrokenTarError as error:
                self._layers[name] = str(error)
        elif start.startswith(_ZSTD_MAGIC):
            self._layers[name] = "is compressed with zstd; save the image with plain or gzip layers"
        elif start.lstrip()[:1] in (b"{", b"[") and member.size <= MAX_DOCUMENT_BYTES:
            self._documents_room -= member.size
            if self._documents_room < 0:
                raise BudgetError(f"has more than {MAX_DOCUMENTS_BYTES // MIB} MiB of JSON documents")
            self._documents[name] = file.read()

    def _judge_image(self, platform: str) -> Parts:
        found = find_parts(self._documents, platform)
        config = read_config(found.config, self._documents)
        parts = Parts(found.config, tuple(self._links.get(name, name) for name in found.layers))
        if config.platform != platform:
            advice = f"build it with `docker build --platform {platform}`"
            self.invalid.append(_shown(f"it is for {config.platform}, but this engine runs {platform}; {advice}"))
        if len(parts.layers) != len(config.diff_ids):
            told = counted(len(config.diff_ids), "layer")
            self.invalid.append(f"it has {counted(len(parts.layers), 'layer')}, but its configuration lists {told}")
        for name, diff_id in zip(parts.layers, config.diff_ids, strict=False):
            self._judge_layer(name, diff_id)
        return parts

    def _judge_layer(self, name: str, diff_id: str) -> None:
        layer = self._layers.get(name, "is listed as a layer, but the archive has no such tar")
        if isinstance(layer, str):
            self.invalid.append(_shown(f"{name}: {layer}"))
            return
        self.unsafe += [f"{printable(name)}: {printable(entry)}: {fault}" for entry, fault in layer.faults]
        if layer.sha256 != diff_id:
            self.invalid.append(
                f"{printable(name)}: its content does not match the digest in the image's configuration"
            )


def _target(link: TarInfo) -> str:
    """The target of a link in the archive, as a name in the archive."""
    folder = posixpath.dirname(link.name) if link.issym() else ""
    return posixpath.normpath(posixpath.join(folder, link.linkname))


def _shown(text: str) -> str:
    """Makes text with strings of the image's JSON printable, which need not be valid Unicode."""
    return printable(text.encode("utf-8", "backslashreplace").decode())

"""A saved image from a stranger, looked through in one reading before an engine sees any of it; nothing is extracted.

Covered: an archive that is not whole, in both layouts of `docker save` and that of the OCI; more or less than one
image; another platform than the engine's; content that has not the digest that is told, so that no image can borrow a
layer of another one on the engine; in the archive, odd names and whatever is no file, folder or link within; in each
layer, what image_layer covers; too many bytes or entries, unpacked (a bomb is read up to its limit, never stored).
Not covered: what the image's programs do, which the sandbox is for; layers that two readers of tar take differently,
and what image_layer leaves: the engine's own checks stand behind these.
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
from palio.core.submission.image_layer import Layer, look_through_layer, path_fault
from palio.core.submission.image_manifest import ManifestError, Parts, find_parts, plain_name, read_config

MAX_MEMBERS = 10_000
MAX_LAYER_ENTRIES = 1_000_000
MAX_DOCUMENT_BYTES = 4 * MIB
MAX_DOCUMENTS_BYTES = 32 * MIB  # of all together, as they are kept in memory
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SHOWN = 20


@dataclass(frozen=True)
class SavedImage:
    """An image found fit to be loaded: which members of its archive it consists of, and its size unpacked."""

    parts: Parts
    size_bytes: int


def look_through(
    path: Path, *, platform: str, max_bytes: int, between: Callable[[], None] = lambda: None
) -> SavedImage:
    """The one image in the archive, for an engine that runs `platform`, such as linux/amd64.

    `between` is called between blocks and may raise to end the reading. Raises PalioError "image-unsafe" or
    "image-invalid", with all that is wrong.
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
    """What one reading of an archive has come to know: its JSON documents, layers and links by name, and its faults."""

    def __init__(self, max_bytes: int, between: Callable[[], None]) -> None:
        self.unsafe: list[str] = []
        self.invalid: list[str] = []
        self.unpacked = Budget(max_bytes, MAX_LAYER_ENTRIES, between)
        self._packed = Budget(max_bytes, MAX_MEMBERS, between)
        self._documents: dict[str, bytes] = {}
        self._documents_room = MAX_DOCUMENTS_BYTES
        self._layers: dict[str, Layer | str] = {}  # or why it cannot be one
        self._links: dict[str, str] = {}
        self._names: set[str] = set()

    def judge(self, file: io.BufferedReader, platform: str) -> Parts | None:
        """Reads all and notes the faults; the image's parts, if there is one."""
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
            return "stands in the archive more than once"
        if name in ("", ".") and member.isdir():
            return None
        if fault := path_fault(name) or name_refusal(name.split("/")):
            return fault
        if member.issym() or member.islnk():
            return "a link that leads out" if path_fault(_target(member)) else None
        return None if member.isdir() or (member.isreg() and not member.issparse()) else "neither a file nor a folder"

    def _take_file(self, name: str, member: TarInfo, stream: TarStream) -> None:
        """Keeps a document, looks through a layer, and leaves everything else aside. Told apart by how they begin."""
        file = io.BufferedReader(MemberFile(stream, member), BLOCK_BYTES)
        start = file.peek(TAR_MAGIC_AT + len(TAR_MAGIC))[:BLOCK_BYTES]
        if start[TAR_MAGIC_AT:].startswith(TAR_MAGIC) or start.startswith(GZIP_MAGIC) or (start and not any(start)):
            try:
                self._layers[name] = look_through_layer(file, self.unpacked)
            except BrokenTarError as error:
                self._layers[name] = str(error)
        elif start.startswith(_ZSTD_MAGIC):
            self._layers[name] = "is compressed with zstd; save the image with its layers in gzip or plain"
        elif start.lstrip()[:1] in (b"{", b"[") and member.size <= MAX_DOCUMENT_BYTES:
            self._documents_room -= member.size
            if self._documents_room < 0:
                raise BudgetError(f"holds more than {MAX_DOCUMENTS_BYTES // MIB} MiB of JSON documents")
            self._documents[name] = file.read()

    def _judge_image(self, platform: str) -> Parts:
        found = find_parts(self._documents)
        config = read_config(found.config, self._documents)
        parts = Parts(found.config, tuple(self._links.get(name, name) for name in found.layers))
        if config.platform != platform:
            advice = f"build it with `docker build --platform {platform}`"
            self.invalid.append(_shown(f"it is for {config.platform}, and this engine runs {platform}; {advice}"))
        if len(parts.layers) != len(config.diff_ids):
            told = counted(len(config.diff_ids), "layer")
            self.invalid.append(
                f"it holds {counted(len(parts.layers), 'layer')}, and its configuration tells of {told}"
            )
        for name, diff_id in zip(parts.layers, config.diff_ids, strict=False):
            self._judge_layer(name, diff_id)
        return parts

    def _judge_layer(self, name: str, diff_id: str) -> None:
        layer = self._layers.get(name, "is named as a layer, and no tar of that name is in the archive")
        if isinstance(layer, str):
            self.invalid.append(_shown(f"{name}: {layer}"))
            return
        self.unsafe += [f"{printable(name)}: {printable(entry)}: {fault}" for entry, fault in layer.faults]
        if layer.sha256 != diff_id:
            self.invalid.append(f"{printable(name)}: its content is not what the image's configuration says")


def _target(link: TarInfo) -> str:
    """Where a link in the archive leads, as a name in the archive."""
    folder = posixpath.dirname(link.name) if link.issym() else ""
    return posixpath.normpath(posixpath.join(folder, link.linkname))


def _shown(text: str) -> str:
    """Text that holds strings of the image's JSON, which need not be Unicode that can be written."""
    return printable(text.encode("utf-8", "backslashreplace").decode())

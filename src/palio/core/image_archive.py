"""A saved image from a stranger, looked through in one reading before an engine sees any of it; nothing is extracted.

Covered: an archive that is not whole, in both layouts of `docker save` and that of the OCI; more or less than one image;
another platform than the engine's; content that does not have the digest it is named by, so that an image cannot borrow
the layers of another one on the engine; names that climb out or are absolute, in the archive and in each layer; links
that lead out of the archive; device nodes but those that every base image has; sparse files, whose size is only claimed;
too many bytes or entries, unpacked (a bomb is read up to its limit, never stored).
Not covered: what the image's programs do, which the sandbox is for; symbolic links inside a layer, which every engine
resolves inside the image's own root; layers that two readers of tar understand differently: the engine's own checks
stand behind these.
"""

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tarfile import TarInfo

from palio.core.collect import name_refusal, printable
from palio.core.errors import PalioError, counted
from palio.core.image_manifest import ManifestError, Parts, find_parts, plain_name, read_config
from palio.core.job import MIB
from palio.core.quantities import size_text
from palio.core.tar_stream import BLOCK_BYTES, GZIP_MAGIC, BrokenTarError, Budget, BudgetError, MemberFile, TarStream

MAX_MEMBERS = 10_000
MAX_LAYER_ENTRIES = 1_000_000
DOCUMENT_BYTES = 4 * MIB
DOCUMENTS_BYTES = 32 * MIB  # of all together, as they are kept in memory
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
# null, zero, full, random, urandom; tty, console, ptmx: what a job has of its own anyway
_USUAL_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)}
_SHOWN = 20


@dataclass(frozen=True)
class SavedImage:
    """An image found fit to be loaded: the members of its archive to load, and its size unpacked."""

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
    try:
        with path.open("rb") as file:
            reading.read(file)
        parts = find_parts(reading.documents)
        reading.judge(parts, platform)
    except BudgetError as error:
        reading.unsafe.append(f"it {error}")
    except BrokenTarError as error:
        reading.invalid.append(f"it {error}")
    except ManifestError as error:
        reading.invalid.append(str(error))
    _raise(path.name, reading)
    return SavedImage(parts, reading.unpacked.used_bytes)


def _raise(name: str, reading: "_Reading") -> None:
    found = reading.unsafe + reading.invalid
    shown = found[:_SHOWN] + ([f"and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else [])
    if reading.unsafe:
        raise PalioError("image-unsafe", name=name, count=counted(len(found), "fault"), evidence=shown)
    if reading.invalid:
        reason = found[0] if len(found) == 1 else counted(len(found), "fault")
        raise PalioError("image-invalid", name=name, reason=reason, evidence=shown if len(found) > 1 else [])


@dataclass(frozen=True)
class _Layer:
    """A member that is a tar of its own: the SHA-256 of what it unpacks to, or why it does not."""

    sha256: str = ""
    fault: str = ""


@dataclass
class _Reading:
    max_bytes: int
    between: Callable[[], None]
    unsafe: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)
    layers: dict[str, _Layer] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unpacked = Budget(self.max_bytes, MAX_LAYER_ENTRIES)
        self._names: set[str] = set()
        self._documents_room = DOCUMENTS_BYTES

    def read(self, file: io.BufferedReader) -> None:
        stream = TarStream(file, Budget(self.max_bytes, MAX_MEMBERS, self.between))
        for member in stream.members():
            name = plain_name(member.name)
            if fault := _member_fault(member, name in self._names):
                self.unsafe.append(f"{printable(member.name)}: {fault}")
            elif member.isreg():
                self._take(name, member, stream)
            elif member.issym() or member.islnk():
                self._take_link(name, member)
            if not member.isdir():
                self._names.add(name)

"""Tells what a tar is by its first names: a saved image, a container's file system, or something else.

submission.image_archive judges whether an image can be loaded.
"""

import io
import re
from collections.abc import Iterator
from enum import Enum
from typing import IO, Any, cast

from palio.core.files.tar_stream import BrokenTarError, Budget, BudgetError, TarStream
from palio.core.quantities import MIB
from palio.core.submission.image_manifest import plain_name

# The first entries that tools write when saving images (docker, podman, skopeo, crane, buildx).
_SAVED_IMAGE = re.compile(
    r"(?:sha256:)?[0-9a-f]{64}\b.*|blobs(?:/.*)?|manifest\.json|index\.json|oci-layout|repositories"
)
_FIRST = 2  # entries, one of which is always among those above
_SYSTEM_FOLDERS = frozenset(
    {"bin", "boot", "dev", "home", "lib", "opt", "proc", "root", "sbin", "sys", "tmp", "usr", "var"}
)
_MOST_BYTES, _MOST_ENTRIES = 4 * MIB, 200


class TarKind(Enum):
    IMAGE = "image"
    EXPORTED = "exported"  # the file system of a container
    OTHER = "other"


def kind_of_tar(file: IO[bytes]) -> TarKind:
    """Reads the beginning of a tar, plain or gzip."""
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(Any, file))
    names = list(_first_names(buffered))
    if any(_SAVED_IMAGE.fullmatch(name) for name in names[:_FIRST]):
        return TarKind.IMAGE
    tops = {name.split("/", 1)[0] for name in names}
    if ".dockerenv" in tops or ("etc" in tops and tops & _SYSTEM_FOLDERS):
        return TarKind.EXPORTED
    return TarKind.OTHER


def _first_names(file: "io.BufferedReader[Any]") -> Iterator[str]:
    try:
        for member in TarStream(file, Budget(_MOST_BYTES, _MOST_ENTRIES)).members():
            yield plain_name(member.name)
    except (BrokenTarError, BudgetError):
        return

"""Draws small pictures of examples for the report, in a child process with limits."""

import base64
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.quantities import GIB, MIB
from palio.data.audit.findings import Finding
from palio.data.audit.listing import MOST_DECODED_BYTES, Listing
from palio.data.audit.measure import SIDE, measure

_SIDE = 96
_MOST = 120  # in one report
_BOUNDS = Bounds(time_s=30, memory_bytes=3 * GIB, answer_bytes=32 * MIB)


def previews(findings: Sequence[Finding], listing: Listing) -> dict[str, str]:
    """Data URLs by the names of examples; those that cannot be drawn in time are left out."""
    names = [name for finding in findings for example in finding.examples for name in example]
    files = {file.name: file for file in listing.files}
    wanted = {name: files[name].source.path for name in dict.fromkeys(names) if name in files}
    on_disk = [[name, str(path)] for name, path in wanted.items() if path is not None][:_MOST]
    with suppress(BoundsError, RuntimeError):  # a report without pictures is better than none
        drawn: dict[str, str] = call_bounded(draw, on_disk, bounds=_BOUNDS)
        return drawn
    return {}


def draw(files: list[list[str]]) -> dict[str, str]:
    """Runs in the child. `files` are names and paths."""
    drawn = {}
    for name, path in files:
        if picture := _picture(Path(path), name):
            drawn[name] = "data:image/png;base64," + base64.b64encode(picture).decode()
    return drawn


def _picture(path: Path, name: str) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError, MemoryError):
        if path.stat().st_size < MOST_DECODED_BYTES:
            with Image.open(path) as image:
                if image.mode in {"1", "L", "P", "RGB", "RGBA", "CMYK", "LA"}:
                    image.thumbnail((_SIDE, _SIDE))
                    image.convert("RGB").save(target, "PNG")
                    return target.getvalue()
    small = measure(path, None, name).small  # volumes, DICOM, 16 bits
    if len(small) == SIDE * SIDE:
        Image.frombytes("L", (SIDE, SIDE), small).save(target, "PNG")
    return target.getvalue()

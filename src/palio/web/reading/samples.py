"""Small pictures of a challenge's public sample cases, for its page. Only child processes call this: the files are
whatever an organizer has put there.

Covered: files that are no picture, too large, or damaged are left out; links are not followed; metadata is dropped.
Not covered: samples in a zip, and volumes.
"""

import io
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from palio.core.bundle.model import Bundle
from palio.core.quantities import MIB

MOST = 6
_SIDE = 192  # pixels; shown at half the size
_LOOKED_AT = 200  # files
_MOST_BYTES, _MOST_PIXELS = 16 * MIB, 40_000_000
_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}


def sample_pictures(bundle: Bundle) -> list[bytes]:
    """PNG files of the first phase with sample cases, spread over them; none if they are no pictures."""
    folder = next((phase.rules.sample.input for phase in bundle.phases if phase.rules.sample), None)
    if folder is None or not folder.is_dir():
        return []
    files = sorted(islice(_files(folder), _LOOKED_AT))
    step = max(len(files) // MOST, 1)
    drawn = (_small(file) for file in files[::step])
    return [*islice((each for each in drawn if each), MOST)]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not path.is_symlink():
            yield path


def _small(file: Path) -> bytes | None:
    from PIL import Image  # takes a while

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if file.stat().st_size > _MOST_BYTES:
                return None
            with Image.open(file) as image:
                if image.width * image.height > _MOST_PIXELS or image.mode.startswith(("I", "F")):
                    return None
                image.thumbnail((_SIDE, _SIDE))
                target = io.BytesIO()
                image.convert("RGB").save(target, "PNG", optimize=True)
                return target.getvalue()
    except Exception:  # noqa: BLE001 - Pillow's decoders raise anything on damaged files
        return None

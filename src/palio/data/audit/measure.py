"""Measures one image file: what it is, what it says, and how it looks when small. Runs in worker processes.

Covered: files that are no images, truncated ones, decompression bombs (limits on pixels and on inflated bytes), images
of many pages, and files that take long (a timer). Memory is limited by the process (workers.py). An image is reduced to
SIDE x SIDE gray values; of a volume or stack, that is its middle slice.
"""

import gzip
import hashlib
import importlib.util
import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from palio.core.files.staging import why
from palio.core.quantities import MIB, size_text
from palio.data.audit.listing import MOST_DECODED_BYTES
from palio.data.audit.personal import Said, said_by_dicom, said_by_exif, said_by_info, said_by_nifti

if TYPE_CHECKING:
    from PIL import Image

SIDE = 32
MOST_BYTES = 1024 * MIB  # of a file that is digested
MOST_PIXELS = 64_000_000  # of an image or slice that is decoded
MOST_PAGES = 2_000
MOST_TEXTS = 20  # of one file
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, KeyError, TypeError, IndexError, ArithmeticError, AttributeError)


@dataclass(frozen=True)
class Measured:
    """One file. Fields are empty or None if the file does not tell them; `fault` is a clause if it cannot be read.

    `shape` is the size, such as 64x64; `form` the format and mode; `encoding` how it is compressed, such as a digest of
    JPEG's quantization tables. `brightness` is the mean gray level, in the unit of the image. `pixels` is a digest of
    form, size and decoded values. `patient` is the ID in a DICOM file. `small` is SIDE x SIDE bytes, or empty.
    """

    size_bytes: int = 0
    time_ns: int | None = None
    sha256: str = ""
    form: str = ""
    shape: str = ""
    encoding: str = ""
    brightness: float | None = None
    pixels: str = ""
    said: tuple[Said, ...] = ()
    patient: str = ""
    small: bytes = b""
    fault: str = ""
    unread: str = ""  # why the pixels were not looked at, which is not the file's fault


def measure(path: Path | None, content: bytes | None, name: str) -> Measured:
    """Measures a file on disk, or one whose content is given. Never raises for what a file contains."""
    try:
        time_ns = None
        if content is None:
            assert path is not None  # noqa: S101 - one of the two is given
            stat = path.stat()
            time_ns = stat.st_mtime_ns
            if stat.st_size > MOST_BYTES:
                return Measured(stat.st_size, time_ns, unread=f"is larger than {size_text(MOST_BYTES)}")
            content = path.read_bytes()
    except OSError as error:
        return Measured(fault=f"cannot be opened ({why(error)})")
    facts: dict[str, Any] = {
        "size_bytes": len(content),
        "time_ns": time_ns,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if not content:
        return Measured(**facts, fault="is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on odd files; what matters is an error or a value
            facts |= _look(content, name)
    except MemoryError:
        facts["fault"] = "needs too much memory to be read"
    except RecursionError:
        facts["fault"] = "is nested too deeply to be read"
    except Exception as error:  # noqa: BLE001 - libraries raise whatever they like on damaged files
        facts["fault"] = f"cannot be read ({_reason(error)})"
    return Measured(**facts)


def _look(content: bytes, name: str) -> dict[str, Any]:
    low = name.lower()
    if low.endswith((".nii", ".nii.gz", ".hdr")):
        return _nifti(content, low)
    if content[128:132] == b"DICM" or low.endswith(".dcm"):
        return _dicom(content)
    if low.endswith(".npy"):
        return _npy(content)
    if low.endswith((".mha", ".mhd", ".raw", ".zraw", ".nrrd", ".img", ".npz")):
        return {"form": low.rpartition(".")[2], "unread": "has a format whose pixels are not compared"}
    return _picture(content)


def _picture(content: bytes) -> dict[str, Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            return _of_image(image, content)
    except Image.DecompressionBombError:
        return {"unread": f"claims more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels", "form": "huge"}
    except UnidentifiedImageError:
        return {"fault": "is not an image of a known format"}


def _of_image(image: "Image.Image", content: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"form": f"{image.format} {image.mode}", "shape": f"{image.width}x{image.height}"}
    tables = getattr(image, "quantization", None)
    if tables:
        shown = json.dumps([sorted(tables.items()), image.info.get("progressive", 0)])
        facts["encoding"] = hashlib.sha256(shown.encode()).hexdigest()[:12]
    elif image.format == "PNG" and content[28:29] == b"\1":
        facts["encoding"] = "interlaced"
    exif = image.getexif()
    said = [*said_by_info(image.info), *said_by_exif({**exif, **exif.get_ifd(0x8769)}, exif.get_ifd(0x8825))]
    facts["said"] = tuple(said[:MOST_TEXTS])
    pages = _pages(image)
    if pages > 1:
        facts["shape"] += f"x{pages}{'+' if pages > MOST_PAGES else ''}"
        image.seek(min(pages, MOST_PAGES) // 2)
    if image.width * image.height > MOST_PIXELS:
        return facts | {"unread": f"has more than {MOST_PIXELS:,} pixels"}
    image.load()
    facts["brightness"], facts["small"], facts["pixels"] = _reduced(image)
    if pages > 1:
        facts["pixels"] = ""  # one page does not stand for all
    return facts


def _pages(image: "Image.Image") -> int:
    """The number of pages, as far as MOST_PAGES + 1. `n_frames` would follow a chain of any length."""
    if not getattr(image, "is_animated", False) and image.format not in {"TIFF", "GIF", "WEBP", "MPO"}:
        return 1
    pages = 0
    try:
        while pages <= MOST_PAGES:
            image.seek(pages)
            pages += 1
    except EOFError:
        pass
    image.seek(0)
    return max(pages, 1)


def _reduced(image: "Image.Image") -> tuple[float, bytes, str]:
    """The mean brightness, the small gray image, and the digest of the pixels."""
    from PIL import Image

    values = np.asarray(image)
    digest = hashlib.sha256(f"{values.dtype.str} {values.shape}".encode())
    if image.mode == "P":  # what counts is the color, not its number
        digest.update(image.convert("RGB").tobytes())
    else:
        digest.update(np.ascontiguousarray(values).data)
    if image.mode in {"1", "L", "P", "LA", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"}:
        gray = image if image.mode == "L" else image.convert("RGB").convert("L")
        small = gray.resize((SIDE, SIDE), Image.Resampling.BOX)
        return float(np.asarray(gray).mean()), small.tobytes(), digest.hexdigest()[:32]
    brightness, small_bytes = _small(values)
    return brightness, small_bytes, digest.hexdigest()[:32]


def _small(plane: NDArray[Any]) -> tuple[float, bytes]:
    """The mean and the small image of gray values of any type and range, (height, width)."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(plane, dtype=np.float32), posinf=0, neginf=0)
    if values.ndim == 3 and values.shape[-1] in (3, 4):
        values = values[..., :3].mean(axis=-1)
    if values.ndim != 2 or not values.size:
        return (float(values.mean()) if values.size else 0.0), b""
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    small = Image.fromarray(scaled.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return float(values.mean()), np.asarray(small).round().clip(0, 255).astype(np.uint8).tobytes()


def _nifti(content: bytes, name: str) -> dict[str, Any]:
    """With nibabel, of which only the header and one slice are used."""
    import nibabel

    if name.endswith(".hdr"):
        return {"form": "NIfTI header", "unread": "has its pixels in another file"}
    if content[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            inflated = stream.read(MOST_DECODED_BYTES + 1)
        if len(inflated) > MOST_DECODED_BYTES:
            return {"form": "NIfTI", "unread": f"inflates to more than {size_text(MOST_DECODED_BYTES)}"}
        content = inflated
    is_second = int.from_bytes(content[:4], "little") == 540 or int.from_bytes(content[:4], "big") == 540
    kind: Any = nibabel.Nifti2Image if is_second else nibabel.Nifti1Image
    try:
        volume = kind.from_bytes(content)
    except (nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError) as error:
        return {"fault": f"is not a NIfTI file ({_reason(error)})"}
    shape = volume.shape
    facts: dict[str, Any] = {
        "form": f"NIfTI {volume.get_data_dtype()}",
        "shape": "x".join(map(str, shape)),
        "said": tuple(said_by_nifti(volume.header)),
    }
    needed = int(np.prod([int(length) for length in shape], dtype=object)) * volume.get_data_dtype().itemsize
    if needed + volume.header.sizeof_hdr > len(content):
        return facts | {"fault": f"is truncated: {size_text(needed)} of values were announced"}
    if needed > MOST_DECODED_BYTES or not needed:
        return facts | {"unread": "is too large to be looked at" if needed else "has no values"}
    values = np.asanyarray(volume.dataobj)
    facts["pixels"] = hashlib.sha256(f"{shape}".encode() + np.ascontiguousarray(values).data).hexdigest()[:32]
    facts["brightness"] = float(np.nan_to_num(values.astype(np.float32)).mean())
    facts["small"] = _small(_middle(values))[1]
    return facts


def _middle(values: NDArray[Any]) -> NDArray[Any]:
    """The middle slice along the third axis, at the middle of all others."""
    index = tuple(slice(None) if axis < 2 else length // 2 for axis, length in enumerate(values.shape))
    plane: NDArray[Any] = values[index]
    return plane


def _npy(content: bytes) -> dict[str, Any]:
    values = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)  # refuses what is shorter than it says
    facts: dict[str, Any] = {"form": f"NumPy {values.dtype}", "shape": "x".join(map(str, values.shape))}
    if values.dtype.kind not in "uifb" or not values.size:
        return facts | {"unread": "does not hold numbers"}
    facts["pixels"] = hashlib.sha256(f"{values.shape}".encode() + np.ascontiguousarray(values).data).hexdigest()[:32]
    plane = values if values.ndim == 3 and values.shape[-1] in (3, 4) else _middle(values)
    facts["brightness"], facts["small"] = _small(plane)
    return facts


def _dicom(content: bytes) -> dict[str, Any]:
    if importlib.util.find_spec("pydicom") is None:
        return {"form": "DICOM", "unread": "is DICOM, whose tags and pixels need pydicom (`pip install pydicom`)"}
    import pydicom

    try:
        dataset = pydicom.dcmread(io.BytesIO(content), force=content[128:132] != b"DICM")
        said = tuple(said_by_dicom(dataset))
    except (pydicom.errors.InvalidDicomError, NotImplementedError) as error:
        return {"fault": f"is not a DICOM file ({_reason(error)})"}
    rows, columns = int(getattr(dataset, "Rows", 0) or 0), int(getattr(dataset, "Columns", 0) or 0)
    if not rows or not columns:
        return {"fault": "is not a DICOM image: it has no rows and columns"}
    frames = int(getattr(dataset, "NumberOfFrames", 1) or 1)
    facts: dict[str, Any] = {
        "form": f"DICOM {getattr(dataset, 'Modality', '')} {getattr(dataset, 'BitsAllocated', '')}".strip(),
        "shape": f"{columns}x{rows}" + (f"x{frames}" if frames > 1 else ""),
        "said": said,
        "patient": str(getattr(dataset, "PatientID", "") or "")[:100],
    }
    if rows * columns * frames > MOST_PIXELS:
        return facts | {"unread": f"has more than {MOST_PIXELS:,} pixels"}
    try:
        values = dataset.pixel_array
    except (NotImplementedError, RuntimeError, *_DAMAGE) as error:
        syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
        if syntax is not None and getattr(syntax, "is_compressed", False):
            return facts | {"unread": "is compressed DICOM, for which no decoder is installed"}
        return facts | {"fault": f"cannot be read ({_reason(error)})"}
    facts["pixels"] = hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()[:32]
    facts["brightness"], facts["small"] = _small(values[len(values) // 2] if frames > 1 else values)
    return facts


def _reason(error: BaseException) -> str:
    """The first line of an error, without addresses of objects in memory."""
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:120].replace("<_io.BytesIO object", "the file").partition(" at 0x")[0]

import gzip
import importlib.util
import io
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from tests.dicom import dicom_head

from palio.data.traces import without_traces

PATIENT = "Smith"


def picture(kind: str, frames: int = 1, **options: Any) -> bytes:
    images = [Image.linear_gradient("L").rotate(7 * number).resize((40, 30)) for number in range(frames)]
    file = io.BytesIO()
    if frames > 1:
        options |= {"save_all": True, "append_images": images[1:]}
    images[0].save(file, kind, **options)
    return file.getvalue()


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x010E], tags[0x013B] = f"scan of {PATIENT}", PATIENT
    tags.get_ifd(0x8769)[0x9286] = PATIENT.encode()
    return tags


def png_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("PatientName", PATIENT)
    info.add_itxt("Comment", PATIENT)
    return info


def nifti(text: bytes = PATIENT.encode()) -> bytes:
    header = bytearray(352)
    header[0:4], header[344:348] = (348).to_bytes(4, "little"), b"n+1\0"
    header[148 : 148 + len(text)] = text
    return bytes(header) + bytes(range(100))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (picture("PNG", pnginfo=png_text(), exif=exif()), ["text “PatientName”", "text “Comment”", "EXIF"]),
        (picture("JPEG", exif=exif(), comment=PATIENT.encode()), ["EXIF", "comment"]),
        (picture("TIFF", exif=exif()), ["TIFF tag 270", "TIFF tag 315"]),
        (picture("TIFF", 3, tiffinfo={270: PATIENT, 315: PATIENT}), ["TIFF tag 270", "TIFF tag 315"]),
    ],
    ids=["PNG", "JPEG", "TIFF", "pages"],
)
def test_without_traces_keeps_pixels(content: bytes, found: list[str]) -> None:
    stripped, what = without_traces(content)
    assert PATIENT.encode() in content
    assert PATIENT.encode() not in stripped
    assert sorted(what) == sorted(found)
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(stripped)) as after:
        assert getattr(before, "n_frames", 1) == getattr(after, "n_frames", 1)
        for frame in range(getattr(before, "n_frames", 1)):
            before.seek(frame)
            after.seek(frame)
            assert before.tobytes() == after.tobytes()


def test_without_traces_of_nifti() -> None:
    stripped, what = without_traces(nifti(), "x.nii")
    assert (stripped, what) == (nifti(b""), [f"NIfTI text “{PATIENT}”"])


def test_without_traces_of_gzip() -> None:
    file = io.BytesIO()
    with gzip.GzipFile(f"{PATIENT}.nii", "wb", fileobj=file) as writer:
        writer.write(nifti(b""))
    stripped, what = without_traces(file.getvalue(), "x.nii.gz")
    assert what == ["file name in gzip"]
    assert PATIENT.encode() not in stripped
    assert gzip.decompress(stripped) == nifti(b"")
    assert gzip.decompress(without_traces(gzip.compress(nifti()), "x.nii.gz")[0]) == nifti(b"")


def test_dicom_needs_pydicom() -> None:
    if importlib.util.find_spec("pydicom") is None:
        content = dicom_head("1.2.3", PATIENT)
        assert without_traces(content) == (content, ["DICOM tags, which stay, because pydicom is not installed"])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_without_traces_of_damaged_file(kind: str) -> None:
    content = picture(kind, exif=exif())
    for length in range(0, len(content), 7):
        without_traces(content[:length])
    for place in range(0, len(content), 3):
        without_traces(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])


def test_without_traces_leaves_other_files_alone() -> None:
    for content in (b"", b"text", picture("PNG"), picture("BMP"), picture("GIF")):
        assert without_traces(content) == (content, [])

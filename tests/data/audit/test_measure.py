"""Single files: what they are, what they say, and what hostile ones do."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image
from tests.data.audit.drawing import image

from palio.data.audit.measure import Measured, measure
from palio.data.audit.personal import Said

pydicom = pytest.importorskip("pydicom")


def content_of(picture: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def measured(content: bytes, name: str = "x.png") -> Measured:
    return measure(None, content, name)


def test_png() -> None:
    found = measured(content_of(image(1), "PNG"))
    assert (found.form, found.shape, found.fault, found.said, len(found.small)) == ("PNG L", "32x32", "", (), 1024)


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        (0xA430, "Mario Rossi", Said("CameraOwnerName", "Mario Rossi", personal=True)),
        (315, "Mario Rossi", Said("Artist", "Mario Rossi", personal=True)),
        (305, "Exporter 2", Said("Software", "Exporter 2", personal=False)),
        (315, "Anonymous", Said("Artist", "Anonymous", personal=False)),
    ],
)
def test_exif(tag: int, value: str, expected: Said) -> None:
    exif = Image.Exif()
    exif[tag] = value
    assert measured(content_of(image(1), "JPEG", exif=exif), "x.jpg").said == (expected,)


def test_gps() -> None:
    exif = Image.Exif()
    exif[0x8825] = {2: (52.0, 30.0, 0.0), 4: (13.0, 20.0, 0.0)}
    (said,) = measured(content_of(image(1), "JPEG", exif=exif), "x.jpg").said
    assert (said.key, said.personal) == ("GPS position", True)
    assert "52.0" in said.value


def dicom(**tags: object) -> bytes:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    dataset.Modality, dataset.Rows, dataset.Columns = "OT", 32, 32
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = np.asarray(image(1)).tobytes()
    for key, value in tags.items():
        setattr(dataset, key, value)
    target = io.BytesIO()
    pydicom.dcmwrite(target, dataset, enforce_file_format=True)
    return target.getvalue()


def test_dicom() -> None:
    found = measured(dicom(PatientName="Rossi^Mario", PatientID="77", StudyDescription="Chest"), "x.dcm")
    assert (found.form, found.shape, found.fault, found.patient) == ("DICOM OT 8", "32x32", "", "77")
    assert found.small != b""
    assert found.said == (
        Said("DICOM PatientName", "Rossi^Mario", personal=True),
        Said("DICOM PatientID", "77", personal=True),
        Said("DICOM StudyDescription", "Chest", personal=False),
    )


def test_dicom_without_a_person() -> None:
    assert measured(dicom(PatientName="Anonymous", PatientID=""), "x.dcm").said == ()
    (said,) = measured(dicom(PatientID="case 12", PatientIdentityRemoved="YES"), "x.dcm").said
    assert not said.personal


def nifti(text: str = "", shape: tuple[int, ...] = (8, 9, 4)) -> bytes:
    volume: Any = nibabel.Nifti1Image(  # type: ignore[no-untyped-call]
        np.random.default_rng(1).integers(0, 99, shape).astype(np.int16), np.eye(4)
    )
    volume.header["db_name"] = text.encode()
    return bytes(volume.to_bytes())


def test_nifti() -> None:
    for content, name in ((nifti("Mr X, patient"), "x.nii"), (gzip.compress(nifti("Mr X, patient")), "x.nii.gz")):
        found = measured(content, name)
        assert (found.form, found.shape, found.fault) == ("NIfTI int16", "8x9x4", "")
        assert found.said == (Said("NIfTI db_name", "Mr X, patient", personal=True),)
    assert measured(nifti(), "x.nii").said == ()
    assert measured(nifti()[:-9], "x.nii").fault.startswith("is truncated")


def test_gzip_that_inflates_endlessly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.data.audit.measure.MOST_DECODED_BYTES", 10_000)
    assert measured(gzip.compress(bytes(100_000)), "x.nii.gz").unread.startswith("inflates to more than")


def test_array() -> None:
    target = io.BytesIO()
    np.save(target, np.asarray(image(1)))
    found = measured(target.getvalue(), "x.npy")
    assert (found.form, found.shape, found.fault) == ("NumPy uint8", "32x32", "")
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    assert "cannot be read" in measured(pickled.getvalue(), "x.npy").fault


def test_sixteen_bits_and_palettes() -> None:
    values = (np.asarray(image(1)).astype(np.uint16) * 200).astype(np.uint16)
    found = measured(content_of(Image.fromarray(values), "PNG"))
    assert found.brightness == pytest.approx(float(values.mean()), rel=1e-3)
    assert len(found.small) == 1024
    assert measured(content_of(image(1).convert("P"), "PNG")).form == "PNG P"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "nii", "dcm"])
def test_damaged_files_never_raise(kind: str) -> None:
    made: dict[str, Callable[[], bytes]] = {"nii": nifti, "dcm": dicom}
    content = made[kind]() if kind in made else content_of(image(1), kind)
    name = f"x.{kind.lower()}"
    step = max(1, len(content) // 40)
    for at in range(0, len(content), step):
        measured(content[:at], name)
        measured(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :], name)


def test_missing_file(tmp_path: Path) -> None:
    assert measure(tmp_path / "x.png", None, "x.png").fault.startswith("cannot be opened")

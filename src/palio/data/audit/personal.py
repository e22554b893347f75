"""Reads what files say besides their pixels, and whether it may name a person.

Covered: EXIF with GPS, texts of PNG, comments of JPEG and GIF, descriptions of TIFF, DICOM tags (with pydicom), texts
of NIfTI headers, names of files in gzip. Not covered: text within pixels, and XMP beyond its presence.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MOST_CHARACTERS = 80
_NAMES_SOMEBODY = re.compile(
    r"patient|person|subject.?(name|id)|owner|artist|author|creator|operator|photographer|physician|birth|"
    r"(^|[^a-z])(name|mrn|ssn|email|phone|gps)([^a-z]|$)|serial|accession|institution|hospital|address|latitude|longitude",
    re.IGNORECASE,
)
_IN_VALUE = re.compile(
    r"[\w.+-]+@[\w-]+\.\w{2,}|\bpatient\b|\bdr\.?\s+[A-Z]|\bborn\b|\bMRN\b|\bname\s*[:=]", re.IGNORECASE
)
_ANONYMOUS = re.compile(r"(anon\w*|none|unknown|removed|redacted|deidentified|n/?a|x+|0+|-+)[\s\d_^-]*", re.IGNORECASE)
_TECHNICAL = frozenset(  # of Pillow's info and of EXIF: how the image is stored or was taken
    "dpi gamma srgb jfif jfif_version jfif_unit jfif_density progressive progression transparency background loop "  # noqa: SIM905
    "duration interlace aspect compression icc_profile adobe adobe_transform version extension timestamp bbox_ "
    "chromaticity resolution photoshop mp exif xmp Orientation ResolutionUnit XResolution YResolution YCbCrPositioning "
    "ExifOffset GPSInfo ImageWidth ImageLength BitsPerSample Compression PhotometricInterpretation StripOffsets "
    "SamplesPerPixel RowsPerStrip StripByteCounts PlanarConfiguration TileWidth TileLength TileOffsets TileByteCounts "
    "SampleFormat NewSubfileType SubfileType FillOrder Predictor JPEGTables ColorMap ExtraSamples ColorSpace "
    "ExifVersion FlashPixVersion ComponentsConfiguration ExifImageWidth ExifImageHeight".split()
)
_DICOM_PERSON = (
    "PatientName PatientID PatientBirthDate PatientAddress PatientTelephoneNumbers OtherPatientIDs OtherPatientNames "  # noqa: SIM905
    "ReferringPhysicianName PerformingPhysicianName PhysiciansOfRecord OperatorsName RequestingPhysician "
    "AccessionNumber InstitutionAddress MedicalRecordLocator".split()
)
_DICOM_TEXT = (
    "InstitutionName StationName DeviceSerialNumber StudyID StudyDescription SeriesDescription PatientComments "  # noqa: SIM905
    "ImageComments PatientSex PatientAge StudyDate AcquisitionDate".split()
)


@dataclass(frozen=True)
class Said:
    """One text in a file. `personal` says whether it may name or locate a person."""

    key: str
    value: str
    personal: bool


def said_by_info(info: Mapping[Any, Any]) -> Iterator[Said]:
    """Texts that Pillow's `info` has: of PNG, comments of JPEG and GIF."""
    for key, value in info.items():
        if isinstance(key, str) and key not in _TECHNICAL:
            yield from _said(key, value)
    if info.get("xmp") or info.get("XML:com.adobe.xmp"):
        yield Said("XMP", "present", personal=False)


def said_by_exif(exif: Mapping[int, Any], gps: Mapping[int, Any]) -> Iterator[Said]:
    """Tags of EXIF, or of TIFF, by their numbers."""
    from PIL.ExifTags import TAGS

    for number, value in exif.items():
        key = TAGS.get(number, f"tag {number}")
        if key not in _TECHNICAL:
            yield from _said(key, value)
    if gps:
        yield Said("GPS position", _shown(gps.get(29) or f"{gps.get(2, '')} {gps.get(4, '')}"), personal=True)


def said_by_dicom(dataset: Any) -> Iterator[Said]:
    """Tags of a pydicom dataset. Those of a file that says it was de-identified count as not personal."""
    is_removed = str(getattr(dataset, "PatientIdentityRemoved", "")).upper() == "YES"
    for keyword in (*_DICOM_PERSON, *_DICOM_TEXT):
        text = _shown(getattr(dataset, keyword, "") or "")
        if text and not _ANONYMOUS.fullmatch(text):
            yield Said(f"DICOM {keyword}", text, personal=keyword in _DICOM_PERSON and not is_removed)


def said_by_nifti(header: Any) -> Iterator[Said]:
    """Texts of a NIfTI header as nibabel reads it."""
    for key in ("descrip", "db_name", "intent_name", "aux_file"):
        if key in header:
            value = header[key].item()
            yield from _said(f"NIfTI {key}", value, has_key=False)


def _said(key: str, value: Any, *, has_key: bool = True) -> Iterator[Said]:
    text = _shown(value)
    if text and not isinstance(value, (int, float)):
        named = has_key and bool(_NAMES_SOMEBODY.search(key)) and not _ANONYMOUS.fullmatch(text)
        yield Said(_shown(key), text, personal=named or bool(_IN_VALUE.search(text)))


def _shown(value: Any) -> str:
    """On one line, without characters that a terminal or page cannot show."""
    if isinstance(value, bytes):
        value = value[:_MOST_CHARACTERS].decode("latin-1")
    text = "".join(letter if letter.isprintable() else " " for letter in str(value)[: 4 * _MOST_CHARACTERS])
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"

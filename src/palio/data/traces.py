"""Finds and removes what image files say besides their pixels: EXIF, texts, dates, names of files.

Removed, without touching pixels: EXIF, XMP, IPTC and comments of JPEG; texts, EXIF and times of PNG; descriptions,
names, dates, XMP, EXIF and GPS of TIFF (not the description if it has the shape of a stack, as in OME-TIFF and ImageJ);
descriptions and extensions of NIfTI; the file name and time in gzip; patient and study tags of DICOM if pydicom is
installed. Not removed: metadata of other formats, text in pixels, and compression settings.
"""

import gzip
import importlib.util
import io
import struct
import zlib
from collections.abc import Callable

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"}
_DESCRIPTION = 270
_TIFF_TAGS = frozenset({269, _DESCRIPTION, 271, 272, 285, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34853})
_DICOM_AT = slice(128, 132)
_DICOM_KEYWORDS = """
PatientName PatientID PatientBirthDate PatientSex PatientAge PatientAddress OtherPatientIDs PatientComments
StudyDate SeriesDate AcquisitionDate ContentDate StudyTime SeriesTime AcquisitionTime ContentTime
AccessionNumber StudyID StudyDescription SeriesDescription ProtocolName ImageComments RequestedProcedureDescription
InstitutionName InstitutionAddress ReferringPhysicianName PhysiciansOfRecord PerformingPhysicianName OperatorsName
StationName DeviceSerialNumber AdmittingDiagnosesDescription
""".split()  # noqa: SIM905

DICOM_STAYS = "DICOM tags, which stay,"  # begins what is found in files that could not be cleaned

Stripped = tuple[bytes, list[str]]  # the file without traces, and what was found


def without_traces(content: bytes, name: str = "") -> Stripped:
    """Returns the file without traces and what they were. A file of unknown or damaged format is returned as it is.

    `name` is the name of the file, for its suffixes.
    """
    for starts, strip in _FORMATS:
        if starts(content):
            try:
                return strip(content, name)
            except (ValueError, IndexError, struct.error, zlib.error, EOFError, OSError):
                return content, []
    return content, []


def _jpeg(content: bytes, _: str) -> Stripped:
    parts, found, at = [content[:2]], [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        marker = content[at + 1]
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        body = content[at + 4 : end]
        if marker == 0xFE or marker in {0xE1, 0xED}:
            found.append("comment" if marker == 0xFE else "EXIF" if body.startswith(b"Exif") else "XMP or IPTC")
        else:
            parts.append(content[at:end])
        at = end
    return b"".join([*parts, content[at:]]), found


def _png(content: bytes, _: str) -> Stripped:
    parts, found, at = [content[:8]], [], 8
    while at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        end = at + 12 + length
        if kind in _PNG_TEXTS:
            key = content[at + 8 : end].partition(b"\0")[0][:40].decode("latin-1")
            found.append({b"eXIf": "EXIF", b"tIME": "time"}.get(kind, f"text “{key}”"))
        else:
            parts.append(content[at:end])
        at = end
    if at < len(content):
        return content, []  # truncated
    return b"".join(parts), found


def _tiff(content: bytes, name: str) -> Stripped:
    order = "<" if content[:2] == b"II" else ">"
    is_big = struct.unpack(f"{order}H", content[2:4])[0] == 43
    offset, count, entry, head = ("Q", "Q", 20, 8) if is_big else ("I", "H", 12, 2)
    width = 8 if is_big else 4
    data, found, seen = bytearray(content), [], set[int]()
    (at,) = struct.unpack_from(f"{order}{offset}", content, 8 if is_big else 4)
    while at and at not in seen and len(seen) < 100_000:
        seen.add(at)
        (entries,) = struct.unpack_from(f"{order}{count}", content, at)
        for number in range(entries):
            place = at + head + number * entry
            tag, kind = struct.unpack_from(f"{order}HH", content, place)
            (values,) = struct.unpack_from(f"{order}{offset}", content, place + 4)
            if tag not in _TIFF_TAGS or (tag == _DESCRIPTION and _is_needed(content, name)):
                continue
            size = values * {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 13: 4, 16: 8, 18: 8}.get(kind, 1)
            start = place + 4 + width
            if size > width:
                (start,) = struct.unpack_from(f"{order}{offset}", content, start)
            if tag in {34665, 34853}:  # a folder of tags of its own
                if is_big:
                    continue
                _blank_folder(data, struct.unpack_from(f"{order}I", content, place + 8)[0], order)
            elif any(content[start : start + size]):
                data[start : start + size] = bytes(min(size, max(0, len(data) - start)))
            else:
                continue
            found.append({34665: "EXIF", 34853: "GPS", 700: "XMP", 33723: "IPTC"}.get(tag, f"TIFF tag {tag}"))
        (at,) = struct.unpack_from(f"{order}{offset}", content, at + head + entries * entry)
    return bytes(data), sorted(set(found))


def _is_needed(content: bytes, name: str) -> bool:
    """Whether programs find the shape of a stack in the description."""
    return ".ome." in name.lower() or b"<OME" in content or b"ImageJ=" in content or b'{"shape"' in content


def _blank_folder(data: bytearray, at: int, order: str) -> None:
    """Blanks a classic folder of tags and the values that it points to."""
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
    for number in range(entries):
        place = at + 2 + number * 12
        _, kind, values, start = struct.unpack_from(f"{order}HHII", data, place)
        size = values * sizes.get(kind, 1)
        if size > 4 and start + size <= len(data):
            data[start : start + size] = bytes(size)
        data[place + 8 : place + 12] = bytes(4)


def _gzip(content: bytes, name: str) -> Stripped:
    flags, at = content[3], 10
    if flags & ~0x1F or content[2] != 8:
        return content, []
    if flags & 4:
        at += 2 + int.from_bytes(content[at : at + 2], "little")
    for flag in (8, 16):  # file name, comment
        if flags & flag:
            at = content.index(b"\0", at) + 1
    if flags & 2:
        at += 2
    found = ["file name in gzip"] if flags & 8 else []
    bare = content[:3] + b"\0" + bytes(4) + content[8:10] + content[at:]
    if name.lower().endswith(".nii.gz"):
        inner, more = _nifti(gzip.decompress(bare), name)
        if more:
            return gzip.compress(inner, 6, mtime=0), found + more
    return bare, found


def _nifti(content: bytes, _: str) -> Stripped:
    data, found = bytearray(content), []
    fields = [(14, 18), (148, 80), (228, 24)] if _is_nifti1(content) else [(240, 80), (320, 24)]
    for start, size in fields:
        if any(data[start : start + size]):
            found.append(f"NIfTI text “{bytes(data[start : start + size]).partition(bytes(1))[0].decode('latin-1')}”")
            data[start : start + size] = bytes(size)
    header = 348 if _is_nifti1(content) else 540
    order = "<" if content[0] in {348 & 0xFF, 540 & 0xFF} else ">"
    begin = int(struct.unpack_from(f"{order}f", content, 108)[0]) if header == 348 else 0
    if begin > header + 4 and data[header] and content[344:348] == b"n+1\0":
        found.append("NIfTI extension")
        data[header:begin] = bytes(begin - header)
    return bytes(data), found


def _is_nifti1(content: bytes) -> bool:
    return content[344:348] in {b"n+1\0", b"ni1\0"}


def _dicom(content: bytes, _: str) -> Stripped:
    if importlib.util.find_spec("pydicom") is None:
        return content, [f"{DICOM_STAYS} because pydicom is not installed"]
    import pydicom

    found = []
    target = io.BytesIO()
    try:
        dataset = pydicom.dcmread(io.BytesIO(content))
        for keyword in _DICOM_KEYWORDS:
            if getattr(dataset, keyword, None):
                found.append(f"DICOM tag {keyword}")
                setattr(dataset, keyword, "")
        dataset.remove_private_tags()
        dataset.save_as(target)
    except (pydicom.errors.InvalidDicomError, AttributeError, KeyError, TypeError, NotImplementedError, ValueError):
        return content, [f"{DICOM_STAYS} because pydicom cannot read the file"]
    return target.getvalue(), found


def _is_tiff(content: bytes) -> bool:
    return content[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, str], Stripped]], ...] = (
    (lambda content: content[:3] == b"\xff\xd8\xff", _jpeg),
    (lambda content: content[:8] == _PNG, _png),
    (_is_tiff, _tiff),
    (lambda content: content[:2] == b"\x1f\x8b", _gzip),
    (lambda content: _is_nifti1(content) or content[4:7] == b"n+2", _nifti),
    (lambda content: content[_DICOM_AT] == b"DICM", _dicom),
)

"""Reads from the first bytes of a DICOM file which series it belongs to. Not a DICOM reader."""

HEAD_BYTES = 16 * 1024
_SERIES = b"\x20\x00\x0e\x00"  # the tag (0020,000E), Series Instance UID, little endian
_MAGIC = slice(128, 132)


def series_of(head: bytes) -> bytes | None:
    """Returns the Series Instance UID of a DICOM file, or None if the bytes are not one or do not reach that far."""
    if head[_MAGIC] != b"DICM":
        return None
    at = head.find(_SERIES, 132)
    if at < 0:
        return None
    explicit = head[at + 4 : at + 6] == b"UI"
    length = int.from_bytes(head[at + 6 : at + 8] if explicit else head[at + 4 : at + 8], "little")
    uid = head[at + 8 : at + 8 + length].rstrip(b"\0 ")
    return uid if 0 < len(uid) <= 64 else None

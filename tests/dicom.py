"""DICOM files as small as they can be."""


def dicom_head(series: str, value: str = "") -> bytes:
    """A file with a Series Instance UID and a patient name."""
    return bytes(128) + b"DICM" + _element(0x20, 0x0E, b"UI", series) + _element(0x10, 0x10, b"PN", value)


def _element(group: int, number: int, kind: bytes, value: str) -> bytes:
    content = value.encode() + b"\0" * (len(value) % 2)
    tag = group.to_bytes(2, "little") + number.to_bytes(2, "little")
    return tag + kind + len(content).to_bytes(2, "little") + content

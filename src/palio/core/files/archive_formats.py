"""What a file is if it is not the zip that its name says, and how a zip's entries are compressed."""

import zipfile

READABLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_DEFLATE64 = 9
_METHODS = {
    1: "Shrink",
    6: "Implode",
    _DEFLATE64: "Deflate64, which Windows Explorer uses for large files",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
    99: "AES encryption",
}
_STARTS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x8b": "a gzip file, such as a .tar.gz",
    b"\xfd7zXZ\x00": "an xz file, such as a .tar.xz",
    b"BZh": "a bzip2 file, such as a .tar.bz2",
    b"\x28\xb5\x2f\xfd": "a Zstandard file, such as a .tar.zst",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF",
    b"<!DO": "an HTML page",
    b"<htm": "an HTML page",
    b"version https://git-lfs": "a Git LFS pointer; run `git lfs pull` to get the file itself",
}


def method_name(method: int) -> str:
    return _METHODS.get(method, f"the method number {method}")


def described_start(start: bytes) -> str:
    """What the first bytes of a file say it is, or ""."""
    return next((what for magic, what in _STARTS.items() if start.startswith(magic)), "")

"""The headers of tus requests, for tests that send them themselves."""

import base64
import hashlib
from collections.abc import Mapping

from tests.web.submission_files import digest

VERSION = {"Tus-Resumable": "1.0.0"}
CHUNK_TYPE = "application/offset+octet-stream"


def announcing(
    content: bytes, name: str = "m.zip", size_bytes: int | None = None, metadata: Mapping[str, str] | None = None
) -> dict[str, str]:
    texts = {"filename": name, "sha256": digest(content), **(metadata or {})}
    pairs = [f"{key} {base64.b64encode(text.encode(errors='replace')).decode()}" for key, text in texts.items()]
    size = str(len(content) if size_bytes is None else size_bytes)
    return VERSION | {"Upload-Length": size, "Upload-Metadata": ",".join(pairs)}


def appending(offset: int, checked: bytes | None = None) -> dict[str, str]:
    """`checked`: the chunk whose checksum is sent along."""
    headers = VERSION | {"Upload-Offset": str(offset), "Content-Type": CHUNK_TYPE}
    if checked is not None:
        sha256 = base64.b64encode(hashlib.sha256(checked).digest()).decode()
        headers["Upload-Checksum"] = f"sha256 {sha256}"
    return headers

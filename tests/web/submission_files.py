"""Submissions to the small challenge of tests.bundles, as bytes."""

import hashlib
import io
import zipfile
from pathlib import Path

from tests.bundles import ANSWERS, DOCKERFILE, PREDICT, answers

RESULTS = answers(ANSWERS).encode()


def context_zip(*, dockerfile: str = DOCKERFILE, extra: bytes = b"", predict: str = PREDICT) -> bytes:
    """A zip with a Dockerfile; `extra` makes it another one, or a large one."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("Dockerfile"), dockerfile)
        archive.writestr(zipfile.ZipInfo("predict.py"), predict)
        archive.writestr(zipfile.ZipInfo("extra.bin"), extra)
    return content.getvalue()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def chunks(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def below(folder: Path) -> list[str]:
    """The files in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

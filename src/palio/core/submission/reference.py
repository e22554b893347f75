"""Submissions by reference: an image in a registry, pinned to the digest that it had when it was submitted.

The submission is a small JSON document, kept and known by its SHA-256 like any other file. It names the image, the tag
that was given, the digest, and the manifest for this platform, which covers every byte of the image. What it says of
size and command is for people; the archive that is pulled is checked like a saved image.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palio.core.dockerfile.image_names import ImageName, ImageNameError
from palio.core.engine import Pull
from palio.core.errors import PalioError
from palio.core.quantities import KIB

MARK = "palio_reference"
FORMAT = 1
MOST_BYTES = 16 * KIB
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLATFORM = re.compile(r"[a-z0-9]{1,20}/[a-z0-9]{1,20}(/[a-z0-9.]{1,20})?")
_LOOKS_LIKE_A_FILE = (".zip", ".tar", ".gz", ".tgz", ".csv", ".tsv", ".json", ".txt", ".npz")


@dataclass(frozen=True)
class Reference:
    """`digest` is what the reference named, an image or an index; `manifest` is the image for `platform` in it.

    `tag` is empty if the reference was given by digest. `size_bytes` is that of the compressed parts. `command` is the
    entry point with its arguments.
    """

    repository: str
    tag: str
    digest: str
    manifest: str
    platform: str
    size_bytes: int
    command: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.repository}@{self.digest}"

    @property
    def called(self) -> str:
        """A short name for lists: the last part of the repository, with the tag or the beginning of the digest."""
        return f"{self.repository.rpartition('/')[2]}:{self.tag or self.digest[7:19]}"

    def document(self) -> bytes:
        """The submission's content. The same image under the same tag gives the same bytes."""
        return json.dumps({MARK: FORMAT, **asdict(self)}, sort_keys=True, indent=1).encode() + b"\n"

    def pull(self) -> Pull:
        return Pull(self.repository, self.manifest, self.platform)


def parse_image(text: str) -> tuple[ImageName, str]:
    """The image that a reference names, and its tag, `latest` if there is neither tag nor digest.

    Raises PalioError "reference-invalid".
    """
    text = text.strip()
    try:
        if any(mark in text for mark in ("://", " ")):
            raise ImageNameError("it is not of the form registry/name:tag or registry/name@sha256:…")
        image = ImageName.read(text)
    except ImageNameError as error:
        raise PalioError("reference-invalid", reference=text[:200], reason=str(error)) from None
    before = text.partition("@")[0].rpartition("/")[2]
    tag = before.partition(":")[2] or ("" if image.version.startswith("@") else image.version[1:])
    return image, tag


def looks_like_image(text: str) -> bool:
    """Whether a word of the command line that is no file may mean an image rather than a mistyped path."""
    if text.lower().endswith(_LOOKS_LIKE_A_FILE) or text.startswith((".", "/", "~")):
        return False
    try:
        parse_image(text)
    except PalioError:
        return False
    first, slash, _ = text.partition("/")
    return ":" in text or "@" in text or bool(slash and "." in first)


def is_reference(start: bytes) -> bool:
    """Whether a file that starts like this is the document of a reference."""
    return start.lstrip()[:1] == b"{" and f'"{MARK}"'.encode() in start


def read_reference(path: Path, name: str) -> Reference:
    """Reads the document. Raises PalioError "submission-unknown"."""
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        return _checked(json.loads(content))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = f"a reference to an image that is not valid ({error}); create it again with `palio submit IMAGE`"
        raise PalioError("submission-unknown", name=name, reason=reason) from None


def _checked(content: Any) -> Reference:
    if content.pop(MARK) != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    found = Reference(**content | {"command": tuple(content["command"])})
    texts = (found.repository, found.tag, found.digest, found.manifest, found.platform, *found.command)
    if not all(isinstance(text, str) for text in texts) or type(found.size_bytes) is not int:
        raise TypeError("a value has the wrong type")
    if not all(_DIGEST.fullmatch(digest) for digest in (found.digest, found.manifest)):
        raise ValueError("it has no SHA-256 digest")
    if not _PLATFORM.fullmatch(found.platform):
        raise ValueError("its platform is not like linux/amd64")
    try:
        name = ImageName.read(found.name)
    except ImageNameError as error:
        raise ValueError(str(error)) from None
    if f"{name.registry}/{name.path}" != found.repository or found.size_bytes < 0:
        raise ValueError("its image is not written in full")
    return found

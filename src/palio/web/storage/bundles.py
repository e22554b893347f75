"""Bundles of published challenges: read once by a child process, and cached beside the bundle.

A cache file is named by the bundle's digest and Palio's version, so another version reads again. It can be deleted.
"""

import base64
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings
from pydantic import TypeAdapter

from palio import __version__
from palio.core.bundle.model import Bundle
from palio.core.errors import PalioError
from palio.core.files.staging import writing
from palio.web.models import Challenge, ChallengeVersion
from palio.web.reading.bounded import BUNDLE, read_bounded
from palio.web.reading.readers import read_whole
from palio.web.storage.files import bundle_path

_FORMAT = 3
_BUNDLE = TypeAdapter(Bundle)
_one_child = Lock()  # one reader, no matter how many threads miss the cache


@dataclass(frozen=True)
class Reading:
    """A bundle, its pages and terms as safe HTML, and the names of the pictures that these show, with the logo and
    cover if they can be shown.

    URLs in the HTML start with `token`; see `pages.challenges`.
    """

    bundle: Bundle
    token: str
    pages: tuple[str, ...]
    terms: str
    pictures: frozenset[str]
    samples: tuple[bytes, ...]  # small PNG pictures of sample cases
    warnings: tuple[str, ...]


def bundle_of(version: ChallengeVersion) -> Bundle:
    return reading_of(version).bundle


def reading_of(version: ChallengeVersion) -> Reading:
    return _read(version.digest)


def current_bundle(challenge: Challenge) -> Bundle:
    """The bundle of the current version. Raises ValueError before the first is published."""
    if challenge.current is None:
        raise ValueError(f"{challenge.slug} has no version yet")
    return bundle_of(challenge.current)


def read_new(folder: Path) -> dict[str, Any]:
    """Check and read a bundle that is about to be published; for `reading_at` and `keep_reading`."""
    content: dict[str, Any] = read_bounded(
        read_whole, str(folder), True, bounds=BUNDLE, code="bundle-unreadable", name=str(folder)
    )
    return content


def keep_reading(digest: str, content: dict[str, Any]) -> None:
    place = _place(digest)
    part = place.with_name(f".{secrets.token_hex(8)}")
    with writing(place):
        try:
            part.write_text(json.dumps(content))
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    for other in place.parent.glob(f".{digest}-*.json"):
        if other != place:
            other.unlink(missing_ok=True)


def _place(digest: str) -> Path:
    """The cache file. It is hidden, so that backups leave it out."""
    folder: Path = settings.FOLDERS.bundles
    return folder / f".{digest}-{__version__}-{_FORMAT}.json"


@lru_cache(maxsize=64)  # a bundle never changes under its digest
def _read(digest: str) -> Reading:
    folder = bundle_path(settings.FOLDERS, digest)
    with _one_child:
        with suppress(OSError, ValueError, KeyError, TypeError):
            return reading_at(json.loads(_place(digest).read_text()), folder)
        content = read_bounded(
            read_whole, str(folder), False, bounds=BUNDLE, code="bundle-unreadable", name="The challenge", folder=folder
        )
        with suppress(PalioError):  # on a full disk, it is read again next time
            keep_reading(digest, content)
    return reading_at(content, folder)


def reading_at(content: dict[str, Any], root: Path) -> Reading:
    return Reading(
        bundle=_BUNDLE.validate_python(_with_paths(content["bundle"], root)),
        token=content["token"],
        pages=tuple(content["pages"]),
        terms=content["terms"],
        pictures=frozenset(content["pictures"]),
        samples=tuple(base64.b64decode(each) for each in content["samples"]),
        warnings=tuple(content["warnings"]),
    )


def _with_paths(value: Any, root: Path) -> Any:
    if isinstance(value, list):
        return [_with_paths(each, root) for each in value]
    if isinstance(value, dict):
        return (
            root / value["path"]
            if value.keys() == {"path"}
            else {key: _with_paths(each, root) for key, each in value.items()}
        )
    return value

"""Publishes a bundle on a platform.

A folder is checked here first and sent as a zip; a zip is sent unchanged and checked by the platform.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from palio.client.connection import Connection
from palio.core.bundle.check import check_bundle
from palio.core.bundle.model import Bundle
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError, counted
from palio.core.files.digest import UnfitFile
from palio.core.files.staging import reading, writing
from palio.core.files.tree import entries_to_copy

_TIME = (1980, 1, 1, 0, 0, 0)  # uniform, so that the same content is the same zip
_NOT_FOUND, _NOT_ALLOWED = "not-found", "not-allowed"


class _File:
    """A file that is read while it is sent, and can be rewound to be sent again."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(1 << 16):
            yield block

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def rewind(self) -> None:
        self._file.seek(0)


def publish(
    connection: Connection,
    path: Path,
    *,
    slug: str | None = None,
    draft: bool = False,
    note: str = "",
    accept_findings: str = "",
) -> dict[str, Any]:
    """Publishes a bundle and returns the response: `challenge`, `version`, `is_new`, `warnings`.

    `path` is the bundle's folder or a zip of it. `accept_findings` is the reason why serious findings of the platform's
    data audit are acceptable. An existing challenge gets a new version; an organizer who may not create challenges
    needs no slug if one has the title of the folder's bundle. Raises PalioError with all problems of a folder before
    anything is sent, "publish-not-allowed", and errors of the platform.
    """
    bundle = None if zipfile.is_zipfile(path) else _checked(path)
    with _packed(bundle) if bundle else _unchanged(path) as file:

        def send(where: str, **named: str | None) -> dict[str, Any]:
            done: dict[str, Any] = connection.send(
                where,
                file,
                "application/zip",
                name=f"{bundle.root.name}.zip" if bundle else path.name,
                draft="true" if draft else None,
                note=note or None,
                accept_findings=accept_findings or None,
                **named,
            )
            return done

        if slug and _exists(connection, slug):
            return send(f"/challenges/{slug}/versions")
        try:
            return send("/challenges", slug=slug)
        except PalioError as error:
            if error.code != _NOT_ALLOWED:
                raise
        title = bundle.title if bundle and not slug else None
        of_title = [each["slug"] for each in connection.all_of("/challenges") if each["title"] == title]
        if len(of_title) != 1:
            raise PalioError("publish-not-allowed", url=connection.url)
        file.rewind()
        return send(f"/challenges/{of_title[0]}/versions")


def _checked(folder: Path) -> Bundle:
    bundle = read_bundle(folder)
    errors, _ = check_bundle(bundle)
    if errors:
        count, evidence = counted(len(errors), "problem"), [str(problem) for problem in errors]
        raise PalioError("bundle-invalid", path=folder, folder=folder, count=count, evidence=evidence)
    return bundle


def _exists(connection: Connection, slug: str) -> bool:
    try:
        connection.get(f"/challenges/{slug}")
    except PalioError as error:
        if error.failure.code == _NOT_FOUND:
            return False
        raise
    return True


@contextmanager
def _unchanged(archive: Path) -> Iterator[_File]:
    with reading(archive), archive.open("rb") as file:
        yield _File(file, archive.stat().st_size)


@contextmanager
def _packed(bundle: Bundle) -> Iterator[_File]:
    """Packs what the platform stores of the bundle's folder, uncompressed because images do not get smaller."""
    folder = Path(tempfile.gettempdir())
    with writing(folder), tempfile.TemporaryFile(dir=folder) as file:
        try:
            with reading(bundle.root), zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                entries = entries_to_copy(bundle.root, executable=True, within=bundle.root)
                for entry in sorted(entries, key=lambda entry: entry.name):
                    info = zipfile.ZipInfo(f"{entry.name}/" if entry.is_folder else entry.name, _TIME)
                    info.external_attr = entry.mode << 16
                    if entry.is_folder:
                        archive.writestr(info, b"")
                        continue
                    with entry.path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                        while block := source.read(1 << 20):
                            target.write(block)
        except UnfitFile as fault:
            raise PalioError("folder-unreadable", path=bundle.root, reason=str(fault)) from None
        size_bytes = file.tell()
        yield _File(file, size_bytes)

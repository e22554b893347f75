"""Packs a build context into the tar that is sent to the engine: what its digest covers, and nothing else.

Names, kinds, modes, contents and link targets are those of core.files.tree.entries_as_is, without what .dockerignore
excludes. Owners and times are uniform, and hard links are sent as separate files. The Dockerfile is replaced by its
resolved text (core.dockerfile.resolve): the engine reads only that, and COPY of the Dockerfile copies it.
"""

import io
import os
import tarfile
from pathlib import Path
from typing import IO

from palio.core.dockerfile.dockerignore import NAME as DOCKERIGNORE
from palio.core.dockerfile.dockerignore import ignored_in
from palio.core.files.tree import TIME_NS, Entry, entries_as_is


def write_context(context: Path, dockerfile: str, text: str, spool: IO[bytes]) -> None:
    """Writes the tar to `spool` and rewinds it.

    Raises DockerfileError for invalid patterns, UnfitFile for anything that is not a file, folder or link.
    """
    ignored = ignored_in(context)
    leaves_out_dockerfile = ignored(dockerfile)
    with tarfile.open(fileobj=spool, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in sorted(entries_as_is(context), key=lambda entry: entry.name):
            if entry.name == dockerfile:
                continue
            # The engine's COPY skips both only if it has the .dockerignore.
            if not ignored(entry.name) or (entry.name == DOCKERIGNORE and leaves_out_dockerfile):
                _add(archive, entry)
        content = text.encode()
        member = _member(dockerfile, 0o644)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    spool.seek(0)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    member = _member(entry.name, entry.permissions)
    if entry.is_folder:
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif entry.is_link:
        member.type, member.linkname = tarfile.SYMTYPE, str(entry.path.readlink())
        archive.addfile(member)
    else:
        with entry.path.open("rb") as content:
            member.size = os.fstat(content.fileno()).st_size
            archive.addfile(member, content)


def _member(name: str, permissions: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = permissions, TIME_NS // 10**9
    return member

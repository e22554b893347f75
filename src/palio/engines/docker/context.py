"""The context of a build as the tar that the engine takes.

Left out is what .dockerignore says. In place of the Dockerfile there is its resolved text (core.dockerfile_resolved),
which is all that the engine reads, and what a COPY of the Dockerfile copies.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from docker.utils.build import create_archive

from palio.core.dockerignore import NAME as DOCKERIGNORE
from palio.core.dockerignore import ignored_in


def write_context(context: Path, dockerfile: str, text: str, spool: IO[bytes]) -> None:
    """Writes the tar to `spool` and goes back to its beginning. Raises DockerfileError for patterns it cannot use."""
    ignored = ignored_in(context)
    names = {name for name in _below(str(context)) if not ignored(name)} - {dockerfile}
    if ignored(dockerfile) and (context / DOCKERIGNORE).is_file():
        names.add(DOCKERIGNORE)  # by which the engine knows that it is to leave both out of COPY
    create_archive(str(context), files=sorted(names), fileobj=spool, extra_files=[(dockerfile, text)])
    spool.seek(0)


def _below(folder: str, prefix: str = "") -> Iterator[str]:
    """All files and folders; links are names like others."""
    waiting = [(folder, prefix)]
    while waiting:
        at, before = waiting.pop()
        with os.scandir(at) as found:
            for entry in found:
                yield before + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{before}{entry.name}/"))

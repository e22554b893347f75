"""Stores images on disk, built once per image key and interpreter, in folders that appear atomically.

What a job sees of an image, including the times of files and folders, is determined by these two.

A job holds a lock on its image's folder while it runs; the folder's time is when the image was last used. An image that
no job has used for a week is removed, and the least recently used ones if all together exceed 20 GiB. Images used in
the last day are kept, because their attempt may be between two jobs.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from palio.core.engine import Build, End, JobResult
from palio.core.files.log import LogWriter
from palio.core.files.tree import TIME_NS
from palio.core.plain_words import PlainName, PlainWord
from palio.core.quantities import GIB
from palio.engines.bubblewrap.image import Image
from palio.engines.bubblewrap.interpreter import Interpreter, this_interpreter
from palio.engines.bubblewrap.packages import package_folders, packages_digest

ROOT = "root"
_DESCRIPTION = "image.json"
_DAY_S = 24 * 3600
UNUSED_S, RECENT_S = 7 * _DAY_S, _DAY_S
MOST_BYTES = 20 * GIB


def image_name(image_key: str) -> str:
    return sha256(json.dumps([image_key, asdict(this_interpreter())]).encode()).hexdigest()[:40]


def find_built(work: Build, images: Path) -> JobResult | None:
    """The result of an earlier build of the same image, possibly by another job."""
    name = image_name(work.image_key)
    with _locked(images / name, fcntl.LOCK_SH) as exists:
        if not exists:
            return None
        if not _can_be_read(images, name):
            return None
        os.utime(images / name)
    now = datetime.now(UTC)
    with LogWriter(work.log) as log:
        log.write(f"Reusing an image that was built before: {name}\n".encode())
    return JobResult(End.EXITED, 0, now, now, image=name)


def _can_be_read(images: Path, name: str) -> bool:
    """Whether the image is complete and fits this machine's packages. Removes it otherwise."""
    try:
        image, _ = load_image(images, name)
        if image.packages and image.packages != packages_digest(package_folders()):
            raise ValueError("the packages of this machine's Python have changed")
    except (ValueError, KeyError, TypeError):
        shutil.rmtree(images / name)
        return False
    return True


def load_image(images: Path, name: str) -> tuple[Image, Path]:
    """Returns the image of that name and the folder with its files. Raises FileNotFoundError."""
    content = json.loads((images / name / _DESCRIPTION).read_text())["image"]
    os.utime(images / name)
    python = Interpreter.of(content.pop("interpreter"))
    return plain(Image(interpreter=python, **content)), images / name / ROOT


def plain(image: Image) -> Image:
    """The same image with all words checked for use as arguments and environment. Raises UnfitWordError."""
    return Image(
        interpreter=image.interpreter,
        environment={PlainName(key): PlainWord(text) for key, text in image.environment.items()},
        workdir=PlainWord(image.workdir),
        entrypoint=[PlainWord(word) for word in image.entrypoint],
        command=[PlainWord(word) for word in image.command],
        packages=image.packages,
    )


def store_image(made: Path, image: Image, size_bytes: int, target: Path) -> None:
    """Moves the folder `made` to `target`. If another process was faster, its image is identical.

    Raises UnfitWordError.
    """
    (made / _DESCRIPTION).write_text(json.dumps({"image": asdict(plain(image)), "size_bytes": size_bytes}))
    _make_times_uniform(made / ROOT)
    made.chmod(0o755)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(made, target)  # noqa: PTH104
    except OSError:
        if not target.is_dir():
            raise


def _make_times_uniform(root: Path) -> None:
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(folder, name), ns=(TIME_NS, TIME_NS), follow_symlinks=False)  # noqa: PTH118
    os.utime(root, ns=(TIME_NS, TIME_NS))


def remove_unused(images: Path, discarded: Path) -> None:
    """Removes images that no job needs any more. `discarded` is a folder of the caller's on the same disk."""
    found = sorted(_used(images))
    total_bytes = sum(size_bytes for _, size_bytes, _ in found)
    for used, size_bytes, path in found:
        unused_s = time.time() - used
        if unused_s < RECENT_S or (unused_s < UNUSED_S and total_bytes <= MOST_BYTES):
            continue
        with _locked(path, fcntl.LOCK_EX) as exists:
            if exists and path.stat().st_mtime == used:
                discarded.mkdir(exist_ok=True)
                path.rename(discarded / path.name)
                total_bytes -= size_bytes
    shutil.rmtree(discarded, ignore_errors=True)


def _used(images: Path) -> Iterator[tuple[float, int, Path]]:
    for path in images.iterdir() if images.is_dir() else ():
        size_bytes = 0
        with suppress(OSError, ValueError, TypeError, KeyError):
            size_bytes = json.loads((path / _DESCRIPTION).read_text())["size_bytes"]
        with suppress(FileNotFoundError):
            yield path.stat().st_mtime, size_bytes, path


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[bool]:
    """Yields whether the folder exists and could be locked: shared to use it, exclusive to remove it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        yield os.path.exists(path)  # noqa: PTH110 - it may have been removed
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)

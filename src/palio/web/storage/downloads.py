"""Downloads that a challenge offers participants: starting kits, public data, sample cases.

Hidden data is left out even if an organizer named a folder above it. Solutions are only for people with a role: one
with predictions would tell participants the labels.
"""

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import BoundedSemaphore

from django.conf import settings
from django.http import FileResponse, Http404, HttpResponseBase, StreamingHttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext_noop

from palio.core.bundle.model import Bundle, Phase
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile, files_below
from palio.web.http.cache import cached
from palio.web.reading.markdown import is_public

_BLOCK_BYTES = 1024 * 1024
_streams = BoundedSemaphore(max(1, settings.CONFIGURATION.threads // 4))
STARTING_KIT, PUBLIC_DATA, SAMPLE, SOLUTION = "starting-kit", "public-data", "sample", "solution"
TITLES = {
    STARTING_KIT: gettext_noop("Starting kit"),
    PUBLIC_DATA: gettext_noop("Public data"),
    SAMPLE: gettext_noop("Sample cases"),
    SOLUTION: gettext_noop("Solution"),
}


@dataclass(frozen=True)
class Download:
    """A download of one phase; `kind` is a key of TITLES, with a number behind it for a solution.

    `files` have the names that they get in the zip.
    """

    phase: Phase
    kind: str
    files: tuple[tuple[str, Path], ...]
    size_bytes: int
    as_it_is: Path | None  # a single file, sent without a zip

    @property
    def title(self) -> str:
        kind, _, number = self.kind.partition(f"{SOLUTION}-")
        return TITLES[kind] if kind else f"{TITLES[SOLUTION]} {number}"

    @property
    def count(self) -> int:
        return len(self.files)


def downloads(bundle: Bundle, now: datetime | None) -> list[Download]:
    """Downloads of all phases that have opened, or of all phases if `now` is None. Identical content is listed once."""
    found: list[Download] = []
    seen: set[tuple[str, tuple[Path, ...]]] = set()
    for phase in bundle.phases:
        if now is not None and phase.start > now:
            continue
        offered = _offered(phase) | (_solutions(bundle, phase) if now is None else {})
        for kind, paths in offered.items():
            if paths and (kind, paths) not in seen and (download := _download(bundle, phase, kind, paths)):
                seen.add((kind, paths))
                found.append(download)
    return found


def _offered(phase: Phase) -> dict[str, tuple[Path, ...]]:
    sample = phase.rules.sample
    return {
        STARTING_KIT: (phase.starting_kit,) if phase.starting_kit else (),
        PUBLIC_DATA: (phase.public_data,) if phase.public_data else (),
        SAMPLE: tuple(path for path in (sample.input, sample.expect) if path) if sample else (),
    }


def _solutions(bundle: Bundle, phase: Phase) -> dict[str, tuple[Path, ...]]:
    """The sample submissions to tasks of the phase, numbered from 1."""
    tasks = {task.index for task in phase.tasks}
    return {
        f"{SOLUTION}-{number}": (solution.path,)
        for number, solution in enumerate(bundle.solutions, start=1)
        if tasks.intersection(solution.tasks)
    }


def _download(bundle: Bundle, phase: Phase, kind: str, paths: tuple[Path, ...]) -> Download | None:
    files, size_bytes = cached(f"offered/{bundle.digest}/{paths}", 0, lambda: _files(bundle, paths))
    if not files:
        return None
    alone = files[0][1] if len(files) == 1 and len(paths) == 1 and paths[0].is_file() else None
    return Download(phase, kind, files, size_bytes, alone)


def _files(bundle: Bundle, paths: tuple[Path, ...]) -> tuple[tuple[tuple[str, Path], ...], int]:
    """The files and their total size; there may be a hundred thousand."""
    files: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_file():
            files.append((path.name, path))
        elif path.is_dir():
            try:
                below = list(files_below(path))
            except UnfitFile:
                continue
            files += [(f"{path.name}/{name}" if len(paths) > 1 else name, file) for name, file in below]
    public = tuple((name, file) for name, file in files if is_public(bundle, file))
    return public, sum(file.stat().st_size for _, file in public)


class _Sink:
    """Passes on what zipfile writes, piece by piece; not seekable."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Does nothing: there is no buffer."""

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class Streamed:
    """Blocks generated while they are sent, each by a thread that waits for its reader, so few streams run at a time.

    Raises PalioError "downloads-busy" when that many are being sent. `close` is always called.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        if not _streams.acquire(blocking=False):
            raise PalioError("downloads-busy")
        self._blocks = blocks
        self._held = iter([None])

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def close(self) -> None:
        for _ in self._held:  # once
            _streams.release()


def download_response(bundle: Bundle, slug: str, phase: int, kind: str, now: datetime | None) -> HttpResponseBase:
    """One of `downloads`, streamed: a single file as it is, else a zip. Raises Http404 if it is none of them."""
    for download in downloads(bundle, now):
        if (download.phase.index, download.kind) != (phase, kind):
            continue
        if (path := download.as_it_is) is not None:
            content_type = "application/octet-stream"
            return FileResponse(path.open("rb"), as_attachment=True, filename=path.name, content_type=content_type)
        name = f"{slug}-{slugify(download.phase.name) or phase}-{kind}.zip"
        return zip_response(name, ((name, blocks_of(path), path.stat().st_size) for name, path in download.files))
    raise Http404


def zip_response(name: str, entries: Iterable[tuple[str, Iterable[bytes], int]]) -> StreamingHttpResponse:
    """A zip of `entries` as `zip_of` takes them, sent while it is generated."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(Streamed(zip_of(entries)), content_type="application/zip", headers=headers)


def blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while block := source.read(_BLOCK_BYTES):
            yield block


def zip_of(entries: Iterable[tuple[str, Iterable[bytes], int]]) -> Iterator[bytes]:
    """A zip generated while it is sent: no file is held in memory or written to disk. Images are not compressed.

    Each entry is a name, its content and its approximate size in bytes.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[call-overload]
        for name, blocks, size_bytes in entries:
            entry = zipfile.ZipInfo(name.encode(errors="backslashreplace").decode())  # a strange name must not break it
            entry.external_attr = 0o100644 << 16
            with archive.open(entry, "w", force_zip64=size_bytes > 2**31) as target:
                for block in blocks:
                    target.write(block)
                    yield sink.taken()
    yield sink.taken()

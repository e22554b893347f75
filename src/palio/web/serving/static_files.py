"""Collects static files into the data folder, under names that change with their content."""

import hashlib
import logging
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from palio import __version__
from palio.core.files.staging import writing

NOTE = ".collected"


def collect() -> None:
    """Does nothing if the files and the version have not changed."""
    target: Path = settings.FOLDERS.static
    note, fingerprint = target / NOTE, _fingerprint()
    if note.is_file() and note.read_text() == fingerprint:
        return
    logging.getLogger("whitenoise").setLevel(logging.ERROR)
    with writing(target):
        call_command("collectstatic", verbosity=0, interactive=False)
        note.write_text(fingerprint)  # last, so that an interrupted run collects again


def _fingerprint() -> str:
    lines = [f"palio {__version__}"]
    for finder in get_finders():
        for path, storage in finder.list(["CVS", ".*", "*~"]):
            status = Path(storage.path(path)).stat()
            lines.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

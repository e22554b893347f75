"""The report of a challenge as a zip: the export is written to disk, and the report made of it in a child process.

Single cases were written by scoring programs, which are untrusted: only the child reads them, within limits.
"""

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from django.conf import settings
from django.utils import timezone

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.errors import PalioError
from palio.core.files.staging import writing
from palio.core.quantities import GIB
from palio.core.report.facts import facts_of, hidden_and_open
from palio.web.models import Challenge
from palio.web.queries.export import ExportParts, entries
from palio.web.storage.bundles import current_bundle
from palio.web.storage.downloads import zip_of

BOUNDS = Bounds(time_s=300, memory_bytes=4 * GIB, file_bytes=2 * GIB)


def report_name(challenge: Challenge) -> str:
    return f"{challenge.slug}-report-{timezone.now():%Y-%m-%d}.zip"


def phases_still_open(challenge: Challenge) -> list[str]:
    """The names of phases with hidden data that have not ended."""
    return hidden_and_open(facts_of(current_bundle(challenge), timezone.now()))


def report_zip(challenge: Challenge, address: str) -> IO[bytes]:
    """A zip of the report's files, to be closed by the caller. `address` is that of the challenge's page.

    Raises PalioError "report-too-large" if it needs more than BOUNDS, "disk-full".
    """
    from palio.core.report.writing import write_report  # numpy takes a while

    with writing(settings.FOLDERS.root), TemporaryDirectory(prefix=".report-", dir=settings.FOLDERS.root) as scratch:
        export, target = Path(scratch) / "export.zip", Path(scratch) / "report"
        with export.open("wb") as file:
            for block in zip_of(entries(challenge, ExportParts(runs=True, address=address))):
                file.write(block)
        try:
            call_bounded(write_report, str(export), str(target), bounds=BOUNDS)
        except BoundsError as limit:
            raise PalioError("report-too-large", slug=challenge.slug, reason=limit) from None
        found = TemporaryFile(dir=settings.FOLDERS.root)  # noqa: SIM115 - the caller closes it
        with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(target.iterdir()):
                archive.write(path, path.name)
    found.seek(0)
    return found

"""Publishes a bundle uploaded as a zip: unpacked as untrusted input, then published like any other.

Messages name the zip and files in it, never folders of this machine.
"""

from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from django.conf import settings

from palio.core.bounded_call import Bounds
from palio.core.bundle.zipped import unreadable
from palio.core.errors import PalioError
from palio.core.files.staging import writing
from palio.core.quantities import GIB, MIB
from palio.web.models import User
from palio.web.reading.bounded import BUNDLES, read_bounded, without_folder
from palio.web.reading.readers import unpack_bundle
from palio.web.verbs.publish import Publication, publish_bundle

_LEAST_BYTES_PER_S = 20 * MIB  # of the disk while unpacking


def publish_archive(
    archive: Path,
    name: str,
    *,
    actor: User | None,
    slug: str | None = None,
    draft: bool = False,
    note: str = "",
    accept_findings: str = "",
) -> Publication:
    """Publish the zip at `archive`, called `name` by its sender; raises what `publish_bundle` raises."""
    name = PurePath(name.replace("\\", "/")).name or "bundle.zip"
    with (
        BUNDLES.taken_by(actor.username if actor else ""),
        writing(settings.FOLDERS.bundles),
        TemporaryDirectory(prefix=".zip-", dir=settings.FOLDERS.bundles) as work,
    ):
        folder = Path(work) / (PurePath(name).stem.strip(". ") or "bundle")
        try:
            _unpack(archive, folder, name)
            return publish_bundle(
                folder, actor=actor, slug=slug, draft=draft, note=note, accept_findings=accept_findings
            )
        except PalioError as error:
            raise without_folder(error, Path(work)) from None


def _unpack(archive: Path, folder: Path, name: str) -> None:
    folder.mkdir()
    most = settings.CONFIGURATION.max_upload_bytes
    bounds = Bounds(time_s=60 + most / _LEAST_BYTES_PER_S, memory_bytes=GIB, file_bytes=most)
    try:
        read_bounded(
            unpack_bundle, str(archive), str(folder), name, most, bounds=bounds, code="folder-unreadable", name=name
        )
    except PalioError as error:
        raise unreadable(error, name, name) from error

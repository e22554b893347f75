"""A bundle that arrives as a zip: unpacked without trusting it, then published like any other.

What is said about it names the zip and files in it, never folders of this machine.
"""

from dataclasses import replace
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from django.conf import settings

from palio.core.archive import unpack
from palio.core.errors import PalioError
from palio.core.staging import writing
from palio.web.models import User
from palio.web.verbs.publish import Publication, publish_bundle


def publish_archive(
    archive: Path, name: str, *, actor: User | None, slug: str | None = None, draft: bool = False, note: str = ""
) -> Publication:
    """Publishes the zip at `archive`, which its sender calls `name`; raises as `publish_bundle` does."""
    name = PurePath(name.replace("\\", "/")).name or "bundle.zip"
    with writing(settings.FOLDERS.bundles), TemporaryDirectory(prefix=".zip-", dir=settings.FOLDERS.bundles) as work:
        folder = Path(work) / (PurePath(name).stem.strip(". ") or "bundle")
        try:
            _unpack(archive, folder, name)
            return publish_bundle(folder, actor=actor, slug=slug, draft=draft, note=note)
        except PalioError as error:
            raise _without(error, Path(work)) from None


def _unpack(archive: Path, folder: Path, name: str) -> None:
    folder.mkdir()
    try:
        unpack(archive, folder, name, max_bytes=settings.CONFIGURATION.max_upload_bytes)
    except PalioError as error:
        if not error.failure.code.startswith("archive-"):
            raise
        # the words for a participant's archive would not help an organizer
        reason = error.failure.message.removeprefix(f"{name} ").rstrip(".")
        raise PalioError(
            "folder-unreadable", path=name, reason=f"it {reason}", evidence=error.failure.evidence
        ) from error


def _without(error: PalioError, work: Path) -> PalioError:
    """The same, with paths as they are in the zip."""

    def cleaned(text: str) -> str:
        for folder in (work.resolve(), work):
            text = text.replace(f"{folder}/", "")
        return text

    failure = error.failure
    error.failure = replace(
        failure,
        message=cleaned(failure.message),
        next_step=cleaned(failure.next_step),
        evidence=tuple(cleaned(line) for line in failure.evidence),
    )
    return error

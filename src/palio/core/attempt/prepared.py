"""Prepares what an attempt's containers need: build contexts and mounted folders.

Each is created once in .work and only ever visible when complete, so that a container started by a new process gets the
same content as one started by the process before it.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from palio.core.attempt import verdicts
from palio.core.attempt.blind import Names, stage_inputs
from palio.core.attempt.bundle_image import BundleImage
from palio.core.attempt.input_copies import InputCopies
from palio.core.attempt.jobs import INPUT, OUTPUT
from palio.core.attempt.progress import Progress
from palio.core.bundle.contents import is_zip
from palio.core.bundle.model import BlindPolicy, Bundle, Rules
from palio.core.errors import Cause, PalioError
from palio.core.files.archive import inspect_archive, unpack
from palio.core.files.digest import UnfitFile
from palio.core.files.tree import TIME_NS, copy_tree
from palio.core.submission.kinds import SubmissionFile, unpack_context
from palio.core.submission.monai.bundle import MonaiBundle
from palio.core.submission.monai.context import write_monai_context


class Prepared:
    def __init__(self, bundle: Bundle, progress: Progress, copies: InputCopies | None = None) -> None:
        self._bundle = bundle
        self._copies = copies
        self._folder = progress.folder
        self._work = progress.work

    def context(self, submission: SubmissionFile, max_bytes: int) -> Path:
        """The build context of a submission with a Dockerfile."""
        return self._folder("context", lambda half: unpack_context(submission, half, max_bytes))

    def monai_context(self, submission: SubmissionFile, bundle: MonaiBundle, rules: Rules) -> Path:
        """The build context of a MONAI bundle, with a Dockerfile of ours."""
        return self._folder(
            "context",
            lambda half: write_monai_context(
                submission,
                bundle,
                half,
                image=rules.monai.image,
                inputs=INPUT,
                output=OUTPUT,
                network=rules.build.network,
                max_bytes=rules.build.size_bytes,
            ),
        )

    def code(self, submission: SubmissionFile, max_bytes: int) -> Path:
        """The files of a code submission, as its container sees them."""
        return self._folder(
            "code", lambda half: unpack(submission.path, half, submission.name, max_bytes=max_bytes, inner=True)
        )

    def image_context(self, image: BundleImage) -> Path:
        """A build context that produces the bundle's image or its substitute, unchanged."""
        text = f"FROM {image.name if image.without_images else image.used}\n"
        return self._folder("bundle-image", lambda half: (half / "Dockerfile").write_text(text))

    def inputs(
        self, name: str, source: Path, policy: BlindPolicy | None, digest: str | None = None
    ) -> tuple[Path, Names]:
        """The input folder as a submission sees it. Names are chosen once, because a container may already have seen
        them.

        With the `digest` of the data, files are linked to the copies that other runs share.
        """

        def stage(half: Path) -> None:
            files = half / "files"
            if self._copies is not None and digest is not None:
                names = self._copies.stage(source, digest, files, policy)
            else:
                names = stage_inputs(source, files, policy)
            names.save(half / "names.json")

        staged = self._folder(name, stage)
        return staged / "files", Names.load(staged / "names.json")

    def names(self, name: str) -> Names | None:
        """The names of the input folder that was prepared under `name`, or None."""
        path = self._work / name / "names.json"
        return Names.load(path) if path.is_file() else None

    def copied(self, name: str, source: Path, *, executable: bool = False) -> Path:
        """A copy of an organizer's folder that the job's user can read.

        It contains exactly what the folder's digest in lock.json covers. Raises PalioError "folder-unreadable".
        """
        try:
            return self._folder(name, lambda half: copy_tree(source, half, executable=executable))
        except UnfitFile as fault:
            raise PalioError("folder-unreadable", path=source, reason=fault) from fault

    def unzipped(self, field: str, path: Path | None, part: str = "") -> Path:
        """The data that the bundle names in `field`, as a folder: a zip is unpacked, any other file put into one.

        Reference data may be absent; then the folder is empty. A zip of data keeps its layout, because programs depend
        on it; an extra top folder is removed from a zip of a program. `part` tells tasks apart. Raises PalioError
        "data-missing" or "folder-unreadable".
        """
        if path is None and field == "reference_data":
            return self._folder("no-reference", Path)  # makes nothing in it
        if path is None or not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise verdicts.data_missing(self._bundle, field, path)
        if path.is_dir():
            return self._without_links(field + part, path)
        if not is_zip(path):
            return self._folder(f"{field}{part}-file", lambda half: _copy_into(half, path))
        try:
            top = "" if field.endswith("_program") else inspect_archive(path, lenient=True).top
            return self._folder(f"{field}{part}-unzipped", lambda half: unpack(path, half / top, lenient=True))
        except PalioError as error:  # unlike a submission's archive, this one is the organizer's to fix
            if error.failure.cause is not Cause.PARTICIPANT:
                raise
            why = error.failure.message.rstrip(".")
            raise PalioError("folder-unreadable", path=path, reason=why, evidence=error.failure.evidence) from error

    def made(self, name: str, make: Callable[[Path], object]) -> Path:
        """A folder that `make` fills."""
        return self._folder(name, make)

    def _without_links(self, field: str, folder: Path) -> Path:
        """The folder, or a copy if it has links, because they may point to other parts of the bundle."""
        if not any(
            (Path(at) / name).is_symlink() for at, folders, files in os.walk(folder) for name in folders + files
        ):
            return folder
        try:
            return self._folder(
                f"{field}-copied", lambda half: copy_tree(folder, half, executable=True, within=self._bundle.root)
            )
        except UnfitFile as fault:
            raise PalioError("folder-unreadable", path=folder, reason=fault) from fault


def _copy_into(folder: Path, file: Path) -> None:
    copy = folder / file.name
    shutil.copyfile(file, copy)
    copy.chmod(0o644)
    os.utime(copy, ns=(TIME_NS, TIME_NS))

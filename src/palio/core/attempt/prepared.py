"""What an attempt prepares for its containers: contexts to build from, folders to be mounted.

Each lies complete in .work or not at all, and is made once, so that a new process gives a container what the one
before it would have given.
"""

from pathlib import Path

from palio.core.attempt import verdicts
from palio.core.attempt.blind import Names, stage_inputs
from palio.core.attempt.input_copies import InputCopies
from palio.core.attempt.progress import Progress
from palio.core.bundle.model import BlindPolicy, Bundle
from palio.core.errors import Cause, PalioError
from palio.core.files.archive import unpack
from palio.core.files.digest import UnfitFile
from palio.core.files.tree import copy_tree
from palio.core.submission.kinds import SubmissionFile


class Prepared:
    def __init__(self, bundle: Bundle, progress: Progress, copies: InputCopies | None = None) -> None:
        self._bundle = bundle
        self._copies = copies
        self._folder = progress.folder
        self._work = progress.work

    def context(self, submission: SubmissionFile, max_bytes: int) -> Path:
        """What a submission with a Dockerfile is built from."""
        return self._folder("context", lambda half: unpack(submission.path, half, max_bytes=max_bytes))

    def image_context(self) -> Path:
        """Makes the image that the bundle names, as it is."""
        text = f"FROM {self._bundle.docker_image}\n"
        return self._folder("scoring-image", lambda half: (half / "Dockerfile").write_text(text))

    def inputs(
        self, name: str, source: Path, policy: BlindPolicy | None, digest: str | None = None
    ) -> tuple[Path, Names]:
        """The input folder as a submission sees it. The names are chosen once: a container may have seen them.

        With `digest`, that of the data, other runs have most likely staged the same, and its files are linked.
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
        """Those of the input folder that was prepared under this name; None if none was."""
        path = self._work / name / "names.json"
        return Names.load(path) if path.is_file() else None

    def copied(self, name: str, source: Path, *, executable: bool = False) -> Path:
        """A copy of an organizer's folder that every user may read, as the job's user has to.

        It holds exactly what the folder's digest in lock.json covers. Raises PalioError "folder-unreadable".
        """
        try:
            return self._folder(name, lambda half: copy_tree(source, half, executable=executable))
        except UnfitFile as fault:
            raise PalioError("folder-unreadable", path=source, reason=fault) from fault

    def unzipped(self, field: str, path: Path | None) -> Path:
        """What the bundle names as `field`, as a folder. Raises PalioError "data-missing", "folder-unreadable"."""
        if path is None or not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise verdicts.data_missing(self._bundle, field, path)
        if path.is_dir():
            return path
        try:
            return self._folder(f"{field}-unzipped", lambda half: unpack(path, half))
        except PalioError as error:  # unlike a submission's, this archive is the organizer's to mend
            if error.failure.cause is not Cause.PARTICIPANT:
                raise
            why = error.failure.message.rstrip(".")
            raise PalioError("folder-unreadable", path=path, reason=why, evidence=error.failure.evidence) from error

"""The layout of the platform's data folder."""

from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import PalioError


@dataclass(frozen=True)
class Folders:
    """The folders of one platform. Files in `store` and `bundles` are named by digest and never change."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "palio.sqlite3"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def store(self) -> Path:
        """Submitted files, by SHA-256."""
        return self.root / "store"

    @property
    def bundles(self) -> Path:
        """Bundles as folders, by digest."""
        return self.root / "bundles"

    @property
    def uploads(self) -> Path:
        """Unfinished uploads, by id."""
        return self.root / "uploads"

    @property
    def runs(self) -> Path:
        """Run folders, by attempt identity."""
        return self.root / "runs"

    @property
    def inputs(self) -> Path:
        """Copies of hidden inputs under opaque names, linked into runs; safe to remove while nothing is evaluated."""
        return self.root / "inputs"

    @property
    def statistics(self) -> Path:
        """What was computed for leaderboards, kept for the next submission; safe to remove."""
        return self.root / "statistics"

    @property
    def static(self) -> Path:
        """Static files of the pages, collected at the start."""
        return self.root / "static"

    def refuse_others(self) -> None:
        """Raises PalioError "usage" if no platform was ever started in this folder."""
        if not self.keys.is_dir():
            raise PalioError(
                "usage",
                problem=f"{self.root} is not the data folder of a platform.",
                next_step="Pass the data folder of `palio serve` with --data.",
            )

    def make(self) -> None:
        """Creates missing folders, readable only by this user, as they contain hidden data."""
        for folder in (
            self.root,
            self.keys,
            self.store,
            self.bundles,
            self.uploads,
            self.runs,
            self.inputs,
            self.statistics,
            self.static,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)

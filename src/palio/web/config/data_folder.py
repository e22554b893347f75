"""What lies where in the platform's data folder."""

from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import PalioError


@dataclass(frozen=True)
class Folders:
    """Everything of one platform. `store` and `bundles` are known by digest and never changed once there."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "palio.sqlite3"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def store(self) -> Path:
        """Files that were handed in, by SHA-256."""
        return self.root / "store"

    @property
    def bundles(self) -> Path:
        """Challenges as folders, by the digest of all their files."""
        return self.root / "bundles"

    @property
    def uploads(self) -> Path:
        """Chunks of files on their way in, by the upload's id."""
        return self.root / "uploads"

    @property
    def runs(self) -> Path:
        """Run folders, by the attempt's identity."""
        return self.root / "runs"

    @property
    def inputs(self) -> Path:
        """Blind copies of hidden inputs, which runs link to; can be removed while nothing is evaluated."""
        return self.root / "inputs"

    @property
    def static(self) -> Path:
        """The pages' own files, collected at the start."""
        return self.root / "static"

    def refuse_others(self) -> None:
        """Raises PalioError "usage" where no platform has ever been started."""
        if not self.keys.is_dir():
            raise PalioError(
                "usage",
                problem=f"{self.root} is no data folder of a platform.",
                next_step="Name the folder that `palio serve` runs on with --data.",
            )

    def make(self) -> None:
        """Makes what is missing; for this user alone, as hidden data lies there."""
        for folder in (
            self.root,
            self.keys,
            self.store,
            self.bundles,
            self.uploads,
            self.runs,
            self.inputs,
            self.static,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)

"""Everything a worker needs to evaluate an attempt, as JSON for another process. Does not import Django."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from palio.core.attempt.jobs import Attempt
from palio.core.bundle.model import SubmissionKind
from palio.core.bundle.pick_phase import pick_phase
from palio.core.bundle.read import read_bundle
from palio.core.dockerfile.substitutes import NONE as NO_SUBSTITUTES
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.submission.kinds import SubmissionFile


@dataclass(frozen=True)
class Assignment:
    """`collected`: predictions of an earlier attempt; only these are scored. `only_sample`: only the public cases run,
    in a folder that belongs to no attempt. `version` is the challenge's, `rescored` the attempt that left `collected`.
    `store_url`: where the submission must be fetched from, if not empty; then its path is inside `.work` of the run
    folder. `engine_settings`: what the worker adds to its environment before it opens the engine. `registry_account`:
    registry, username and secret of the team's account that pulls the submission's image.
    """

    identity: str
    submission: SubmissionFile
    bundle: Path
    phase: str
    label: str
    folder: Path
    engine: str
    copies: Path
    submission_id: str
    collected: Path | None = None
    substitutes: Substitutes = NO_SUBSTITUTES
    store_url: str = ""
    only_sample: bool = False
    version: int | None = None
    rescored: str = ""
    engine_settings: Mapping[str, str] = field(default_factory=dict)
    registry_account: tuple[str, str, str] | None = field(default=None, repr=False)

    def attempt(self) -> Attempt:
        """Read the bundle. Raises PalioError if it cannot be read or the phase cannot be evaluated."""
        bundle = read_bundle(self.bundle)
        phase = pick_phase(bundle, self.phase)
        return Attempt(
            self.identity,
            self.submission,
            bundle,
            phase,
            phase.tasks[0],
            self.label,
            version=self.version,
            rescored=self.rescored,
        )

    def as_json(self) -> dict[str, object]:
        submission = self.submission
        return {
            "identity": self.identity,
            "submission": {
                "path": str(submission.path),
                "kind": submission.kind.value,
                "digest": submission.digest,
                "notes": list(submission.notes),
                "called": submission.called,
            },
            "bundle": str(self.bundle),
            "phase": self.phase,
            "label": self.label,
            "folder": str(self.folder),
            "engine": self.engine,
            "copies": str(self.copies),
            "submission_id": self.submission_id,
            "substitutes": self.substitutes.as_json(),
            "store_url": self.store_url,
            "only_sample": self.only_sample,
            "version": self.version,
            "rescored": self.rescored,
            "engine_settings": dict(self.engine_settings),
            "registry_account": self.registry_account,
            "collected": str(self.collected) if self.collected else None,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        given = content["submission"]
        submission = SubmissionFile(
            Path(given["path"]),
            SubmissionKind(given["kind"]),
            given["digest"],
            tuple(given["notes"]),
            given["called"],
        )
        paths = {name: Path(content[name]) for name in ("bundle", "folder", "copies")}
        collected = Path(content["collected"]) if content["collected"] else None
        images = Substitutes.of_json(content["substitutes"])
        account = content["registry_account"]
        read = {
            "submission": submission,
            "collected": collected,
            "substitutes": images,
            "registry_account": tuple(account) if account else None,
        }
        return cls(**{**content, **paths, **read})

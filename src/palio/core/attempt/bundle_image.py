"""The image in which programs without a Dockerfile run: the one that the bundle names, or its substitute.

The engine's own image comes first, then the substitute that this machine's configuration names, then pulling the image.
An engine without images, such as bubblewrap, always uses this machine's Python.
"""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from palio.core.bundle.model import Bundle, SubmissionKind, Task
from palio.core.bundle.program import read_program
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.engine import Engine
from palio.core.errors import PalioError


@dataclass(frozen=True)
class BundleImage:
    """`substitute` is what is used instead of the image `name`; an image too, unless the engine is `without_images`.

    `pulled`: the engine has to pull what it uses.
    """

    name: str
    substitute: str | None = None
    pulled: bool = False
    without_images: bool = False

    @property
    def used(self) -> str:
        return self.substitute or self.name

    def __str__(self) -> str:
        instead = f"{self.substitute}, used instead of {self.name}" if self.substitute else self.name
        return f"{instead}; not on this machine, so the engine pulls it" if self.pulled else instead

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(**content)


def resolve_image(bundle: Bundle, engine: Engine, substitutes: Substitutes) -> BundleImage:
    """Decides without pulling anything."""
    name = bundle.docker_image
    has_it = engine.has_image(name)
    if has_it is None:
        return BundleImage(name, f"this machine's Python {platform.python_version()}", without_images=True)
    if has_it:
        return BundleImage(name)
    substitute = substitutes.of(name)
    return BundleImage(name, substitute, pulled=not (substitute and engine.has_image(substitute)))


def uses_bundle_image(task: Task, kind: SubmissionKind) -> bool:
    """Whether a program of the task runs in the bundle's image, for this kind of submission."""
    programs = [task.scoring_program]
    if kind is SubmissionKind.CODE:
        if task.ingestion_program is None:
            return True
        programs.append(task.ingestion_program)
    try:
        return not all(read_program(program).has_dockerfile for program in programs)
    except PalioError:
        return True  # cannot be read, which stops the attempt later

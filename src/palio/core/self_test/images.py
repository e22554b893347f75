"""What the images of a bundle mean on this machine, for `palio check`. Nothing is pulled, built or run."""

from collections.abc import Iterator
from dataclasses import dataclass

from palio.core.attempt.bundle_image import resolve_image, uses_bundle_image
from palio.core.bundle.model import Bundle, SubmissionKind
from palio.core.bundle.program import DOCKERFILE, program_contents
from palio.core.dockerfile.read import MOST_BYTES, DockerfileError, decoded
from palio.core.dockerfile.resolve import Resolved, resolve
from palio.core.dockerfile.run_commands import run_commands
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.engine import Engine
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile


@dataclass(frozen=True)
class ImageOnMachine:
    """`where` names the image as the bundle does. `is_here`: a run needs nothing that this machine lacks."""

    where: str
    outcome: str
    is_here: bool


def images_on_machine(bundle: Bundle, engine: Engine, substitutes: Substitutes) -> Iterator[ImageOnMachine]:
    """Yields the image of the bundle, if a program runs in it, then the base images of its Dockerfiles."""
    kinds = {kind for phase in bundle.phases for kind in phase.rules.submissions}
    kind = SubmissionKind.CODE if SubmissionKind.CODE in kinds else SubmissionKind.RESULTS
    if any(uses_bundle_image(task, kind) for task in bundle.tasks):
        yield _of_bundle(bundle, engine, substitutes)
    seen = set()
    for task in bundle.tasks:
        for program in (task.scoring_program, task.ingestion_program):
            if program is None or program in seen:
                continue
            seen.add(program)
            try:
                contents = program_contents(program, bundle.root)
                if DOCKERFILE not in contents.names:
                    continue
                resolved = resolve(decoded(contents.head(DOCKERFILE, MOST_BYTES + 1)), {})
            except (DockerfileError, UnfitFile, OSError, PalioError):
                continue  # check_bundle reports it
            name = f"{program.relative_to(bundle.root).as_posix()}/{DOCKERFILE}"
            for image, written in resolved.images.items():
                yield _of_dockerfile(f"{name}, FROM {written}", str(image), written, engine)
            if resolved.base is not None and engine.has_image(str(resolved.base)) is None:
                yield from _refused_commands(name, resolved)


def _of_bundle(bundle: Bundle, engine: Engine, substitutes: Substitutes) -> ImageOnMachine:
    found = resolve_image(bundle, engine, substitutes)
    where = f"docker_image {found.name}"
    if found.without_images:
        return ImageOnMachine(where, f"{found.substitute} is used instead", is_here=True)
    if found.substitute:
        stands = f"{found.substitute} is used instead"
        if found.pulled:
            stands += (
                f", but is not on this machine and is pulled at the first run; run `docker pull {found.substitute}`"
            )
        return ImageOnMachine(where, stands, is_here=not found.pulled)
    if found.pulled:
        return ImageOnMachine(
            where,
            f"not on this machine, so it is pulled at the first run; run `docker pull {found.name}` now, or, if it no "
            f"longer exists, name a substitute: `--image {found.name}=python:3.11-slim`, or the table [images] in "
            "palio.toml",
            is_here=False,
        )
    return ImageOnMachine(where, "on this machine", is_here=True)


def _of_dockerfile(where: str, image: str, written: str, engine: Engine) -> ImageOnMachine:
    match engine.has_image(image):
        case None:
            return ImageOnMachine(where, "this machine's Python is used instead", is_here=True)
        case True:
            return ImageOnMachine(where, "on this machine", is_here=True)
        case _:
            return ImageOnMachine(
                where,
                f"not on this machine, so it is pulled at the first build; run `docker pull {written}` now, or name "
                "another image in the Dockerfile",
                is_here=False,
            )


def _refused_commands(name: str, resolved: Resolved) -> Iterator[ImageOnMachine]:
    """The RUN instructions that an engine without images would refuse, as far as their text tells."""
    for instruction in resolved.instructions:
        if instruction.keyword == "RUN":
            try:
                run_commands(instruction, lambda _: "")
            except DockerfileError as fault:
                yield ImageOnMachine(f"{name}, {fault.where}", fault.reason, is_here=False)

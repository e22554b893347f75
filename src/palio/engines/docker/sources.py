"""What the engine has under the names that a resolved Dockerfile takes from, asked before and after the build.

Covered: an image that is not the one of that name but was found otherwise, such as by the beginning of its id; an
image that was built from a submission, whatever it is called; an image with triggers; an image that was made of
something else than its last FROM names. Which names there may be at all is decided in core (dockerfile_images.py).
Not covered: images that the operator has loaded from submissions by hand and named anew, and what else is on the
engine under other names: anyone who may build there may start from those.
"""

from collections.abc import Iterable
from typing import Any

import docker
from docker.errors import ImageNotFound

from palio.core.dockerfile.image_names import ImageName
from palio.core.dockerfile.read import DockerfileError
from palio.core.dockerfile.resolve import Resolved

BUILD_LABEL = "palio.build"  # on every image that Palio builds, with its digest
TRIGGERS = "triggers (ONBUILD) are not run; write their instructions out"


def check_images(client: docker.DockerClient, resolved: Resolved) -> None:
    """Raises DockerfileError for an image that may not be taken. One that is not there yet is pulled by the build."""
    for name, written in resolved.images.items():
        found = _inspected(client, name)
        if found is None:
            continue
        config = found.get("Config") or {}
        if name not in _names(found):
            raise DockerfileError(f"the engine has no image called {written}, and took another one for it")
        if BUILD_LABEL in (config.get("Labels") or {}):
            raise DockerfileError(f"{written} was built from a submission, and those are not given out")
        if config.get("OnBuild"):
            raise DockerfileError(f"the base image {written} has some, and {TRIGGERS}")


def check_built(client: docker.DockerClient, resolved: Resolved, image: str) -> None:
    """Raises DockerfileError if a built image was not made of what its Dockerfile takes from."""
    check_images(client, resolved)
    if resolved.base is None:
        return
    base = _inspected(client, resolved.base)
    below, layers = (_layers(base), _layers(client.images.get(image).attrs)) if base else ([], [])
    if not below or layers[: len(below)] != below:
        raise DockerfileError(f"the image was not made of {resolved.images[resolved.base]}, which may have changed")


def _inspected(client: docker.DockerClient, name: ImageName) -> dict[str, Any] | None:
    try:
        return client.images.get(str(name)).attrs
    except ImageNotFound:
        return None


def _names(image: dict[str, Any]) -> Iterable[ImageName | None]:
    called = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
    return [ImageName.of_engine(text) for text in called]


def _layers(image: dict[str, Any]) -> list[str]:
    return list((image.get("RootFS") or {}).get("Layers") or ())

"""Checks the images that a resolved Dockerfile names, before and after the build.

Covered: an image found by something other than its name, such as a prefix of its id; an image that was built from a
submission, whatever its name; an image with triggers; a built image that is not based on the image of its last FROM.
Which names are allowed at all is decided in core.dockerfile.image_names. Not covered: images that the operator loaded
from submissions by hand and renamed, and other images on the engine: anyone who may build there may start from those.
"""

from collections.abc import Iterable
from typing import Any

import docker
from docker.errors import ImageNotFound

from palio.core.dockerfile.image_names import ImageName
from palio.core.dockerfile.read import DockerfileError
from palio.core.dockerfile.resolve import Resolved

BUILD_LABEL = "palio.build"  # on every image that Palio builds, with its digest
TRIGGERS = "triggers (ONBUILD) are not run; write out their instructions"


def check_images(client: docker.DockerClient, resolved: Resolved) -> None:
    """Raises DockerfileError for an image that must not be used. A missing image is pulled by the build."""
    for name, written in resolved.images.items():
        found = _inspected(client, name)
        if found is None:
            continue
        config = found.get("Config") or {}
        if name not in _names(found):
            raise DockerfileError(f"the engine has no image named {written} and used another one instead")
        if BUILD_LABEL in (config.get("Labels") or {}):
            raise DockerfileError(f"{written} was built from a submission and cannot be used")
        if config.get("OnBuild"):
            raise DockerfileError(f"the base image {written} has triggers, but {TRIGGERS}")


def check_built(client: docker.DockerClient, resolved: Resolved, image: str) -> None:
    """Raises DockerfileError if a built image is not based on the images of its Dockerfile."""
    check_images(client, resolved)
    if resolved.base is None:
        return
    base = _inspected(client, resolved.base)
    below, layers = (_layers(base), _layers(client.images.get(image).attrs)) if base else ([], [])
    if not below or layers[: len(below)] != below:
        raise DockerfileError(f"the image is not based on {resolved.images[resolved.base]}, which may have changed")


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

"""Images for engines on other machines: pushed to a registry, and looked at before a job starts."""

from contextlib import closing
from dataclasses import dataclass

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from palio.core.engine import Job
from palio.core.errors import PalioError
from palio.core.files.entry_point import StartFault
from palio.engines.docker.connection import connect, faults_named
from palio.engines.docker.layers import JOB_LABEL
from palio.engines.docker.startable import why_not_startable
from palio.engines.docker.views import bind_mounts

_REPOSITORY = "palio-build"


def push_image(image: str, registry: str) -> str:
    """Pushes an image of this machine; returns its name by digest. Raises PalioError "cluster-refused"."""
    repository = f"{registry}/{_REPOSITORY}"
    tag = image.rpartition(":")[2]
    with closing(connect()) as client:
        with faults_named(f"tagging {image}"):
            client.api.tag(image, repository, tag)
        try:
            digest = _pushed(client, repository, tag)
        except (APIError, DockerException, requests.RequestException) as error:
            raise _refused(registry, repository, tag, str(error)) from error
    return f"{repository}@{digest}"


@dataclass(frozen=True)
class ImageConfig:
    """What an image says about containers of it. `volumes`: the paths that it declares as such."""

    volumes: tuple[str, ...] = ()
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    architecture: str = ""

    def starts(self, command: tuple[str, ...] | None) -> tuple[str, ...]:
        """What a container starts, given a command that replaces the image's own, but not its entry point."""
        return (*self.entry_point, *(command or self.command))


def image_config(image: str) -> ImageConfig | None:
    """Of an image of this machine; None if there is no such image."""
    with closing(connect()) as client, faults_named(f"looking for the image {image}"):
        try:
            attributes = client.images.get(image).attrs
        except ImageNotFound:
            return None
        config = attributes["Config"]
        return ImageConfig(
            volumes=tuple(sorted(config.get("Volumes") or ())),
            entry_point=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            architecture=attributes.get("Architecture", ""),
        )


def why_job_not_startable(job: Job) -> StartFault | None:
    """Why no container could start the job, found in one that is created, read and removed here."""
    with closing(connect()) as client, faults_named(f"looking at the program of {job.name}"):
        try:
            container = client.api.create_container(
                job.image,
                list(job.command) if job.command else None,
                working_dir=job.workdir,
                labels={JOB_LABEL: job.name},
                host_config=client.api.create_host_config(network_mode="none", mounts=bind_mounts(job)),
            )["Id"]
        except APIError as error:
            if error.response is not None and error.response.status_code in (400, 404):  # no command, or no such image
                return None
            raise
        try:
            return why_not_startable(client, client.api.inspect_container(container))
        finally:
            client.api.remove_container(container, force=True, v=True)


def _pushed(client: docker.DockerClient, repository: str, tag: str) -> str:
    digest = ""
    for event in client.api.push(repository, tag, stream=True, decode=True):
        if "error" in event:
            raise _refused(repository.partition("/")[0], repository, tag, str(event["error"]))
        digest = event.get("aux", {}).get("Digest", digest)
    if not digest:
        raise _refused(repository.partition("/")[0], repository, tag, "it reported no digest")
    return digest


def _refused(registry: str, repository: str, tag: str, reason: str) -> PalioError:
    return PalioError(
        "cluster-refused",
        reason=f"the registry {registry} did not take an image: {reason.strip().rstrip('.')}",
        next_step=f"Check that it runs and accepts uploads: `docker login {registry}`, then "
        f"`docker tag palio-build:{tag} {repository}:{tag}` and `docker push {repository}:{tag}`.",
    )

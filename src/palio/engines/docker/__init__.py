"""The Docker engine, used through its API. Podman's Docker-compatible socket works too."""

from palio.engines.docker.connection import has_image, why_unavailable
from palio.engines.docker.engine import DockerEngine
from palio.engines.docker.export import declared_volumes, push_image, why_job_not_startable
from palio.engines.docker.image_thread import image_tag

__all__ = [
    "DockerEngine",
    "declared_volumes",
    "has_image",
    "image_tag",
    "push_image",
    "why_job_not_startable",
    "why_unavailable",
]

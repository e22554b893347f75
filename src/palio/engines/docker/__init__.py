"""The Docker engine, used through its API. Podman's Docker-compatible socket works too."""

from palio.engines.docker.connection import has_image, why_unavailable
from palio.engines.docker.engine import DockerEngine
from palio.engines.docker.export import ImageConfig, image_config, push_image, why_job_not_startable
from palio.engines.docker.image_thread import image_tag

__all__ = [
    "DockerEngine",
    "ImageConfig",
    "has_image",
    "image_config",
    "image_tag",
    "push_image",
    "why_job_not_startable",
    "why_unavailable",
]

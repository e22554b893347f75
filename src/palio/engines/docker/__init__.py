"""The Docker engine, used through its API. Podman's Docker-compatible socket works too."""

from palio.engines.docker.connection import has_image, why_unavailable
from palio.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine", "has_image", "why_unavailable"]

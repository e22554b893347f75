"""Moved to palio.core.dockerignore, as packing a submission reads .dockerignore too."""

from palio.core.dockerignore import ignored_by, wildcard

__all__ = ["ignored_by", "wildcard"]

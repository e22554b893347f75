"""Moved to palio.core.dockerfile, as packing a submission and the Docker engine read Dockerfiles too."""

from palio.core.dockerfile import DockerfileError, Instruction, json_form, parse, value, words

__all__ = ["DockerfileError", "Instruction", "json_form", "parse", "value", "words"]

"""Collects what Codabench cannot express or would ignore."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Loss:
    """`field` is the dotted path of a key in the written competition.yaml; `message` continues a sentence about it."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class Losses:
    """Losses, each once."""

    def __init__(self) -> None:
        self._found: dict[Loss, None] = {}

    def add(self, field: str, message: str) -> None:
        self._found[Loss(field, message)] = None

    @property
    def all(self) -> tuple[Loss, ...]:
        return tuple(self._found)

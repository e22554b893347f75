"""Readers for texts, numbers and choices. See `values` for what a reader is."""

import re
from collections.abc import Callable

from palio.core.bundle.values import Refused, Scalar, Value
from palio.core.bundle.wording import suggestion
from palio.core.dockerfile.image_names import ImageName, ImageNameError


def scalar(value: Value, allowed: str) -> str:
    """The words of a single value. `allowed` says what to write instead of anything else."""
    if not isinstance(value.content, Scalar):
        raise Refused(f"{value.found}; {allowed}")
    written = value.content.text.strip()
    if not written:
        raise Refused(f"is empty; {allowed}")
    return written


def text(value: Value) -> str:
    return scalar(value, "write a text here")


def text_up_to(characters: int) -> Callable[[Value], str]:
    def read(value: Value) -> str:
        written = text(value)
        if len(written) > characters:
            raise Refused(f"has {len(written):,} characters; at most {characters} are allowed")
        return written

    return read


def image_name(value: Value) -> str:
    """An image name as accepted by FROM."""
    written = scalar(value, "write the name of an image, such as python:3.11-slim")
    try:
        ImageName.read(written)
    except ImageNameError as error:
        raise Refused(f"is refused: {error}; write a name such as python:3.11-slim") from None
    return written


def boolean(value: Value) -> bool:
    written = scalar(value, "write true or false").lower()
    if written in {"true", "yes", "on", "1"}:
        return True
    if written in {"false", "no", "off", "0"}:
        return False
    raise Refused(f"{value.found}; write true or false")


def integer(minimum: int, maximum: int) -> Callable[[Value], int]:
    def read(value: Value) -> int:
        allowed = f"write a whole number from {minimum:,} to {maximum:,}"
        written = scalar(value, allowed)
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", written):
            raise Refused(f"{value.found}; {allowed}")
        if not minimum <= int(written) <= maximum:
            raise Refused(f"{value.found}, which is out of range; {allowed}")
        return int(written)

    return read


def choice(*options: str) -> Callable[[Value], str]:
    allowed = options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"

    def read(value: Value) -> str:
        written = scalar(value, f"write {allowed}")
        if written in options:
            return written
        raise Refused(f"{value.found}; write {allowed}{suggestion(written, options)}")

    return read

"""Readers of the values in the configuration, from the text of a variable or a value in palio.toml."""

import ipaddress
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from palio.core.dockerfile.substitutes import Substitutes, read_substitutes, read_words
from palio.core.engine import PROPERTIES
from palio.engines.named import NamedEngines, read_named_engines

Reader: TypeAlias = Callable[[object], object]

SECRET_CHARACTERS = 50
_TRUE, _FALSE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off"}


class ValueRefusedError(ValueError):
    """The message says what is allowed. It does not repeat the value, which may be a secret."""


class UnfitTableError(ValueRefusedError):
    """A table with problems, each a sentence."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("")
        self.problems = problems


def text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueRefusedError("non-empty text")
    if "\0" in value or "\n" in value.strip():
        raise ValueRefusedError("a single line of text")
    return value.strip()


def path(value: object) -> Path:
    return Path(text(value)).expanduser().absolute()


def flag(value: object) -> bool:
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueRefusedError("`true` or `false`")
    return word in _TRUE


def number(least: float, most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        try:
            found = float(str(value))
        except ValueError:
            found = math.nan
        if isinstance(value, bool) or not least <= found <= most:
            raise ValueRefusedError(f"a number from {least:g} to {most:g}")
        return found

    return read


def whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        try:
            found = number(least, most)(value)
        except ValueRefusedError:
            found = math.nan
        if not found.is_integer():
            raise ValueRefusedError(f"a whole number from {least} to {most}")
        return int(found)

    return read


def images(value: object) -> Substitutes:
    """Reads substitutes for images: the table [images], or OLD=NEW,OLD=NEW. Raises UnfitTableError."""
    found, problems = read_substitutes(value) if isinstance(value, dict) else read_words(str(value))
    if problems:
        raise UnfitTableError(problems)
    return found


def named_engines(value: object) -> NamedEngines:
    """Reads the tables [engines.NAME], or a JSON object. Raises UnfitTableError."""
    found, problems = read_named_engines(value)
    if problems:
        raise UnfitTableError(problems)
    return found


def names(value: object) -> tuple[str, ...]:
    """Reads host names."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueRefusedError("host names (in the environment, separated by commas)")
    found = tuple(part.strip() for part in parts if part.strip())
    if any("/" in name or " " in name for name in found):
        raise ValueRefusedError("host names without http:// and path")
    return found


def properties(value: object) -> tuple[str, ...]:
    """Reads properties of the isolation contract by name."""
    parts = value.split(",") if isinstance(value, str) else value
    found = tuple(str(part).strip() for part in parts) if isinstance(parts, list) else None
    if found is None or any(each not in PROPERTIES for each in filter(None, found)):
        raise ValueRefusedError(f"some of {', '.join(f'`{each}`' for each in PROPERTIES)}, by name")
    return tuple(filter(None, found))


def one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            raise ValueRefusedError(" or ".join(f"`{word}`" for word in words))
        return str(value)

    return read


def url(value: object) -> str:
    """Reads an address without path, query or password."""
    parts = _split(value, {"http", "https"})
    if parts is None or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueRefusedError("an address such as https://palio.example.org, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def issuer(value: object) -> str:
    """Reads the address of an identity provider, which often has a path."""
    parts = _split(value, {"http", "https"})
    if parts is None or parts.username:
        raise ValueRefusedError("an address that starts with https://")
    return parts.geturl().rstrip("/")


def database(value: object) -> str:
    parts = _split(value, {"postgresql", "postgres"}, host=False)
    if parts is None or not parts.path.strip("/"):
        raise ValueRefusedError("postgresql://user:password@host/name, or leave it out for SQLite")
    return parts.geturl()


def store(value: object) -> str:
    """Reads the address of a bucket, without credentials, which come from the environment's usual variables."""
    parts = _split(value, {"s3", "az", "gs"})
    if parts is None or parts.username or parts.password or parts.port or parts.query or parts.fragment:
        raise ValueRefusedError(
            "s3://bucket/prefix, az://container/prefix or gs://bucket/prefix, without credentials; or leave it out"
        )
    return parts.geturl().rstrip("/")


def mail(value: object) -> str:
    parts = _split(value, {"smtp", "smtps"})
    if parts is None:
        raise ValueRefusedError("smtp://user:password@host:587, or smtps:// with port 465")
    return parts.geturl()


def secret(value: object) -> str:
    if not isinstance(value, str) or len(value.strip()) < SECRET_CHARACTERS or len(set(value)) < 5:
        raise ValueRefusedError(f"at least {SECRET_CHARACTERS} random characters")
    return value.strip()


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's loopback."""
    bare = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")


def _split(value: object, schemes: set[str], *, host: bool = True) -> SplitResult | None:
    try:
        parts = urlsplit(text(value))
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in schemes and (parts.hostname or not host) else None

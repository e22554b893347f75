"""Parses a receipt from an untrusted file. Only its shape is checked here; `verify` checks what it is worth."""

import json
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from palio.core.attempt.run_folder import json_text
from palio.core.errors import PalioError
from palio.core.files.staging import reading
from palio.core.files.untrusted import UnreadableFileError, read_untrusted
from palio.core.receipt.difference import NOTHING, Difference
from palio.core.receipt.key import is_signed
from palio.core.receipt.statement import FORMAT, NAME, canonical

LIMIT_BYTES = 4 * 1024**2

# Lowercase digits only: other code would treat 0A like 0a, so a changed byte would go unnoticed.
_Hex32 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Hex64 = Annotated[str, Field(pattern="^[0-9a-f]{128}$")]


class Statement(BaseModel, strict=True, extra="forbid"):
    format: Literal["palio-receipt/1"]
    attempt: str
    lock: dict[str, Any] | None
    result: dict[str, Any]
    predictions: _Hex32 | None
    scores: _Hex32 | None
    records: dict[str, _Hex32]


class Signature(BaseModel, strict=True, extra="forbid"):
    algorithm: Literal["Ed25519"]
    public_key: _Hex32
    fingerprint: _Hex32
    value: _Hex64


class _Document(BaseModel, strict=True, extra="forbid"):
    statement: Statement
    signature: Signature


@dataclass(frozen=True)
class Receipt:
    """A receipt as read from a file. `message` is the text that its signature must cover.

    `respelled` is the first line that is not formatted as Palio writes it, even if it means the same: other spaces,
    another spelling of a number, a duplicate key.
    """

    path: Path
    statement: Statement
    signature: Signature
    message: bytes
    respelled: Difference | None

    @property
    def genuine(self) -> bool:
        """Whether the key that it names has signed its statement. Whose key that is, is another question."""
        return is_signed(self.message, self.signature.value, self.signature.public_key)


def read_receipt(path: Path) -> Receipt:
    """Reads the receipt in a file or run folder.

    Raises PalioError "receipt-missing", "receipt-invalid" or "source-unreadable".
    """
    if path.is_dir():
        path = path / NAME
        if not path.exists():
            raise PalioError("receipt-missing", path=path.parent)
    try:
        with reading(path):
            text = read_untrusted(path, LIMIT_BYTES, encoding="utf-8")
        content = json.loads(text, parse_constant=_refuse)
        message = canonical(content["statement"]) if isinstance(content, dict) and "statement" in content else b""
        document = _Document.model_validate(content)
    except UnreadableFileError as error:
        raise _invalid(path, [f"the file {error}"]) from error
    except ValidationError as error:
        raise _invalid(path, [_sentence(problem["loc"], problem["msg"]) for problem in error.errors()]) from error
    except json.JSONDecodeError as error:
        raise _invalid(path, [f"line {error.lineno}, column {error.colno}: {error.msg}"]) from error
    except (ValueError, RecursionError) as error:  # endless numbers or nesting
        raise _invalid(path, [str(error)]) from error
    return Receipt(path, document.statement, document.signature, message, _respelled(text, json_text(content)))


def _respelled(text: str, written: str) -> Difference | None:
    lines = zip_longest(written.split("\n"), text.split("\n"), fillvalue=NOTHING)
    for number, (expected, found) in enumerate(lines, start=1):
        if expected != found:
            return Difference(f"{NAME}: line {number}", expected, found)
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, location)) or 'the file'}: {message}"


def _invalid(path: Path, problems: list[str]) -> PalioError:
    return PalioError("receipt-invalid", path=path, format=FORMAT, evidence=problems)

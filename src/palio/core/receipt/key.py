"""The machine's key, with which it signs its receipts: Ed25519, made at first use.

Covered: two processes that need the first key at once get the same one; the file is whole or not there, readable by its
owner alone from the first moment, and refused if others have been given the right to read it, since what it signs could
then be theirs. Not covered: a copy that the owner gives away, and a file system that keeps no rights.
"""

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core.errors import PalioError
from palio.core.files.staging import why
from palio.core.files.user_folder import DATA, NoHomeFolderError, own_folder

# `cryptography` takes longer to import than most commands take to run: only inside the functions that need it.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "Ed25519"
FILE = "receipt-key.pem"
_OTHERS = 0o077


def key_path() -> Path:
    """In $PALIO_HOME, else in $XDG_DATA_HOME/palio, else in ~/.local/share/palio."""
    try:
        return own_folder(DATA) / FILE
    except NoHomeFolderError as error:
        raise PalioError("receipt-key-unusable", path=f"~/{FILE}", reason=error.reason) from None


def machine_key() -> "Ed25519PrivateKey":
    """This machine's key; the first call makes it. Raises PalioError "receipt-key-unusable" or "-exposed"."""
    path = key_path()
    try:
        if not path.exists():
            _make(path)
        return _load(path)
    except OSError as error:
        raise PalioError("receipt-key-unusable", path=path, reason=why(error)) from error


def machine_public_key() -> str | None:
    """What this machine's receipts are checked with; None where none has been signed yet, and no key is made."""
    return public_key(machine_key()) if key_path().exists() else None


def public_key(key: "Ed25519PrivateKey") -> str:
    return key.public_key().public_bytes_raw().hex()


def fingerprint(public: str) -> str:
    """The SHA-256 of a public key's 32 bytes, for people to compare."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()


def sign(message: bytes, key: "Ed25519PrivateKey") -> dict[str, str]:
    public = public_key(key)
    return {
        "algorithm": ALGORITHM,
        "public_key": public,
        "fingerprint": fingerprint(public),
        "value": key.sign(message).hex(),
    }


def is_signed(message: bytes, value: str, public: str) -> bool:
    """Whether the holder of the key has signed exactly this message. Both are given in hexadecimal digits."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(value), message)
    except (InvalidSignature, ValueError):  # ValueError: no point of the curve
        return False
    return True


def parse_public_key(text: str) -> str:
    """A public key as receipts have it (64 hexadecimal digits), from that or from PEM. Raises ValueError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    text = text.strip()
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_pem_public_key(text.encode())
        if isinstance(key, Ed25519PublicKey):
            return key.public_bytes_raw().hex()
    raise ValueError("neither 64 hexadecimal digits nor an Ed25519 public key in PEM")


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, nascent = tempfile.mkstemp(prefix=f".{FILE}-", dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process was faster, and its key is the one
            os.link(nascent, path)
    finally:
        os.unlink(nascent)  # noqa: PTH108


def _load(path: Path) -> "Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise PalioError("receipt-key-exposed", path=path)
        content = file.read()
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise PalioError("receipt-key-unusable", path=path, reason="it holds no Ed25519 private key in PEM")
    return key

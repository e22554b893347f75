"""The machine's Ed25519 key for signing receipts, created on first use.

Covered: two processes that need the first key at the same time get the same one; the file is complete or absent,
readable only by its owner from the start, and refused if others have read permission, since they could sign with it.
Not covered: a copy that the owner gives away, and file systems without permissions.
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

# Importing `cryptography` takes longer than most commands run, so functions import it when they need it.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "Ed25519"
FILE = "receipt-key.pem"
_OTHERS = 0o077


def key_path() -> Path:
    """In $PALIO_HOME, else $XDG_DATA_HOME/palio, else ~/.local/share/palio."""
    try:
        return own_folder(DATA) / FILE
    except NoHomeFolderError as error:
        raise PalioError("receipt-key-unusable", path=f"~/{FILE}", reason=error.reason) from None


def machine_key() -> "Ed25519PrivateKey":
    """Returns this machine's key, creating it on the first call. Raises PalioError "receipt-key-unusable" or
    "-exposed".
    """
    path = key_path()
    try:
        if not path.exists():
            _create(path)
        return _load(path)
    except OSError as error:
        raise PalioError("receipt-key-unusable", path=path, reason=why(error)) from error


def machine_public_key() -> str | None:
    """The public key for this machine's receipts, or None if it has no key yet. Never creates one."""
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
    """Whether the key's holder has signed exactly this message. `value` and `public` are in hex."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(value), message)
    except (InvalidSignature, ValueError):  # ValueError: not a point on the curve
        return False
    return True


def parse_public_key(text: str) -> str:
    """Parses a public key from 64 hex digits or PEM into 64 hex digits. Raises ValueError."""
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
    raise ValueError("neither 64 hex digits nor an Ed25519 public key in PEM")


def _create(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, temporary = tempfile.mkstemp(prefix=f".{FILE}-", dir=path.parent)  # readable only by its owner
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process was faster, so its key is used
            os.link(temporary, path)
    finally:
        os.unlink(temporary)  # noqa: PTH108


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
        raise PalioError("receipt-key-unusable", path=path, reason="it is not an Ed25519 private key in PEM")
    return key

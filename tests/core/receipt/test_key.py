import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from palio.core.errors import PalioError
from palio.core.receipt.key import (
    fingerprint,
    is_signed,
    key_path,
    machine_key,
    machine_public_key,
    parse_public_key,
    public_key,
    sign,
)

PRINT_KEY_WHEN_TOLD = """
import sys
import cryptography.hazmat.primitives.asymmetric.ed25519
from palio.core.receipt.key import machine_key, public_key
print("ready")
sys.stdin.read()
print(public_key(machine_key()))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the machine's key is kept; nothing is there yet."""
    monkeypatch.setenv("PALIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PALIO_HOME": "/p", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/p/receipt-key.pem"),
        ({"PALIO_HOME": "", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/palio/receipt-key.pem"),
        ({"PALIO_HOME": "", "XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/palio/receipt-key.pem"),
        ({"PALIO_HOME": "", "XDG_DATA_HOME": "", "HOME": "/h"}, "/h/.local/share/palio/receipt-key.pem"),
    ],
)
def test_key_path(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(key_path()) == expected


def test_machine_key_created_once(home: Path) -> None:
    assert machine_public_key() is None
    assert not home.exists()
    first = public_key(machine_key())
    assert (public_key(machine_key()), machine_public_key()) == (first, first)
    assert [(path.name, oct(path.stat().st_mode)) for path in home.iterdir()] == [("receipt-key.pem", "0o100600")]
    assert oct(home.stat().st_mode) == "0o40700"


def test_machine_key_concurrent(home: Path) -> None:
    command = [sys.executable, "-u", "-c", PRINT_KEY_WHEN_TOLD]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    keys = {process.communicate(timeout=60)[0] for process in processes}
    assert keys == {f"{machine_public_key()}\n"}
    assert [path.name for path in home.iterdir()] == ["receipt-key.pem"]


def test_machine_key_that_others_may_read(home: Path) -> None:
    machine_key()
    key_path().chmod(0o640)
    with pytest.raises(PalioError, match="Other users can read") as caught:
        machine_key()
    assert (caught.value.failure.code, caught.value.exit_code) == ("receipt-key-exposed", 12)
    assert f"chmod 600 {home / 'receipt-key.pem'}" in caught.value.failure.next_step


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_machine_key_damaged(home: Path, content: bytes) -> None:
    machine_key()
    key_path().write_bytes(content)
    with pytest.raises(PalioError, match="it is not an Ed25519 private key in PEM"):
        machine_key()


def test_machine_key_of_another_kind(home: Path) -> None:
    machine_key()
    other = generate_private_key(SECP256R1())
    key_path().write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(PalioError, match="it is not an Ed25519 private key in PEM"):
        machine_key()


def test_machine_key_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PALIO_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(PalioError, match="cannot be used as this machine's key: not a directory") as caught:
        machine_key()
    assert caught.value.failure.code == "receipt-key-unusable"


def test_sign() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signature = sign(b"what is said", key)
    public = signature["public_key"]
    assert signature == {
        "algorithm": "Ed25519",
        "public_key": "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
        "fingerprint": fingerprint(public),
        "value": key.sign(b"what is said").hex(),
    }
    assert is_signed(b"what is said", signature["value"], public)
    assert not is_signed(b"what is not", signature["value"], public)
    assert not is_signed(b"what is said", signature["value"], public_key(Ed25519PrivateKey.generate()))
    assert not is_signed(b"what is said", signature["value"], "f" * 64)


def test_parse_public_key() -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    digits = public_key(key)
    assert {parse_public_key(text) for text in (digits, f" {digits.upper()}\n", pem)} == {digits}


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_parse_public_key_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="neither 64 hex digits nor"):
        parse_public_key(text)


def test_parse_public_key_of_another_kind() -> None:
    other = generate_private_key(SECP256R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="neither 64 hex digits nor"):
        parse_public_key(pem)

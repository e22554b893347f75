"""The command line at a platform whose certificate is not from one of the authorities that everybody trusts."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from palio.client.connection import Connection
from palio.core.errors import Cause, PalioError


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b'{"a":1}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class QuietServer(HTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Of clients that hang up on a certificate."""


def certificate(home: Path, name: str = "localhost", *, days: int = 1) -> Path:
    """One that has signed itself, with its key, ending in so many days."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(end - timedelta(days=30))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    path = home / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@contextmanager
def serving(pem: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with QuietServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _trusts_what_it_comes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)


def refused(url: str) -> PalioError:
    with pytest.raises(PalioError) as error:
        Connection(url, pauses_s=()).get("/me")
    return error.value


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificate_of_named_file(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv(variable, str(pem))
    with serving(pem) as url:
        assert Connection(url).get("/me") == {"a": 1}


@pytest.mark.parametrize(
    ("name", "days", "is_trusted", "reason"),
    [
        ("localhost", 1, False, "it is not signed by an authority that this machine trusts"),
        ("localhost", -1, True, "it has expired"),
        ("palio.example.org", 1, True, "it is for another host name"),
    ],
)
def test_certificate_untrusted(
    name: str, days: int, is_trusted: bool, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, name, days=days)
    if is_trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with serving(pem) as url:
        error = refused(url)
    assert (error.failure.code, error.exit_code) == ("certificate-refused", 12)
    assert error.failure.message == (
        f"This machine does not trust the certificate of {url}: {reason}. Nothing was sent."
    )
    assert "set REQUESTS_CA_BUNDLE to its path" in error.failure.next_step


def test_certificate_untrusted_not_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    monkeypatch.setattr("palio.client.connection.time.sleep", slept.append)
    with serving(certificate(tmp_path)) as url, pytest.raises(PalioError):
        Connection(url, pauses_s=(1.0, 1.0)).get("/me")
    assert slept == []


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "the file does not exist"), ("no certificate\n", "it has no certificates")]
)
def test_certificate_file_invalid(
    content: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with serving(certificate(tmp_path)) as url:
        failure = refused(url).failure
    assert (failure.code, failure.cause) == ("certificates-unreadable", Cause.USAGE)
    assert (
        failure.message
        == f"REQUESTS_CA_BUNDLE is set to {path}, which cannot be used as trusted certificates: {reason}."
    )

"""A client of one registry, by the distribution specification of the OCI: reads images, and deletes manifests.

Covered: tokens and passwords, which are only sent over https or to hosts that the operator has opened, and not along
with a redirect to another host; redirects, each judged like the first address; answers that are larger or other than
what their digest says; compression that would make them larger. Not covered: signatures.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from palio.core.errors import PalioError
from palio.core.quantities import KIB, MIB, size_text
from palio.engines.sources.accounts import Credential
from palio.engines.sources.hosts import OpenHosts
from palio.engines.sources.outbound import PublicOnly

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MAX_DOCUMENT_BYTES = 4 * MIB
_PIECE_BYTES = 256 * KIB
_TIMEOUTS_S = (10.0, 30.0)  # to connect, and between two pieces
_REDIRECTS = 5
_HUB, _HUB_API = "docker.io", "registry-1.docker.io"
_PAIRS = re.compile(r'(\w+)="([^"]*)"')
_TOKEN_BYTES = 64 * KIB


class UnreachableError(Exception):
    """A server did not answer, or not as a server of its kind does. Who has to act depends on when that is."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host, self.reason = host, reason


@dataclass(frozen=True)
class Document:
    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


class Registry:
    """A connection to a registry for one image. `image` is how messages call it."""

    def __init__(
        self, registry: str, path: str, image: str, credential: Credential | None, *, hosts: OpenHosts, time_s: float
    ) -> None:
        self._host = _HUB_API if registry == _HUB else registry
        self._path, self._image, self._credential = path, image, credential
        self._hosts = hosts
        self._time_s = time_s
        self._authorization = ""
        self._stack = ExitStack()
        self._outbound: PublicOnly | None = None
        self._session = requests.Session()
        self._session.trust_env = False  # neither ~/.netrc nor proxies
        self._session.headers["User-Agent"] = "palio"
        ca = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        self._session.verify = ca or True

    def __enter__(self) -> Self:
        self._stack.enter_context(self._session)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def manifest(self, version: str) -> Document:
        """The manifest or index of a tag or digest. Raises PalioError, and UnreachableError."""
        accept = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
        with self._asked(f"manifests/{version}", "reference-not-found", accept) as response:
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            document = Document(self._read(response, MAX_DOCUMENT_BYTES), media_type)
        if version.startswith("sha256:") and document.digest != version:
            reason = f"a manifest with the digest {document.digest}"
            raise PalioError("reference-digest-differs", image=self._image, reason=reason)
        return document

    def config(self, digest: str, size_bytes: int) -> bytes:
        """A small blob. Raises PalioError, and UnreachableError."""
        if size_bytes > MAX_DOCUMENT_BYTES:
            raise PalioError(
                "reference-incomplete",
                image=self._image,
                reason=f"its configuration is larger than {size_text(MAX_DOCUMENT_BYTES)}",
            )
        return b"".join(self.blob(digest, size_bytes))

    def blob(self, digest: str, size_bytes: int) -> Iterator[bytes]:
        """Yields a blob in pieces, which are only known to be right at the end.

        Raises PalioError if it is missing, larger or other than its digest says, and UnreachableError.
        """
        found, left = hashlib.sha256(), size_bytes
        with self._asked(f"blobs/{digest}", "reference-incomplete", "*/*") as response:
            for piece in self._pieces(response):
                left -= len(piece)
                if left < 0:
                    break
                found.update(piece)
                yield piece
        if left > 0:
            raise UnreachableError(self._host, "the connection ended in the middle of a layer")
        if left < 0 or f"sha256:{found.hexdigest()}" != digest:
            reason = f"a part that does not have the digest {digest}"
            raise PalioError("reference-digest-differs", image=self._image, reason=reason)

    def delete(self, digest: str) -> bool:
        """Deletes a manifest; False if the registry no longer has it. Raises PalioError, and UnreachableError."""
        with self._answered(f"manifests/{digest}", "*/*", "DELETE") as response:
            if response.status_code == requests.codes.not_found:
                return False
            if response.status_code not in (requests.codes.ok, requests.codes.accepted):
                self._refuse(response, "", "reference-not-found")
            return True

    # -- requests

    @contextmanager
    def _asked(self, what: str, missing: str, accept: str) -> Iterator[requests.Response]:
        with self._answered(what, accept) as response:
            self._refuse(response, what, missing)
            yield response

    @contextmanager
    def _answered(self, what: str, accept: str, method: str = "GET") -> Iterator[requests.Response]:
        scheme = self._hosts.scheme_of(self._host) or "https"
        url = f"{scheme}://{self._host}/v2/{self._path}/{what}"
        response = self._get(url, accept, self._authorization, method)
        if response.status_code == requests.codes.unauthorized and not self._authorization:
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            if authorization := self._authorize(challenge):
                self._authorization = authorization
                response = self._get(url, accept, authorization, method)
        with response:
            yield response

    def _refuse(self, response: requests.Response, what: str, missing: str) -> None:
        host, status = urlsplit(response.url).netloc, response.status_code
        if status == requests.codes.ok:
            return
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise PalioError("registry-unauthorized", image=self._image)
        if status == requests.codes.not_found:
            raise PalioError(missing, image=self._image, reason=f"{what.replace('blobs/', '')} is missing")
        if status == requests.codes.too_many_requests:
            raise PalioError("registry-limit", host=host, reason=f"it answered with status {status}")
        raise UnreachableError(host, f"it answered with status {status}")

    def _authorize(self, challenge: str) -> str:
        """The header for a challenge; empty where the registry offers no way that is known here."""
        kind, values = challenge.partition(" ")[0].lower(), dict(_PAIRS.findall(challenge))
        if kind == "basic" and self._credential is not None:
            return _basic(self._credential)
        if kind != "bearer" or "realm" not in values:
            return ""
        asked = {"scope": values.get("scope", f"repository:{self._path}:pull")}
        asked |= {"service": values["service"]} if "service" in values else {}
        query = requests.models.PreparedRequest()
        query.prepare_url(values["realm"], asked)
        basic = _basic(self._credential) if self._credential is not None else ""
        with self._get(str(query.url), "application/json", basic) as response:
            if response.status_code in (400, 401, 403):
                raise PalioError("registry-unauthorized", image=self._image)
            self._refuse(response, "", "registry-unauthorized")
            host = urlsplit(response.url).netloc
            try:
                content = json.loads(self._read(response, _TOKEN_BYTES))
                token = content.get("token") or content["access_token"]
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UnreachableError(host, "it sent no token") from None
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise UnreachableError(host, "it sent no usable token")
        return f"Bearer {token}"

    def _get(self, url: str, accept: str, authorization: str, method: str = "GET") -> requests.Response:
        for _ in range(_REDIRECTS + 1):
            host = urlsplit(url).netloc
            if fault := self._hosts.fault_of(url):
                raise PalioError("source-refused", host=host.rpartition("@")[2] or "this address", reason=fault)
            headers = {"Accept": accept, "Accept-Encoding": "identity"}
            if authorization:
                headers["Authorization"] = authorization
            with self._named(host):
                response = self._session.request(
                    method,
                    url,
                    headers=headers,
                    stream=True,
                    allow_redirects=False,
                    timeout=_TIMEOUTS_S,
                    proxies={} if self._hosts.scheme_of(host) else {"https": self._proxy()},
                )
            if not response.is_redirect:
                return response
            response.close()
            url = urljoin(url, response.headers["Location"])
            if urlsplit(url).netloc != host:
                authorization = ""
        raise UnreachableError(host, "it redirects again and again")

    def _proxy(self) -> str:
        if self._outbound is None:
            self._outbound = self._stack.enter_context(PublicOnly(self._time_s))
        return self._outbound.url

    def _read(self, response: requests.Response, most: int) -> bytes:
        content = bytearray()
        for piece in self._pieces(response):
            content += piece
            if len(content) > most:
                host = urlsplit(response.url).netloc
                raise UnreachableError(host, f"it sent more than {size_text(most)} where a document belongs")
        return bytes(content)

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        with self._named(urlsplit(response.url).netloc):
            yield from response.raw.stream(_PIECE_BYTES, decode_content=False)

    @contextmanager
    def _named(self, host: str) -> Iterator[None]:
        try:
            yield
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            name = host.partition(":")[0]
            if self._outbound is not None:
                if refusal := self._outbound.refusals.get(name):
                    raise PalioError("source-refused", host=host, reason=refusal) from None
                if self._outbound.is_over:
                    raise UnreachableError(host, f"it took longer than {self._time_s:g} s") from None
                error = self._outbound.failures.get(name, error)
            raise UnreachableError(host, reason_of(error)) from None


def reason_of(error: BaseException) -> str:
    """Why a connection failed, as a clause without addresses of this machine's network."""
    text = str(error)
    if "Name or service not known" in text or "name resolution" in text or "No address associated" in text:
        return "no server has this name"
    if isinstance(error, requests.exceptions.SSLError) or "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not valid" if "CERTIFICATE" in text.upper() else "it does not speak TLS"
    if isinstance(error, TimeoutError | requests.Timeout) or "timed out" in text:
        return "it does not answer"
    if "refused" in text.lower():
        return "it refuses connections"
    return "the connection failed"


def _basic(credential: Credential) -> str:
    request = requests.models.PreparedRequest()
    request.prepare_headers({})
    with suppress(UnicodeError):
        requests.auth.HTTPBasicAuth(credential.username.encode(), credential.secret.encode())(request)
    return str(request.headers.get("Authorization", ""))


def parsed(content: bytes) -> Any:
    """A document's JSON. Raises ValueError."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None

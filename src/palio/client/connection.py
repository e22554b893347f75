"""Requests to one platform's API with one user's token, retried where that is safe.

Requests that can be repeated without harm (reading, sending a chunk, creating something with a key) are retried with
growing pauses when the connection drops, when the platform restarts, or when it asks to come back later. An error that
the platform answers with becomes the same PalioError here.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import requests

from palio import __version__
from palio.client.certificates import certificate_fault
from palio.core.errors import Failure, PalioError

API = "/api/v1"
PAUSES_S = (0.2, 0.5, 1, 2, 4, 8, 15, 30)  # a minute in all: time for a platform to restart
_CONNECT_S, _ANSWER_S = 10, 120
_LATER = {423, 429, 502, 503, 504}
_BUSY_S = 3600.0  # how long to wait behind other uploads
_IN_PROGRESS = {"request-in-progress"}  # answered with 409 while the first request runs


class Body(Protocol):
    """A request body that is sent as it is read, and read again from its beginning for a retry."""

    def __len__(self) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def rewind(self) -> None: ...


def new_key() -> str:
    """A key for one creation: a retry with the same key creates nothing a second time."""
    return secrets.token_hex(16)


class Connection:
    """Raises PalioError "server-unreachable", "server-unreadable", "certificate-refused", "certificates-unreadable",
    and the errors that the platform answers with."""

    def __init__(self, url: str, token: str | None = None, *, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        self.url = url.rstrip("/")
        self._token, self._pauses_s = token, pauses_s
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"palio/{__version__}"
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **parameters: object) -> Any:
        """The JSON that is there; parameters that are None are left out, and lists are given one by one."""
        given = {
            name: [str(each) for each in value] if isinstance(value, list) else str(value)
            for name, value in parameters.items()
            if value is not None
        }
        return _json(self._ask("GET", path, again=True, params=given), self.url)

    def get_text(self, path: str) -> str:
        return self._ask("GET", path, again=True).text

    def all_of(self, path: str, **parameters: object) -> Iterator[Any]:
        """Every item of a list that comes in pages."""
        offset = 0
        while True:
            page = self.get(path, **parameters, limit=100, offset=offset)
            yield from page["items"]
            offset += len(page["items"])
            if not page["items"] or offset >= page["count"]:
                return

    def post(self, path: str, content: object = None, *, key: str | None = None, again: bool = False) -> Any:
        """`key` makes a creation safe to ask for again; `again` says that it is so by itself."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self._ask("POST", path, again=again or key is not None, json=content or {}, headers=headers)
        return _json(answer, self.url)

    def delete(self, path: str) -> Any:
        """Safe to repeat: what is gone stays gone."""
        return _json(self._ask("DELETE", path, again=True), self.url)

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: Body | None = None
    ) -> Mapping[str, str]:
        """Sends a request of the tus protocol, which is safe to repeat; returns the headers of the response."""
        before = body.rewind if body else None
        return self._ask(method, path, again=True, data=body, headers=headers, before=before).headers

    def send(self, path: str, body: Body, content_type: str, **parameters: object) -> Any:
        """Posts bytes as they are read, to what may be asked twice without doing harm."""
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        headers = {"Content-Type": content_type}
        answer = self._ask("POST", path, again=True, data=body, headers=headers, params=given, before=body.rewind)
        return _json(answer, self.url)

    def download(self, path: str, write: Callable[[bytes], object]) -> None:
        with self._ask("GET", path, again=True, stream=True) as answer:
            for block in answer.iter_content(1 << 20):
                write(block)

    def _ask(
        self, method: str, path: str, *, again: bool, before: Callable[[], None] | None = None, **arguments: Any
    ) -> requests.Response:
        pauses = iter(self._pauses_s if again else ())
        busy_until = time.monotonic() + _BUSY_S
        while True:
            if before:
                before()
            try:
                answer = self._session.request(
                    method,
                    f"{self.url}{API}{path}",
                    timeout=(_CONNECT_S, _ANSWER_S),
                    allow_redirects=False,
                    **arguments,
                )
            except OSError as error:  # those of `requests` are too; what else there is came from reading files
                if fault := certificate_fault(error, self.url):
                    raise fault from error
                if not isinstance(error, requests.RequestException):
                    raise
                if (pause := next(pauses, None)) is None or not isinstance(error, _DROPPED):
                    raise PalioError("server-unreachable", url=self.url, reason=_reason(error)) from error
            else:
                if answer.ok and not answer.is_redirect:
                    return answer
                is_busy = again and _code(answer) == "uploads-busy" and time.monotonic() < busy_until
                pause = 1.0 if is_busy else next(pauses, None)
                if pause is None or not _comes_later(answer):
                    raise refusal(answer, self.url)
                pause = max(pause, _asked_pause(answer))
            time.sleep(pause)


_DROPPED = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def refusal(answer: requests.Response, url: str) -> PalioError:
    """The platform's own error; "server-unreadable" where no platform answered, but a proxy or another site."""
    try:
        return PalioError.of(Failure.from_body(answer.json()))
    except (ValueError, KeyError, TypeError):
        reason = f"it responded with status {answer.status_code}"
        if answer.is_redirect:
            reason += f" and redirects to {answer.headers.get('Location', 'another address')}"
        return PalioError("server-unreadable", url=url, reason=reason)


def _comes_later(answer: requests.Response) -> bool:
    return answer.status_code in _LATER or (answer.status_code == 409 and _code(answer) in _IN_PROGRESS)


def _code(answer: requests.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _asked_pause(answer: requests.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isdecimal() else 0.0


def _json(answer: requests.Response, url: str) -> Any:
    if answer.status_code == 204:
        return None
    try:
        return answer.json()
    except ValueError:
        reason = "its response is not JSON"
        raise PalioError("server-unreadable", url=url, reason=reason) from None


def _reason(error: requests.RequestException) -> str:
    """The innermost cause, which is the part that a person can use."""
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS handshake failed"
    if isinstance(error, requests.Timeout):
        return "it did not respond in time"
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return "the address is not valid"
    text = str(error).lower()
    for sign, words in _SIGNS.items():
        if sign in text:
            return words
    return "the connection was closed"


_SIGNS = {
    "name or service not known": "the host name is unknown",
    "name resolution": "the host name is unknown",
    "connection refused": "nothing is listening there",
    "network is unreachable": "the network is unreachable",
    "no route to host": "there is no route to that host",
    "no connection adapters": "the address must start with http:// or https://",
}

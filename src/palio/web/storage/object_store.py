"""Submitted files in a bucket: S3, Azure Blob Storage or Google Cloud Storage, through obstore.

    <prefix>/ab/abcd...     a file, under its SHA-256

Credentials come from the variables that each service documents, and are neither logged nor shown: obstore's own
messages are not repeated, because an address may be signed. A file is created, never replaced: small ones by a
conditional put; large ones by a multipart upload, which appears as a whole, after a look at whether the name is taken
(no service offers both). Two processes that upload the same name at the same time write the same bytes, since each
digests what it sends. What is read is digested too. Files are sent and read in blocks, so memory does not grow with
their size.

Covered: a service that is unreachable, slow or refuses; content that was changed or cut off; a process killed at any
moment, which leaves at most parts of an upload, that nobody sees: let the bucket delete these after a day. Not covered:
others who write to the bucket under names of this store, except that reading finds what they changed.

Do not use a store before a fork: obstore's threads do not survive it.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.errors import PalioError
from palio.core.files.staging import writing
from palio.core.quantities import GIB, MIB
from palio.web.storage.files import DIGEST, Listed

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

PART_BYTES = 8 * MIB  # of an upload, and of a conditional put at most
READ_BYTES = 8 * MIB
_MOST_PARTS = 9000  # S3 allows 10,000
_AT_ONCE = 2  # parts of one upload on their way
_CONNECT_S, _REQUEST_S, _RETRIES_S = 5, 120, 20
_CHECK = Bounds(time_s=60.0, memory_bytes=256 * GIB)  # of address space, which the threads reserve
_TRIAL = ".palio-check"
_CODE = re.compile(r"<Code>(\w{1,60})</Code>|\"reason\": \"(\w{1,60})\"")
_STATUS = re.compile(r"status code: (\d{3}(?: [A-Za-z ]{1,40})?)")
_SERVICES = {
    "s3": (
        "S3",
        ("AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION; AWS_ENDPOINT_URL, unless the service is Amazon's",
    ),
    "az": (
        "Azure Blob Storage",
        ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or another credential of Azure",
    ),
    "gs": (
        "Google Cloud Storage",
        (),
        "GOOGLE_APPLICATION_CREDENTIALS, which names the file of a service account",
    ),
}


class ObjectStore:
    """See `files.FileStore`. `url` is like s3://bucket/prefix, az://container/prefix or gs://bucket/prefix."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._scheme = urlsplit(url).scheme
        try:
            import obstore
        except ImportError:
            raise PalioError(
                "package-missing", what=f"store_url = {url}", package="obstore", command="pip install 'palio[store]'"
            ) from None
        self._obstore = obstore

    @property
    def address(self) -> str:
        return self._url

    def has(self, sha256: str) -> bool:
        try:
            self._ask(lambda client: self._obstore.head(client, _name(sha256)))
        except FileNotFoundError:
            return False
        return True

    def keep(self, complete: Path, sha256: str) -> None:
        if self.has(sha256):
            return
        size_bytes = complete.stat().st_size
        part_bytes = max(PART_BYTES, -(-size_bytes // _MOST_PARTS))
        sent = _Sent(complete, sha256, part_bytes)
        put = partial(self._obstore.put, path=_name(sha256), chunk_size=part_bytes, max_concurrency=_AT_ONCE)
        try:
            if size_bytes <= PART_BYTES:
                self._create(_name(sha256), b"".join(sent.parts()))
            else:
                self._ask(lambda client: put(client, file=sent.parts()), passes=_ChangedError)
        except (_ChangedError, PalioError) as error:
            if not sent.has_changed:
                raise
            raise self._damaged(sha256, "the upload was changed before it was stored") from error

    def remove(self, sha256: str) -> None:
        try:
            self._ask(lambda client: self._obstore.delete(client, _name(sha256)))
        except FileNotFoundError:
            return

    def blocks(self, sha256: str) -> Iterator[bytes]:
        size_bytes = int(self._ask(lambda client: self._obstore.head(client, _name(sha256)))["size"])
        digest = hashlib.sha256()
        for start in range(0, size_bytes, READ_BYTES):
            block = self._range(sha256, start, min(start + READ_BYTES, size_bytes))
            digest.update(block)
            if start + len(block) < size_bytes:  # the last block waits for the digest
                yield block
        if digest.hexdigest() != sha256:
            raise self._damaged(sha256, "its content has another digest")
        yield block if size_bytes else b""

    def local(self, sha256: str, folder: Path) -> Path:
        """A file of an earlier call is used again."""
        place = folder / sha256
        if place.is_file():
            return place
        part = folder / f".{secrets.token_hex(8)}"
        with writing(place):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    for block in self.blocks(sha256):
                        file.write(block)
                part.chmod(0o444)
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)
        return place

    def listed(self) -> Iterator[Listed]:
        listing = self._ask(lambda client: self._obstore.list(client, chunk_size=1000))
        while (batch := self._ask(lambda _: next(listing, None))) is not None:
            for each in batch:
                name = each["path"].rpartition("/")[2]
                if DIGEST.fullmatch(name) and each["path"] == _name(name):
                    yield Listed(name, int(each["size"]), each["last_modified"])

    def check(self) -> None:
        """In a process of its own, so that it may be called before a fork."""
        try:
            call_bounded(_check, self._url, bounds=_CHECK)
        except BoundsError as error:
            raise self._unreachable(str(error)) from error

    def try_all(self) -> None:
        name, content = f"{_TRIAL}-{secrets.token_hex(8)}", b"palio"
        self._create(name, content)
        try:
            if self._create(name, b"other"):
                raise PalioError(
                    "store-refused",
                    store=self._url,
                    reason="it replaces a file although a conditional put must not",
                    next_step="Use a service that obeys `If-None-Match: *`, as S3, Azure and MinIO do.",
                )
            got = bytes(self._ask(lambda client: self._obstore.get_range(client, name, start=0, end=len(content))))
            if got != content:
                raise self._damaged(name, "it was read back with different content")
            self._ask(lambda client: next(self._obstore.list(client, chunk_size=10), None))
        finally:
            self._ask(lambda client: self._obstore.delete(client, name))

    # -- requests

    @cached_property
    def _client(self) -> "Client":
        """One for each process that uses it."""
        from obstore.store import from_url

        _, endpoints, needed = _SERVICES[self._scheme]
        options: dict[str, Any] = {
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=_REQUEST_S),
            "user_agent": "palio",
        }
        if any(os.environ.get(name, "").startswith("http://") for name in endpoints):
            options["allow_http"] = True  # which the operator has written there
        given: dict[str, Any] = {"checksum_algorithm": "SHA256"} if self._scheme == "s3" else {}
        retries: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=_RETRIES_S)}
        try:
            made: Any = from_url
            return made(self._url, client_options=options, retry_config=retries, **given)  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001 - of several kinds; their texts may quote a credential
            raise PalioError(
                "store-refused",
                store=self._url,
                reason="the environment does not say how to sign in, or a value there cannot be read",
                next_step=f"Set {needed}.",
            ) from None

    def _create(self, name: str, content: bytes) -> bool:
        """Whether it was created; False if the name is taken."""
        from obstore.exceptions import AlreadyExistsError

        try:
            self._ask(lambda client: self._obstore.put(client, name, content, mode="create"), passes=AlreadyExistsError)
        except AlreadyExistsError:
            return False
        return True

    def _range(self, sha256: str, start: int, end: int) -> bytes:
        block = self._ask(lambda client: self._obstore.get_range(client, _name(sha256), start=start, end=end))
        content = bytes(block)
        if len(content) != end - start:
            raise self._damaged(sha256, "it is shorter than it was")
        return content

    def _ask(self, request: Callable[["Client"], Any], *, passes: type[Exception] | tuple[()] = ()) -> Any:
        """The answer to a request. Raises PalioError, FileNotFoundError, or the exception that `passes` names."""
        from obstore.exceptions import BaseError

        try:
            client = self._client
            return request(client)
        except passes:
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
                raise self._refused("there is no such bucket or container") from None
            raise FileNotFoundError(f"The file is not in {self._url}") from None
        except (BaseError, PermissionError, TimeoutError, OSError) as error:
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> PalioError:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        text = str(error)
        status, code = _STATUS.search(text), _CODE.search(text)
        says = " ".join(filter(None, [status and status[1].strip(), code and f"({code[1] or code[2]})"]))
        is_refused = status is not None and status[1][:3] in ("401", "403")
        if is_refused or isinstance(error, (PermissionDeniedError, UnauthenticatedError, PermissionError)):
            return self._refused(f"it answers {says}" if says else "it does not accept the credentials")
        if says:
            return self._unreachable(f"it answers {says}")
        return self._unreachable("it did not respond in time" if "imed" in text else "no connection could be made")

    def _refused(self, reason: str) -> PalioError:
        name, _, needed = _SERVICES[self._scheme]
        step = f"Check that it exists in {name}, that these may read, write and list there, and the clock: {needed}."
        return PalioError("store-refused", store=self._url, reason=reason, next_step=step)

    def _unreachable(self, reason: str) -> PalioError:
        name, endpoints, _ = _SERVICES[self._scheme]
        where = next((f" at {_host(os.environ[each])}" for each in endpoints if os.environ.get(each)), "")
        return PalioError("store-unreachable", store=f"{self._url} ({name}{where})", reason=reason)

    def _damaged(self, sha256: str, reason: str) -> PalioError:
        return PalioError("store-damaged", file=sha256, store=self._url, reason=reason)


class _ChangedError(Exception):
    """The file is not the one whose digest was checked."""


class _Sent:
    """The parts of a file that is sent, digested on the way."""

    def __init__(self, path: Path, sha256: str, part_bytes: int) -> None:
        self._path, self._sha256, self._part_bytes = path, sha256, part_bytes
        self.has_changed = False

    def parts(self) -> Iterator[bytes]:
        """Raises _ChangedError before the last part, so that a changed file is not created."""
        digest = hashlib.sha256()
        with self._path.open("rb") as file:
            block = file.read(self._part_bytes)
            while block:
                digest.update(block)
                following = file.read(self._part_bytes)
                if not following and digest.hexdigest() != self._sha256:
                    self.has_changed = True  # obstore may wrap the exception
                    raise _ChangedError
                yield block
                block = following


def fetch(url: str, sha256: str, folder: str) -> str:
    """`local`, for `call_bounded`. Raises PalioError "store-damaged" if it is not stored."""
    store = ObjectStore(url)
    try:
        return str(store.local(sha256, Path(folder)))
    except FileNotFoundError:
        raise PalioError("store-damaged", file=sha256, store=url, reason="it is missing") from None


def fetch_bounded(url: str, sha256: str, most_s: float, folder: Path) -> Path:
    """The same in a process of its own, which ends after `most_s` at the latest. An incomplete copy goes.

    For processes that limit their own memory: obstore's threads reserve much of it.
    """
    bounds = Bounds(time_s=most_s, memory_bytes=256 * GIB, file_bytes=1 << 50)
    try:
        return Path(call_bounded(fetch, url, sha256, str(folder), bounds=bounds))
    except BoundsError as error:
        raise PalioError("store-unreachable", store=url, reason=str(error)) from error
    finally:
        for part in folder.glob(".*"):  # of a process that was killed
            part.unlink(missing_ok=True)


def _check(url: str) -> None:
    ObjectStore(url).try_all()


def _name(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


def _host(endpoint: str) -> str:
    return urlsplit(endpoint).netloc.rpartition("@")[2]

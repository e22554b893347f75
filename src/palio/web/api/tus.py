"""The headers of tus 1.0.0, the protocol for resumable uploads (https://tus.io/protocols/resumable-upload).

Supported: the core protocol with the extensions creation, checksum, expiration and termination. Not supported:
X-HTTP-Method-Override, as rules of access go by the method, and a chunk of unknown length.
"""

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from palio.core.errors import PalioError
from palio.web.http.errors import error_json
from palio.web.models import Upload
from palio.web.verbs.receive_chunk import ALGORITHMS, Checksum
from palio.web.verbs.uploads import expires, most_bytes, offset_of

VERSION = "1.0.0"
CHUNK_TYPE = "application/offset+octet-stream"


def speaks_tus(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For ninja's `decorate_view`: refuses other versions, and states this one in every response."""

    @wraps(view)
    def respond(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if request.method == "OPTIONS" or request.headers.get("Tus-Resumable") == VERSION:
            response = view(request, *arguments, **named)
        else:
            response = error_json(PalioError("tus-version", version=VERSION))
            response["Tus-Version"] = VERSION
        response["Tus-Resumable"] = VERSION
        return response

    return respond


def abilities() -> dict[str, str]:
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,checksum,expiration,termination",
        "Tus-Max-Size": str(most_bytes()),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def state(upload: Upload) -> dict[str, str]:
    metadata = {"filename": upload.name, "sha256": upload.sha256}
    return {
        "Upload-Offset": str(offset_of(upload)),
        "Upload-Length": str(upload.size_bytes),
        "Upload-Metadata": ",".join(
            f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in metadata.items()
        ),
        "Upload-Expires": http_date(expires(upload).timestamp()),
        "Cache-Control": "no-store",
    }


def read_metadata(header: str) -> dict[str, str]:
    """Raises PalioError "metadata-invalid"."""
    pairs = [pair.strip().partition(" ") for pair in header.split(",") if pair.strip()]
    try:
        return {key: base64.b64decode(value, validate=True).decode() for key, _, value in pairs}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise PalioError("metadata-invalid") from error


def read_checksum(header: str) -> Checksum:
    """Raises PalioError "checksum-invalid"."""
    algorithm, _, value = header.partition(" ")
    try:
        if algorithm not in ALGORITHMS:
            raise ValueError
        return Checksum(algorithm, base64.b64decode(value, validate=True))
    except ValueError as error:
        raise PalioError("checksum-invalid", algorithms=" or ".join(ALGORITHMS)) from error


def refuse_other_type(request: HttpRequest) -> None:
    if request.content_type != CHUNK_TYPE:
        raise PalioError("chunk-type", type=CHUNK_TYPE)

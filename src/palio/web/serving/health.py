"""`python -m palio.web.serving health`: asks a running platform for its health, at the address it serves.

For Docker's HEALTHCHECK and for monitoring. Exit code 0 if the pages and the controller are up, otherwise 12.
`check-store` tries the file store of the settings, for `palio doctor`.
"""

import http.client
import json
from urllib.parse import urlsplit

from palio.core.errors import EXIT_CODES, Cause, PalioError
from palio.web.config.configuration import Configuration
from palio.web.config.data_folder import Folders
from palio.web.serving.terminal import say
from palio.web.storage.files import open_store

TIMEOUT_S = 10


def ask_health(configuration: Configuration) -> int:
    address = urlsplit(configuration.address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(configuration.host, configuration.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, configuration.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health", headers={"Host": address.netloc, "X-Forwarded-Proto": address.scheme})
        answer = json.loads(connection.getresponse().read())
        fine = answer["pages"] == answer["controller"] == "up"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        answer, fine = {"pages": "down", "trouble": str(error)}, False
    finally:
        connection.close()
    say(json.dumps(answer))
    return 0 if fine else EXIT_CODES[Cause.PLATFORM]


def check_store(configuration: Configuration) -> int:
    """Print as JSON whether the file store can be used: nothing for the folder, which `palio serve` makes."""
    if not configuration.store_url:
        say(json.dumps({}))
        return 0
    try:
        open_store(configuration.store_url, Folders(configuration.data)).check()
    except PalioError as error:
        failure = error.failure
        say(json.dumps({"fine": False, "text": failure.message.rstrip("."), "next_step": failure.next_step}))
        return EXIT_CODES[failure.cause]
    text = f"{configuration.store_url} can be written, read and listed, and replaces nothing"
    say(json.dumps({"fine": True, "text": text, "next_step": ""}))
    return 0

"""`python -m palio.web.serving health`: asks a running platform for its health, at the address it serves.

For Docker's HEALTHCHECK and for monitoring. Exit code 0 if the pages and the controller are up, otherwise 12.
"""

import http.client
import json
from urllib.parse import urlsplit

from palio.core.errors import EXIT_CODES, Cause
from palio.web.config.configuration import Configuration
from palio.web.serving.terminal import say

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

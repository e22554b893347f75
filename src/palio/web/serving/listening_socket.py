"""The socket for requests: opened before anything else, so that a port in use is reported at once.

The supervisor keeps it open, so that no connection is refused while the processes behind it restart.
"""

import errno
import socket

from palio.core.errors import PalioError
from palio.core.files.staging import why
from palio.web.config.configuration import Configuration

BACKLOG = 256


def listen(configuration: Configuration) -> socket.socket:
    """Open the socket. Raises PalioError "port-taken", suggesting another port if the port is the problem."""
    host, port = configuration.host, configuration.port
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _refusal(shown, error, "Name an address of this machine with --host.") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not blocked by closed connections
        opened.bind(address)
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise _refusal(shown, error, _next_step(error, configuration)) from error
    return opened


def _refusal(shown: str, error: OSError, next_step: str) -> PalioError:
    return PalioError("port-taken", address=shown, reason=why(error), next_step=next_step)


def _next_step(error: OSError, configuration: Configuration) -> str:
    if error.errno == errno.EADDRINUSE:
        free = _free_port(configuration)
        return f"Stop what listens there, or take another port: palio serve --port {free}"
    if error.errno == errno.EACCES:
        return "Ports below 1024 are the superuser's: take another one with --port, and a proxy in front."
    return "Name an address of this machine with --host."


def _free_port(configuration: Configuration) -> int:
    for port in range(configuration.port + 1, min(configuration.port + 50, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in configuration.host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((configuration.host, port))
            except OSError:
                continue
            return port
    return 8001

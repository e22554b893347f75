"""Tells systemd that the platform is up (`Type=notify`), if it wants to know."""

import os
import socket
from contextlib import suppress


def notify_ready() -> None:
    """Notify once, and hide the socket from the children."""
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as toward:
        toward.sendto(b"READY=1", address)

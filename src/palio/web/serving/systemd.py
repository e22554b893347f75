"""Tells systemd that the platform is up (`Type=notify`), where it wants to know."""

import os
import socket
from contextlib import suppress


def notify_ready() -> None:
    """Says so once, and hides the address from the children, whose business it is not."""
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract name
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as toward:
        toward.sendto(b"READY=1", address)

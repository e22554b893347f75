"""Connections of the server: waitress reads whole requests in its event loop, and these limits end those that stall.

A thread is taken only once a request has arrived completely, its body on disk above BODY_IN_MEMORY_BYTES, and is free
again once the response is written; so stalled headers, bodies and readers cost only a file descriptor.
Covered: a header that does not arrive within HEADER_S; a body or a reader slower than LEAST_BYTES_PER_S for SLACK_S; a
body that takes longer than BODY_S; more connections than MOST, in total or from one address (the one that has been
silent longest is closed); large bodies from clients who may not send them (the application is asked first, see
`admission`); bodies that would fill the disk.
Not covered: a flood that fills the network or the kernel's queues; behind a proxy, all connections have its address,
so the proxy has to limit them (see deploy/).
"""

import ipaddress
import resource
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

from palio.web.serving.admission import ADMITTED, ASKED

HEADER_S = 20.0  # for a whole header; also how long an idle connection is kept
BODY_S = 2 * 3600.0
LEAST_BYTES_PER_S, SLACK_S = 4096, 30.0
LINGER_S = 5.0  # for a sender to read why its body was refused
MOST, MOST_OF_ADDRESS = 2000, 500
MOST_PIECES = 100  # per header
HEADER_BYTES = 32 * 1024
BODY_IN_MEMORY_BYTES = 64 * 1024
ASKED_ABOUT_BYTES = 2_500_000  # bodies of this size and above need admission; no form without a file is as large
_AT_ONCE_BYTES = 1024 * 1024  # sent to one reader before the next one
_LOOKED_AT_BYTES = 8 * 1024 * 1024  # of a body between checks of the disk
_RESERVE_BYTES, _RESERVE_SHARE = 128 * 1024 * 1024, 40  # of the disk: half of what uploads leave free for the database
_ACCEPTED_AT_ONCE = 32
_TICK_S = 2.0  # longest turn of the event loop that counts; it waits for a second at most


class LengthRequired(Error):  # type: ignore[misc]  # noqa: N818 - as waitress names them
    code = 411
    reason = "Length Required"


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """A request that is too large goes to the application without its body, because the application has the message."""

    admitted = False
    error: Error | None
    body_rcv: Any

    def received(self, data: bytes) -> int:
        try:
            used: int = super().received(data)
        except ValueError:  # an invalid URL
            self.error, self.completed = BadRequest("Invalid URL."), True
            return len(data)
        if self.chunked and self.error is None:
            self.error = LengthRequired("Send the body with a Content-Length header.")
            self.completed = True
        elif isinstance(self.error, RequestEntityTooLarge):
            self.drop_body()
        return used

    @property
    def lacks_body(self) -> bool:
        return bool(self.content_length) and self.body_rcv is None

    def drop_body(self) -> None:
        self.error = self.body_rcv = None
        self.headers["CONNECTION"] = "close"
        self.connection_close = self.completed = True


class Channel(HTTPChannel):  # type: ignore[misc]
    parser_class = RequestParser
    server: "Server"
    request: RequestParser | None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.network = _network(arguments[2][0])
        self.silent_since, self.waiting_since = time.monotonic(), arguments[0].clock_s
        self.asking = False
        self._body_since: float | None = None
        self._behind_s = 0.0
        self._moved_bytes = 0  # since the last check
        self._pieces = 0
        self._look_at_bytes = BODY_IN_MEMORY_BYTES
        self._send_now_bytes = _AT_ONCE_BYTES
        self._lingers = False  # after the response to a sender whose body was not read
        self._lingering_since: float | None = None
        self._overdue = False
        super().__init__(*arguments, **named)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the other side, and not for the application."""
        return not self.asking and (not self.requests or bool(self.total_outbufs_len))

    def look(self, now: float, elapsed_s: float) -> None:
        """Close it if the other side takes too long; times are of `Server.clock_s`."""
        moved, self._moved_bytes = self._moved_bytes, 0
        request = self.request
        in_body = request is not None and request.headers_finished and not self.requests
        if self._lingering_since is not None:
            self._overdue = now - self._lingering_since > LINGER_S
        elif self.total_outbufs_len or (in_body and not self.asking):
            self._behind_s = max(0.0, self._behind_s + elapsed_s - moved / LEAST_BYTES_PER_S)
            self._body_since = (self._body_since or now) if in_body else None
            self._overdue = self._behind_s > SLACK_S or (
                self._body_since is not None and now - self._body_since > BODY_S
            )
            self.waiting_since = now
        elif self.requests or self.asking:
            self._behind_s, self._body_since, self.waiting_since = 0.0, None, now
        else:
            self._behind_s, self._body_since = 0.0, None
            self._overdue = now - self.waiting_since > HEADER_S
        if self._overdue:
            self.end()

    def end(self) -> None:
        self._overdue = True
        self.handle_close()

    def readable(self) -> bool:
        return self._lingering_since is not None or (not self.asking and bool(super().readable()))

    def recv(self, buffer_size: int) -> bytes:
        data: bytes = super().recv(buffer_size)
        self._note(len(data))
        return data

    def send(self, data: bytes, do_close: bool = True) -> int:
        if do_close and self._send_now_bytes <= 0:  # in the event loop, which others wait for
            return 0
        sent: int = super().send(data, do_close)
        self._send_now_bytes -= sent
        self._note(sent)
        return sent

    def handle_write(self) -> None:
        self._send_now_bytes = _AT_ONCE_BYTES
        super().handle_write()

    def received(self, data: bytes) -> bool:
        if self._lingering_since is not None:
            return True
        taken: bool = super().received(data)
        request = self.request
        if request is None:
            self._pieces, self._look_at_bytes = 0, BODY_IN_MEMORY_BYTES
        elif not request.headers_finished:
            self._pieces += 1
            if self._pieces > MOST_PIECES:
                self.end()
        elif request.content_length > ASKED_ABOUT_BYTES and not request.admitted:
            self.asking = True
            self.server.task_dispatcher.add_task(_Asking(self, request))
        elif request.body_bytes_received > self._look_at_bytes:
            self._look_at_bytes = request.body_bytes_received + _LOOKED_AT_BYTES
            disk = shutil.disk_usage(tempfile.gettempdir())
            if disk.free < min(_RESERVE_BYTES, disk.total // _RESERVE_SHARE):
                self.admit(request, admitted=False)
        return taken

    def admit(self, request: RequestParser, *, admitted: bool) -> None:
        """Apply the application's decision; a request refused here is answered at once, without its body."""
        with self.requests_lock:
            request.admitted = admitted
            if not admitted:
                request.drop_body()
                self.request = None
                self.requests.append(request)
                self.server.add_task(self)
            self.asking = False
        self.server.pull_trigger()

    def service(self) -> None:
        self._lingers = self.requests[0].lacks_body
        super().service()

    def handle_close(self) -> None:
        """A sender gets the response first: closing a connection with unread bytes resets it."""
        if self._lingers and self.connected and not self._overdue and not self.total_outbufs_len:
            self._lingers = False
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self._lingering_since = self.server.clock_s
                self.will_close = self.close_when_flushed = False
                return
        super().handle_close()

    def _note(self, moved_bytes: int) -> None:
        self._moved_bytes += moved_bytes
        if moved_bytes:
            self.silent_since = time.monotonic()


class _Asking:
    """Asks the application in a thread whether it accepts a large body."""

    def __init__(self, connection: Channel, request: RequestParser) -> None:
        self._connection, self._request = connection, request

    def service(self) -> None:
        admitted = False
        try:
            environ = WSGITask(self._connection, self._request).get_environment() | {
                "wsgi.input": BytesIO(),
                ASKED: True,
            }
            answer = self._connection.server.application(environ, lambda *_: None)
            with suppress(AttributeError):
                answer.close()
            admitted = ADMITTED in environ
        finally:
            self._connection.admit(self._request, admitted=admitted)

    def cancel(self) -> None:
        self._connection.asking = False


class Server(TcpWSGIServer):  # type: ignore[misc]
    channel_class = Channel
    active_channels: dict[int, Channel]

    def __init__(self, *arguments: Any, counts_addresses: bool, **named: Any) -> None:
        self._counts_addresses = counts_addresses
        self.clock_s = 0.0  # how long it has run: time for which the machine stopped it is not the connections' fault
        self._seen, self._looked = time.monotonic(), 0.0
        self._doomed: list[Channel] = []  # closed after this turn of the event loop
        self._ending = False
        self._most = _descriptors() // 3  # a socket, a body and a response on disk
        super().__init__(*arguments, **named)

    def serve_until_told(self, stop_s: float) -> None:
        """Return once `end` was called and running requests are answered, after `stop_s` at the latest."""
        while not self._ending:
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)
            self._end_overdue()
        until = time.monotonic() + stop_s
        while time.monotonic() < until and any(
            connection.requests or connection.total_outbufs_len for connection in self.active_channels.values()
        ):
            wasyncore.loop(timeout=0.1, use_poll=True, map=self._map, count=1)
            self._end_overdue()

    def end(self) -> None:
        """For a signal handler."""
        self._ending, self.accepting = True, False
        self.pull_trigger()

    def readable(self) -> bool:
        return bool(self.accepting)

    def _end_overdue(self) -> None:
        """Called between two turns of the event loop. In a turn, a new connection could get the descriptor of one that
        was closed, and what had happened to the old one would be taken for its own.
        """
        now = time.monotonic()
        self.clock_s += min(now - self._seen, _TICK_S)
        self._seen = now
        for connection in self._doomed:
            connection.end()
        self._doomed.clear()
        if (elapsed_s := self.clock_s - self._looked) >= 1.0:
            self._looked = self.clock_s
            for connection in list(self.active_channels.values()):
                connection.look(self.clock_s, elapsed_s)

    def handle_accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            there = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == there:
                return
            self._make_room()

    def _make_room(self) -> None:
        connections = [each for each in self.active_channels.values() if each not in self._doomed]
        if len(connections) > min(MOST, self._most):
            self._doomed.append(_most_silent(connections))
        elif self._counts_addresses and len(connections) > MOST_OF_ADDRESS:
            network, count = Counter(connection.network for connection in connections).most_common(1)[0]
            if count > MOST_OF_ADDRESS:
                self._doomed.append(_most_silent(each for each in connections if each.network == network))


def _most_silent(connections: Iterable[Channel]) -> Channel:
    """The connection that has been silent longest, or the newest if all others are being answered."""
    found = [*connections]
    waiting = [connection for connection in found[:-1] if connection.is_waiting] or found[-1:]
    return min(waiting, key=lambda connection: connection.silent_since)


def _network(address: str) -> str:
    """The network of an address: an IPv6 user has 2⁶⁴ neighboring addresses."""
    with suppress(ValueError):
        if (found := ipaddress.ip_address(address.partition("%")[0])).version == 6:
            return str(ipaddress.ip_network((found, 64), strict=False))
    return address


def _descriptors() -> int:
    """The limit of open files, raised as far as possible, less what the rest of the process needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * MOST + 1000
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
            )
    return max(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200, 90)

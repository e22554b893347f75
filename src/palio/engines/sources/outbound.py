"""Connections to public addresses only: an HTTP proxy on loopback, run by a thread, for as long as one fetch takes.

It is the program of the egress proxy of builds (engines.docker.egress_proxy_program), which resolves each name itself
and connects to the address that it has judged. Only port 443 is open. Everything ends with it, however slowly a server
sends.
"""

import asyncio
import re
import socket
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PORTS = (443,)
_ROUTES = Path("/proc/net/fib_trie")
_LOCAL_ADDRESS = re.compile(r"\|-- ([0-9.]+)\n\s*/32 host LOCAL")
_START_S = 5.0
_NEVER_CLOSES = "only the ports 443 are open"


class PublicOnly:
    """`refusals` and `failures` say, by host, why a connection was refused or not possible."""

    def __init__(self, time_s: float) -> None:
        self.refusals: dict[str, str] = {}
        self.failures: dict[str, OSError] = {}
        self.is_over = False  # whether its time is over
        self._time_s = time_s
        self._port = 0
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="palio-outbound", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise OSError("the proxy for outgoing connections did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # it is over
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_S)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        program = import_module("palio.engines.docker.egress_proxy_program")  # the package imports the Docker SDK
        rules = program.Rules("127.0.0.1/32", tuple(_own_addresses()), ports=_PORTS)
        proxy = _recording(program, rules, self)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=program.HEAD_BYTES)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            async with asyncio.timeout(self._time_s):
                await self._stop.wait()
        except TimeoutError:
            self.is_over = True
        finally:
            server.close()  # connections end with the loop


def _recording(program: Any, rules: Any, noted: PublicOnly) -> Any:
    class Recording(program.EgressProxy):  # type: ignore[misc, name-defined, unused-ignore]
        async def _connect(self, host: str, port: int) -> Any:
            try:
                return await super()._connect(host, port)
            except program.RefusedError as refused:
                reason = str(refused).partition(": ")[2]
                noted.refusals[host] = "only port 443 is open" if reason == _NEVER_CLOSES else reason
                raise
            except OSError as error:
                noted.failures[host] = error
                raise

        def _note(self, refusal: str) -> None:
            """Its standard output is ours."""

    return Recording(rules)


def _own_addresses() -> list[str]:
    """The IPv4 addresses of this machine."""
    with suppress(OSError):
        return sorted(set(_LOCAL_ADDRESS.findall(_ROUTES.read_text())))
    with suppress(OSError):
        return socket.gethostbyname_ex(socket.gethostname())[2]
    return []

"""What `palio serve` costs where nobody uses it: time to the first answer, memory and CPU of the whole process tree.

Memory is given twice. RSS counts what processes share once for each of them; PSS counts it once in all, so the sum is
what the machine has less. The limit (250 MiB) is on PSS.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.installed import PALIO, environment
from benchmarks.measuring import Line, Timing

MIB = 1024 * 1024
LIMIT_PSS_MIB = 250
LIMIT_START_S = 5.0
SETTLE_S = 10.0
STARTS = 3


@dataclass(frozen=True)
class Serving:
    """Seconds from the command to the first answer; MiB of all processes; CPU time in percent of one CPU."""

    first_start: Timing  # in an empty data folder, which it fills
    next_start_s: float
    processes: int
    idle_pss_mib: float
    idle_rss_mib: float
    idle_cpu_percent: float
    asked_pss_mib: float  # after 200 requests
    stop_s: float

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"limits": {"idle_pss_mib": LIMIT_PSS_MIB, "first_start_s": LIMIT_START_S}}

    def lines(self) -> list[Line]:
        return [
            Line(
                "`palio serve`, first start to first answer",
                self.first_start.median_s,
                "s",
                lowest=self.first_start.lowest_s,
                highest=self.first_start.highest_s,
                runs=self.first_start.runs,
                limit=f"{LIMIT_START_S:g} s",
            ),
            Line("memory of its processes, idle", self.idle_pss_mib, "MiB PSS", limit=f"{LIMIT_PSS_MIB} MiB"),
            Line("the same after 200 requests", self.asked_pss_mib, "MiB PSS", limit=f"{LIMIT_PSS_MIB} MiB"),
            Line("its CPU time, idle", self.idle_cpu_percent, "% of one CPU"),
        ]

    def shown(self) -> str:
        starts = self.first_start.runs
        return "\n".join(
            [
                "palio serve, the whole process tree, nobody using it",
                f"  first start to first answer   {self.first_start.median_s:6.2f} s   (limit {LIMIT_START_S:g} s; "
                f"{self.first_start.lowest_s:.2f} to {self.first_start.highest_s:.2f} s, {starts} times)",
                f"  next start to first answer    {self.next_start_s:6.2f} s",
                f"  memory, {self.processes} processes          {self.idle_pss_mib:6.0f} MiB PSS (limit "
                f"{LIMIT_PSS_MIB} MiB), {self.idle_rss_mib:.0f} MiB RSS",
                f"  memory after 200 requests     {self.asked_pss_mib:6.0f} MiB PSS",
                f"  CPU                           {self.idle_cpu_percent:6.1f} % of one",
                f"  told to end, until it has     {self.stop_s:6.2f} s",
            ]
        )


def measure(idle_s: float = 20.0) -> Serving:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        first_starts = []
        for _ in range(STARTS):
            shutil.rmtree(home / "data", ignore_errors=True)
            first = Server(home)
            first_starts.append(first.wait_s)
            first.stop()
        server = Server(home)
        time.sleep(SETTLE_S)
        processes = tree(server.process.pid)
        pss, rss = memory_mib(processes)
        before, since = cpu_s(processes), time.perf_counter()
        time.sleep(idle_s)
        percent = 100 * (cpu_s(processes) - before) / (time.perf_counter() - since)
        for _ in range(200):
            server.ask("/")
        asked, _ = memory_mib(tree(server.process.pid))
        first_start = Timing.of("first start", first_starts)
        return Serving(first_start, server.wait_s, len(processes), pss, rss, percent, asked, server.stop())
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Server:
    def __init__(self, home: Path, *flags: str, settings: Mapping[str, str] | None = None) -> None:
        """`settings`: variables that it has in addition."""
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            self.port = trial.getsockname()[1]
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [*PALIO, "serve", "--data", str(home / "data"), "--port", str(self.port), *flags],
            env=environment(home) | dict(settings or {}),
            stdout=subprocess.DEVNULL,
        )
        while True:
            try:
                self.ask("/health")
                break
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError("palio serve has ended") from None
                time.sleep(0.01)
        self.wait_s = time.perf_counter() - begin

    def ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def stop(self) -> float:
        begin = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.perf_counter() - begin


def tree(root: int) -> list[int]:
    """A process and everything that it has started, and so on."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = [root]
    for process in found:  # which grows
        found += [child for child, parent in parents.items() if parent == process]
    return found


def memory_mib(processes: list[int]) -> tuple[float, float]:
    """PSS and RSS."""
    totals = {"Pss": 0, "Rss": 0}
    for process in processes:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in totals:
                totals[name] += int(value.split()[0]) * 1024
    return totals["Pss"] / MIB, totals["Rss"] / MIB


def cpu_s(processes: list[int]) -> float:
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    measured = measure()
    print(json.dumps(measured.as_json(), indent=2) if "--json" in sys.argv else measured.shown())

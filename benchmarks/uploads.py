"""20 uploads of 200 MB at once, each by a process of its own: the memory of the whole platform, and how long it takes.

The senders run on the same machine and share its CPUs and disk with the platform, which is how the time is to be read.
Memory is the highest sum over the platform's processes, as in benchmarks.serving; the limit (500 MiB) is on PSS.

The time stands beside two others on the same files. `cp` and `sha256sum`, one after the other: an upload reads, writes
and digests too, digests twice on both sides, and sends. And `curl -T` of all files at once to a server of Python's
http.server that only writes what it receives: the time to send and write.

    python -m benchmarks.uploads [COUNT] [--json]     (default: 20)
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bundles import write_bundle

from benchmarks.measuring import Line
from benchmarks.participant import SLUG, join_challenge
from benchmarks.serving import Server, memory_mib, tree

COUNT, SIZE_BYTES = 20, 200_000_000
LIMIT_PSS_MIB = 500

SEND = f"""
import sys
from pathlib import Path
from palio.client import Connection
from palio.client.uploading import upload_file
print(upload_file(Connection(sys.argv[1], sys.argv[2]), "{SLUG}", Path(sys.argv[3]))["sha256"])
"""

PUT = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # in which curl asks before it sends a body

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        with (Path(sys.argv[1]) / Path(self.path).name).open("wb") as file:
            while left and (block := self.rfile.read(min(left, 1024 * 1024))):
                left -= file.write(block)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Uploads:
    count: int
    size_bytes: int
    seconds: float
    bare_s: float  # cp and sha256sum
    put_s: float  # curl -T
    idle_pss_mib: float
    peak_pss_mib: float
    peak_rss_mib: float
    page_median_s: float  # of the front page, asked for meanwhile
    page_slowest_s: float

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"limits": {"peak_pss_mib": LIMIT_PSS_MIB}}

    def shown(self) -> str:
        speed = self.count * self.size_bytes / self.seconds / 1e6
        return "\n".join(
            [
                f"{self.count} uploads of {self.size_bytes / 1e6:.0f} MB at once, senders on the same machine",
                f"  until the last is checked     {self.seconds:6.1f} s   ({speed:.0f} MB/s in all)",
                f"  cp and sha256sum              {self.bare_s:6.1f} s",
                f"  curl -T to http.server        {self.put_s:6.1f} s",
                f"  memory before                 {self.idle_pss_mib:6.0f} MiB PSS",
                f"  memory at most                {self.peak_pss_mib:6.0f} MiB PSS (limit {LIMIT_PSS_MIB} MiB), "
                f"{self.peak_rss_mib:.0f} MiB RSS",
                f"  front page meanwhile          {self.page_median_s:6.2f} s, at most {self.page_slowest_s:.2f} s",
            ]
        )


def lines(count: int, size_bytes: int, runs: int) -> list[Line]:
    """Of several runs, each on a platform of its own."""
    made = [measure(count, size_bytes) for _ in range(runs)]
    what = f"{count} uploads of {size_bytes / 1e6:.0f} MB at once"
    peaks, times = [each.peak_pss_mib for each in made], [each.seconds for each in made]
    bare, put = (statistics.median(each) for each in zip(*((each.bare_s, each.put_s) for each in made), strict=True))
    until_checked = statistics.median(times)
    return [
        Line(
            f"{what}, memory at most",
            statistics.median(peaks),
            "MiB PSS",
            lowest=min(peaks),
            highest=max(peaks),
            runs=runs,
            limit=f"{LIMIT_PSS_MIB} MiB",
        ),
        *(
            Line(
                f"{what}, until the last is checked",
                until_checked,
                "s",
                baseline,
                seconds,
                min(times),
                max(times),
                runs,
            )
            for baseline, seconds in (
                ("cp and sha256sum of the same files", bare),
                ("curl -T of the same files to Python's http.server, unchecked", put),
            )
        ),
    ]


def measure(count: int = COUNT, size_bytes: int = SIZE_BYTES) -> Uploads:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    server = None
    try:
        files = [_file(home / f"answers-{number}.csv", number, size_bytes) for number in range(count)]
        server = Server(home)
        token = join_challenge(home / "data", write_bundle(home / "bundle"))
        time.sleep(3)
        idle, _ = memory_mib(tree(server.process.pid))
        bare_s, put_s = _bare_s(files, home / "copies"), _put_s(files, home / "puts")
        return _measured(server, files, token, idle, size_bytes, bare_s, put_s)
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _bare_s(files: list[Path], target: Path) -> float:
    target.mkdir()
    begin = time.perf_counter()
    subprocess.run(["cp", *files, target], check=True)
    subprocess.run(["sha256sum", *target.iterdir()], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    shutil.rmtree(target)
    return seconds


def _put_s(files: list[Path], target: Path) -> float:
    target.mkdir()
    server = subprocess.Popen([sys.executable, "-c", PUT, str(target)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        address = f"http://127.0.0.1:{int(server.stdout.readline())}/"
        begin = time.perf_counter()
        senders = [subprocess.Popen(["curl", "-fsS", "-T", file, address]) for file in files]
        statuses = [sender.wait() for sender in senders]
        seconds = time.perf_counter() - begin
    finally:
        server.terminate()
        server.wait()
    if any(statuses) or any((target / file.name).stat().st_size != file.stat().st_size for file in files):
        raise RuntimeError("curl has not sent all files")
    shutil.rmtree(target)
    return seconds


def _measured(
    server: Server, files: list[Path], token: str, idle: float, size_bytes: int, bare_s: float, put_s: float
) -> Uploads:
    over, memory, pages = threading.Event(), list[tuple[float, float]](), list[float]()

    def watch() -> None:
        while not over.wait(0.1):
            try:
                memory.append(memory_mib(tree(server.process.pid)))
            except OSError:  # a process has just ended
                continue

    def ask() -> None:
        while not over.wait(0.2):
            begin = time.perf_counter()
            server.ask("/")
            pages.append(time.perf_counter() - begin)

    watchers = [threading.Thread(target=each) for each in (watch, ask)]
    for watcher in watchers:
        watcher.start()
    begin = time.perf_counter()
    address = f"http://127.0.0.1:{server.port}"
    senders = [
        subprocess.Popen([sys.executable, "-c", SEND, address, token, str(path)], stdout=subprocess.PIPE, text=True)
        for path in files
    ]
    ended = [sender.communicate()[0].strip() for sender in senders]
    seconds = time.perf_counter() - begin
    over.set()
    for watcher in watchers:
        watcher.join()
    assert len(set(ended)) == len(files), "an upload has failed"
    assert all(sender.returncode == 0 for sender in senders)
    peak_pss, peak_rss = max(pss for pss, _ in memory), max(rss for _, rss in memory)
    page_median_s = statistics.median(pages)
    return Uploads(len(files), size_bytes, seconds, bare_s, put_s, idle, peak_pss, peak_rss, page_median_s, max(pages))


def _file(path: Path, number: int, size_bytes: int) -> Path:
    """Predictions by their name; what is in them is never read as such."""
    block = os.urandom(1_000_000)
    with path.open("wb") as file:
        file.write(b"file,answer%d\n" % number)
        for _ in range(size_bytes // len(block)):
            file.write(block)
    return path


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else COUNT
    measured = measure(count)
    print(json.dumps(measured.as_json(), indent=2) if "--json" in sys.argv else measured.shown())

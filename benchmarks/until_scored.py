"""From an upload that is complete until the API says that it is scored, and how much of that no engine works.

A real `palio serve` on loopback with a challenge of three small files. A participant's program has sent all chunks of
a file, and now asks for it to be checked, hands it in, and asks how it stands every POLL_S until it is scored. Of that
time the stages' own, from the attempt's record, is taken away: what is left is the platform's. Beside it stands the
same of `palio run` on the same file: its whole process but for the stages.

Two kinds of submission, each time another file: a zip with a Dockerfile whose image is there (the zips differ in their
comment alone), and predictions. Submissions come one after another, each at any moment between two ticks of the
controller.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.bundles import ANSWERS, YAML, answers, write_bundle, write_context

from benchmarks.installed import PALIO, environment
from benchmarks.measuring import Line, Timing
from benchmarks.participant import SLUG, join_challenge
from benchmarks.serving import Server
from palio.client import Connection
from palio.client.submitting import get_submission, submit
from palio.client.uploading import Chunk, announce

RUNS = 7
POLL_S = 0.05  # as often as the API answers one token for a minute
LIMIT_S = 2.0
PATIENCE_S = 120.0
PHASE, MANY = "    start: 2026-01-01\n", "    max_submissions_per_day: 1000\n"

Make = Callable[[Path, int], Path]


def measure(runs: int = RUNS) -> list[Line]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    server = None
    try:
        bundle = write_bundle(home / "bundle", yaml=YAML.replace(PHASE, PHASE + MANY))
        context = write_context(home / "context")
        server = Server(home)
        connection = Connection(f"http://127.0.0.1:{server.port}", join_challenge(home / "data", bundle))
        kinds: dict[str, Make] = {"a zip with a cached image": partial(_zip, context), "predictions": _predictions}
        return [line for kind, make in kinds.items() for line in _compare(home, bundle, connection, kind, make, runs)]
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _compare(home: Path, bundle: Path, connection: Connection, kind: str, make: Make, runs: int) -> list[Line]:
    whole: dict[str, list[float]] = {"platform": [], "run": []}
    beyond: dict[str, list[float]] = {"platform": [], "run": []}
    for number in range(runs + 1):
        folder = Path(tempfile.mkdtemp(dir=home))
        file = make(folder, number)
        taken = {"platform": _on_the_platform(connection, file), "run": _by_palio_run(home, bundle, file)}
        if number:  # the first makes images and bytecode
            for where, (seconds, stages_s) in taken.items():
                whole[where].append(seconds)
                beyond[where].append(seconds - stages_s)
        time.sleep(random.uniform(0, 1))  # noqa: S311 - so that ticks and submissions do not keep step
    what = f"{kind}, from upload complete to score"
    return [
        _line(what, whole, "palio run, whole process"),
        _line(f"{what}, beyond the stages", beyond, "palio run, beyond the stages", f"{LIMIT_S:g} s"),
    ]


def _line(title: str, seconds: Mapping[str, list[float]], baseline: str, limit: str = "") -> Line:
    ours, theirs = Timing.of(title, seconds["platform"]), Timing.of(baseline, seconds["run"])
    return Line(title, ours.median_s, "s", baseline, theirs.median_s, ours.lowest_s, ours.highest_s, ours.runs, limit)


def _on_the_platform(connection: Connection, file: Path) -> tuple[float, float]:
    """Seconds from the last chunk's arrival to the score, and those of its stages."""
    upload = _upload(connection, file)
    begin = time.perf_counter()
    kept = connection.post(f"{upload}/complete", again=True)
    stands = submit(connection, SLUG, kept["id"])
    while not stands["ended"]:
        if time.perf_counter() > begin + PATIENCE_S:
            raise RuntimeError(f"{file.name} is not scored after {PATIENCE_S:g} s: {stands}")
        time.sleep(POLL_S)
        stands = get_submission(connection, stands["id"])
    seconds = time.perf_counter() - begin
    if stands["state"] != "scored":
        raise RuntimeError(f"{file.name} was not scored: {stands['failure']}")
    return seconds, _stages_s(stands["attempt"]["stages"])


def _upload(connection: Connection, file: Path) -> str:
    """Sends all of it as one chunk; returns the upload's path in the API."""
    upload, _ = announce(connection, SLUG, file)
    chunk = Chunk(file.read_bytes())
    connection.exchange("PATCH", upload, chunk.headers(0), chunk)
    return upload


def _by_palio_run(home: Path, bundle: Path, file: Path) -> tuple[float, float]:
    folder = file.parent / "run"
    begin = time.perf_counter()
    command = [*PALIO, "run", str(file), "-c", str(bundle), "--engine", "docker", "-o", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment(home))
    seconds = time.perf_counter() - begin
    return seconds, _stages_s(json.loads((folder / "result.json").read_text())["stages"])


def _stages_s(stages: Mapping[str, Any]) -> float:
    times = [[datetime.fromisoformat(stage[end]) for end in ("started", "finished")] for stage in stages.values()]
    return sum((finished - started).total_seconds() for started, finished in times)


def _zip(context: Path, folder: Path, number: int) -> Path:
    target = folder / "context.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(context.iterdir()):
            archive.write(path, path.name)
        archive.comment = f"the {number}th".encode()
    return target


def _predictions(folder: Path, number: int) -> Path:
    """The same rows, and each time another number of empty lines."""
    target = folder / "answers.csv"
    target.write_text(answers(ANSWERS) + "\n" * number)
    return target


if __name__ == "__main__":
    for line in measure(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS):
        print(line.shown())

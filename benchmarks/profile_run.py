"""Where the time of `palio run` goes, part by part, beside the bare containers (see run_overhead).

`python -m benchmarks.profile_run [RUNS]` prints the median of each part in milliseconds. What is measured is a process
of its own that does what `palio run` does, with a clock around each call of the engine.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST_LINE = time.time()
RUNS = 7
POLL_S = 0.02  # as in cli.run
PARTS = {
    "start": "Docker: containers made and started",
    "poll": "Docker: asked how they are",
    "collect": "Docker: results copied out",
    "remove": "Docker: containers and volumes removed",
}


class TimedEngine:
    """An engine whose calls are timed, by their name."""

    def __init__(self, engine: Any, seconds: dict[str, float]) -> None:
        self._engine, self._seconds = engine, seconds

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return _timed(found, name, self._seconds) if name in PARTS else found


def _timed(call: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        begin = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begin

    return timed


def evaluate(spawned: float, archive: Path, challenge: Path, target: Path) -> dict[str, float]:
    """Seconds of each part; `spawned` is when this process was asked for."""
    seconds = {"interpreter": FIRST_LINE - spawned}
    begin = time.perf_counter()
    import palio.cli.run  # noqa: F401
    from palio.core.attempt.run_folder import RunFolder, Verdict, new_identity
    from palio.core.bundle.pick_phase import pick_phase
    from palio.core.bundle.read import read_bundle
    from palio.core.evaluate import Attempt, Evaluation
    from palio.core.receipt.key import machine_key
    from palio.core.submission.kinds import read_submission
    from palio.engines import open_engine

    seconds["imports"] = time.perf_counter() - begin
    begin = time.perf_counter()
    engine, _ = open_engine("docker")
    engine.describe()
    seconds["reach"] = time.perf_counter() - begin
    bundle = read_bundle(challenge)
    phase = pick_phase(bundle, None)
    attempt = Attempt(new_identity(), read_submission(archive, None), bundle, phase, phase.tasks[0], "profile")
    folder = RunFolder.create(target, attempt.identity)
    evaluation = Evaluation(attempt, TimedEngine(engine, seconds), folder, key=machine_key())
    wait = _timed(time.sleep, "wait", seconds)
    while evaluation.step():
        wait(POLL_S)
    if evaluation.result.verdict is not Verdict.SCORED:
        raise RuntimeError(f"not scored: {evaluation.result.failure}")
    return seconds


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["evaluate"]:
        spawned, *paths = arguments[1:]
        print(json.dumps(evaluate(float(spawned), *map(Path, paths))))
        return
    from tests.bundles import write_bundle

    from benchmarks.installed import environment
    from benchmarks.run_overhead import bare_run, make_context

    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    rows: list[dict[str, float]] = []
    try:
        bundle = write_bundle(home / "bundle")
        for number in range(int(arguments[0]) + 1 if arguments else RUNS + 1):
            archive = shutil.make_archive(str(home / f"{number}"), "zip", make_context(home / f"context-{number}"))
            command = [sys.executable, "-m", "benchmarks.profile_run", "evaluate", str(time.time()), archive]
            begin = time.perf_counter()
            made = subprocess.run(
                [*command, str(bundle), str(home / f"run-{number}")],
                check=True,
                stdout=subprocess.PIPE,
                env=environment(home),
            )
            whole = time.perf_counter() - begin
            begin = time.perf_counter()
            bare_run(home, bundle, number)
            rows.append(json.loads(made.stdout) | {"whole": whole, "bare": time.perf_counter() - begin})
    finally:
        shutil.rmtree(home, ignore_errors=True)
    _show(rows[1:])  # without the first, which compiles


def _show(rows: list[dict[str, float]]) -> None:
    names = {
        "interpreter": "Python's own start",
        "imports": "imports but for Docker's",
        "reach": "Docker: its package imported, the engine asked what it is",
        **PARTS,
        "wait": "waiting for the containers, between two looks",
    }
    for row in rows:
        row["rest"] = row["whole"] - sum(row.get(name, 0.0) for name in names)
    names |= {
        "rest": "the rest: reading, checking, staging, digests, the run folder, the end of the process",
        "whole": "all of it",
        "bare": "docker build + docker run + docker run",
    }
    for name, title in names.items():
        print(f"{1000 * statistics.median(row.get(name, 0.0) for row in rows):6.0f} ms  {title}")


if __name__ == "__main__":
    main(sys.argv[1:])

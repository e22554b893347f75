"""`make bench`: every benchmark in small form, each beside its baseline in the same run.

    python -m benchmarks [NAME ...]     (default: all of them)

Figures go to the terminal, to benchmarks/results/<machine>.json, and as a table into docs/performance.md. A name runs
one alone, and its lines take the place of their like in both.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    board,
    collecting,
    controller_tick,
    hashing,
    inference,
    run_overhead,
    scoring,
    serving,
    staging,
    training,
    uploads,
)
from benchmarks.measuring import Line
from benchmarks.report import write_page

RESULTS = Path(__file__).parent / "results"
SMALL_UPLOADS, SMALL_UPLOAD_BYTES, SMALL_LOAD_S = 4, 50_000_000, 5

BENCHMARKS: dict[str, Callable[[], list[Line]]] = {
    "training": lambda: training.lines(runs=1),
    "inference": lambda: inference.lines(runs=3),
    "overhead": lambda: [run_overhead.measure().line()],
    "staging": lambda: [each.line() for each in staging.measure()],
    "collecting": lambda: [collecting.measure().line()],
    "hashing": lambda: [each.line() for each in hashing.measure()],
    "scoring": lambda: [scoring.measure(rows).line() for rows in scoring.ROWS],
    "serving": lambda: serving.measure().lines(),
    "board": lambda: board.measure(SMALL_LOAD_S).lines(),
    "uploads": lambda: uploads.measure(SMALL_UPLOADS, SMALL_UPLOAD_BYTES).lines(),
    "tick": controller_tick.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Times Palio beside its baselines.")
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME", help=", ".join(BENCHMARKS))
    asked = parser.parse_args().names or list(BENCHMARKS)
    target = RESULTS / f"{platform.node() or 'machine'}.json"
    kept = json.loads(target.read_text())["benchmarks"] if target.exists() else {}
    for name in asked:
        load = os.getloadavg()[0]
        lines = BENCHMARKS[name]()
        print(*(line.shown() for line in lines), sep="\n", flush=True)
        kept[name] = {"load_before": round(load, 2), "lines": [line.as_json() for line in lines]}
    RESULTS.mkdir(exist_ok=True)
    report = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": _machine(), "benchmarks": kept}
    target.write_text(json.dumps(report, indent=2) + "\n")
    write_page(report)
    print(f"\nWritten to {target} and docs/performance.md", file=sys.stderr)


def _machine() -> dict[str, object]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()

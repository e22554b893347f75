"""`make bench`: every benchmark in small form, each beside its baseline in the same run.

    python -m benchmarks [NAME ...]     (default: all of them that need no cluster)

Figures go to the terminal, to benchmarks/results/<machine>.json, and as a table into docs/performance.md, each as soon
as it is there. A name runs one alone, and its lines take the place of their like in both. One that fails says why,
leaves the lines that were there, and does not stop the others.
"""

import argparse
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    audit,
    checking,
    collecting,
    controller_tick,
    file_store,
    hashing,
    inference,
    leaderboard,
    pack,
    pages,
    queue_throughput,
    run_overhead,
    scoring,
    serving,
    simulated_cluster,
    staging,
    statistics,
    training,
    until_scored,
    uploads,
)
from benchmarks.measuring import Line
from benchmarks.report import write_page

RESULTS = Path(__file__).parent / "results"
SMALL_UPLOADS, SMALL_UPLOAD_BYTES, SMALL_LOAD_S = 4, 50_000_000, 5

BENCHMARKS: dict[str, Callable[[], list[Line]]] = {
    "training": lambda: training.lines(runs=3),
    "inference": lambda: inference.lines(runs=3),
    "pack": lambda: [each.line() for each in pack.measure()],
    "checking": lambda: checking.lines(runs=1),
    "overhead": lambda: [run_overhead.measure().line()],
    "staging": lambda: [each.line() for each in staging.measure()],
    "collecting": lambda: [collecting.measure().line()],
    "hashing": lambda: [each.line() for each in hashing.measure()],
    "file-store": lambda: [each.line() for each in file_store.measure()],
    "scoring": lambda: [scoring.measure(rows).line(scoring.LIMITS.get(rows, "")) for rows in scoring.ROWS],
    "statistics": statistics.lines,
    "serving": lambda: serving.measure().lines(),
    "leaderboard": lambda: leaderboard.measure(SMALL_LOAD_S).lines(),
    "pages": pages.measure,
    "uploads": lambda: uploads.lines(SMALL_UPLOADS, SMALL_UPLOAD_BYTES, runs=3),
    "until-scored": until_scored.measure,
    "tick": controller_tick.measure,
    "queue": lambda: queue_throughput.measure(queue_throughput.SMALL),
    "queue-kubernetes": lambda: queue_throughput.measure(queue_throughput.SMALL, "kubernetes"),
    "cluster": simulated_cluster.small,
    "audit": audit.measure,
}

NEED_A_CLUSTER = {"queue-kubernetes"}  # of docs/kubernetes.md


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Times Palio beside its baselines.")
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME", help=", ".join(BENCHMARKS))
    asked = parser.parse_args().names or [name for name in BENCHMARKS if name not in NEED_A_CLUSTER]
    target = RESULTS / f"{platform.node() or 'machine'}.json"
    kept = json.loads(target.read_text())["benchmarks"] if target.exists() else {}
    RESULTS.mkdir(exist_ok=True)
    failed = []
    for name in asked:
        load, when = os.getloadavg()[0], datetime.now(UTC).isoformat(timespec="seconds")
        try:
            lines = BENCHMARKS[name]()
        except Exception:  # noqa: BLE001 - which the others are not to blame for
            traceback.print_exc()
            failed.append(name)
            continue
        print(*(line.shown() for line in lines), sep="\n", flush=True)
        kept[name] = {"when": when, "load_before": round(load, 2), "lines": [line.as_json() for line in lines]}
        in_order = {each: kept[each] for each in BENCHMARKS if each in kept}
        report = {"machine": _machine(), "benchmarks": in_order}
        target.write_text(json.dumps(report, indent=2) + "\n")
        write_page(report)
    print(f"\nWritten to {target} and docs/performance.md", file=sys.stderr)
    if failed:
        sys.exit(f"Not measured, for the reasons above: {', '.join(failed)}")


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

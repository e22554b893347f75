"""`make bench`: every benchmark in small form; a table on the terminal, and all of it in benchmarks/results/."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import collecting, hashing, run_overhead, serving, staging
from benchmarks.measuring import Comparison
from benchmarks.serving import Serving

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    comparisons = [run_overhead.measure(), *staging.measure(), collecting.measure(), *hashing.measure()]
    for each in comparisons:
        print(_shown(each))
    served = serving.measure()
    print(served.shown())
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{platform.node()}.json"
    target.write_text(json.dumps(_report(comparisons, served), indent=2) + "\n")
    print(f"\nWritten to {target}")


def _shown(each: Comparison) -> str:
    lines = [each.title]
    for timing in (each.baseline, each.palio):
        spread = f"{timing.lowest_s:.2f} to {timing.highest_s:.2f} s in {timing.runs} runs"
        lines.append(f"  {timing.name:<40} {timing.median_s:6.2f} s   ({spread})")
    lines.append(f"  ratio {each.ratio:.2f}, difference run by run {each.overhead_s:+.2f} s (medians)")
    return "\n".join(lines)


def _report(comparisons: list[Comparison], served: Serving) -> dict[str, object]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count(), "load": os.getloadavg()},
        "benchmarks": [each.as_json() for each in comparisons],
        "serving": served.as_json(),
    }


if __name__ == "__main__":
    main()

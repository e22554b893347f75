"""Collecting an output folder of 10,000 files of 50 kB, against `cp -r` of the same folder."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measuring import Comparison, side_by_side
from palio.core.files.collect import collect_folder
from palio.core.quantities import GIB

FILES, FILE_BYTES = 10_000, 50_000


def measure(runs: int = 5) -> Comparison:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        source = home / "output"
        source.mkdir()
        for number in range(FILES):
            (source / f"{number:05}.csv").write_bytes(bytes(FILE_BYTES))
        return side_by_side(
            f"collecting {FILES:,} files of {FILE_BYTES // 1000} kB",
            ("cp -r", lambda number: _copy(source, home / f"copy-{number}")),
            ("collect_folder", lambda number: _collect(source, home / f"copy-{number}")),
            runs=runs,
            tidy=lambda number: shutil.rmtree(home / f"copy-{number}"),
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)


def _collect(source: Path, target: Path) -> None:
    collected = collect_folder(source, target, max_bytes=GIB, max_files=FILES)
    if len(collected.files) != FILES:
        raise RuntimeError("not everything was collected")


if __name__ == "__main__":
    print(measure())

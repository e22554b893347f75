"""Staging 10,000 hidden inputs blind, against `cp -r` of the same folder.

Links would be faster and are not taken: the inode numbers of the originals tell in which order they were made.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measuring import Comparison, side_by_side
from palio.core.blind import stage_inputs
from palio.core.bundle.model import BlindPolicy

INPUTS, INPUT_BYTES = 10_000, 50_000


def measure(runs: int = 5) -> Comparison:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        source = home / "inputs"
        source.mkdir()
        for number in range(INPUTS):
            (source / f"{number:05}.jpg").write_bytes(bytes(INPUT_BYTES))
        policy = BlindPolicy("*.jpg", ())
        return side_by_side(
            f"staging {INPUTS:,} inputs of {INPUT_BYTES // 1000} kB blind",
            ("cp -r", lambda number: _copy(source, home / f"copy-{number}")),
            ("stage_inputs", lambda number: _stage(source, home / f"copy-{number}", policy)),
            runs=runs,
            tidy=lambda number: shutil.rmtree(home / f"copy-{number}"),
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)


def _stage(source: Path, target: Path, policy: BlindPolicy) -> None:
    if len(stage_inputs(source, target, policy).real) != INPUTS:
        raise RuntimeError("not everything was staged")


if __name__ == "__main__":
    print(measure())

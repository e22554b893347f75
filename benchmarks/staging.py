"""Staging 10,000 hidden inputs blind, against `cp -r` of the same folder.

The first run of a platform copies them, later ones link to its copies. Links to the originals would be as fast and are
not taken: their inode numbers tell in which order they were made.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Comparison, side_by_side
from palio.core.attempt.blind import Names, stage_inputs
from palio.core.attempt.input_copies import InputCopies
from palio.core.bundle.model import BlindPolicy

INPUTS, INPUT_BYTES = 10_000, 50_000
POLICY = BlindPolicy("*.jpg", ())


def measure(runs: int = 5) -> tuple[Comparison, Comparison]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        source = home / "inputs"
        source.mkdir()
        for number in range(INPUTS):
            (source / f"{number:05}.jpg").write_bytes(bytes(INPUT_BYTES))
        copies = InputCopies(home / "copies")
        copies.stage(source, "digest", home / "first", POLICY)
        ways: tuple[tuple[str, Callable[[Path], Names]], ...] = (
            ("as the first run", lambda target: stage_inputs(source, target, POLICY)),
            ("as a later run", lambda target: copies.stage(source, "digest", target, POLICY)),
        )
        first, later = (_compare(home, source, name, stage, runs) for name, stage in ways)
        return first, later
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _compare(home: Path, source: Path, name: str, stage: Callable[[Path], Names], runs: int) -> Comparison:
    def staging(number: int) -> None:
        if len(stage(home / f"copy-{number}").real) != INPUTS:
            raise RuntimeError("not everything was staged")

    return side_by_side(
        f"staging {INPUTS:,} inputs of {INPUT_BYTES // 1000} kB blind, {name}",
        ("cp -r", lambda number: _copy(source, home / f"copy-{number}")),
        ("staging", staging),
        runs=runs,
        tidy=lambda number: shutil.rmtree(home / f"copy-{number}"),
    )


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)


if __name__ == "__main__":
    for comparison in measure():
        print(comparison)

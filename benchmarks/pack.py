"""`palio pack` as a whole process, against `zip -r` of the same folder, as the published tutorial has it.

Twice: a folder as small as MedNIST's, and one with 500 MB of weights. Weights are random bytes, which no compressor
shrinks, as is nearly so of trained ones. `zip -r` compresses and `palio pack` does not, so that `zip -r -0`, which does
not either, is the floor. Only `palio pack` checks what it has packed and says its digest.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bundles import DOCKERFILE, write_context

from benchmarks.installed import PALIO, environment
from benchmarks.measuring import Comparison, side_by_side

RUNS = {2: 7, 500: 3}  # by the size of the folder, in MB
BLOCK = 1_000_000
_DOCKERFILE = DOCKERFILE.replace("predict.py", "predict.py model.pth", 1)


def measure() -> list[Comparison]:
    if shutil.which("zip") is None:
        raise RuntimeError("there is no `zip` to compare with; Debian has it as the package zip")
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        return [each for size, runs in RUNS.items() for each in _compare(home, size, runs)]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _compare(home: Path, size_mb: int, runs: int) -> list[Comparison]:
    folder = write_context(home / f"folder-{size_mb}", dockerfile=_DOCKERFILE)
    with (folder / "model.pth").open("wb") as model:
        for _ in range(size_mb):
            model.write(os.urandom(BLOCK))
    target = home / "packed.zip"
    _palio(folder, target, home)  # once, so that its bytecode is there
    target.unlink()
    return [
        side_by_side(
            f"packing a folder of {size_mb} MB",
            (" ".join(baseline), lambda _, baseline=baseline: _zip(baseline, folder, target)),  # type: ignore[misc]
            ("palio pack", lambda _: _palio(folder, target, home)),
            runs=runs,
            tidy=lambda _: target.unlink(),
        )
        for baseline in (("zip", "-r"), ("zip", "-r", "-0"))
    ]


def _zip(command: tuple[str, ...], folder: Path, target: Path) -> None:
    subprocess.run([*command, "-q", str(target), "."], cwd=folder, check=True)


def _palio(folder: Path, target: Path, home: Path) -> None:
    command = [*PALIO, "pack", str(folder), "-o", str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment(home))


if __name__ == "__main__":
    for comparison in measure():
        print(comparison.line().shown())

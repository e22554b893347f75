"""The digest of 10,000 files of 50 kB, as locks and receipts have it, against `sha256sum` of the same files.

Both read from memory, as right after a job has written them. `sha256sum` may lack the processor's own instructions for
SHA-256, which Python's OpenSSL has; a ratio well below 1 says that.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measuring import Comparison, side_by_side
from palio.core.files.tree import digest_copy
from palio.core.receipt.files import list_files

FILES, FILE_BYTES = 10_000, 50_000


def measure(runs: int = 5) -> list[Comparison]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        for number in range(FILES):
            (home / f"{number:05}.csv").write_bytes(number.to_bytes(4, "big") * (FILE_BYTES // 4))
        what = f"{FILES:,} files of {FILE_BYTES // 1000} kB"
        baseline = ("sha256sum", lambda _: _sha256sum(home))
        return [
            side_by_side(f"the digest of {what}", baseline, ("digest_copy", lambda _: _digest(home)), runs=runs),
            side_by_side(f"a receipt's list of {what}", baseline, ("list_files", lambda _: _list(home)), runs=runs),
        ]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _sha256sum(folder: Path) -> None:
    files = sorted(path.name for path in folder.iterdir())
    subprocess.run(["sha256sum", *files], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _digest(folder: Path) -> None:
    digest_copy(folder, executable=True)


def _list(folder: Path) -> None:
    if len(list_files({"predictions": folder})) != FILES:
        raise RuntimeError("not everything was listed")


if __name__ == "__main__":
    print(*measure(), sep="\n")

"""`palio check` of a bundle's zip of 2 GB and 10,000 images, as a whole process, against `python -m zipfile -t`.

The baseline only reads the zip and verifies its checksums, which `palio check` does too. Once with the images in a
folder of the zip, and once in a zip inside the zip. Also the most memory that `palio check` uses.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.bundles import YAML, write_bundle

from benchmarks.installed import PALIO, environment
from benchmarks.measuring import Line, side_by_side

FILES, FILE_BYTES = 10_000, 200_000
LIMIT, MEMORY_LIMIT = "20 s", "300 MiB"


def lines(files: int = FILES, runs: int = 3) -> list[Line]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        return [line for nested in (False, True) for line in _measure(home, files, runs, nested=nested)]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _measure(home: Path, files: int, runs: int, *, nested: bool) -> list[Line]:
    archive = _write(home, files, nested=nested)
    peaks: dict[str, int] = {}  # of memory in bytes, by the word before the archive

    def run(command: list[str]) -> None:
        peaks[command[-2]] = max(peaks.get(command[-2], 0), _run(command, home))

    compared = side_by_side(
        f"checking a bundle of {files * FILE_BYTES / 1e9:.3g} GB and {files:,} files"
        + (" in a zip in its zip" if nested else " in its zip"),
        ("zipfile -t", lambda _: run([sys.executable, "-m", "zipfile", "-t", str(archive)])),
        ("palio check", lambda _: run([*PALIO, "check", str(archive)])),
        runs=runs,
    )
    archive.unlink()
    memory = Line(f"{compared.title}: memory", peaks["check"] / 2**20, "MiB", limit=MEMORY_LIMIT)
    return [compared.line(LIMIT), memory]


def _write(home: Path, files: int, *, nested: bool) -> Path:
    """A zip of half random and half equal bytes, as images compress a little, made without writing its folder."""
    bundle = write_bundle(home / f"bundle-{nested}", yaml=YAML.replace("input_data: input_data", _INPUT[nested]))
    shutil.rmtree(bundle / "input_data")
    target = home / "bundle.zip"
    inner = home / "images.zip" if nested else target
    noise = os.urandom(FILE_BYTES // 2)
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as images:
        for number in range(files):
            name = f"{number % 100:02}/{number:05}.txt"
            images.writestr(
                name if nested else f"input_data/{name}", number.to_bytes(4, "big") + noise + bytes(FILE_BYTES // 2)
            )
    with zipfile.ZipFile(target, "a", zipfile.ZIP_STORED) as archive:
        for path in sorted(bundle.rglob("*")):
            archive.write(path, path.relative_to(bundle))
        if nested:
            archive.write(inner, inner.name)
    shutil.rmtree(bundle)
    if nested:
        inner.unlink()
    return target


_INPUT = {False: "input_data: input_data", True: "input_data: images.zip"}


def _run(command: list[str], home: Path) -> int:
    """Runs a command that has to succeed, and returns the most memory that it used, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(home))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss * 1024


if __name__ == "__main__":
    for line in lines():
        print(line.shown())

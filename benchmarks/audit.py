"""The data audit of 60,000 images of 64x64, against the obvious program: imagehash for each image, in one process.

The baseline only hashes the images and groups equal hashes, which finds fewer duplicates and nothing else. A comparison
of all pairs of its hashes would take hours; it is timed on a part, for the second line. The images are noise of low
frequency, with labels, 100 copies and 100 recompressed copies, which the audit has to find.
"""

import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import Line
from palio.data.audit.run import audit_folder

IMAGES, COPIES, SIDE = 60_000, 100, 64
PAIRS_OF = 2_000  # images whose hashes are all compared
LIMIT_S = 90


def measure(images: int = IMAGES) -> list[Line]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        draw(home, images)
        begin, cpu = time.perf_counter(), _cpu_s()
        report = audit_folder(home)
        ours, cpu = time.perf_counter() - begin, _cpu_s() - cpu
        codes = {finding.code: finding.count for finding in report.findings}
        assert report.read == images, report.read
        assert codes["duplicate-inside"] == COPIES, codes
        assert codes["near-duplicate-inside"] >= COPIES, codes
        memory = max(
            resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        begin, their_cpu = time.perf_counter(), _cpu_s()
        hashes = _imagehash(home)
        theirs, their_cpu = time.perf_counter() - begin, _cpu_s() - their_cpu
        pairs = _all_pairs(hashes[:PAIRS_OF]) * (images / PAIRS_OF) ** 2
        title = f"data audit of {images:,} images of {SIDE}x{SIDE}"
        return [
            Line(title, ours, "s", "imagehash.phash of each, equal hashes", theirs, limit=f"{LIMIT_S} s"),
            Line(title, ours, "s", f"the same, all pairs (from {PAIRS_OF:,} images)", theirs + pairs),
            Line(f"{title}: CPU time", cpu, "s", "imagehash.phash of each, equal hashes", their_cpu),
            Line(f"{title}: memory of the largest process", memory, "MiB"),
        ]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _cpu_s() -> float:
    """Of this process and those that have ended. Unlike time, it hardly depends on what else the machine does."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def draw(folder: Path, images: int) -> None:
    """Writes JPEGs into two class folders, with opaque names; the last are copies of the first, in their folder."""
    random = np.random.default_rng(0)
    for label in "ab":
        (folder / label).mkdir()
    names = random.permutation(16**6 - 1)[:images]
    for number in range(images - 2 * COPIES):
        path = folder / "ab"[number % 2] / f"{names[number]:06x}.jpg"
        small = Image.fromarray(random.integers(0, 256, (9, 9), dtype=np.uint8))
        noise = random.normal(0, 6, (SIDE, SIDE))
        values = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) + noise
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(path, quality=85)
    for number in range(COPIES):
        original = folder / "ab"[number % 2] / f"{names[number]:06x}.jpg"
        shutil.copy(original, original.with_name(f"{names[images - 1 - number]:06x}.jpg"))
        other = folder / "ab"[number % 2] / f"{names[number + COPIES]:06x}.jpg"
        with Image.open(other) as image:
            image.save(other.with_name(f"{names[images - 1 - COPIES - number]:06x}.jpg"), quality=75)


def _imagehash(folder: Path) -> list["np.ndarray[tuple[int, int], np.dtype[np.bool_]]"]:
    import imagehash

    hashes, seen = [], set()
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(path) as image:
            found = imagehash.phash(image)
        seen.add(found)
        hashes.append(found.hash)
    return hashes


def _all_pairs(hashes: list["np.ndarray[tuple[int, int], np.dtype[np.bool_]]"]) -> float:
    """Seconds to compare each with each, as a matrix operation."""
    begin = time.perf_counter()
    flat = np.array(hashes).reshape(len(hashes), -1)
    for one in flat:
        np.count_nonzero(flat != one, axis=1)
    return time.perf_counter() - begin


if __name__ == "__main__":
    print(*(line.shown() for line in measure()), sep="\n")

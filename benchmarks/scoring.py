"""Scoring as a whole process: the MedNIST scoring program against pandas with scikit-learn's classification_report.

    python -m benchmarks.scoring [ROWS ...]     (default: 600 60000 1000000)

Both read the same two CSV files and have to agree to 1e-12. Ours also writes the cases and the report.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Comparison, side_by_side

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "challenges/mednist/scoring_program/score.py"
BASELINE = ROOT / "benchmarks/baselines/score_with_pandas.py"
CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
ROWS = (600, 60_000, 1_000_000)
LIMITS = {1_000_000: "ratio 0.25"}
TOLERANCE = 1e-12


def measure(rows: int, runs: int = 3) -> Comparison:
    with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as name:
        home = Path(name)
        write_answers(home, rows)
        baseline = [sys.executable, str(BASELINE), str(home)]
        ours = [sys.executable, str(PROGRAM), str(home), str(home / "out")]
        comparison = side_by_side(
            f"scoring {rows:,} rows",
            ("pandas and scikit-learn", lambda _: _run(baseline)),
            ("scoring program", lambda _: _run(ours)),
            runs=runs,
        )
        expected = json.loads(subprocess.run(baseline, check=True, capture_output=True).stdout)
        scores = json.loads((home / "out/scores.json").read_text())
    expected["f1"] = expected.pop("f1-score")
    if any(abs(scores[key] - expected[key]) > TOLERANCE for key in ("precision", "recall", "f1")):
        raise RuntimeError(f"the scores differ: {scores} here, {expected} by scikit-learn")
    return comparison


def write_answers(home: Path, rows: int) -> None:
    """Reference and predictions as the published program writes them, in any order; one in a hundred is drawn."""
    chance = random.Random(0)  # noqa: S311 - the same rows each time
    truth, predictions = [], []
    for number in range(rows):
        actual = chance.choice(CLASSES)
        predicted = actual if chance.random() < 0.99 else chance.choice(CLASSES)
        truth.append(f"testing-data/{number:06}.jpg,{actual}\n")
        predictions.append(f"testing-data/{number:06}.jpg,{predicted}\n")
    for name, lines in (("ref/truth.csv", truth), ("res/predictions.csv", predictions)):
        chance.shuffle(lines)
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text("".join(["file,class\n", *lines]))


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def peak_gib(rows: int) -> float:
    """The scoring program's peak memory, in GiB; the largest process that this one has run must be it."""
    with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as name:
        write_answers(Path(name), rows)
        _run([sys.executable, str(PROGRAM), name, f"{name}/out"])
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


if __name__ == "__main__":
    for asked in [int(text) for text in sys.argv[1:]] or ROWS:
        print(measure(asked))

"""The storm's challenge, and submissions to it, each of which earns a score that no other earns.

Every case is a hidden number; submission `n` answers each with that number plus n, and its score is n / SCALE. So a
score tells which program was run, and that it saw the hidden cases. Some submissions fail by their own fault instead.
"""

import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.bundles import DOCKERFILE, YAML, write_bundle

SCALE = 100_000
CASES = 8
LABEL = "palio.storm"
_SCORE = """\
import csv, json, sys, time
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
read = lambda path: {row["file"]: int(row["answer"]) for row in csv.DictReader(path.open())}
truth, given = read(source / "ref" / "answers.csv"), read(source / "res" / "answers.csv")
time.sleep(0.3)
(more,) = {given[name] - number for name, number in truth.items()}
(target / "scores.json").write_text(json.dumps({"accuracy": more / %d}))
"""
_PREDICT = """\
import csv, os, sys, time
from pathlib import Path

if "LD_PRELOAD" in os.environ:  # the storm's clock is none of a job's
    sys.exit("LD_PRELOAD is set")
time.sleep({sleep_s})
if {exits}:
    sys.exit(3)
with open(os.environ["PALIO_OUTPUT"] + "/answers.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["file", "answer"])
    for path in sorted(Path(os.environ["PALIO_INPUT"]).glob("*.txt")):
        rows.writerow([path.name, int(path.read_text()) + {number}])
"""


@dataclass(frozen=True)
class Expected:
    """How a submission ends if nothing but its own content decides."""

    name: str
    score: float | None
    failure: str = ""
    charged: bool = True


def write_challenge(folder: Path, chance: random.Random) -> Path:
    yaml = YAML.replace("    start: 2026-01-01\n", "    start: 2026-01-01\n    max_submissions_per_day: 1000\n")
    assert yaml != YAML
    write_bundle(folder, yaml=yaml, score=_SCORE % SCALE)
    for stale in (folder / "input_data").iterdir():
        stale.unlink()
    numbers = {f"case-{number}.txt": chance.randrange(10**6) for number in range(CASES)}
    for name, number in numbers.items():
        (folder / "input_data" / name).write_text(str(number))
    rows = "".join(f"{name},{number}\n" for name, number in numbers.items())
    (folder / "reference_data/answers.csv").write_text(f"file,answer\n{rows}")
    return folder


def write_submission(folder: Path, number: int, chance: random.Random) -> Expected:
    """The `number`th of them: a zip of that name in `folder`; images of this storm have LABEL with its name."""
    name = f"storm-{number:04}.zip"
    exits = number % 10 in (3, 7)
    predict = _PREDICT.format(sleep_s=round(chance.uniform(0.2, 1.0), 2), exits=exits, number=number)
    dockerfile = DOCKERFILE.replace("WORKDIR", f"LABEL {LABEL}={folder.parent.name}\nWORKDIR")
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("Dockerfile", dockerfile)
        archive.writestr("predict.py", predict)
    if exits:
        return Expected(name, None, "predict-exit")
    return Expected(name, number / SCALE)

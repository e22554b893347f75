"""A small challenge for tests: which of a few text files holds a vowel first? Scored by a real scoring program."""

import base64
from pathlib import Path

YAML = """\
version: 2
title: Vowels
description: A challenge small enough to read.
image: logo.png
terms: terms.md
registration_auto_approve: true
docker_image: python:3.11-slim
pages:
  - {title: Overview, file: overview.md}
tasks:
  - index: 0
    name: Vowels
    input_data: input_data
    reference_data: reference_data
    scoring_program: scoring_program
phases:
  - max_submissions: 20
    name: Final
    start: 2026-01-01
    tasks: [0]
leaderboards:
  - title: Results
    key: main
    columns:
      - {title: Accuracy, key: accuracy, index: 0, sorting: desc, precision: 3}
palio:
  submissions: [context, results]
  limits:
    build: {time: 120 s, memory: 1 GiB, network: false}
    predict: {time: 20 s, memory: 256 MiB, cpus: 1, pids: 64, shm: 16 MiB, output: 1 MiB, files: 20}
    score: {time: 20 s, memory: 256 MiB, cpus: 1}
  blind: {inputs: "*.txt", restore: [{csv: answers.csv, column: file}]}
"""

SCORE = """\
import csv, json, sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
read = lambda path: {row["file"]: row["answer"] for row in csv.DictReader(path.open())}
truth = read(source / "ref" / "answers.csv")
given = read(source / "res" / "answers.csv")
missing = sorted(truth.keys() - given.keys())
if missing:
    (target / "problems.txt").write_text(f"answers.csv: {len(missing)} files are missing: {', '.join(missing)}\\n")
    sys.exit(10)
right = sum(given[name] == answer for name, answer in truth.items())
(target / "scores.json").write_text(json.dumps({"accuracy": right / len(truth)}))
(target / "detailed_results.html").write_text(f"<p>{right} right</p>")
"""

ANSWERS = {"one.txt": "yes", "two.txt": "no", "three.txt": "yes"}
CONTENTS = {"one.txt": "apple", "two.txt": "pear", "three.txt": "orange"}

PREDICT = """\
import csv, os
from pathlib import Path

with open(os.environ["PALIO_OUTPUT"] + "/answers.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["file", "answer"])
    for path in sorted(Path(os.environ["PALIO_INPUT"]).glob("*.txt")):
        rows.writerow([path.name, "yes" if path.read_text()[0] in "aeiou" else "no"])
"""

LOGO = base64.b64decode(  # a picture of one pixel
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)

DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /opt/vowels
COPY predict.py ./
CMD ["python", "predict.py"]
"""


def write_bundle(folder: Path, *, yaml: str = YAML, score: str = SCORE) -> Path:
    """The whole challenge in `folder`, which is made."""
    files = {
        "competition.yaml": yaml,
        "terms.md": "Be fair.\n",
        "overview.md": "# Vowels\n",
        "scoring_program/score.py": score,
        "scoring_program/metadata.yaml": "command: python $program/score.py $input $output\n",
        "reference_data/answers.csv": answers(ANSWERS),
        **{f"input_data/{name}": content for name, content in CONTENTS.items()},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "logo.png").write_bytes(LOGO)
    return folder


def two_tasks(yaml: str = YAML) -> str:
    """The same challenge with a second task, `Again`, on the same data."""
    first = yaml[yaml.index("  - index: 0\n    name: Vowels") : yaml.index("phases:")]
    second = first.replace("index: 0", "index: 1").replace("name: Vowels", "name: Again")
    return yaml.replace(first, first + second).replace("tasks: [0]", "tasks: [0, 1]")


def answers(given: dict[str, str]) -> str:
    return "file,answer\n" + "".join(f"{name},{answer}\n" for name, answer in given.items())


def write_context(folder: Path, *, predict: str = PREDICT, dockerfile: str = DOCKERFILE) -> Path:
    """A folder to be packed: a submission to this challenge that is right about everything."""
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "predict.py").write_text(predict)
    return folder

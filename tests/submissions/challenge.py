"""The challenge that the attacks are run against: which of 60 texts begins with a vowel?

Names, order and times of its files give the answers away to whoever sees them: the first 30 begin with a vowel. All
sizes are equal. Its limits are small, so that whoever exhausts one is done within seconds.
"""

import os
from pathlib import Path

from tests.bundles import YAML, answers, write_bundle

CASES = 60
CANARY = "palio-canary"  # in names of the host that a submission must not get to see
_LIMITS = """\
    build: {time: 10 s, memory: 128 MiB, network: false, size: 400 MiB}
    predict: {time: 5 s, memory: 128 MiB, cpus: 1, pids: 64, shm: 16 MiB, output: 1 MiB, files: 50}
    score: {time: 5 s, memory: 128 MiB, cpus: 1, output: 1 MiB, files: 50}
  logs: {predict: full}
"""

SCORE = """\
import csv, json, sys
from collections import Counter
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
read = lambda path: [(row["file"], row["answer"]) for row in csv.DictReader(path.open(encoding="utf-8-sig"))]
truth = dict(read(source / "ref" / "palio-canary.csv"))
rows = read(source / "res" / "answers.csv")
given = dict(rows)
twice = sum(count > 1 for count in Counter(name for name, _ in rows).values())
problems = {
    "cases are missing": len(truth.keys() - given.keys()),
    "cases are answered twice": twice,
    "answers are neither yes nor no": sum(answer not in ("yes", "no") for answer in given.values()),
}
if found := [f"{count} {what}" for what, count in problems.items() if count]:
    (target / "problems.txt").write_text("\\n".join(found))
    sys.exit(10)
right = sum(given[name] == answer for name, answer in truth.items())
(target / "scores.json").write_text(json.dumps({"accuracy": right / len(truth)}))
"""


def truth() -> dict[str, str]:
    return {f"case-{number:03}.txt": "yes" if number <= CASES // 2 else "no" for number in range(1, CASES + 1)}


def write_challenge(folder: Path, *, score: str = SCORE, network: bool = False) -> Path:
    """The whole challenge in `folder`, which is made."""
    head, _, tail = YAML.partition("    build: ")
    policy = tail[tail.index("  blind:") :]
    kinds = "submissions: [context, results]"
    assert kinds in head
    yaml = head.replace(kinds, "submissions: [context, image, results]") + _LIMITS + policy
    if network:
        yaml = yaml.replace("network: false", "network: true").replace("build: {time: 10 s", "build: {time: 60 s")
    write_bundle(folder, yaml=yaml, score=score)
    for stale in (*(folder / "input_data").iterdir(), folder / "reference_data/answers.csv"):
        stale.unlink()
    for number, (name, answer) in enumerate(truth().items()):
        path = folder / "input_data" / name
        path.write_text("apple" if answer == "yes" else "pears")
        os.utime(path, (1_000_000_000 + number,) * 2)
    (folder / f"reference_data/{CANARY}.csv").write_text(answers(truth()))
    return folder

"""A bundle of two phases with dates, public data with classes, statistics, and questions to teams."""

from pathlib import Path

from tests.bundles import YAML, write_bundle

COLUMNS = """\
    columns:
      - {title: F1, key: f1, index: 0, sorting: desc, precision: 4}
      - {title: Accuracy, key: accuracy, index: 1, sorting: desc, precision: 4}
      - {title: Seconds, key: seconds, index: 2, sorting: asc, precision: 1}
      - {title: Secret, key: secret, index: 3, sorting: desc, precision: 3, hidden: true}
"""
PHASES = """\
phases:
  - index: 0
    name: Practice
    description: Public scores.
    start: 2025-01-01
    end: 2026-03-02
    tasks: [0]
    max_submissions: 20
    public_data: public_data
  - index: 1
    name: Final
    description: One container for each team.
    start: 2026-03-02
    end: {end}
    tasks: [0]
    max_submissions: 2
"""
QUESTIONS = """\
fact_sheet:
  affiliation: {key: affiliation, type: text, title: Affiliation}
  method: {key: method, type: text, title: Method}
"""
STATISTICS = "  statistics: {cases: cases.csv, kind: classification, metrics: {f1: f1_weighted, accuracy: accuracy}}\n"


def write_closed_bundle(folder: Path, end: str = "2026-04-01") -> Path:
    before, after = YAML.split("phases:")[0], YAML.split("palio:\n")[1]
    boards = f"leaderboards:\n  - title: Results\n    key: main\n{COLUMNS}"
    yaml = f"{before}{PHASES.format(end=end)}{boards}{QUESTIONS}palio:\n{STATISTICS}{after}"
    bundle = write_bundle(folder, yaml=yaml)
    for split, counts in {"training": (6, 4), "validation": (3, 2)}.items():
        for name, count in zip(("yes", "no"), counts, strict=True):
            for number in range(count):
                path = bundle / "public_data" / split / name / f"{number}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("word")
    return bundle

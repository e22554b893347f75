import csv
import json
import sys
from pathlib import Path


def read(path):
    with path.open() as file:
        return {row["case"]: float(row["months"]) for row in csv.DictReader(file)}


source, target = Path(sys.argv[1]), Path(sys.argv[2])
truth, given = read(source / "ref" / "ages.csv"), read(source / "res" / "ages.csv")
mae = sum(abs(truth[case] - given[case]) for case in truth) / len(truth)
(target / "scores.json").write_text(json.dumps({"mae": mae}))

import csv
import json
import sys
from pathlib import Path


def read(path, column):
    with path.open() as file:
        return {row["case"]: float(row[column]) for row in csv.DictReader(file)}


source, target = Path(sys.argv[1]), Path(sys.argv[2])
truth, given = read(source / "ref" / "truth.csv", "malignant"), read(source / "res" / "predictions.csv", "probability")
pairs = [(given[ill], given[well]) for ill in truth for well in truth if truth[ill] > truth[well]]
auc = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
(target / "scores.json").write_text(json.dumps({"auc": auc}))

"""The right answers: whether a file's text begins with a vowel. Hostile programs import it to be scored afterwards."""

import csv
import os
from pathlib import Path

INPUT, OUTPUT = Path(os.environ["PALIO_INPUT"]), Path(os.environ["PALIO_OUTPUT"])


def answers():
    return {path.name: "yes" if path.read_text()[0] in "aeiou" else "no" for path in INPUT.glob("*.txt")}


def write(given, name="answers.csv", encoding="utf-8", newline="\n"):
    with open(OUTPUT / name, "w", encoding=encoding, newline="") as file:
        rows = csv.writer(file, lineterminator=newline)
        rows.writerow(["file", "answer"])
        rows.writerows(given.items())


def must_fail(attempts):
    """Calls each of the attempts and ends the program with their names if one of them succeeds."""
    succeeded = []
    for name, attempt in attempts.items():
        try:
            found = attempt()
        except OSError as error:
            print(f"{name}: {error}")
        else:
            succeeded.append(f"{name}: {found!r}")
    if succeeded:
        raise SystemExit("SUCCEEDED " + "; ".join(succeeded))

"""Scores MedNIST predictions against the reference.

    python score.py [INPUT OUTPUT]          (default: input output)

INPUT/ref and INPUT/res each hold one CSV file with the columns file and class; rows are joined by file name, folders
do not count. OUTPUT receives

    scores.txt, scores.json   precision, recall and f1: scikit-learn's weighted averages, to the last bit
    cases.csv                 file, truth, prediction
    detailed_results.html     the table of classification_report and the confusion matrix, in one file
    problems.txt              instead of all these: what is wrong with the predictions, one sentence a line

Exit status: 0 scored; 10 the predictions cannot be scored (the sentences are on standard error too); 11 the fault lies
with the reference or with the folders this program was given.

Needs nothing but Python: it starts in a moment and runs on whatever image or machine is at hand.
"""

import argparse
import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from html import escape
from pathlib import Path

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
COLUMNS = ["file", "class"]
OUTPUTS = ("scores.txt", "scores.json", "cases.csv", "detailed_results.html", "problems.txt")
PREDICTIONS_AT_FAULT, ORGANIZER_AT_FAULT = 10, 11
EXAMPLES = 5

# What can be wrong with rows, and what to do about it.
ROW_PROBLEMS = {
    "fields": ("without exactly two fields", "Write one file name and one class in each row, separated by a comma."),
    "nameless": ("without a file name", "Name the image in each row."),
    "unknown": ("for files that are not asked for", "Remove them, or correct the names; folders in names do not count."),
    "repeated": ("for files that have one already", "Keep one row for each file; folders in names do not count."),
    "classless": ("without a class", f"Write one of {', '.join(CLASSES)}."),
    "misclassed": ("with an unknown class", f"Allowed are {', '.join(CLASSES)}, spelled exactly so."),
}

type_of_answers = dict[str, str]


class Unscorable(Exception):
    """The sentences that say why a CSV file cannot be used."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))

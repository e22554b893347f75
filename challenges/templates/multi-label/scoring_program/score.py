"""Scores predicted probabilities of several labels: AUC, average precision and F1, each averaged over the labels.

The metrics are those of scikit-learn, which papers cite and which has defined them unchanged for years.
"""

from pathlib import Path

import numpy as np
from frame import Scored, TableError, main, probability, read_predictions, read_reference
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

LABELS = ("bright", "dark", "striped")
COLUMNS = dict.fromkeys(LABELS, probability)
THRESHOLD = 0.5  # for F1: a label is predicted from this probability


def score(reference: Path, predictions: Path) -> Scored:
    expected = read_reference(reference, COLUMNS)
    predicted = read_predictions(predictions, COLUMNS, expected)
    truth = np.array([[row[label] for label in LABELS] for row in expected]) > THRESHOLD
    answers = np.array([[row[label] for label in LABELS] for row in predicted])
    for label, present in zip(LABELS, truth.T, strict=True):
        if present.all() or not present.any():
            raise TableError(f"In the reference, {label} is the same for all files. Its AUC needs both 0 and 1.")
    return Scored(
        scores={
            "auc": roc_auc_score(truth, answers, average="macro"),
            "average_precision": average_precision_score(truth, answers, average="macro"),
            "f1": f1_score(truth, answers >= THRESHOLD, average="macro", zero_division=0),
        },
        cases=[
            {
                "file": row["file"],
                **{f"truth_{label}": round(row[label]) for label in LABELS},
                **{f"prediction_{label}": answer[label] for label in LABELS},
            }
            for row, answer in zip(expected, predicted, strict=True)
        ],
    )


if __name__ == "__main__":
    main(score)

"""Scores predicted classes: accuracy, balanced accuracy and macro-averaged F1.

The metrics are those of scikit-learn, which papers cite and which has defined them unchanged for years.
"""

from pathlib import Path

from frame import Scored, main, one_of, read_predictions, read_reference
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

CLASSES = ("round", "long", "hollow")
COLUMNS = {"class": one_of(CLASSES)}


def score(reference: Path, predictions: Path) -> Scored:
    expected = read_reference(reference, COLUMNS)
    predicted = read_predictions(predictions, COLUMNS, expected)
    truth = [row["class"] for row in expected]
    answers = [row["class"] for row in predicted]
    return Scored(
        scores={
            "f1_macro": f1_score(truth, answers, average="macro", zero_division=0),
            "balanced_accuracy": balanced_accuracy_score(truth, answers),
            "accuracy": accuracy_score(truth, answers),
        },
        cases=[
            {"file": row["file"], "truth": row["class"], "prediction": answer}
            for row, answer in zip(expected, answers, strict=True)
        ],
    )


if __name__ == "__main__":
    main(score)

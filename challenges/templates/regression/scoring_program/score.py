"""Scores predicted numbers: mean absolute error, root mean squared error and R².

The metrics are those of scikit-learn, which papers cite and which has defined them unchanged for years.
"""

from pathlib import Path

from frame import Scored, main, number, read_predictions, read_reference
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

VALUE = "diameter"
COLUMNS = {VALUE: number}


def score(reference: Path, predictions: Path) -> Scored:
    expected = read_reference(reference, COLUMNS)
    predicted = read_predictions(predictions, COLUMNS, expected)
    truth = [row[VALUE] for row in expected]
    answers = [row[VALUE] for row in predicted]
    return Scored(
        scores={
            "mae": mean_absolute_error(truth, answers),
            "rmse": root_mean_squared_error(truth, answers),
            "r2": r2_score(truth, answers),
        },
        cases=[
            {"file": row["file"], "truth": row[VALUE], "prediction": answer, "absolute_error": abs(answer - row[VALUE])}
            for row, answer in zip(expected, answers, strict=True)
        ],
    )


if __name__ == "__main__":
    main(score)

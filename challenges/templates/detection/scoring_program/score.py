"""Scores detected boxes: COCO's average precision and recall.

They are computed by pycocotools, the reference implementation, so that scores mean what they mean in papers.
torchmetrics gives the same numbers but needs PyTorch, which makes an image of gigabytes.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

from frame import (
    FieldError,
    InvalidPredictionsError,
    Row,
    Scored,
    TableError,
    main,
    number,
    probability,
    read_predictions,
    read_reference,
)
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def size(field: str) -> float:
    value = number(field)
    if value <= 0:
        raise FieldError("Write a number of pixels above 0.")
    return value


def optional(read: Any) -> Any:
    return lambda field: read(field) if field else None


BOX = ("x", "y", "width", "height")  # in pixels; x and y are those of the upper left corner
COLUMNS = {
    "x": optional(number),
    "y": optional(number),
    "width": optional(size),
    "height": optional(size),
    "score": optional(probability),
}
SURE = 0.5  # in cases.csv: boxes with at least this score count as detections
MOST_BOXES = 100  # of an image that COCO looks at: those with the highest scores


def score(reference: Path, predictions: Path) -> Scored:
    expected = read_reference(reference, COLUMNS, repeated=True)
    predicted = read_predictions(predictions, COLUMNS, expected, repeated=True)
    if partial := [row["file"] for row in predicted if len({row[name] is None for name in COLUMNS}) > 1]:
        raise InvalidPredictionsError(
            f"{len(partial):,} rows have some but not all of {', '.join(COLUMNS)}, such as a row for {partial[0]!r}. "
            "Write all of them, or none for an image without objects."
        )
    files = sorted({row["file"] for row in expected})
    result = evaluate(files, boxes(expected, files), boxes(predicted, files))
    if result.stats[0] < 0:
        raise TableError("The reference has no box. Average precision needs at least one.")
    return Scored(
        scores={"ap": result.stats[0], "ap50": result.stats[1], "recall": result.stats[8]},
        cases=[{"file": file, **counts(found)} for file, found in zip(files, result.evalImgs, strict=False)],
    )


def boxes(rows: list[Row], files: list[str]) -> list[dict[str, Any]]:
    """The boxes in COCO's format."""
    numbers = {file: number for number, file in enumerate(files, start=1)}
    there = [row for row in rows if row["x"] is not None]
    return [
        {
            "id": place,
            "image_id": numbers[row["file"]],
            "category_id": 1,
            "bbox": [row[name] for name in BOX],
            "area": row["width"] * row["height"],
            "score": row["score"],
            "iscrowd": 0,
        }
        for place, row in enumerate(there, start=1)
    ]


def evaluate(files: list[str], expected: list[dict[str, Any]], predicted: list[dict[str, Any]]) -> COCOeval:
    def dataset(annotations: list[dict[str, Any]]) -> COCO:
        coco = COCO()
        coco.dataset = {
            "images": [{"id": number} for number in range(1, len(files) + 1)],
            "categories": [{"id": 1}],
            "annotations": annotations,
        }
        coco.createIndex()
        return coco

    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        result = COCOeval(dataset(expected), dataset(predicted), "bbox")
        result.params.maxDets = [1, 10, MOST_BOXES]
        result.evaluate()
        result.accumulate()
        result.summarize()
    return result


def counts(found: Any) -> dict[str, int]:
    """What was found in one image, where a box counts if its overlap (IoU) with an object is at least 0.5."""
    if found is None:  # neither boxes nor objects
        return {"objects": 0, "detected": 0, "false_alarms": 0}
    sure = [match > 0 for match, score in zip(found["dtMatches"][0], found["dtScores"], strict=True) if score >= SURE]
    return {"objects": len(found["gtIds"]), "detected": sum(sure), "false_alarms": len(sure) - sum(sure)}


if __name__ == "__main__":
    main(score)

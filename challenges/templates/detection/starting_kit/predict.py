"""A first submission: looks at each image and answers with one box in its middle. Replace `detect` with your model.

/mnt/in/*.png -> /mnt/out/predictions.csv
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image


def detect(picture: np.ndarray) -> list[list[float]]:  # noqa: ARG001
    """Returns x, y, width, height and score of each object in a picture: gray values from 0 to 255, shape (64, 64)."""
    return [[24, 24, 16, 16, 0.5]]


with Path("/mnt/out/predictions.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "x", "y", "width", "height", "score"])
    for path in sorted(Path("/mnt/in").glob("*.png")):
        # A row without a box says that the image shows no object.
        for box in detect(np.asarray(Image.open(path), float)) or [[""] * 5]:
            writer.writerow([path.name, *box])

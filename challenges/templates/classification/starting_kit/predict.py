"""A first submission: looks at each image and answers `round`. Replace `predict` with your model.

/mnt/in/*.png -> /mnt/out/predictions.csv
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image


def predict(picture: np.ndarray) -> str:  # noqa: ARG001
    """Returns the class of a picture: gray values from 0 to 255, shape (64, 64)."""
    return "round"


with Path("/mnt/out/predictions.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "class"])
    for path in sorted(Path("/mnt/in").glob("*.png")):
        writer.writerow([path.name, predict(np.asarray(Image.open(path), float))])

"""The reference solution: measures the area of the bright region.

/mnt/in/*.png -> /mnt/out/predictions.csv
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image


def smooth(picture: np.ndarray, reach: int = 2) -> np.ndarray:
    padded = np.pad(picture, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1, 2 * reach + 1))
    return windows.mean(axis=(2, 3))


def measure(picture: np.ndarray) -> float:
    """The diameter of the disc, in pixels."""
    gray = smooth(picture)
    base, top = np.median(gray), np.quantile(gray, 0.99)
    y, x = np.nonzero(gray > (base + top) / 2)
    near = np.hypot(x - np.median(x), y - np.median(y)) < 20  # leaves out most bright spots elsewhere
    return float(2 * np.sqrt(near.sum() / np.pi))


with Path("/mnt/out/predictions.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "diameter"])
    for path in sorted(Path("/mnt/in").glob("*.png")):
        writer.writerow([path.name, round(measure(np.asarray(Image.open(path), float)), 2)])

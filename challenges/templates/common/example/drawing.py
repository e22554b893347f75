"""Draws the example: pictures under random names, tables and the logo. The same seed draws the same pixels."""

import argparse
import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent  # the challenge
SIZE_PX = 64
Plane = np.ndarray  # (64, 64) float
Random = np.random.Generator
# For each split: the folder of its images, and the folder of its truth.
SPLITS = {
    "training": ("public_data/training", "public_data"),
    "sample": ("sample_data", "sample_expected"),
    "testing": ("input_data", "reference_data"),
}


def random_from_arguments() -> Random:
    """Removes earlier data, draws the logo and returns the random numbers of the seed on the command line."""
    parser = argparse.ArgumentParser(description="Draws the example data of this challenge, in place of earlier data.")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other data (%(default)s)")
    seed = parser.parse_args().seed
    for folder in ("public_data", "sample_data", "sample_expected", "input_data", "reference_data"):
        shutil.rmtree(ROOT / folder, ignore_errors=True)
    draw_logo()
    return np.random.default_rng(seed)


def write_pictures(
    random: Random, counts: dict[str, int], draw: Callable[[Random, int], tuple[Plane, Sequence[dict[str, Any]]]]
) -> None:
    """Draws PNG files and a CSV file for each split. `draw` returns a picture and the rows of its truth."""
    for split, (images, truth) in SPLITS.items():
        (ROOT / images).mkdir(parents=True)
        (ROOT / truth).mkdir(parents=True, exist_ok=True)
        rows = []
        for number in range(counts[split]):
            picture, found = draw(random, number)
            name = f"{random.bytes(8).hex()}.png"  # says nothing about the picture
            Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8)).save(ROOT / images / name)
            rows += [{"file": name, **row} for row in found]
        rows.sort(key=lambda row: row["file"])
        name = "training.csv" if split == "training" else "reference.csv"
        with (ROOT / truth / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def background(random: Random, noise: float = 14.0) -> Plane:
    """Uneven gray with noise."""
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX] / SIZE_PX - 0.5
    slope = random.uniform(-25, 25) * x + random.uniform(-25, 25) * y
    return random.uniform(90, 120) + slope + random.normal(0, noise, (SIZE_PX, SIZE_PX))


def around(random: Random, margin: float) -> tuple[Plane, Plane]:
    """Coordinates in pixels around a random center, at least `margin` from the border, turned by a random angle."""
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(float)
    x -= random.uniform(margin, SIZE_PX - margin)
    y -= random.uniform(margin, SIZE_PX - margin)
    angle = random.uniform(0, np.pi)
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def soft(depth: Plane) -> Plane:
    """1 where a point is inside (positive depth, in pixels), 0 outside, with an edge of one pixel."""
    return np.clip(depth + 0.5, 0, 1)


def draw_logo() -> None:
    y, x = np.mgrid[0:256, 0:256] - 127.5
    radius = np.hypot(x, y)
    ring, dot = soft(100 - radius) * soft(radius - 76), soft(34 - np.hypot(x - 24, y + 20))
    colors = np.array([[250, 248, 243], [27, 79, 114], [205, 92, 46]], float)  # paper, ring, dot
    weights = np.stack([1 - np.maximum(ring, dot), ring * (1 - dot), dot])
    picture = np.tensordot(weights, colors, axes=(0, 0))
    Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8)).save(ROOT / "logo.png")

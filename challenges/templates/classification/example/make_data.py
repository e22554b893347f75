"""Draws the example data: bright shapes on noise, one in each picture. Replace it with your own data (README.md)."""

import numpy as np
from drawing import Plane, Random, around, background, random_from_arguments, soft, write_pictures

CLASSES = ("round", "long", "hollow")


def draw(random: Random, number: int) -> tuple[Plane, list[dict[str, object]]]:
    shape = CLASSES[number % len(CLASSES)]
    x, y = around(random, margin=20)
    size, contrast = random.uniform(9, 15), random.uniform(22, 60)
    radius = np.hypot(x, y)
    if shape == "long":
        stretch = random.uniform(1.25, 1.5)
        depth = size - np.hypot(x / stretch, y * stretch)
    else:
        depth = size - radius
    if shape == "hollow":
        depth = np.minimum(depth, radius - random.uniform(0.35, 0.6) * size)
    return background(random) + contrast * soft(depth), [{"class": shape}]


write_pictures(random_from_arguments(), {"training": 60, "sample": 6, "testing": 120}, draw)

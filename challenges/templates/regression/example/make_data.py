"""Draws the example data: one bright disc in each picture, whose diameter is wanted. Replace it (README.md)."""

import numpy as np
from drawing import Plane, Random, around, background, random_from_arguments, soft, write_pictures


def draw(random: Random, _number: int) -> tuple[Plane, list[dict[str, object]]]:
    x, y = around(random, margin=20)
    diameter = round(float(random.uniform(8, 36)), 2)
    picture = background(random) + random.uniform(25, 70) * soft(diameter / 2 - np.hypot(x, y))
    return picture, [{"diameter": diameter}]


write_pictures(random_from_arguments(), {"training": 60, "sample": 6, "testing": 100}, draw)

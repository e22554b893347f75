"""Draws the example data: pictures with any of three findings. Replace it with your own data (README.md)."""

import numpy as np
from drawing import Plane, Random, around, background, random_from_arguments, soft, write_pictures

LABELS = ("bright", "dark", "striped")


def draw(random: Random, number: int) -> tuple[Plane, list[dict[str, object]]]:
    # Every combination is equally frequent, so that no label is rare in any split.
    present = {label: number >> place & 1 for place, label in enumerate(LABELS)}
    picture = background(random)
    for label, sign in (("bright", 1), ("dark", -1)):
        x, y = around(random, margin=8)
        spot = random.uniform(14, 45) * soft(random.uniform(3, 6) - np.hypot(x, y))
        picture += sign * present[label] * spot
    x, _ = around(random, margin=20)
    stripes = random.uniform(2.5, 8) * np.cos(2 * np.pi * x / random.uniform(5, 9))
    return picture + present["striped"] * stripes, [present]


write_pictures(random_from_arguments(), {"training": 64, "sample": 8, "testing": 120}, draw)

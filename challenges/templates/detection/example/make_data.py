"""Draws the example data: up to three bright spots in each picture, whose boxes are wanted. Replace it (README.md)."""

import numpy as np
from drawing import SIZE_PX, Plane, Random, background, random_from_arguments, soft, write_pictures


def draw(random: Random, number: int) -> tuple[Plane, list[dict[str, object]]]:
    picture, boxes = background(random), []
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(float)
    free = [(left, top) for left in (2, 33) for top in (2, 33)]  # quarters, so that boxes do not overlap
    random.shuffle(free)
    for left, top in free[: number % 4]:
        width, height = random.uniform(9, 20, size=2)
        center_x, center_y = (
            left + random.uniform(width / 2, 29 - width / 2),
            top + random.uniform(height / 2, 29 - height / 2),
        )
        radius = np.hypot((x - center_x) * 2 / width, (y - center_y) * 2 / height)  # 1 on the border
        picture += random.uniform(10, 45) * soft((1 - radius) * min(width, height) / 2)
        box = {"x": center_x - width / 2, "y": center_y - height / 2, "width": width, "height": height}
        boxes.append({name: round(float(value), 1) for name, value in box.items()} | {"score": 1})
    # A row without a box says that the picture shows no object.
    return picture, boxes or [dict.fromkeys(("x", "y", "width", "height", "score"), "")]


write_pictures(random_from_arguments(), {"training": 60, "sample": 8, "testing": 80}, draw)

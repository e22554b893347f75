"""Draws the example data: volumes with up to two bright lesions, and their masks. Replace it (README.md)."""

import numpy as np
from drawing import ROOT, Random, random_from_arguments
from nifti import write_nifti

COUNTS = {"training": 8, "sample": 2, "testing": 16}
SHAPE = (32, 32, 16)
# For each split: the folder of its images, and the folder of its masks.
SPLITS = {
    "training": ("public_data/training", "public_data/training"),
    "sample": ("sample_data", "sample_expected"),
    "testing": ("input_data", "reference_data"),
}


def draw(random: Random, spacing_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An image and its mask. Distances are in mm, so that lesions are round whatever the voxels' size is."""
    points = np.moveaxis(np.indices(SHAPE), 0, -1) * spacing_mm
    extent = np.array(SHAPE) * spacing_mm
    image, mask = random.normal(100, 16, SHAPE), np.zeros(SHAPE, np.uint8)
    for _ in range(random.integers(1, 3)):
        radius, stretch = random.uniform(4, 8), random.uniform(0.75, 1.3, 3)
        center = random.uniform(0.25, 0.75, 3) * extent
        inside = np.linalg.norm((points - center) / stretch, axis=-1) < radius
        image[inside] += random.uniform(25, 60)
        mask[inside] = 1
    return np.rint(image).astype(np.int16), mask


def main() -> None:
    random = random_from_arguments()
    for split, (images, masks) in SPLITS.items():
        for _ in range(COUNTS[split]):
            case = f"case-{random.bytes(4).hex()}"  # says nothing about the image
            spacing_mm = np.array([1, 1, random.choice([2.0, 2.5])])
            image, mask = draw(random, spacing_mm)
            write_nifti(ROOT / images / case / "image.nii.gz", image, tuple(spacing_mm))
            write_nifti(ROOT / masks / case / "mask.nii.gz", mask, tuple(spacing_mm))


main()

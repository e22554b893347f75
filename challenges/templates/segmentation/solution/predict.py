"""The reference solution: bright regions of the smoothed image.

/mnt/in/<case>/image.nii.gz -> /mnt/out/<case>/mask.nii.gz
"""

from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

SMOOTH_MM = 1.4
LEAST_VOXELS = 40


def segment(volume: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    smooth = ndimage.gaussian_filter(volume, [SMOOTH_MM / size for size in spacing_mm])
    regions, _ = ndimage.label(smooth > np.median(smooth) + 16)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0  # background
    return sizes[regions] >= LEAST_VOXELS


for folder in sorted(Path("/mnt/in").iterdir()):
    image = nibabel.load(folder / "image.nii.gz")
    mask = segment(image.get_fdata(), image.header.get_zooms())
    target = Path("/mnt/out") / folder.name
    target.mkdir()
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), image.affine), target / "mask.nii.gz")

"""A first submission: looks at each image and marks its brightest voxels. Replace `segment` with your model.

/mnt/in/<case>/image.nii.gz -> /mnt/out/<case>/mask.nii.gz
"""

from pathlib import Path

import nibabel
import numpy as np


def segment(volume: np.ndarray) -> np.ndarray:
    """Returns True for each voxel of a lesion. The volume has the shape (x, y, z)."""
    return volume > np.quantile(volume, 0.95)


for folder in sorted(Path("/mnt/in").iterdir()):
    image = nibabel.load(folder / "image.nii.gz")
    mask = segment(image.get_fdata())
    target = Path("/mnt/out") / folder.name
    target.mkdir()
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), image.affine), target / "mask.nii.gz")

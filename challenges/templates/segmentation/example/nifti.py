"""Writes NIfTI-1 files with the standard library and NumPy, so that drawing the example needs no other package.

Only what the example needs: a header of 348 bytes, voxel sizes in mm, no rotation. Use nibabel or SimpleITK to read and
write real images.
"""

import gzip
import struct
from pathlib import Path

import numpy as np

HEADER = struct.Struct("<i36x 8h 14x 3h 8f 3f 3x B 128x 2h 24x 12f 16x 4s 4x")  # the last 4 bytes: no extensions
TYPES = {"uint8": 2, "int16": 4}  # NIfTI's codes
MM, SCANNER = 2, 1


def write_nifti(path: Path, volume: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
    x, y, z = spacing_mm
    header = HEADER.pack(
        348,
        *(3, *volume.shape, 1, 1, 1, 1),
        *(TYPES[volume.dtype.name], 8 * volume.dtype.itemsize, 0),
        *(1, x, y, z, 0, 0, 0, 0),
        *(HEADER.size, 1, 0),  # where the voxels begin; factor and offset of their values
        MM,
        *(0, SCANNER),
        *(x, 0, 0, 0),
        *(0, y, 0, 0),
        *(0, 0, z, 0),
        b"n+1\0",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + volume.tobytes(order="F"), mtime=0))

"""Scores masks: Dice and the 95th percentile of the Hausdorff distance (HD95), each averaged over the cases.

Both are computed with SciPy. HD95 has the values of monai.metrics, which would bring PyTorch into the image; the usual
small library, surface-distance, is no longer maintained. nibabel reads the masks, whatever program wrote them.
"""

from pathlib import Path

import nibabel
import numpy as np
from frame import InvalidPredictionsError, Row, Scored, TableError, main
from scipy import ndimage
from scipy.spatial import distance

MASK = "mask.nii.gz"
PERCENT = 95
SAME_PLACE_MM = 1e-3


def score(reference: Path, predictions: Path) -> Scored:
    cases = sorted(path.parent.name for path in reference.glob(f"*/{MASK}"))
    if not cases:
        raise TableError(f"The reference has no mask. Name each <case>/{MASK}.")
    rows, problems = list[Row](), list[str]()
    given = {path.parent.name for path in predictions.glob(f"*/{MASK}")}
    if unknown := sorted(given.difference(cases)):
        problems.append(f"{len(unknown)} masks are for unknown cases, such as {unknown[0][:60]!r}.")
    if missing := sorted(set(cases) - given):
        problems.append(f"{len(missing)} of {len(cases)} cases have no mask. Write <case>/{MASK} for each case.")
    for case in cases:
        if case in given:
            expected = nibabel.load(reference / case / MASK)
            try:
                rows.append({"case": case, **compare(expected, predictions / case / MASK)})
            except InvalidPredictionsError as error:
                problems.append(f"{case}/{MASK} {error}")
    if problems:
        raise InvalidPredictionsError(*problems)
    scores = {key: float(np.mean([row[key] for row in rows])) for key in ("dice", "hd95")}
    return Scored(scores, rows)


def compare(expected: nibabel.Nifti1Image, path: Path) -> dict[str, float]:
    """Dice and HD95 in mm of one case. Without an object on either side, they are 1 and 0; on one side, 0 and the
    diagonal of the image, the largest distance that there can be.
    """
    truth, answer = np.asarray(expected.dataobj) > 0, read_mask(path, expected)
    spacing_mm = [float(size) for size in expected.header.get_zooms()]
    if not truth.any() and not answer.any():
        return {"dice": 1.0, "hd95": 0.0}
    if not truth.any() or not answer.any():
        return {"dice": 0.0, "hd95": float(np.linalg.norm(np.multiply(truth.shape, spacing_mm)))}
    return {
        "dice": 1 - float(distance.dice(truth.ravel(), answer.ravel())),
        "hd95": hausdorff(truth, answer, spacing_mm),
    }


def hausdorff(first: np.ndarray, second: np.ndarray, spacing_mm: list[float]) -> float:
    """The smallest distance in mm within which PERCENT of each mask's border voxels lie from the other mask's border.

    A voxel of a mask is on its border if a neighbor across a face is background or outside the image. Neither mask may
    be empty.
    """
    (box,) = ndimage.find_objects((first | second).astype(np.uint8))  # the rest changes no distance and takes time
    borders = [mask[box] & ~ndimage.binary_erosion(mask[box]) for mask in (first, second)]
    return max(
        float(np.percentile(ndimage.distance_transform_edt(~border, sampling=spacing_mm)[other], PERCENT))
        for border, other in (borders, reversed(borders))
    )


def read_mask(path: Path, expected: nibabel.Nifti1Image) -> np.ndarray:
    """Reads a participant's mask, with the header before the voxels, so that a large one costs nothing."""
    try:
        image = nibabel.load(path)
        shape, affine = image.shape, image.affine
    except Exception:  # noqa: BLE001 - nibabel's errors have no common base class
        raise InvalidPredictionsError("cannot be read as NIfTI.") from None
    if shape != expected.shape:
        raise InvalidPredictionsError(f"has the shape {shape}; its image has {expected.shape}.")
    if affine is None or not np.allclose(affine, expected.affine, atol=SAME_PLACE_MM):
        raise InvalidPredictionsError("has another affine than its image. Copy the affine of the image.")
    try:
        voxels = np.asarray(image.dataobj)
        is_mask = np.isin(voxels, (0, 1)).all()
    except Exception:  # noqa: BLE001
        raise InvalidPredictionsError("ends before its last voxel, or is damaged.") from None
    if not is_mask:
        raise InvalidPredictionsError("has values other than 0 (background) and 1 (lesion).")
    return voxels == 1


if __name__ == "__main__":
    main(score)

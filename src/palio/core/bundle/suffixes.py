"""Splits file names into stem and suffix: `scan.nii.gz` has the suffix `.nii.gz`, and `1.2.840.10008` has none."""

import re
from collections import Counter
from collections.abc import Iterable

_KNOWN = frozenset(
    "avi bmp bval bvec csv dcm dicom edf gif h5 hdf5 hdr ima img jp2 jpeg jpg json jsonl mat mgh mgz mha mhd mnc mp4 "  # noqa: SIM905
    "mrxs ndpi nhdr nii npy npz nrrd obj parquet ply png pt raw scn stl svs tfrecord tif tiff tsv txt vtk vtp wav webp "
    "xml yaml yml zarr zip tar tgz gz bz2 xz zst lz4 7z".split()
)
_INNER = frozenset({("ome", "tif"), ("ome", "tiff"), ("ome", "btf"), ("ome", "zarr"), ("seg", "nrrd"), ("seg", "nii")})
_COMPRESSED = frozenset({"gz", "bz2", "xz", "zst", "lz4"})
_LIKE_A_SUFFIX = re.compile(r"[A-Za-z][A-Za-z0-9]{0,7}")


class Suffixes:
    """Tells the suffixes of a set of files. One that is not a known file type counts only if more than one file has
    it, because names of people and places may follow a dot, too.
    """

    def __init__(self, names: Iterable[str]) -> None:
        last = [name.rpartition(".")[2].lower() for name in names if "." in name.lstrip(".")]
        seen = Counter(last)
        self._shared = frozenset(word for word, count in seen.items() if count > 1 or len(last) == 1)

    def split(self, name: str) -> tuple[str, str]:
        """Returns (stem, suffix), where `stem + suffix == name` and the stem is never empty."""
        words = name.split(".")
        kept = len(words)  # words from here on are the suffix
        last = words[-1]
        if not _LIKE_A_SUFFIX.fullmatch(last) or last.lower() not in _KNOWN | self._shared:
            return name, ""
        while kept > 1 and any(words[: kept - 1]):
            inner, outer = words[kept - 1].lower(), words[kept].lower() if kept < len(words) else None
            if outer is not None and (inner, outer) not in _INNER and not (outer in _COMPRESSED and inner in _KNOWN):
                break
            kept -= 1
        stem = ".".join(words[:kept])
        return stem, name[len(stem) :]

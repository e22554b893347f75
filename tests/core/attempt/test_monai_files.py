"""Files that MONAI's savers write get the names that the scoring program reads."""

from pathlib import Path

import pytest
from tests.monai_bundles import write_files

from palio.core.attempt.monai_files import name_files
from palio.core.bundle.model import MonaiPolicy
from palio.core.errors import PalioError


def named(tmp_path: Path, inputs: list[str], outputs: list[str], pattern: str | None) -> dict[str, str]:
    """The outputs after renaming: the new name, and the old one, which is its content."""
    write_files(tmp_path / "in", dict.fromkeys(inputs, "x"))
    out = write_files(tmp_path / "out", {name: name for name in outputs})
    name_files(out, tmp_path / "in", MonaiPolicy("image", files=pattern))
    return {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("inputs", "outputs", "pattern", "expected"),
    [
        (  # SaveImaged, as it comes
            ["a1.nii.gz", "b2.nii.gz"],
            ["a1/a1_trans.nii.gz", "b2/b2_trans.nii.gz"],
            "{case}.nii.gz",
            {"a1.nii.gz": "a1/a1_trans.nii.gz", "b2.nii.gz": "b2/b2_trans.nii.gz"},
        ),
        (  # a name that begins another; what belongs to no case stays
            ["a.nii.gz", "a_1.nii.gz", "a12.nii.gz"],
            ["a_seg.nii.gz", "a_1_seg.nii.gz", "a12_seg.nii.gz", "log.nii.gz", "a_seg.png"],
            "masks/{case}.nii.gz",
            {
                "masks/a.nii.gz": "a_seg.nii.gz",
                "masks/a_1.nii.gz": "a_1_seg.nii.gz",
                "masks/a12.nii.gz": "a12_seg.nii.gz",
                "log.nii.gz": "log.nii.gz",
                "a_seg.png": "a_seg.png",
            },
        ),
        (  # a folder for each case, whose files have the same names everywhere
            ["p1/flair.nii.gz", "p1/t1.nii.gz", "p2/flair.nii.gz"],
            ["p1/flair/flair_seg.nii.gz", "p2/flair/flair_seg.nii.gz"],
            "{case}/mask.nii.gz",
            {"p1/mask.nii.gz": "p1/flair/flair_seg.nii.gz", "p2/mask.nii.gz": "p2/flair/flair_seg.nii.gz"},
        ),
        (["p1/x.png", "p2/x.png"], ["x_seg.png"], "{case}.png", {"x_seg.png": "x_seg.png"}),  # of which case?
        (["a.png", "b.png"], ["a.png", "b_seg.png"], "{case}.png", {"a.png": "a.png", "b.png": "b_seg.png"}),
        (["a.png"], ["a_seg.png"], None, {"a_seg.png": "a_seg.png"}),
        (  # several files of a case side by side
            ["p07_flair.nii.gz", "p07_t1c.nii.gz", "p08_flair.nii.gz", "p08_t1c.nii.gz"],
            ["p07_flair/p07_flair_seg.nii.gz", "p08_seg.nii.gz"],
            "{case}.nii.gz",
            {"p07.nii.gz": "p07_flair/p07_flair_seg.nii.gz", "p08.nii.gz": "p08_seg.nii.gz"},
        ),
        (["a.png"], ["a/a.png/a_seg.png"], "{case}.png", {"a.png": "a/a.png/a_seg.png"}),  # a folder of the new name
    ],
)
def test_files_renamed_for_challenge(
    tmp_path: Path, inputs: list[str], outputs: list[str], pattern: str | None, expected: dict[str, str]
) -> None:
    assert named(tmp_path, inputs, outputs, pattern) == expected


@pytest.mark.parametrize(
    ("outputs", "pattern"),
    [
        (["a_1.png", "a_2.png"], "{case}.png"),
        (["a.png", "a_seg.png"], "{case}.png"),
        (["a.png/log.txt", "a_seg.png"], "{case}.png"),
        (["masks", "a_seg.png"], "masks/{case}.png"),
    ],
)
def test_files_with_same_target(tmp_path: Path, outputs: list[str], pattern: str) -> None:
    with pytest.raises(PalioError) as refused:
        named(tmp_path, ["a.png"], outputs, pattern)
    assert refused.value.failure.code == "monai-output-unfit"

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from palio.core.attempt.renaming import renamed_and_restored
from palio.core.bundle.model import BlindPolicy, Restore, Task
from palio.core.errors import PalioError

RESTORE = (Restore("answers.csv", "file"),)


def survives(home: Path, inputs: Sequence[str], answers: Mapping[str, str], case: str = "") -> bool:
    """Whether predictions come back as they were."""
    for top, names in (("in", inputs), ("ref", answers)):
        for name in names:
            (home / top / name).parent.mkdir(parents=True, exist_ok=True)
            (home / top / name).write_text(answers[name] if top == "ref" else "")
    task = Task(0, "", "", home, None, home / "in", home / "ref", False)
    policy = BlindPolicy("*", RESTORE if "answers.csv" in answers else (), (case,) if case else (), ("boxes.json",))
    if "boxes.json" not in answers:
        policy = BlindPolicy(policy.inputs, policy.restore, policy.case)
    return renamed_and_restored(home / "ref", task, policy, home / "work")


CASES = ("p1/flair.nii.gz", "p1/t1.nii.gz", "p2/flair.nii.gz", "p2/t1.nii.gz")
CLASSES = ("a/x.png", "b/x.png")


@pytest.mark.parametrize(
    ("inputs", "rows", "files", "case"),
    [
        (("1.png", "2.png"), ("2.png", "1.png", "2.png"), (), ""),
        (("1.png", "2.png"), ("1", "2"), ("1_mask.npy",), ""),
        (CASES, ("p1", "p2"), ("p1.nii.gz", "p2.nii.gz", "labels.txt"), ""),
        (CASES, CASES, ("masks/p1/seg.nii.gz", "masks/p2/seg.nii.gz"), ""),
        (CLASSES, CLASSES, ("a/x_mask.png", "b/x_mask.png"), "**/{case}"),
        (("a_t1.png", "a_t2.png"), ("a", "a_t1.png"), ("a_seg.png",), "{case}_*.png"),
    ],
)
def test_names_restored(
    tmp_path: Path, inputs: Sequence[str], rows: Sequence[str], files: Sequence[str], case: str
) -> None:
    answers = {"answers.csv": "\n".join(["file,class", *(f"{row},x" for row in rows)]), **dict.fromkeys(files, "")}
    assert survives(tmp_path, inputs, answers, case)


def test_names_in_json_restored(tmp_path: Path) -> None:
    assert survives(tmp_path, CASES, {"boxes.json": json.dumps({"p1": ["p2/flair.nii.gz", "other"]})})


def test_names_without_folder(tmp_path: Path) -> None:
    """A scoring program decides whether that matters."""
    assert not survives(tmp_path, ("1.png", "2.png"), {"answers.csv": "file,class\ntesting/1.png,x\n"})


def test_names_not_inputs(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as caught:
        survives(tmp_path, ("1.png", "2.png"), {"answers.csv": "file,class\n3.png,x\n"})
    assert caught.value.failure.code == "predictions-unmapped"


def test_names_not_restored(tmp_path: Path) -> None:
    """A submission sees no other names than opaque ones, so it writes these whatever the policy restores."""
    assert not survives(tmp_path / "a", CASES, {"other.csv": "class,case\nx,p1\ny,p2\n"})
    assert not survives(tmp_path / "b", CASES, {"other.json": '{"p1": 1}'})
    assert survives(tmp_path / "c", CASES, {"other.csv": "class,case\nx,p1\ny,q2\n"})

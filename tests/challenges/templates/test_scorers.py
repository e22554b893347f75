"""The scoring programs of the templates."""

import csv
import gzip
import json
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.challenges.templates.running import files, need_packages, score_in_process
from tests.conftest import ROOT

from palio.core.bundle.read import read_bundle
from palio.data.templates import TASKS

ON_TABLES = [task for task in TASKS if task != "segmentation"]


def scored(challenge: Path, work: Path, predictions: dict[str, bytes]) -> tuple[int, str, dict[str, float]]:
    """Runs the scorer: its exit status, the problems that it found, and the scores."""
    need_packages()
    results, output = work / "input/res", work / "output"
    shutil.copytree(challenge / "reference_data", work / "input/ref")
    output.mkdir()
    for name, content in predictions.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(content)
    exit_code = score_in_process(challenge / "scoring_program/score.py", work / "input", output)
    assert exit_code in {0, 10}
    problems, scores = output / "problems.txt", output / "scores.json"
    return (
        exit_code,
        problems.read_text() if problems.is_file() else "",
        json.loads(scores.read_text()) if scores.is_file() else {},
    )


def reference(challenge: Path) -> dict[str, bytes]:
    folder = challenge / "reference_data"
    return {str(path.relative_to(folder)): path.read_bytes() for path in files(folder)}


@pytest.mark.parametrize("task", TASKS)
def test_scorer_on_the_reference(task: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    exit_code, problems, scores = scored(challenges[task], tmp_path, reference(challenges[task]))
    best = {key: 0.0 if key in {"mae", "rmse", "hd95"} else 1.0 for key in scores}
    assert (exit_code, problems) == (0, "")
    assert scores == pytest.approx(best)
    assert set(scores) == {column.key for column in read_bundle(challenges[task]).leaderboard.columns}
    with (tmp_path / "output/cases.csv").open() as file:
        cases = list(csv.DictReader(file))
    first, *_ = cases[0]
    names = {row[first] for row in cases}
    hidden = {
        path.relative_to(challenges[task] / "input_data").parts[0] for path in files(challenges[task] / "input_data")
    }
    assert (names, len(cases)) == (hidden, len(hidden))


@pytest.mark.parametrize("task", ON_TABLES)
def test_scorer_names_every_problem_of_a_table(task: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    header, first, *others = reference(challenges[task])["reference.csv"].decode().splitlines()
    second, *rest = [row for row in others if row.partition(",")[0] != first.partition(",")[0]]
    wrong = ",".join([second.partition(",")[0], *["wrong"] * header.count(",")])
    lines = [header, wrong, f"{first},more", first.replace(".png", ".jpg"), *rest]
    if task != "detection":  # where files have several rows
        lines.append(rest[0])
    exit_code, problems, _ = scored(challenges[task], tmp_path, {"mine.csv": "\n".join(lines).encode()})
    kinds = ("unknown files", "with an invalid", "too few or too many fields", "missing")
    assert exit_code == 10
    assert [kind for kind in kinds if kind not in problems] == []
    assert ("earlier row" in problems) == (task != "detection")


@pytest.mark.parametrize("task", ON_TABLES)
@pytest.mark.parametrize(
    "predictions",
    [
        {},
        {"a.csv": b""},
        {"a.csv": b"file\n"},
        {"a.csv": b"\xff\xfe\0"},
        {"a.csv": b"\0"},
        {"a.csv": b'"'},
        {"a.txt": b"x"},
    ],
    ids=["nothing", "empty", "header", "utf16", "nul", "quote", "text"],
)
def test_scorer_not_a_table(
    task: str, predictions: dict[str, bytes], challenges: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "input/res").mkdir(parents=True)
    exit_code, problems, scores = scored(challenges[task], tmp_path, predictions)
    assert (exit_code, problems.count("\n"), scores) == (10, 1, {})


@pytest.mark.parametrize(
    ("task", "value"), [("regression", "nan"), ("regression", "inf"), ("regression", "-1e308"), ("multi-label", "1.5")]
)
def test_scorer_impossible_numbers(task: str, value: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    header, *rows = reference(challenges[task])["reference.csv"].decode().splitlines()
    changed = [f"{rows[0].rpartition(',')[0]},{value}", *rows[1:]]
    exit_code, problems, _ = scored(challenges[task], tmp_path, {"a.csv": "\n".join([header, *changed]).encode()})
    assert (exit_code, problems.count("\n"), repr(value) in problems) == (10, 1, True)


def test_detection_without_any_box(challenges: dict[str, Path], tmp_path: Path) -> None:
    header, *rows = reference(challenges["detection"])["reference.csv"].decode().splitlines()
    empty = sorted({row.partition(",")[0] + ",,,,," for row in rows})
    exit_code, _, scores = scored(challenges["detection"], tmp_path, {"a.csv": "\n".join([header, *empty]).encode()})
    assert (exit_code, scores) == (0, {"ap": 0, "ap50": 0, "recall": 0})


def test_detection_box_with_a_part_missing(challenges: dict[str, Path], tmp_path: Path) -> None:
    header, *rows = reference(challenges["detection"])["reference.csv"].decode().splitlines()
    changed = [row if ",," in row else f"{row.rpartition(',')[0]}," for row in rows]
    exit_code, problems, _ = scored(
        challenges["detection"], tmp_path, {"a.csv": "\n".join([header, *changed]).encode()}
    )
    assert (exit_code, problems.count("\n")) == (10, 1)


HEADER_BYTES, DIMENSIONS_AT, SFORM_AT = 352, 40, 280


@pytest.mark.parametrize("fault", ["text", "cut", "shape", "affine", "values", "missing", "unknown"])
def test_segmentation_names_the_fault_of_a_mask(fault: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    masks = reference(challenges["segmentation"])
    name = min(masks)
    volume = bytearray(gzip.decompress(masks[name]))
    match fault:
        case "text":
            masks[name] = b"text"
        case "cut":
            masks[name] = gzip.compress(volume[:-100])
        case "missing":
            del masks[name]
        case "unknown":
            masks["elsewhere/mask.nii.gz"] = masks[name]
        case "shape":
            volume[DIMENSIONS_AT + 2] -= 1
            masks[name] = gzip.compress(volume)
        case "affine":
            volume[SFORM_AT : SFORM_AT + 4] = b"\0\0\0\x40"  # 2.0
            masks[name] = gzip.compress(volume)
        case "values":
            volume[HEADER_BYTES] = 2
            masks[name] = gzip.compress(volume)
    exit_code, problems, scores = scored(challenges["segmentation"], tmp_path, masks)
    assert (exit_code, problems.count("\n"), scores) == (10, 1, {})


def test_segmentation_of_nothing(challenges: dict[str, Path], tmp_path: Path) -> None:
    masks = {
        name: gzip.compress(content[:HEADER_BYTES] + bytes(len(content) - HEADER_BYTES))
        for name, packed in reference(challenges["segmentation"]).items()
        for content in [gzip.decompress(packed)]
    }
    exit_code, _, scores = scored(challenges["segmentation"], tmp_path, masks)
    # The diagonal of 32 x 32 x 16 voxels of 1 x 1 x 2 to 2.5 mm
    assert (exit_code, scores["dice"], 55 < scores["hd95"] < 61) == (0, 0, True)


@pytest.fixture(scope="module")
def hd95() -> Iterator[Callable[[np.ndarray, np.ndarray, list[float]], float]]:
    """The function of the segmentation's scorer."""
    need_packages()
    folder = ROOT / "challenges/templates"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "common/scoring_program")
        patch.delitem(sys.modules, "frame", raising=False)
        patch.setattr(sys, "dont_write_bytecode", True)
        yield runpy.run_path(str(folder / "segmentation/scoring_program/score.py"))["hausdorff"]


def block(*slices: slice) -> np.ndarray:
    mask = np.zeros((24, 24, 24), bool)
    mask[slices] = True
    return mask


VOXEL, PLANE, ROD, CUBE = (
    block(*np.s_[4:5, 4:5, 4:5]),
    block(*np.s_[:, :, 2:3]),
    block(*np.s_[2:3, 2:3, :12]),
    block(*np.s_[:6, :6, :6]),
)


@pytest.mark.parametrize(
    ("first", "second", "spacing_mm", "expected"),
    [
        (CUBE, CUBE, [1, 1, 1], 0),
        (VOXEL, block(*np.s_[7:8, 8:9, 4:5]), [1, 1, 1], 5),
        (VOXEL, block(*np.s_[7:8, 8:9, 4:5]), [2, 2, 5], 10),
        (PLANE, block(*np.s_[:, :, 8:9]), [1, 1, 2.5], 15),
        (CUBE, CUBE | block(*np.s_[23:, 23:, 23:]), [1, 1, 1], 0),  # one of 153 border voxels is far away
        (ROD, ROD | block(*np.s_[5:6, 2:3, :12]), [1, 1, 1], 3),  # of one mask, half is 3 away, of the other, nothing
    ],
    ids=["same", "voxels", "in mm", "planes", "outlier", "one side"],
)
def test_hd95_of_known_shapes(
    hd95: Callable[[np.ndarray, np.ndarray, list[float]], float],
    first: np.ndarray,
    second: np.ndarray,
    spacing_mm: list[float],
    expected: float,
) -> None:
    assert hd95(first, second, spacing_mm) == pytest.approx(expected)
    assert hd95(second, first, spacing_mm) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seed", "spacing_mm", "expected"),
    [
        (1, [1.0, 1.0, 1.0], 2.4494898319),
        (2, [1.0, 1.0, 2.5], 3.6020627022),
        (3, [0.7, 0.9, 3.0], 3.4307434559),
        (4, [2.0, 1.0, 0.5], 2.8300011158),
    ],
)
def test_hd95_equals_monai(
    hd95: Callable[[np.ndarray, np.ndarray, list[float]], float], seed: int, spacing_mm: list[float], expected: float
) -> None:
    """`expected` is what compute_hausdorff_distance(percentile=95) of MONAI 1.6.1 returned for these masks."""
    from scipy import ndimage

    random = np.random.default_rng(seed)
    first, second = (ndimage.binary_closing(random.random((14, 12, 10)) < 0.06) for _ in range(2))
    assert hd95(first, second, spacing_mm) == pytest.approx(expected, abs=1e-5)

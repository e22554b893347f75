"""`palio.monai`: how it is read, and that it fits the reference data and `blind`."""

from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.monai_bundles import CHALLENGE, CLASSES

from palio.core.bundle.check import check_bundle
from palio.core.bundle.model import MonaiPolicy
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

POLICY = "{csv: answers.csv, columns: [file, answer], classes: ['no', 'yes']}"


def folder(tmp_path: Path, policy: str) -> Path:
    return write_bundle(tmp_path / "bundle", yaml=CHALLENGE.replace(f"  monai: {POLICY}\n", policy))


def test_policy_is_read(tmp_path: Path) -> None:
    image = f"example.org/monai@sha256:{'0' * 64}"
    bundle = read_bundle(folder(tmp_path, f"  monai: {POLICY[:-1]}, image: '{image}', files: '{{case}}.png'}}\n"))
    policy = MonaiPolicy(image, "answers.csv", ("file", "answer"), CLASSES, "{case}.png")
    assert bundle.phases[0].rules.monai == policy
    assert check_bundle(bundle) == ((), ())


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ("{csv: answers.csv}", "palio.monai.columns"),
        ("{columns: [file, answer]}", "palio.monai.csv"),
        ("{csv: answers.txt, columns: [file, answer]}", "palio.monai.csv"),
        ("{csv: answers.csv, columns: [file]}", "palio.monai"),
        ("{csv: answers.csv, columns: []}", "palio.monai.columns"),
        ("{csv: answers.csv, columns: file}", "palio.monai.columns"),
        ("{csv: answers.csv, columns: [file, file]}", "palio.monai.columns"),
        ("{classes: {0: 'no'}}", "palio.monai.classes"),
        ("{image: 'Not An Image'}", "palio.monai.image"),
        ("{files: mask.nii.gz}", "palio.monai.files"),
        ("{files: '../{case}.nii.gz'}", "palio.monai.files"),
        ("{files: '/{case}.nii.gz'}", "palio.monai.files"),
        ("{files: '{case}/{case}.nii.gz'}", "palio.monai.files"),
    ],
)
def test_policy_problems_listed_once(tmp_path: Path, policy: str, field: str) -> None:
    with pytest.raises(PalioError) as refused:
        read_bundle(folder(tmp_path, f"  monai: {policy}\n"))
    assert len(refused.value.failure.evidence) == 1
    assert f": {field}: " in refused.value.failure.evidence[0]


def fields(tmp_path: Path, policy: str) -> tuple[list[str], list[str]]:
    errors, warnings = check_bundle(read_bundle(folder(tmp_path, policy)))
    return [each.field for each in errors], [each.field for each in warnings]


@pytest.mark.parametrize(
    ("policy", "errors", "warnings"),
    [
        ("", [], ["palio.submissions"]),
        ("  monai: {csv: other.csv, columns: [file, answer]}\n", ["palio.monai.csv"], []),
        ("  monai: {csv: answers.csv, columns: [name, answer]}\n", ["palio.monai.csv"], []),
        ("  monai: {csv: answers.csv, columns: [file, answer], classes: [yes]}\n", ["palio.monai.classes"], []),
        ("  monai: {csv: answers.csv, columns: [file, answer], classes: ['no', 'yes', other]}\n", [], []),
        ("  monai: {csv: answers.csv, columns: [file, p], classes: [a, b]}\n", [], []),  # no such table in the data
    ],
)
def test_policy_fits_challenge(tmp_path: Path, policy: str, errors: list[str], warnings: list[str]) -> None:
    assert fields(tmp_path, policy) == (errors, warnings)

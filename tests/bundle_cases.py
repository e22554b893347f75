"""Makes the small bundles of tests/bundles: see the README there."""

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).parent / "bundles"
CASES = sorted(path.name for path in _ROOT.iterdir() if path.is_dir())
MEASURED = "measured"  # a score that differs from run to run


@dataclass(frozen=True)
class Submitted:
    """A submission of a case, its zip, and what is expected of it."""

    name: str
    path: Path
    kind: str
    phase: str | None
    scores: Mapping[str, float | str]


@dataclass(frozen=True)
class BundleCase:
    """`warnings`: the fields that `palio check` warns about. `leaderboard`: a computed column and its values."""

    name: str
    bundle: Path
    warnings: tuple[str, ...]
    submissions: tuple[Submitted, ...]
    leaderboard: Mapping[str, Any] | None


def make_case(name: str, folder: Path) -> BundleCase:
    """Writes the bundle and the submissions of a case to `folder`, which is made."""
    _copy(_ROOT / name / "bundle", folder / "bundle")
    expected = yaml.safe_load((_ROOT / name / "expect.yaml").read_text())
    for source in sorted((_ROOT / name / "submissions").iterdir()):
        _zip(source, folder / f"{source.name}.zip")
    submissions = tuple(
        Submitted(key, folder / f"{each.get('of', key)}.zip", each["kind"], each.get("phase"), each["scores"])
        for key, each in expected["submissions"].items()
    )
    return BundleCase(name, folder / "bundle", tuple(expected["warnings"]), submissions, expected.get("leaderboard"))


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.is_file():
            shutil.copyfile(path, target / path.name)
        elif path.suffix == ".zipped":
            _zip(path, (target / path.name).with_suffix(".zip"))
        else:
            _copy(path, target / path.name)


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))

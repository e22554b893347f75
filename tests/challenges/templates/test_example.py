"""What `palio new` writes, for each task."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests.challenges.templates.running import files
from tests.conftest import ROOT

from palio.core.bundle.check import check_bundle
from palio.core.bundle.read import read_bundle
from palio.data import templates
from palio.data.templates import TASKS

ENTRIES = {
    *("README.md", "competition.yaml", "logo.png", "pages", "example"),
    *("public_data", "sample_data", "sample_expected", "input_data", "reference_data"),
    *("scoring_program", "solution", "starting_kit"),
}


@pytest.mark.parametrize("task", TASKS)
def test_new_challenge_sound(task: str, challenges: dict[str, Path]) -> None:
    folder = challenges[task]
    assert {path.name for path in folder.iterdir()} == ENTRIES
    assert [path for path in folder.rglob("*") if path.suffix == ".pyc" or path.name.startswith(".")] == []
    assert [path for path in folder.rglob("*.[my]*") if "{{" in path.read_text()] == []
    bundle = read_bundle(folder)
    assert (bundle.title, bundle.warnings, check_bundle(bundle)) == (task.replace("-", " ").capitalize(), (), ((), ()))
    hidden = {path.read_bytes() for path in files(folder / "input_data") + files(folder / "reference_data")}
    for part in ("public_data", "sample_data", "sample_expected", "starting_kit"):
        assert [path for path in files(folder / part) if path.read_bytes() in hidden] == []


@pytest.mark.parametrize("task", TASKS)
def test_example_data_depends_on_the_seed_only(task: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    again = shutil.copytree(challenges[task], tmp_path / "again")
    drawn = [path.relative_to(again) for part in ("input_data", "reference_data") for path in files(again / part)]
    subprocess.run([sys.executable, "-B", "example/make_data.py"], cwd=again, check=True)
    assert [(again / path).read_bytes() for path in drawn] == [(challenges[task] / path).read_bytes() for path in drawn]
    subprocess.run([sys.executable, "-B", "example/make_data.py", "--seed", "2"], cwd=again, check=True)
    assert [path for path in drawn if (again / path).exists() and path.name != "reference.csv"] == []


def test_templates_are_in_the_wheel() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["challenges/templates"] == f"palio/{templates._FOLDER}"


@pytest.mark.parametrize("task", TASKS)
def test_wheel_requirements_of_programs(task: str, challenges: dict[str, Path]) -> None:
    """On bubblewrap they run on this machine's Python, which may have no network."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    installed = {requirement.name: requirement.specifier for requirement in map(Requirement, declared)}
    for path in challenges[task].rglob("requirements.txt"):
        for wanted in map(Requirement, path.read_text().splitlines()):
            (least,) = [bound.version for bound in installed[wanted.name] if bound.operator == ">="]
            assert least in wanted.specifier

import csv
import gzip
import json
import os
import runpy
import shutil
import subprocess
import sys
import tomllib
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests import ordinary_user
from tests.conftest import ROOT, lacking

from palio.cli import main
from palio.core.bundle.check import check_bundle
from palio.core.bundle.read import read_bundle
from palio.data import templates
from palio.data.templates import TASKS

ENTRIES = {
    *("README.md", "competition.yaml", "logo.png", "pages", "example"),
    *("public_data", "sample_data", "sample_expected", "input_data", "reference_data"),
    *("scoring_program", "solution", "starting_kit"),
}
ON_TABLES = [task for task in TASKS if task != "segmentation"]
# The key that ranks, whether higher is better, and what the reference solution must reach at least, but not exceed.
PRIMARY = {
    "classification": ("f1_macro", True, 0.8, 0.99),
    "segmentation": ("dice", True, 0.8, 0.99),
    "detection": ("ap50", True, 0.8, 0.99),
    "regression": ("mae", False, 0.1, 2.0),
    "multi-label": ("auc", True, 0.8, 0.995),
}


@pytest.fixture(scope="session")
def challenges(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One challenge of each task. Tests that change one copy it."""
    made = {task: tmp_path_factory.mktemp("new") / task for task in TASKS}
    assert [main(["new", str(path), "--task", task]) for task, path in made.items()] == [0] * len(TASKS)
    return made


@pytest.mark.parametrize("task", TASKS)
def test_new_challenge_is_sound(task: str, challenges: dict[str, Path]) -> None:
    folder = challenges[task]
    assert {path.name for path in folder.iterdir()} == ENTRIES
    assert [path for path in folder.rglob("*") if path.suffix == ".pyc" or path.name.startswith(".")] == []
    assert [path for path in folder.rglob("*.[my]*") if "{{" in path.read_text()] == []
    bundle = read_bundle(folder)
    assert (bundle.title, bundle.warnings, check_bundle(bundle)) == (task.replace("-", " ").capitalize(), (), ((), ()))
    hidden = {path.read_bytes() for path in files(folder / "input_data") + files(folder / "reference_data")}
    for part in ("public_data", "sample_data", "sample_expected", "starting_kit"):
        assert [path for path in files(folder / part) if path.read_bytes() in hidden] == []


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("task", TASKS)
def test_example_data_depends_on_the_seed_only(task: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    again = shutil.copytree(challenges[task], tmp_path / "again")
    drawn = [path.relative_to(again) for part in ("input_data", "reference_data") for path in files(again / part)]
    subprocess.run([sys.executable, "-B", "example/make_data.py"], cwd=again, check=True)
    assert [(again / path).read_bytes() for path in drawn] == [(challenges[task] / path).read_bytes() for path in drawn]
    subprocess.run([sys.executable, "-B", "example/make_data.py", "--seed", "2"], cwd=again, check=True)
    assert [path for path in drawn if (again / path).exists() and path.name != "reference.csv"] == []


def test_new_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "deep/er/bone-age"
    assert main(["new", str(target), "--task", "regression", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {"path": str(target), "task": "regression", "title": "Bone age", "files": len(files(target))}


@pytest.mark.parametrize("title", ['A: "b" #c', "{{start}} & [x](y)", "é\u2028\tü", "- - 'it'"])
def test_new_title_is_kept_whatever_it_is(title: str, tmp_path: Path) -> None:
    created = templates.create_challenge(tmp_path / "x", "regression", title)
    assert read_bundle(tmp_path / "x").title == created.title


def test_new_in_this_folder_if_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    assert main(["new", "."]) == 0
    assert (tmp_path.stat().st_ino, {path.name for path in tmp_path.iterdir()}) == (before, ENTRIES)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, the code and the message of a command that is refused."""
    exit_code = main(["new", *arguments, "--json"])
    failure = json.loads(capsys.readouterr().out)["failure"]
    return exit_code, failure["code"], failure["message"]


def test_new_folder_not_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    assert refusal(capsys, str(tmp_path))[:2] == (2, "target-not-empty")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("below", ["file", "file/x"])
def test_new_folder_is_a_file(below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert refusal(capsys, str(tmp_path / below))[:2] == (12, "target-unwritable")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("folder", ["/proc/x", "/sys/x"])
def test_new_where_no_folder_can_be(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, folder)[:2] == (12, "target-unwritable")


def test_new_without_permission() -> None:
    if not ordinary_user.needed():
        lacking("only root can become another user")
    home = Path("/tmp/palio-new-user")
    try:
        done = ordinary_user.run(home, "-m", "palio", "new", "/tmp/../x-new", "--json")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert (done.returncode, json.loads(done.stdout)["failure"]["code"]) == (12, "target-unwritable")


@pytest.mark.parametrize(
    ("task", "nearest"),
    [("clasification", "classification"), ("Segmentation", "segmentation"), ("multilabel", "multi-label"), ("?", "")],
)
def test_new_unknown_task(task: str, nearest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, code, message = refusal(capsys, str(tmp_path / "x"), "--task", task)
    assert (exit_code, code, [name for name in TASKS if name in message]) == (2, "usage", [nearest] if nearest else [])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_new_leaves_nothing_if_drawing_fails(is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x"
    if is_there:
        target.mkdir()
    monkeypatch.setattr(templates, "_MAKE_DATA", "example/missing.py")
    with pytest.raises(RuntimeError, match="missing"):
        templates.create_challenge(target, "detection")
    assert list(tmp_path.rglob("*")) == ([target] if is_there else [])


def test_templates_are_in_the_wheel() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["challenges/templates"] == f"palio/{templates._FOLDER}"


# -- the scorers, without an engine


def scored(challenge: Path, work: Path, predictions: dict[str, bytes]) -> tuple[int, str, dict[str, float]]:
    """Runs the scorer: its exit status, the problems that it found, and the scores."""
    needs = {"segmentation": ("nibabel", "surface_distance"), "detection": ("pycocotools",)}
    for package in needs.get(challenge.name, ("sklearn",)):
        if find_spec(package) is None:
            lacking(f"{package} is not installed; run `make setup`")
    results, output = work / "input/res", work / "output"
    shutil.copytree(challenge / "reference_data", work / "input/ref")
    output.mkdir()
    for name, content in predictions.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(content)
    program = challenge / "scoring_program/score.py"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():  # in this process, to load libraries once
        warnings.simplefilter("ignore", DeprecationWarning)  # surface-distance uses a module that SciPy 2 drops
        patch.setattr(sys, "argv", [str(program), str(work / "input"), str(output)])
        patch.syspath_prepend(program.parent)
        patch.delitem(sys.modules, "frame", raising=False)
        patch.setattr(sys, "dont_write_bytecode", True)
        with pytest.raises(SystemExit) as done:
            runpy.run_path(str(program), run_name="__main__")
    assert done.value.code in {0, 10}
    problems, scores = output / "problems.txt", output / "scores.json"
    return (
        int(done.value.code or 0),
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
def test_scorer_refuses_what_is_no_table(
    task: str, predictions: dict[str, bytes], challenges: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "input/res").mkdir(parents=True)
    exit_code, problems, scores = scored(challenges[task], tmp_path, predictions)
    assert (exit_code, problems.count("\n"), scores) == (10, 1, {})


@pytest.mark.parametrize(("task", "value"), [("regression", "nan"), ("regression", "inf"), ("multi-label", "1.5")])
def test_scorer_refuses_impossible_numbers(task: str, value: str, challenges: dict[str, Path], tmp_path: Path) -> None:
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


# -- the whole challenge, on an engine


@pytest.mark.bubblewrap
@pytest.mark.parametrize("task", TASKS)
def test_new_challenge_on_an_engine(
    task: str, challenges: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scorer passes, the reference solution scores well but not perfectly, and the starting kit is valid."""
    if any(find_spec(package) is None for package in ("nibabel", "surface_distance", "pycocotools", "sklearn")):
        lacking("not all packages of the scorers are installed; run `make setup`")
    challenge = str(challenges[task])
    assert main(["check", challenge, "--run", "--engine", "bubblewrap"]) == 0
    key, descending, least, most = PRIMARY[task]
    got = {}
    for name in ("solution", "starting_kit"):
        zipped, run = str(tmp_path / f"{name}.zip"), tmp_path / name
        assert main(["pack", os.path.join(challenge, name), "-o", zipped]) == 0  # noqa: PTH118
        capsys.readouterr()
        assert main(["run", zipped, "-c", challenge, "--engine", "bubblewrap", "-o", str(run)]) == 0
        got[name] = json.loads((run / "result.json").read_text())["scores"][key]
    assert least < got["solution"] < most
    assert (got["solution"] > got["starting_kit"]) == descending

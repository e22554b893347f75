"""Shared by the benchmarks of the reference solution: programs, images, baseline, and the record of results.

The record, benchmarks/reference_solution.json, is checked in, and the tables in docs/reference-solution.md are written
from it. It stores every expensive result under its name, so that an interrupted benchmark can resume.
"""

import fcntl
import importlib.util
import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
CHALLENGE = ROOT / "challenges/mednist"
TRAINING = CHALLENGE / "docker_code_training/app.py"
INFERENCE = CHALLENGE / "docker_code_inference/inference_on_test.py"
EXPORT = CHALLENGE / "docker_code_inference_onnx/export.py"
ONNX_INFERENCE = CHALLENGE / "docker_code_inference_onnx/predict.py"
BASELINE = Path(os.environ.get("PALIO_BASELINE_RECIPE", ROOT.parent / "shared/baselines/one_epoch_recipe.py"))
RECORD = ROOT / "benchmarks/reference_solution.json"
PAGE = ROOT / "docs/reference-solution.md"
MODELS = ROOT / "benchmarks/results/models"  # of the ten seeds; not checked in
BASELINE_NAME = "the 2021 tutorial's recipe"


class MissingError(RuntimeError):
    """Something that a benchmark needs is missing on this machine; the message names it."""


def images() -> Path:
    """The folder with {training,validation,testing}-data and their *_solution.csv."""
    folder = Path(os.environ.get("PALIO_MEDNIST", ROOT.parent / "shared/mednist"))
    if not (folder / "testing_solution.csv").is_file():
        raise MissingError(f"{folder} does not contain the MedNIST images: set PALIO_MEDNIST to a folder that does")
    return folder


def baseline() -> Path:
    if not BASELINE.is_file():
        raise MissingError(f"the baseline {BASELINE} is missing: set PALIO_BASELINE_RECIPE to one_epoch_recipe.py")
    return BASELINE


def program(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


def load(app: ModuleType, folder: Path) -> Any:
    """The trained network in a folder."""
    card = json.loads((folder / "best_metric_model.json").read_text(encoding="utf-8"))
    network = app.make_network(**card["arguments"])
    network.load_state_dict(app.torch.load(folder / "best_metric_model.pth", weights_only=True))
    return network.eval()


def recorded() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    return record


def record(part: str, key: str, value: object) -> None:
    """Stores one result. Several processes may call it at the same time."""
    with Path(__file__).open() as here:
        fcntl.flock(here, fcntl.LOCK_EX)
        everything = recorded()
        everything.setdefault(part, {})[key] = value
        new = RECORD.with_suffix(".new")
        new.write_text(_a_result_a_line(everything), encoding="utf-8")
        new.replace(RECORD)


def _a_result_a_line(everything: dict[str, Any]) -> str:
    parts = (
        f" {json.dumps(part)}: {{\n"
        + ",\n".join(f"  {json.dumps(key)}: {json.dumps(results[key], sort_keys=True)}" for key in sorted(results))
        + "\n }"
        for part, results in sorted(everything.items())
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write_table(name: str, lines: Iterable[str], page: Path = PAGE) -> None:
    """Replaces the lines between the two comments that name the table."""
    begin, end = f"<!-- {name}: written by a command -->", f"<!-- end of {name} -->"
    text = page.read_text(encoding="utf-8")
    head, found, rest = text.partition(begin)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise RuntimeError(f"{page} does not contain {begin} and {end}")
    page.write_text("\n".join([head + begin, *lines, end + tail]), encoding="utf-8")

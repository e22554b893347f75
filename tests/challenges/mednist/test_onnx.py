"""The lean variant of the submission: exported to ONNX, with equal predictions and the same refusals."""

import json
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.conftest import lacking

from palio.data.getting import get_mednist
from palio.data.shipped import copy_challenge

DrawSplit = Callable[[Path, str, int], None]
REMEDY = "Export both again with docker_code_inference_onnx/export.py."


@pytest.fixture
def models(app: ModuleType, export: ModuleType, onnx_inference: ModuleType, tmp_path: Path) -> tuple[Path, Path]:
    """Untrained weights and what was exported of them, each with its card."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    (tmp_path / "model").mkdir()
    network = app.make_network(**app.NETWORK)
    for module in network.modules():  # statistics as a training leaves them, so that folding them in is not a no-op
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
    card = {"classes": app.CLASSES, "arguments": app.NETWORK}
    app.save(tmp_path / "model", network.state_dict(), card)
    weights = tmp_path / "model" / "best_metric_model.pth"
    assert export.main(["--model", str(weights), "--output", str(tmp_path / "exported")]) == 0
    assert sorted(path.name for path in (tmp_path / "exported").iterdir()) == ["model.json", "model.onnx"]
    return weights, tmp_path / "exported" / "model.onnx"


def test_exported_network_equal_logits(
    inference: ModuleType, onnx_inference: ModuleType, models: tuple[Path, Path]
) -> None:
    torch = pytest.importorskip("torch")
    (network, classes), (session, names) = inference.load_model(models[0]), onnx_inference.load_model(models[1])
    assert classes == names
    network.eval()
    for count in (1, 33):
        images = np.random.default_rng(count).integers(0, 256, (count, 1, 64, 64), np.uint8)
        with torch.inference_mode():
            expected = network(torch.from_numpy(images).float() / 255).numpy()
        np.testing.assert_allclose(session.run(["logits"], {"images": images})[0], expected, atol=1e-4)


def test_programs_equal_results_and_errors(
    inference: ModuleType,
    onnx_inference: ModuleType,
    models: tuple[Path, Path],
    tmp_path: Path,
    draw_split: DrawSplit,
    capsys: pytest.CaptureFixture[str],
) -> None:
    draw_split(tmp_path, "testing", 2)
    images, answers, refusals = tmp_path / "testing-data", [], []
    for program, model in zip((inference, onnx_inference), models, strict=True):
        options = ["--input", str(images), "--output", str(tmp_path / "out"), "--model", str(model)]
        assert program.main(options) == 0
        answers.append((tmp_path / "out" / "classification_results.csv").read_text())
        whole = (images / "003.jpg").read_bytes()
        (images / "003.jpg").write_bytes(whole[:400])
        capsys.readouterr()
        assert program.main(options) == 1
        refusals.append(capsys.readouterr())
        (images / "003.jpg").write_bytes(whole)
    assert answers[0] == answers[1]
    assert refusals[0] == refusals[1]
    assert "003.jpg cannot be read" in refusals[0].err


def test_model_unusable(
    onnx_inference: ModuleType, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str], app: ModuleType
) -> None:
    model, card = models[1], models[1].with_suffix(".json")
    command = ["--input", str(model.parent), "--output", str(model.parent / "out"), "--model", str(model)]

    def refusal() -> str:
        capsys.readouterr()
        assert onnx_inference.main(command) == 1
        return capsys.readouterr().err

    card.write_text(json.dumps({"classes": app.CLASSES[:5]}))
    assert refusal() == f"The model card {card} lists 5 classes for 6 outputs. {REMEDY}\n"
    card.write_text("{")
    assert refusal().startswith(f"The model card {card} does not list the classes: ")
    card.write_text(json.dumps({"classes": app.CLASSES}))
    model.write_bytes(b"no model")
    assert refusal().startswith(f"The model {model} is not a valid ONNX model: ")
    model.unlink()
    assert refusal() == f"Cannot read the model {model}: No such file or directory. {REMEDY}\n"


def test_lean_program_without_pytorch(challenge: Path) -> None:
    pytest.importorskip("onnxruntime")
    loaded = "import sys, predict; print(*sorted({'torch', 'monai', 'scipy'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", loaded], cwd=challenge / "docker_code_inference_onnx", capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (0, "\n")


@pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]
)
def test_folder_is_a_submission(
    engine: str,
    challenge: Path,
    inference: ModuleType,
    models: tuple[Path, Path],
    mednist: Path,
    tmp_path: Path,
) -> None:
    """On Docker without a network: packages lie in the context, as docs/reference-solution.md describes."""
    bundle, folder = tmp_path / "mednist", tmp_path / "onnx"
    copy_challenge(challenge, bundle)
    get_mednist(bundle, mednist)
    made_by_commands = shutil.ignore_patterns("model.*", "__pycache__")
    shutil.copytree(challenge / "docker_code_inference_onnx", folder, ignore=made_by_commands)
    for path in models[1].parent.iterdir():
        shutil.copy(path, folder)
    if engine == "docker":
        without_network(folder)
    palio = [sys.executable, "-m", "palio"]
    run = [*palio, "run", "onnx.zip", "-c", str(bundle), "--engine", engine, "-o", "run"]
    for command in ([*palio, "pack", "onnx", "-o", "onnx.zip"], run):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    inference.classify(mednist / "testing-data", tmp_path / "expected.csv", models[0])
    (answers,) = (tmp_path / "run" / "predictions").rglob("classification_results.csv")
    assert sorted(answers.read_text().splitlines()) == sorted((tmp_path / "expected.csv").read_text().splitlines())


def without_network(folder: Path) -> None:
    if sys.version_info[:2] != (3, 11) or sys.platform != "linux":
        lacking("packages of another Python than the image's cannot be put into it")
    for name in ("numpy", "numpy.libs", "PIL", "pillow.libs", "onnxruntime", "flatbuffers", "google", "packaging"):
        for place in map(Path, site.getsitepackages()):
            if (place / name).is_dir():
                shutil.copytree(place / name, folder / "packages" / name)
    dockerfile = folder / "Dockerfile"
    steps = dockerfile.read_text()
    assert steps.count("\nRUN pip install") == 1
    dockerfile.write_text(
        re.sub("\nRUN pip install.*", "\nCOPY packages /opt/packages\nENV PYTHONPATH=/opt/packages", steps)
    )
    with (folder / ".dockerignore").open("a") as ignored:
        ignored.write("!packages/\n")

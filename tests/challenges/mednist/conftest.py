"""The programs of the MedNIST challenge as modules, read from where they lie, and tiny data to run them on."""

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

CHALLENGE = Path(__file__).resolve().parents[3] / "challenges" / "mednist"
CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mednist_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch and MONAI say of each other when imported
        spec.loader.exec_module(module)
    if hasattr(module, "torch"):
        module.torch.set_num_threads(1)  # for a dozen images, more would only wait for each other
    return module


@pytest.fixture(scope="session")
def challenge() -> Path:
    return CHALLENGE


@pytest.fixture(scope="session")
def score() -> ModuleType:
    return load(CHALLENGE / "scoring_program" / "score.py")


@pytest.fixture(scope="session")
def app() -> ModuleType:
    return load(CHALLENGE / "docker_code_training" / "app.py")


@pytest.fixture(scope="session")
def inference() -> ModuleType:
    return load(CHALLENGE / "docker_code_inference" / "inference_on_test.py")


@pytest.fixture(scope="session")
def onnx_inference() -> ModuleType:
    pytest.importorskip("onnxruntime")
    return load(CHALLENGE / "docker_code_inference_onnx" / "predict.py")


@pytest.fixture(scope="session")
def export() -> ModuleType:
    pytest.importorskip("onnx")
    return load(CHALLENGE / "docker_code_inference_onnx" / "export.py")


@pytest.fixture
def draw_split() -> Callable[[Path, str, int], None]:
    """Writes root/{split}-data and root/{split}_solution.csv: each class in a shade of its own."""

    def draw(root: Path, split: str, of_each: int) -> None:
        folder = root / f"{split}-data"
        folder.mkdir(parents=True)
        rows = ["file,class"]
        for number in range(of_each * len(CLASSES)):
            k = number % len(CLASSES)
            shade = Image.linear_gradient("L").resize((64, 64)).point(lambda value, k=k: value // 8 + 40 * k)
            shade.save(folder / f"{number:03}.jpg")
            rows.append(f"{split}-data/{number:03}.jpg,{CLASSES[k]}")
        (root / f"{split}_solution.csv").write_text("\n".join(rows) + "\n")

    return draw

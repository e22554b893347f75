"""The reference solution as a MONAI bundle: the same weights give the same predictions, with a real MONAI."""

import csv
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from tests.challenges.mednist.conftest import CHALLENGE, load

from palio.core.attempt.monai_output import convert_table
from palio.core.bundle.read import read_bundle
from palio.core.submission.kinds import check_submission, monai_bundle, read_submission
from palio.core.submission.monai import context
from palio.core.submission.pack import pack

RUN = Path(context.__file__).parent / "in_image" / context.RUN_PROGRAM


@pytest.fixture
def weights(app: ModuleType, images: Path, tmp_path: Path) -> Path:
    """Untrained weights that tell the images apart, because their outputs are standardized."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai")
    torch.manual_seed(0)
    network = app.make_network(**app.NETWORK).eval()
    gray = torch.stack([torch.from_numpy(app.read_image(path).copy()).float()[None] / 255 for path in images.iterdir()])
    with torch.no_grad():
        logits = network(gray)
        for member in network:
            member[-1].weight /= logits.std(0)[:, None]
            member[-1].bias.copy_((member[-1].bias - logits.mean(0)) / logits.std(0))
    (tmp_path / "model").mkdir()
    app.save(tmp_path / "model", network.state_dict(), {"classes": app.CLASSES, "arguments": app.NETWORK})
    return tmp_path / "model" / "best_metric_model.pth"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Blurred noise, unlike its transpose."""
    (tmp_path / "images").mkdir()
    random = np.random.default_rng(0)
    for number in range(24):
        coarse = Image.fromarray(random.integers(0, 256, (2 + number % 7, 5), np.uint8))
        coarse.resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / "images" / f"{number:03}.jpg")
    return tmp_path / "images"


def test_bundle_same_predictions(inference: ModuleType, weights: Path, images: Path, tmp_path: Path) -> None:
    export = load(CHALLENGE / "monai_bundle" / "export.py")
    bundle, rules = tmp_path / "bundle", read_bundle(CHALLENGE).phases[0].rules
    assert export.main(["--model", str(weights), "--output", str(bundle)]) == 0
    assert (bundle / "models" / "model.pt").read_bytes() == weights.read_bytes()
    packed = read_submission(pack(bundle, tmp_path / "s.zip").path, accepted=rules.submissions)
    assert check_submission(packed, rules.monai.classes).notes == ()
    assert monai_bundle(packed).modules == ("monai", "torch")

    (tmp_path / "out").mkdir()
    paths = {"bundle_root": ".", "dataset_dir": str(images), "output_dir": str(tmp_path / "out")}
    told = [word for name, value in paths.items() for word in (f"--{name}", value)]
    command = [sys.executable, str(RUN), "--config_file", "configs/inference.json", *told]
    ran = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    convert_table(tmp_path / "out", images, rules.monai)

    assert inference.main(["--input", str(images), "--output", str(tmp_path), "--model", str(weights)]) == 0
    expected, found = (
        sorted(csv.reader((folder / "classification_results.csv").read_text().splitlines()))
        for folder in (tmp_path, tmp_path / "out")
    )
    assert found == expected
    assert len({row[1] for row in expected[:-1]}) > 2  # the test can fail


def test_weights_of_other_network(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights.write_bytes(b"no weights")
    export = load(CHALLENGE / "monai_bundle" / "export.py")
    assert export.main(["--model", str(weights), "--output", str(tmp_path / "bundle")]) == 1
    assert "does not contain this network's weights" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()

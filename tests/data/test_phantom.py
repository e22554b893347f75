import csv
import hashlib
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from palio.core.errors import PalioError
from palio.data.drawing import draw
from palio.data.in_place import data_in_place, is_phantom
from palio.data.layout import found_files
from palio.data.phantom import CLASSES, draw_phantom

Pixels = NDArray[np.float64]
DIGESTS = [
    "c7aabe82d903cea2",
    "3a2cd579203109b8",
    "d6e244fca35335c3",
    "2106a379fd2a6c47",
    "f23f8557e0e913b3",
    "a965d21465032f86",
]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    challenge = tmp_path_factory.mktemp("phantom")
    draw_phantom(challenge)
    return challenge


def load(challenge: Path, split: str) -> tuple[Pixels, NDArray[np.int64]]:
    """Pixels (600, 64, 64) and classes (600,) of a split."""
    folder = "reference_data" if split == "testing" else "input_data"
    with (challenge / folder / f"{split}_solution.csv").open() as file:
        rows = list(csv.DictReader(file))
    pixels = [np.asarray(Image.open(challenge / "input_data" / row["file"]), float) for row in rows]
    return np.array(pixels), np.array([CLASSES.index(row["class"]) for row in rows])


def nearest(train: Pixels, labels: NDArray[np.int64], test: Pixels, truth: NDArray[np.int64]) -> float:
    """Accuracy of the nearest neighbour."""
    distance = (train**2).sum(1) - 2 * test @ train.T
    return float((labels[distance.argmin(1)] == truth).mean())


def spectrum(pixels: Pixels) -> Pixels:
    """What does not depend on place, rotation and polarity: per spatial frequency, how much and how directed."""
    power = np.fft.fftshift(np.abs(np.fft.fft2(pixels - pixels.mean((1, 2), keepdims=True))), axes=(1, 2))
    y, x = np.mgrid[-32:32, -32:32]
    rings = [np.sort(np.log1p(power[:, np.hypot(x, y).astype(int) == radius]), axis=1) for radius in range(1, 16)]
    features = np.hstack([np.c_[ring.mean(1), ring.std(1), ring[:, -1], ring[:, -5]] for ring in rings])
    return np.asarray((features - features.mean(0)) / features.std(0))


def test_phantom_same_layout_as_mednist(phantom: Path) -> None:
    for split in ("training", "validation", "testing"):
        pixels, labels = load(phantom, split)
        assert pixels.shape == (600, 64, 64)
        assert np.bincount(labels).tolist() == [100] * 6
        changes = int((np.diff(labels) != 0).sum())  # in the order of names; 500 if that says nothing
        assert 450 < changes < 550
    assert sorted(path.name for path in (phantom / "input_data").iterdir()) == [
        "PHANTOM.txt",
        "sample-data",
        "sample-solution",
        "testing-data",
        "training-data",
        "training_solution.csv",
        "validation-data",
        "validation_solution.csv",
    ]
    assert len({sha256 for path, sha256 in found_files(phantom).items() if path.endswith(".jpg")}) == 1800


def test_phantom_not_separable_by_brightness(phantom: Path) -> None:
    (train, labels), (test, truth) = load(phantom, "training"), load(phantom, "testing")
    flat, flat_test = train.reshape(600, -1), test.reshape(600, -1)
    means = np.array([flat[labels == label].mean(0) for label in range(6)])
    assert nearest(means, np.arange(6), flat_test, truth) < 0.3
    assert nearest(flat.mean(1, keepdims=True), labels, flat_test.mean(1, keepdims=True), truth) < 0.4
    # a ridge regression on all pixels, in its dual form: as many unknowns as pictures, not as pixels
    centre = flat.mean(0)
    kernel = (flat - centre) @ (flat - centre).T
    dual = np.linalg.solve(kernel + kernel.trace() / 600 * np.eye(600), np.eye(6)[labels])
    linear = (flat_test - centre) @ (flat - centre).T @ dual
    assert float((linear.argmax(1) == truth).mean()) < 0.4


def test_phantom_separable_by_shape(phantom: Path) -> None:
    (train, labels), (test, truth) = load(phantom, "training"), load(phantom, "testing")
    assert nearest(spectrum(train), labels, spectrum(test), truth) > 0.95


def test_draw_gives_the_same_pixels_everywhere() -> None:
    digests = [hashlib.sha256(draw(structure, "key").tobytes()).hexdigest()[:16] for structure in range(6)]
    assert digests == DIGESTS


def test_draw_phantom_marked(phantom: Path) -> None:
    assert data_in_place(phantom) == "phantom"
    for folder in ("input_data", "reference_data"):
        first = (phantom / folder / "PHANTOM.txt").read_text().splitlines()[0]
        assert first == "These are synthetic pictures, not MedNIST."


def test_draw_phantom_replaces_broken_only(tmp_path: Path) -> None:
    assert draw_phantom(tmp_path, 2).changed
    whole = found_files(tmp_path)
    again = draw_phantom(tmp_path, 2)
    assert (again.changed, again.images) == (False, {"training": 12, "validation": 12, "testing": 12})
    next((tmp_path / "input_data" / "testing-data").iterdir()).write_bytes(b"changed")
    shutil.rmtree(tmp_path / "reference_data")
    assert is_phantom(tmp_path)
    assert data_in_place(tmp_path) is None
    assert draw_phantom(tmp_path, 2).changed
    assert found_files(tmp_path) == whole


def test_draw_phantom_never_replaces_other_data(tmp_path: Path) -> None:
    (tmp_path / "reference_data").mkdir()
    (tmp_path / "reference_data" / "testing_solution.csv").write_text("file,class\n")
    with pytest.raises(PalioError) as raised:
        draw_phantom(tmp_path, 2)
    assert str(raised.value) == (
        f"{tmp_path}/reference_data already exists and is not empty; nothing in it is overwritten."
    )


def test_draw_phantom_is_quick(tmp_path: Path) -> None:
    begin = time.process_time()
    draw_phantom(tmp_path, 20)
    assert time.process_time() - begin < 1

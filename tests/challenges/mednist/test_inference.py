"""The inference program on tiny pictures: what it writes, what it shares with the training, and how it refuses."""

import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

DrawSplit = Callable[[Path, str, int], None]
GIVE_INPUT = "Mount the folder with the images at /mnt/in, or name it with --input.\n"
REMEDY = "Train the model with docker_code_training/app.py and pack it again.\n"


@pytest.fixture
def model(app: ModuleType, tmp_path: Path) -> Path:
    """Untrained weights with their card."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    folder = tmp_path / "model_output"
    folder.mkdir()
    app.save(folder, app.make_network(**app.NETWORK).state_dict(), {"classes": app.CLASSES, "arguments": app.NETWORK})
    return folder / "best_metric_model.pth"


@pytest.fixture
def images(tmp_path: Path, draw_split: DrawSplit) -> Path:
    """Six images, 000.jpg to 005.jpg."""
    draw_split(tmp_path, "testing", 1)
    return tmp_path / "testing-data"


def classify(inference: ModuleType, images: Path, model: Path) -> tuple[int, str | None]:
    """The exit status, and the results if there are any."""
    output = images.parent / "out"
    options = ["--input", str(images), "--output", str(output), "--model", str(model)]
    status: int = inference.main(options)
    results = output / "classification_results.csv"
    return status, results.read_text() if results.exists() else None


def body(module: ModuleType, function: str) -> str:
    """The source of a function, behind its docstring."""
    return inspect.getsource(getattr(module, function)).split('"""', 2)[2]


def test_network_same_as_training(app: ModuleType, inference: ModuleType, score: ModuleType) -> None:
    assert (inference.NETWORK, inference.SIZE, inference.CLASSES) == (app.NETWORK, app.SIZE, app.CLASSES)
    assert tuple(app.CLASSES) == score.CLASSES
    for name in ("read_image", "make_network"):
        assert body(app, name) == body(inference, name)
    assert inspect.getsource(app.Ensemble.forward) == inspect.getsource(inference.Ensemble.forward)


def test_network_mean_of_members_and_flips(app: ModuleType) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network, gray = app.make_network(**app.NETWORK).eval(), torch.rand(5, 1, 64, 64)
    with torch.inference_mode():
        answers = [member(side) for member in network for side in (gray, gray.flip(3))]
        assert len(answers) == 2 * app.NETWORK["members"] > 2
        assert not torch.allclose(answers[0], answers[2])
        torch.testing.assert_close(network(gray), sum(answers) / len(answers))


def test_images_classified_in_name_order(inference: ModuleType, images: Path, model: Path) -> None:
    (images / "000.jpg").rename(images / "z.JPEG")
    Image.new("L", (64, 64), 100).save(images / "a.PNG")
    (images / "notes.txt").write_text("no image")
    status, results = classify(inference, images, model)
    assert status == 0
    header, *rows = (results or "").splitlines()
    assert header == "file,class"
    names, classes = zip(*(row.split(",") for row in rows), strict=True)
    assert names == ("001.jpg", "002.jpg", "003.jpg", "004.jpg", "005.jpg", "a.PNG", "z.JPEG")
    assert set(classes) <= set(inference.CLASSES)


def test_model_with_and_without_card(
    app: ModuleType, inference: ModuleType, tmp_path: Path, draw_split: DrawSplit
) -> None:
    torch = pytest.importorskip("torch")
    for split in ("training", "validation", "testing"):
        draw_split(tmp_path, split, 2)
    options = ["--input", str(tmp_path), "--output", str(tmp_path / "model"), "--epochs", "3", "--batch-size", "3"]
    assert app.main(options) == 0
    model = tmp_path / "model" / "best_metric_model.pth"
    network = app.make_network(**app.NETWORK).eval()
    network.load_state_dict(torch.load(model, weights_only=True))
    with torch.inference_mode():
        guesses = network(app.read_split(tmp_path, "testing")[0].float() / 255).argmax(1)
    expected = "file,class\n" + "".join(f"{n:03}.jpg,{app.CLASSES[guess]}\n" for n, guess in enumerate(guesses))

    assert classify(inference, tmp_path / "testing-data", model) == (0, expected)
    model.with_suffix(".json").unlink()
    assert classify(inference, tmp_path / "testing-data", model) == (0, expected)


def test_card_overrides_network(app: ModuleType, inference: ModuleType, images: Path, model: Path) -> None:
    smaller = {"members": 2, "widths": [4, 4], "classes": 2}
    app.save(model.parent, app.make_network(**smaller).state_dict(), {"classes": ["CXR", "Hand"], "arguments": smaller})
    status, results = classify(inference, images, model)
    assert status == 0
    assert {row.partition(",")[2] for row in (results or "").splitlines()[1:]} <= {"CXR", "Hand"}


def test_unfit_images_named(
    inference: ModuleType, images: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert classify(inference, images, model)[0] == 0
    capsys.readouterr()
    (images / "001.jpg").write_bytes(b"no image")
    (images / "003.jpg").write_bytes((images / "003.jpg").read_bytes()[:400])
    (images / "006.png").mkdir()
    Image.new("RGB", (64, 64)).save(images / "007.png")
    Image.new("L", (65, 64)).save(images / "008.jpg")
    assert classify(inference, images, model) == (1, None)
    assert capsys.readouterr().err == (
        f"5 of 9 images in {images} cannot be used: 001.jpg cannot be read, 003.jpg cannot be read, "
        "006.png cannot be read, 007.png has mode RGB, 008.jpg has 65x64 pixels. "
        "Each must be a complete grayscale (mode L) JPEG or PNG of 64x64 pixels. No results were written.\n"
    )
    assert list((images.parent / "out").iterdir()) == []


def test_images_beyond_one_batch(
    inference: ModuleType, images: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = classify(inference, images, model)
    monkeypatch.setattr(inference, "AT_ONCE", 4)
    assert classify(inference, images, model) == expected


def test_folder_without_images(
    inference: ModuleType, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert classify(inference, tmp_path / "empty", model) == (1, None)
    assert classify(inference, tmp_path / "absent", model) == (1, None)
    assert capsys.readouterr().err == (
        f"The folder {tmp_path / 'empty'} contains no *.jpg, *.jpeg or *.png. {GIVE_INPUT}"
        f"Cannot read the folder {tmp_path / 'absent'}: No such file or directory. {GIVE_INPUT}"
    )


def test_model_unusable(
    app: ModuleType, inference: ModuleType, images: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smaller = app.NETWORK | {"widths": [4, 4, 4, 4]}
    app.save(model.parent, app.make_network(**smaller).state_dict(), {"classes": app.CLASSES, "arguments": app.NETWORK})
    assert classify(inference, images, model) == (1, None)
    assert capsys.readouterr().err == (
        f"The model {model} does not contain this network's weights: "
        f"Error(s) in loading state_dict for Ensemble: {REMEDY}"
    )
    model.write_bytes(b"no weights")
    assert classify(inference, images, model) == (1, None)
    error = capsys.readouterr().err
    assert error.startswith(f"The model {model} does not contain this network's weights: ")
    assert error.endswith(REMEDY)
    assert error.count("\n") == 1
    model.unlink()
    assert classify(inference, images, model) == (1, None)
    assert capsys.readouterr().err == f"Cannot read the model {model}: No such file or directory. {REMEDY}"


@pytest.mark.parametrize("card", ["{", "[]", json.dumps({"arguments": {"widths": 3}}), json.dumps({"arguments": 1})])
def test_card_invalid(
    inference: ModuleType, images: Path, model: Path, capsys: pytest.CaptureFixture[str], card: str
) -> None:
    model.with_suffix(".json").write_text(card)
    assert classify(inference, images, model) == (1, None)
    error = capsys.readouterr().err
    assert error.startswith(f"The model card {model.with_suffix('.json')} does not match this network: ")
    assert error.endswith(REMEDY)


def test_card_classes_differ_from_outputs(
    app: ModuleType, inference: ModuleType, images: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = model.with_suffix(".json")
    card.write_text(json.dumps({"classes": app.CLASSES[:5], "arguments": app.NETWORK}))
    assert classify(inference, images, model) == (1, None)
    assert capsys.readouterr().err == (
        f"The model card {card} does not match this network: it lists 5 classes for 6 outputs. {REMEDY}"
    )


def test_output_not_writable(
    inference: ModuleType, images: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images.parent / "out").write_text("a file")
    assert inference.main(["--input", str(images), "--output", str(images.parent / "out"), "--model", str(model)]) == 1
    assert capsys.readouterr().err == (
        f"Cannot write {images.parent / 'out' / 'classification_results.csv'}: Not a directory. "
        "Mount a writable folder at /mnt/out, or name one with --output.\n"
    )


def test_model_beside_program_folder(challenge: Path, tmp_path: Path, images: Path, model: Path) -> None:
    assert model.parent == tmp_path / "model_output"
    (tmp_path / "docker_code_inference").mkdir()
    program = tmp_path / "docker_code_inference" / "inference_on_test.py"
    shutil.copy(challenge / "docker_code_inference" / program.name, program)
    result = subprocess.run(
        [sys.executable, program.name, "--input", images, "--output", tmp_path / "out"],
        cwd=program.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert len((tmp_path / "out" / "classification_results.csv").read_text().splitlines()) == 7

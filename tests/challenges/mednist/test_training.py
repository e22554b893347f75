"""The training program on tiny pictures: what it writes, and every sentence with which it refuses."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

DrawSplit = Callable[[Path, str, int], None]
NO_TABLE = "{data}/training_solution.csv is not a valid table: it must be UTF-8 CSV with the header file,class.\n"
GIVE_INPUT = "Mount its folder at /mnt/in, or name it with --input.\n"


@pytest.fixture
def data(tmp_path: Path, draw_split: DrawSplit) -> Path:
    """Twelve training and six validation images."""
    draw_split(tmp_path / "in", "training", 2)
    draw_split(tmp_path / "in", "validation", 1)
    return tmp_path / "in"


def train(app: ModuleType, data: Path, *options: str) -> int:
    status: int = app.main(["--input", str(data), "--output", str(data.parent / "out"), "--epochs", "1", *options])
    return status


def test_training_output(app: ModuleType, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    assert train(app, data, "--epochs", "2", "--batch-size", "5", "--seed", "7") == 0
    out = data.parent / "out"
    assert sorted(path.name for path in out.iterdir()) == ["best_metric_model.json", "best_metric_model.pth"]
    network = app.make_network(**app.NETWORK)
    network.load_state_dict(torch.load(out / "best_metric_model.pth", weights_only=True))

    card: dict[str, Any] = json.loads((out / "best_metric_model.json").read_text())
    assert list(card) == ["classes", "network", "arguments", "training", "choice", "validation", "versions"]
    assert card["classes"] == ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
    assert card["arguments"] == app.NETWORK
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert card["training"] == {
        "seed": 7, "epochs": 2, "batch_size": 5, "learning_rate": 0.005, "recipe": asdict(app.RECIPE), "images": 12,
        "device": device,
    }  # fmt: skip
    assert list(card["versions"]) == ["python", "torch"]

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"12 training and 6 validation images, {device}, seed 7"
    assert [line.partition("  ")[0] for line in lines[1:3]] == ["epoch", "epoch"]
    assert lines[3:] == [f"{out / 'best_metric_model.pth'}: epoch 2, validation F1 {card['validation']['f1']:.4f}"]
    validation = app.read_split(data, "validation")
    assert card["validation"] == {"images": 6, "epoch": 2, **app.evaluate(network, *validation)}


def test_training_same_seed(app: ModuleType, data: Path) -> None:
    models = []
    for seed in ("1", "1", "2"):
        assert train(app, data, "--seed", seed) == 0
        models.append((data.parent / "out" / "best_metric_model.pth").read_bytes())
    assert [models[0] == models[1], models[0] == models[2]] == [True, False]


def test_evaluation_equals_scikit_learn(app: ModuleType) -> None:
    torch, metrics = pytest.importorskip("torch"), pytest.importorskip("sklearn.metrics")
    truth = torch.tensor([0, 0, 1, 2, 2, 2, 3, 5])  # class 4 neither there nor guessed
    guesses = torch.tensor([0, 1, 1, 2, 2, 0, 5, 5])
    coded = torch.nn.functional.one_hot(guesses, 6).to(torch.uint8) * 255  # bytes, which become 0 and 1 again
    logits = coded.float() / 255
    scores = app.evaluate(torch.nn.Identity(), coded, truth)
    assert scores["accuracy"] == pytest.approx(5 / 8)
    assert scores["f1"] == pytest.approx(metrics.f1_score(truth, guesses, average="weighted", zero_division=0))
    assert scores["loss"] == pytest.approx(metrics.log_loss(truth, logits.double().softmax(1), labels=range(6)))


def test_failed_training_keeps_model(app: ModuleType, data: Path) -> None:
    out = data.parent / "out"
    out.mkdir()
    for name in ("best_metric_model.pth", "best_metric_model.json"):
        (out / name).write_text("old")
    (data / "training-data" / "000.jpg").write_bytes(b"no image")
    assert train(app, data) == 1
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "best_metric_model.pth": "old",
        "best_metric_model.json": "old",
    }


def interrupt_in(app: ModuleType, epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the training be interrupted in the midst of that epoch, which has two batches for each network."""
    augment, calls = app.augment, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) >= 2 * app.NETWORK["members"] * epoch - 1:
            raise KeyboardInterrupt
        return augment(*arguments)

    monkeypatch.setattr(app, "augment", interrupted)


def test_training_interrupted_at_once(
    app: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_in(app, 1, monkeypatch)
    assert train(app, data, "--batch-size", "6") == 130
    assert capsys.readouterr().err == f"Interrupted: {data.parent / 'out'} was not changed.\n"
    assert list((data.parent / "out").iterdir()) == []


@pytest.mark.parametrize("epoch", [2, 4, 7])
def test_interrupted_training_resumes(
    app: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], epoch: int
) -> None:
    options, out = ["--epochs", "7", "--batch-size", "6"], data.parent / "out"
    assert train(app, data, *options) == 0
    expected = {path.name: path.read_bytes() for path in out.iterdir()}
    for path in out.iterdir():
        path.unlink()
    with monkeypatch.context() as patch:
        interrupt_in(app, epoch, patch)
        assert train(app, data, *options) == 130
    assert [path.name for path in out.iterdir()] == ["training_checkpoint.pth"]
    assert capsys.readouterr().err == "Interrupted: run the same command to resume.\n"
    assert train(app, data, *options) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == f"resumes after epoch {epoch - 1}, from {out / 'training_checkpoint.pth'}"
    assert said[2].startswith(f"epoch  {epoch}/7")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == expected


def test_checkpoint_of_other_training_ignored(
    app: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = data.parent / "out" / "training_checkpoint.pth"
    with monkeypatch.context() as patch:
        interrupt_in(app, 2, patch)
        assert train(app, data, "--epochs", "3", "--batch-size", "6") == 130
    left = checkpoint.read_bytes()
    for other in (["--seed", "1"], ["--learning-rate", "0.001"], ["--epochs", "4"]):
        checkpoint.write_bytes(left)
        assert train(app, data, "--epochs", "3", "--batch-size", "6", *other) == 0
    checkpoint.write_bytes(left[:1000])
    assert train(app, data, "--epochs", "3", "--batch-size", "6") == 0
    assert "resumes" not in capsys.readouterr().out


def test_augmentation_shape_range_and_generator(app: ModuleType) -> None:
    torch = pytest.importorskip("torch")
    images = torch.randint(0, 256, (7, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    one, same, other = (app.augment(images, app.RECIPE, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert (one.shape, one.dtype) == (images.shape, torch.float32)
    assert one.min() >= 0
    assert one.max() <= 1
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_augmentation_without_change(app: ModuleType) -> None:
    torch = pytest.importorskip("torch")
    nothing = app.Recipe(**dict.fromkeys(asdict(app.RECIPE), 0))
    images = torch.randint(0, 256, (5, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    augmented = app.augment(images, nothing, torch.Generator().manual_seed(0))
    torch.testing.assert_close(augmented, images.float() / 255, atol=1e-4, rtol=0)
    mirrored = app.augment(images, replace(nothing, flip=1), torch.Generator().manual_seed(0))
    torch.testing.assert_close(mirrored, images.flip(-1).float() / 255, atol=1e-4, rtol=0)


def test_learning_rate_schedule(app: ModuleType) -> None:
    rates = [app.cycle(step / 100, 0.25) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[25] == 1
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)


def test_step_equals_adamw(app: ModuleType) -> None:
    torch = pytest.importorskip("torch")
    chance = torch.Generator().manual_seed(0)
    ours = [
        torch.nn.Parameter(torch.randn(3, 4, generator=chance)),
        torch.nn.Parameter(torch.randn(4, generator=chance)),
    ]
    theirs = [torch.nn.Parameter(weight.detach().clone()) for weight in ours]
    groups = [{"params": theirs[:1], "weight_decay": 0.1}, {"params": theirs[1:], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    moments = [(torch.zeros_like(weight), torch.zeros_like(weight)) for weight in ours]
    for step in range(1, 6):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=chance)
            other.grad = mine.grad.clone()
        app.adamw(ours, moments, step, 0.01, 0.1)
        optimizer.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def without_table(data: Path) -> None:
    (data / "training_solution.csv").unlink()


def without_header(data: Path) -> None:
    (data / "training_solution.csv").write_text("000.jpg,Hand\n001.jpg,Hand\n")


def with_utf_16(data: Path) -> None:
    (data / "training_solution.csv").write_text("file,class\n000.jpg,Hand\n", encoding="utf-16")


def without_rows(data: Path) -> None:
    (data / "training_solution.csv").write_text("file,class\n")


def with_unknown_classes(data: Path) -> None:
    (data / "training_solution.csv").write_text("file,class\n000.jpg,Foot\n001.jpg\n002.jpg,Hand\n")


def without_images(data: Path) -> None:
    for path in (data / "training-data").iterdir():
        path.unlink()


def without_one_image(data: Path) -> None:
    (data / "training-data" / "003.jpg").unlink()


def with_unfit_images(data: Path) -> None:
    images = data / "training-data"
    (images / "000.jpg").write_bytes((images / "000.jpg").read_bytes()[:400])
    Image.new("L", (32, 64)).save(images / "001.jpg")
    Image.new("RGB", (64, 64)).save(images / "002.jpg")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(
            without_table,
            "Cannot read {data}/training_solution.csv (No such file or directory): it lists the training images and "
            f"their classes. {GIVE_INPUT}",
        ),
        pytest.param(without_header, NO_TABLE),
        pytest.param(with_utf_16, NO_TABLE),
        pytest.param(
            without_rows,
            "{data}/training_solution.csv lists no images: add one row with file,class for each image in "
            "{data}/training-data.\n",
        ),
        pytest.param(
            with_unknown_classes,
            "{data}/training_solution.csv has an unknown class for 2 images (000.jpg is 'Foot', 001.jpg is None). "
            "Use one of AbdomenCT, BreastMRI, CXR, ChestCT, Hand, HeadCT.\n",
        ),
        pytest.param(
            without_images,
            "{data}/training-data lacks 12 images (000.jpg, 001.jpg, 002.jpg, 003.jpg, 004.jpg, ...) of the 12 that "
            "training_solution.csv lists. Add the images, or remove their rows from the table.\n",
        ),
        pytest.param(
            without_one_image,
            "{data}/training-data lacks 1 image (003.jpg) of the 12 that training_solution.csv lists. "
            "Add the images, or remove their rows from the table.\n",
        ),
        pytest.param(
            with_unfit_images,
            "{data}/training-data contains 3 unusable images (000.jpg cannot be read, 001.jpg has 32x64 pixels, "
            "002.jpg has mode RGB). Each must be a complete grayscale (mode L) JPEG or PNG of 64x64 pixels.\n",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_input_unusable(
    app: ModuleType,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    sentence: str,
) -> None:
    spoil(data)
    assert train(app, data) == 1
    assert capsys.readouterr() == ("", sentence.format(data=data))


def test_output_not_writable(app: ModuleType, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data.parent / "out").write_text("a file")
    assert train(app, data) == 1
    assert capsys.readouterr().err == (
        f"Cannot write to {data.parent / 'out'}. Mount a writable folder at /mnt/out, or name one with --output.\n"
    )


@pytest.mark.parametrize("option", ["--epochs=0", "--batch-size=-1", "--learning-rate=nan"])
def test_numbers_invalid(app: ModuleType, data: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    with pytest.raises(SystemExit) as ended:
        train(app, data, option)
    assert ended.value.code == 2
    name, _, value = option.partition("=")
    assert capsys.readouterr().err.endswith(f"error: argument {name}: {value} is not greater than zero\n")


def test_program_fails_without_traceback(challenge: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    program = challenge / "docker_code_training" / "app.py"
    result = subprocess.run(
        [sys.executable, program, "--input", tmp_path, "--output", tmp_path], capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Cannot read {tmp_path}/training_solution.csv (No such file or directory): it lists the training images and "
        f"their classes. {GIVE_INPUT}"
    )


@pytest.mark.timeout(600)
def test_reference_model_accuracy(app: ModuleType, inference: ModuleType, mednist: Path, tmp_path: Path) -> None:
    """The real images: 600 to train on, and the 600 testing images, of which no seed may miss more than two."""
    assert app.main(["--input", str(mednist), "--output", str(tmp_path)]) == 0
    model, results = tmp_path / "best_metric_model.pth", tmp_path / "classification_results.csv"
    inference.classify(mednist / "testing-data", results, model)
    with results.open(newline="") as file, (mednist / "testing_solution.csv").open(newline="") as solution:
        predicted = {row["file"]: row["class"] for row in csv.DictReader(file)}
        wrong = [row["file"] for row in csv.DictReader(solution) if predicted[Path(row["file"]).name] != row["class"]]
    assert len(predicted) == 600
    assert len(wrong) <= 2, wrong

"""The training program on tiny pictures: what it writes, and every sentence with which it refuses."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DrawSplit = Callable[[Path, str, int], None]
NO_TABLE = "{data}/training_solution.csv is no table: it has to be UTF-8 CSV with the header file,class.\n"
GIVE_INPUT = "Give the folder that holds it: mount it at /mnt/in, or name it with --input.\n"


@pytest.fixture
def data(tmp_path: Path, draw_split: DrawSplit) -> Path:
    """Twelve training and six validation images."""
    draw_split(tmp_path / "in", "training", 2)
    draw_split(tmp_path / "in", "validation", 1)
    return tmp_path / "in"


def train(app: ModuleType, data: Path, *options: str) -> int:
    status: int = app.main(["--input", str(data), "--output", str(data.parent / "out"), "--epochs", "1", *options])
    return status


def test_training_writes_a_state_dict_and_its_card(
    app: ModuleType, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    assert train(app, data, "--epochs", "2", "--batch-size", "5", "--seed", "7") == 0
    out = data.parent / "out"
    assert sorted(path.name for path in out.iterdir()) == ["best_metric_model.json", "best_metric_model.pth"]
    network = app.ResNet(**app.NETWORK)
    network.load_state_dict(torch.load(out / "best_metric_model.pth", weights_only=True))

    card: dict[str, Any] = json.loads((out / "best_metric_model.json").read_text())
    assert list(card) == ["classes", "network", "arguments", "training", "choice", "validation", "versions"]
    assert card["classes"] == ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
    assert card["arguments"] == app.NETWORK
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert card["training"] == {
        "seed": 7, "epochs": 2, "batch_size": 5, "learning_rate": 0.003, "images": 12, "device": device
    }  # fmt: skip
    assert list(card["validation"]) == ["images", "epoch", "loss", "accuracy", "f1"]
    assert list(card["versions"]) == ["python", "torch", "monai"]

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"12 training and 6 validation images, {device}, seed 7"
    assert [line.partition("  ")[0] for line in lines[1:3]] == ["epoch", "epoch"]
    best = card["validation"]
    assert lines[3:] == [f"{out / 'best_metric_model.pth'}: epoch {best['epoch']}, validation F1 {best['f1']:.4f}"]


def test_the_same_seed_trains_the_same_model(app: ModuleType, data: Path) -> None:
    models = []
    for seed in ("1", "1", "2"):
        assert train(app, data, "--seed", seed) == 0
        models.append((data.parent / "out" / "best_metric_model.pth").read_bytes())
    assert [models[0] == models[1], models[0] == models[2]] == [True, False]


def test_evaluation_equals_scikit_learn(app: ModuleType) -> None:
    torch, metrics = pytest.importorskip("torch"), pytest.importorskip("sklearn.metrics")
    truth = torch.tensor([0, 0, 1, 2, 2, 2, 3, 5])  # class 4 neither there nor guessed
    guesses = torch.tensor([0, 1, 1, 2, 2, 0, 5, 5])
    logits = torch.nn.functional.one_hot(guesses, 6).float()
    scores = app.evaluate(torch.nn.Identity(), logits, truth)
    assert scores["accuracy"] == pytest.approx(5 / 8)
    assert scores["f1"] == pytest.approx(metrics.f1_score(truth, guesses, average="weighted", zero_division=0))
    assert scores["loss"] == pytest.approx(metrics.log_loss(truth, logits.double().softmax(1), labels=range(6)))


def test_a_failed_training_leaves_the_model_as_it_was(app: ModuleType, data: Path) -> None:
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


def test_an_interrupted_training_says_so_and_leaves_the_model_as_it_was(
    app: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "evaluate", interrupted)
    assert train(app, data) == 130
    assert capsys.readouterr().err == f"Stopped before the end: {data.parent / 'out'} is as it was.\n"
    assert list((data.parent / "out").iterdir()) == []


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


def with_broken_images(data: Path) -> None:
    images = data / "training-data"
    (images / "000.jpg").write_bytes(b"no image")
    (images / "002.jpg").write_bytes((images / "002.jpg").read_bytes()[:400])


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
            "{data}/training_solution.csv lists no images: give it one row with file,class for each image in "
            "{data}/training-data.\n",
        ),
        pytest.param(
            with_unknown_classes,
            "{data}/training_solution.csv gives an unknown class to 2 images (000.jpg is 'Foot', 001.jpg is None). "
            "Allowed are AbdomenCT, BreastMRI, CXR, ChestCT, Hand, HeadCT: correct the table.\n",
        ),
        pytest.param(
            without_images,
            "{data}/training-data lacks 12 images (000.jpg, 001.jpg, 002.jpg, 003.jpg, 004.jpg, ...) of the 12 that "
            "training_solution.csv lists. Put the images there, or take their rows out of the table.\n",
        ),
        pytest.param(
            without_one_image,
            "{data}/training-data lacks 1 image (003.jpg) of the 12 that training_solution.csv lists. "
            "Put the images there, or take their rows out of the table.\n",
        ),
        pytest.param(
            with_broken_images,
            "{data}/training-data holds 2 unreadable images (000.jpg, 002.jpg). Replace each by a whole JPEG or PNG.\n",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_unusable_input_is_refused_with_a_sentence(
    app: ModuleType,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    sentence: str,
) -> None:
    spoil(data)
    assert train(app, data) == 1
    assert capsys.readouterr() == ("", sentence.format(data=data))


def test_an_output_that_cannot_be_written_is_refused_before_training(
    app: ModuleType, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data.parent / "out").write_text("a file")
    assert train(app, data) == 1
    assert capsys.readouterr().err == (
        f"Cannot write to {data.parent / 'out'}: it has to be a folder that this user may write to, on a disk that is "
        "not read-only. Give another: mount it at /mnt/out, or name it with --output.\n"
    )


@pytest.mark.parametrize("option", ["--epochs=0", "--batch-size=-1", "--learning-rate=nan"])
def test_numbers_that_make_no_sense_are_refused(
    app: ModuleType, data: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        train(app, data, option)
    assert ended.value.code == 2
    name, _, value = option.partition("=")
    assert capsys.readouterr().err.endswith(f"error: argument {name}: {value} is not above zero\n")


def test_the_program_fails_without_a_traceback(challenge: Path, tmp_path: Path) -> None:
    pytest.importorskip("monai")
    program = challenge / "docker_code_training" / "app.py"
    result = subprocess.run(
        [sys.executable, program, "--input", tmp_path, "--output", tmp_path], capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Cannot read {tmp_path}/training_solution.csv (No such file or directory): it lists the training images and "
        f"their classes. {GIVE_INPUT}"
    )

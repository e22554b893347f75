"""Classifies images with the trained MedNIST model; run it in challenges/mednist after the training:

    docker build -f docker_code_inference/Dockerfile -t medicichallenges/mednist:inference .
    docker run -it --rm --shm-size=256m -v $PWD/input_data/testing-data:/mnt/in \\
      -v $PWD/submission_directory/input/res:/mnt/out medicichallenges/mednist:inference python inference_on_test.py

or, where PyTorch and MONAI are installed:

    python docker_code_inference/inference_on_test.py --input input_data/testing-data --output .

Reads every *.jpg, *.jpeg and *.png of the input folder and writes classification_results.csv with the columns file and
class, sorted by file. It is all images or none: an image that cannot be read is named, and the run fails.

Needs no network, no particular user, and no place to write to but the output folder.
"""

import argparse
import csv
import json
import pickle
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.networks.nets import ResNet
from PIL import Image
from torch import Tensor

MODEL = Path(__file__).resolve().parent.parent / "model_output" / "best_metric_model.pth"
RESULTS = "classification_results.csv"
CLASSES = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
SIZE = (64, 64)
# What app.py trains unless it is changed; the card beside the weights, where there is one, has the last word.
NETWORK = {
    "block": "basic",
    "layers": [1, 1, 1, 1],
    "block_inplanes": [16, 32, 64, 128],
    "spatial_dims": 2,
    "n_input_channels": 1,
    "conv1_t_size": 7,
    "conv1_t_stride": 2,
    "num_classes": len(CLASSES),
}


class InputError(Exception):
    """What was given cannot be used; the message says what to do about it."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Classifies images with the trained MedNIST model.")
    add = parser.add_argument
    add("--input", type=Path, default=Path("/mnt/in"), help="folder with the images (/mnt/in)")
    add("--output", type=Path, default=Path("/mnt/out"), help=f"folder that receives {RESULTS} (/mnt/out)")
    add("--model", type=Path, default=MODEL, help="the weights; their card lies beside them (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        classify(options.input, options.output / RESULTS, options.model)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def classify(folder: Path, results: Path, model: Path) -> None:
    start = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    remove_earlier(results)
    network, classes = load_model(model)
    network.to(device).eval()
    paths = list_images(folder)
    images = read_images(paths)
    with torch.inference_mode():
        guesses = torch.cat([network(batch.to(device)).argmax(1) for batch in images.split(200)]).tolist()
    write_results(results, [(path.name, classes[guess]) for path, guess in zip(paths, guesses, strict=True)])
    print(f"{len(paths)} images classified in {time.perf_counter() - start:.1f} s: {results}", flush=True)


def load_model(path: Path) -> tuple[torch.nn.Module, list[str]]:
    """The network with its weights, and its classes in the order of its outputs."""
    card_path = path.with_suffix(".json")
    remedy = "Train it with docker_code_training/app.py and pack it again."
    try:
        card: dict[str, Any] = json.loads(card_path.read_text(encoding="utf-8")) if card_path.exists() else {}
        shape, classes = card.get("arguments", NETWORK), card.get("classes", CLASSES)
        network = ResNet(**shape)
        if len(classes) != shape["num_classes"]:
            raise ValueError(f"it names {len(classes)} classes for {shape['num_classes']} outputs")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"The card {card_path} does not describe a ResNet of MONAI: {error}. {remedy}") from error
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except OSError as error:
        raise InputError(f"Cannot read the model {path}: {error.strerror}. {remedy}") from error
    except (RuntimeError, EOFError, TypeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"The model {path} does not hold this network's weights: {reason} {remedy}") from error
    return network, classes


def list_images(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    except OSError as error:
        raise InputError(
            f"Cannot read the folder {folder}: {error.strerror}. "
            "Give the folder with the images: mount it at /mnt/in, or name it with --input."
        ) from error
    if not paths:
        raise InputError(
            f"The folder {folder} holds no *.jpg, *.jpeg or *.png. "
            "Give the folder with the images: mount it at /mnt/in, or name it with --input."
        )
    return paths


def read_images(paths: list[Path]) -> Tensor:
    """Images [N, 1, 64, 64] between 0 and 1."""
    images, unreadable = [], []
    for path in paths:
        try:
            images.append(read_image(path))
        except Exception:  # noqa: BLE001 - what Pillow raises on a broken file has no common class
            unreadable.append(path.name)
    if unreadable:
        raise InputError(
            f"{len(unreadable)} of {len(paths)} images in {paths[0].parent} cannot be read: {', '.join(unreadable)}. "
            "No results were written; replace each by a whole JPEG or PNG and run again."
        )
    return torch.stack(images)


def read_image(path: Path) -> Tensor:
    """An image file as a tensor [1, 64, 64] between 0 and 1; app.py has the same function."""
    with Image.open(path) as image:
        grey = image.convert("L").resize(SIZE, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(grey, dtype=np.float32) / 255).unsqueeze(0)


def remove_earlier(results: Path) -> None:
    """A run that fails must not leave an earlier run's results to be taken for its own."""
    try:
        results.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(results, error) from error


def write_results(results: Path, rows: list[tuple[str, str]]) -> None:
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        with results.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "class"])
            writer.writerows(rows)
    except OSError as error:
        raise cannot_write(results, error) from error


def cannot_write(results: Path, error: OSError) -> InputError:
    return InputError(
        f"Cannot write {results}: {error.strerror}. It has to lie in a folder that this user may write to. "
        "Give another: mount it at /mnt/out, or name it with --output."
    )


if __name__ == "__main__":
    sys.exit(main())

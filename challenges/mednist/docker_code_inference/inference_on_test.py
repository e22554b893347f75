"""Classifies images with the trained MedNIST model. Run it in challenges/mednist after training:

    docker build -f docker_code_inference/Dockerfile -t medicichallenges/mednist:inference .
    docker run -it --rm --shm-size=256m -v $PWD/input_data/testing-data:/mnt/in \\
      -v $PWD/submission_directory/input/res:/mnt/out medicichallenges/mednist:inference python inference_on_test.py

or, with PyTorch installed:

    python docker_code_inference/inference_on_test.py --input input_data/testing-data --output .

Reads every *.jpg, *.jpeg and *.png of the input folder and writes classification_results.csv with the columns file and
class, sorted by file. If any image cannot be read, is not grayscale or not 64x64 pixels, the run fails and lists all
such images: the network has not been trained on them, and a prediction would be a guess.

Images are read and classified a few hundred at a time, so memory does not grow with their number. Needs no network, no
particular user, and write access only to the output folder.
"""

import argparse
import csv
import json
import os
import pickle
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

MODEL = Path(__file__).resolve().parent.parent / "model_output" / "best_metric_model.pth"
RESULTS = "classification_results.csv"
CLASSES = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
SIZE = (64, 64)
# The default of app.py. The model card, if present, overrides it.
NETWORK: dict[str, Any] = {"members": 3, "widths": [16, 32, 64, 128], "classes": len(CLASSES)}
WANTED = "Each must be a complete grayscale (mode L) JPEG or PNG of 64x64 pixels."
AT_ONCE = 256  # images; more would not be faster


class InputError(Exception):
    """The input cannot be used; the message says what to do about it."""


class UnfitError(Exception):
    """An image that can be read but does not fit the network."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Classifies images with the trained MedNIST model.")
    add = parser.add_argument
    add("--input", type=Path, default=Path("/mnt/in"), help="folder with the images (/mnt/in)")
    add("--output", type=Path, default=Path("/mnt/out"), help=f"folder that receives {RESULTS} (/mnt/out)")
    add("--model", type=Path, default=MODEL, help="the weights, with the model card next to them (%(default)s)")
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
    network.to(device, memory_format=torch.channels_last).eval()
    names = list_images(folder)
    with written(results) as rows, torch.inference_mode():
        for some_names, images in batches(folder, names):
            gray = torch.from_numpy(images).to(device).unsqueeze(1).float() / 255
            guesses = network(gray).argmax(1).tolist()
            rows.writerows((name, classes[guess]) for name, guess in zip(some_names, guesses, strict=True))
    print(f"{len(names)} images classified in {time.perf_counter() - start:.1f} s: {results}", flush=True)


def load_model(path: Path) -> tuple[nn.Module, list[str]]:
    """Returns the network with its weights, and its classes in output order."""
    card_path = path.with_suffix(".json")
    remedy = "Train the model with docker_code_training/app.py and pack it again."
    try:
        card: dict[str, Any] = json.loads(card_path.read_text(encoding="utf-8")) if card_path.exists() else {}
        shape, classes = card.get("arguments", NETWORK), card.get("classes", CLASSES)
        network = make_network(**shape)
        if len(classes) != shape["classes"]:
            raise ValueError(f"it lists {len(classes)} classes for {shape['classes']} outputs")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError) as error:
        raise InputError(f"The model card {card_path} does not match this network: {error}. {remedy}") from error
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except OSError as error:
        raise InputError(f"Cannot read the model {path}: {error.strerror}. {remedy}") from error
    except (RuntimeError, EOFError, TypeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"The model {path} does not contain this network's weights: {reason} {remedy}") from error
    return network, classes


class Ensemble(nn.ModuleList):
    """Averages the outputs of its members for an image and its mirror image."""

    def forward(self, gray: Tensor) -> Tensor:
        return torch.stack([member(side) for member in self for side in (gray, gray.flip(3))]).mean(0)


def make_network(members: int, widths: list[int], classes: int) -> Ensemble:
    """Gray values [N, 1, 64, 64] between 0 and 1 -> logits [N, classes]. Also in app.py."""

    def make_member() -> nn.Sequential:
        first = widths[0]
        layers: list[nn.Module] = [nn.Conv2d(1, first, 5, 2, 2, bias=False), nn.MaxPool2d(3, 2, 1)]
        layers += [nn.BatchNorm2d(first), nn.ReLU()]  # after the pooling, at a quarter of the cost
        for before, after, stride in zip([first, *widths], widths, [1] + [2] * len(widths), strict=False):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))

    return Ensemble(make_member() for _ in range(members))


def list_images(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.lower().endswith((".jpg", ".jpeg", ".png")))
    except OSError as error:
        raise InputError(
            f"Cannot read the folder {folder}: {error.strerror}. "
            "Mount the folder with the images at /mnt/in, or name it with --input."
        ) from error
    if not names:
        raise InputError(
            f"The folder {folder} contains no *.jpg, *.jpeg or *.png. "
            "Mount the folder with the images at /mnt/in, or name it with --input."
        )
    return names


def batches(folder: Path, names: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yields names and images, bytes [N, 64, 64]. Reads all images before it reports those that do not fit."""
    unfit: list[str] = []
    for start in range(0, len(names), AT_ONCE):
        some_names, images = names[start : start + AT_ONCE], []
        for name in some_names:
            try:
                images.append(read_image(folder / name))
            except Exception as error:  # noqa: BLE001 - Pillow's errors have no common base class
                unfit.append(f"{name} {error if isinstance(error, UnfitError) else 'cannot be read'}")
        if not unfit:
            yield some_names, np.stack(images)
    if unfit:
        shown = ", ".join(unfit[:20]) + (", ..." if len(unfit) > 20 else "")
        raise InputError(
            f"{len(unfit)} of {len(names)} images in {folder} cannot be used: {shown}. {WANTED} "
            "No results were written."
        )


def read_image(path: Path) -> np.ndarray:
    """Returns an image as bytes [64, 64]. Raises UnfitError. Also in app.py."""
    with Image.open(path) as image:
        if image.mode != "L":
            raise UnfitError(f"has mode {image.mode}")
        if image.size != SIZE:
            raise UnfitError(f"has {image.width}x{image.height} pixels")
        return np.asarray(image)


def remove_earlier(results: Path) -> None:
    """Removes earlier results, which could be mistaken for those of a run that fails."""
    try:
        results.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(results, error) from error


@contextmanager
def written(results: Path) -> Iterator[Any]:
    """Yields a CSV writer; the file gets its name once it is complete."""
    new = results.with_name(f".{results.name}.new")
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        with new.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "class"])
            yield writer
        new.replace(results)
    except OSError as error:
        raise cannot_write(results, error) from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def cannot_write(results: Path, error: OSError) -> InputError:
    return InputError(
        f"Cannot write {results}: {error.strerror}. Mount a writable folder at /mnt/out, or name one with --output."
    )


if __name__ == "__main__":
    sys.exit(main())

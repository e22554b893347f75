"""Classifies images with the exported MedNIST model, without PyTorch; run it in challenges/mednist after the training:

    python docker_code_inference_onnx/export.py
    docker build -t medicichallenges/mednist:inference-onnx docker_code_inference_onnx
    docker run -it --rm -v $PWD/input_data/testing-data:/mnt/in -v $PWD/submission_directory/input/res:/mnt/out \\
      medicichallenges/mednist:inference-onnx

Does what docker_code_inference/inference_on_test.py does, with equal predictions and the same refusals. Once the model
is exported, this folder is a whole submission: palio pack docker_code_inference_onnx -o onnx.zip
"""

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

MODEL = Path(__file__).resolve().parent / "model.onnx"
RESULTS = "classification_results.csv"
CLASSES = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
SIZE = (64, 64)
WANTED = "Each has to be a whole grey (mode L) JPEG or PNG of 64x64 pixels."
AT_ONCE = 256  # images; more are not faster


class InputError(Exception):
    """What was given cannot be used; the message says what to do about it."""


class UnfitError(Exception):
    """An image that is whole, but not of the kind that the network was made for."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Classifies images with the trained MedNIST model.")
    add = parser.add_argument
    add("--input", type=Path, default=Path("/mnt/in"), help="folder with the images (/mnt/in)")
    add("--output", type=Path, default=Path("/mnt/out"), help=f"folder that receives {RESULTS} (/mnt/out)")
    add("--model", type=Path, default=MODEL, help="the model; its card lies beside it (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        classify(options.input, options.output / RESULTS, options.model)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def classify(folder: Path, results: Path, model: Path) -> None:
    start = time.perf_counter()
    remove_earlier(results)
    session, classes = load_model(model)
    names = list_images(folder)
    with written(results) as rows:
        for some_names, images in batches(folder, names):
            guesses = session.run(["logits"], {"images": images[:, None]})[0].argmax(1)
            rows.writerows((name, classes[guess]) for name, guess in zip(some_names, guesses, strict=True))
    print(f"{len(names)} images classified in {time.perf_counter() - start:.1f} s: {results}", flush=True)


def load_model(path: Path) -> tuple[onnxruntime.InferenceSession, list[str]]:
    """The network, which takes bytes [N, 1, 64, 64], and its classes in the order of its outputs."""
    card_path = path.with_suffix(".json")
    remedy = "Write both anew with docker_code_inference_onnx/export.py."
    try:
        classes = json.loads(card_path.read_text(encoding="utf-8"))["classes"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"The card {card_path} does not name the classes: {error}. {remedy}") from error
    onnxruntime.set_default_logger_severity(3)  # errors alone
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise InputError(f"Cannot read the model {path}: {error.strerror}. {remedy}") from error
    except Exception as error:  # what onnxruntime raises has no common class of its own
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"The model {path} is no ONNX model: {reason} {remedy}") from error
    outputs = session.get_outputs()[0].shape[1]
    if outputs != len(classes):
        raise InputError(f"The card {card_path} names {len(classes)} classes for {outputs} outputs. {remedy}")
    return session, classes


def list_images(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.lower().endswith((".jpg", ".jpeg", ".png")))
    except OSError as error:
        raise InputError(
            f"Cannot read the folder {folder}: {error.strerror}. "
            "Give the folder with the images: mount it at /mnt/in, or name it with --input."
        ) from error
    if not names:
        raise InputError(
            f"The folder {folder} holds no *.jpg, *.jpeg or *.png. "
            "Give the folder with the images: mount it at /mnt/in, or name it with --input."
        )
    return names


def batches(folder: Path, names: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Names and images, bytes [N, 64, 64]. All images are looked at before those that are unfit are named."""
    unfit: list[str] = []
    for start in range(0, len(names), AT_ONCE):
        some_names, images = names[start : start + AT_ONCE], []
        for name in some_names:
            try:
                images.append(read_image(folder / name))
            except Exception as error:  # noqa: BLE001 - what Pillow raises on a broken file has no common class
                unfit.append(f"{name} {error if isinstance(error, UnfitError) else 'cannot be read'}")
        if not unfit:
            yield some_names, np.stack(images)
    if unfit:
        shown = ", ".join(unfit[:20]) + (", ..." if len(unfit) > 20 else "")
        raise InputError(
            f"{len(unfit)} of {len(names)} images in {folder} are unfit: {shown}. {WANTED} No results were written."
        )


def read_image(path: Path) -> np.ndarray:
    """An image file as bytes [64, 64], or UnfitError; inference_on_test.py has the same function."""
    with Image.open(path) as image:
        if image.mode != "L":
            raise UnfitError(f"is of mode {image.mode}")
        if image.size != SIZE:
            raise UnfitError(f"has {image.width}x{image.height} pixels")
        return np.asarray(image)


def remove_earlier(results: Path) -> None:
    """A run that fails must not leave an earlier run's results to be taken for its own."""
    try:
        results.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(results, error) from error


@contextmanager
def written(results: Path) -> Iterator[Any]:
    """A writer of rows; the results get their name when all of them are there."""
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
        f"Cannot write {results}: {error.strerror}. It has to lie in a folder that this user may write to. "
        "Give another: mount it at /mnt/out, or name it with --output."
    )


if __name__ == "__main__":
    sys.exit(main())

"""Classifies images with the exported MedNIST model, without PyTorch. Run it in challenges/mednist after training:

    python docker_code_inference_onnx/export.py
    docker build -t medicichallenges/mednist:inference-onnx docker_code_inference_onnx
    docker run -it --rm -v $PWD/input_data/testing-data:/mnt/in -v $PWD/submission_directory/input/res:/mnt/out \\
      medicichallenges/mednist:inference-onnx

Equivalent to docker_code_inference/inference_on_test.py: same predictions, same errors. Once the model is exported,
this folder is a complete submission: palio pack docker_code_inference_onnx -o onnx.zip
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
    add("--model", type=Path, default=MODEL, help="the model, with its card next to it (%(default)s)")
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
    """Returns the network, which takes bytes [N, 1, 64, 64], and its classes in output order."""
    card_path = path.with_suffix(".json")
    remedy = "Export both again with docker_code_inference_onnx/export.py."
    try:
        classes = json.loads(card_path.read_text(encoding="utf-8"))["classes"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"The model card {card_path} does not list the classes: {error}. {remedy}") from error
    onnxruntime.set_default_logger_severity(3)  # errors only
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise InputError(f"Cannot read the model {path}: {error.strerror}. {remedy}") from error
    except Exception as error:  # onnxruntime's errors have no common base class
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"The model {path} is not a valid ONNX model: {reason} {remedy}") from error
    outputs = session.get_outputs()[0].shape[1]
    if outputs != len(classes):
        raise InputError(f"The model card {card_path} lists {len(classes)} classes for {outputs} outputs. {remedy}")
    return session, classes


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
    """Returns an image as bytes [64, 64]. Raises UnfitError. Also in inference_on_test.py."""
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

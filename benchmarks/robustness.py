"""Robustness of the reference models on modified testing images, and their calibration.

    python -m benchmarks.training --seeds 10     trains the models, unless they exist
    python -m benchmarks.robustness

Writes its tables into docs/reference-solution.md and the model card in challenges/mednist. Nothing is chosen by them.
"""

import io
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.reference import (
    CHALLENGE,
    INFERENCE,
    MODELS,
    PAGE,
    TRAINING,
    MissingError,
    images,
    load,
    program,
    record,
    recorded,
    write_table,
)

CARD = CHALLENGE / "MODEL_CARD.md"
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BINS = 15
Pictures = NDArray[np.uint8]  # [N, 64, 64]
Change = Callable[[Pictures], Pictures]


def jpeg(quality: int) -> Change:
    def again(picture: Pictures) -> Pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return lambda pictures: np.stack([again(picture) for picture in pictures])


def shifted(right: int, down: int) -> Change:
    """What comes in at the border repeats it."""

    def move(pictures: Pictures) -> Pictures:
        wide = np.pad(pictures, ((0, 0), (abs(down),) * 2, (abs(right),) * 2), mode="edge")
        top, left = abs(down) - down, abs(right) - right
        return wide[:, top : top + pictures.shape[1], left : left + pictures.shape[2]]

    return move


def brighter(by: float) -> Change:
    return lambda pictures: np.clip(pictures + by * 255.0, 0, 255).round().astype(np.uint8)


def contrast(factor: float) -> Change:
    """Around the middle of the scale."""
    return lambda pictures: np.clip((pictures - 127.5) * factor + 127.5, 0, 255).round().astype(np.uint8)


def noisy(deviation: float) -> Change:
    def add(pictures: Pictures) -> Pictures:
        noise = np.random.default_rng(0).normal(0, deviation * 255, pictures.shape)
        return np.clip(pictures + noise, 0, 255).round().astype(np.uint8)

    return add


def rotated(degrees: float) -> Change:
    def turn(picture: Pictures) -> Pictures:
        fill = int(picture[0, 0])
        return np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=fill))

    return lambda pictures: np.stack([turn(picture) for picture in pictures])


AROUND = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)]
CHANGES: dict[str, list[Change]] = {
    "unchanged": [lambda pictures: pictures],
    **{f"recompressed as JPEG, quality {quality}": [jpeg(quality)] for quality in (95, 75, 50, 25, 10)},
    "shifted by 1 pixel, 8 directions": [shifted(x, y) for x, y in AROUND],
    "shifted by 4 pixels, 8 directions": [shifted(4 * x, 4 * y) for x, y in AROUND],
    "brightness ± 0.1": [brighter(-0.1), brighter(0.1)],
    "brightness ± 0.2": [brighter(-0.2), brighter(0.2)],
    "contrast × 0.5": [contrast(0.5)],
    "contrast × 1.5": [contrast(1.5)],
    "noise, standard deviation 0.02": [noisy(0.02)],
    "noise, standard deviation 0.05": [noisy(0.05)],
    "noise, standard deviation 0.1": [noisy(0.1)],
    "rotated by ± 5 degrees": [rotated(-5), rotated(5)],
    "rotated by ± 15 degrees": [rotated(-15), rotated(15)],
}


def measure() -> None:
    app = program(TRAINING)
    torch = app.torch
    torch.set_num_threads(1)  # under other load, two threads would wait for each other
    folders = sorted(MODELS.glob("*/best_metric_model.pth"))
    if not folders:
        raise MissingError(f"there are no models in {MODELS}: python -m benchmarks.training --seeds 10")
    networks = [load(app, path.parent).to(memory_format=torch.channels_last) for path in folders]
    pictures, labels = app.read_split(images(), "testing")
    plain: Pictures = pictures.squeeze(1).numpy()
    for name, changes in CHANGES.items():
        batches = [torch.from_numpy(np.ascontiguousarray(change(plain))).unsqueeze(1) for change in changes]
        of_each = [
            statistics.mean(app.evaluate(network, batch, labels)["f1"] for batch in batches) for network in networks
        ]
        record("robustness", name, of_each)
        print(f"{name}: median {statistics.median(of_each):.4f}, lowest {min(of_each):.4f}", flush=True)
    certain = [calibration(app, network, pictures, labels) for network in networks]
    record("calibration", "testing", certain)
    record("refused", "testing", {name: refusal(size, mode) for name, (size, mode) in REFUSED.items()})


def calibration(app: Any, network: Any, pictures: Any, labels: Any) -> dict[str, Any]:
    """Expected calibration error, and the number of images and errors above each threshold."""
    with app.torch.inference_mode():
        probabilities = network.eval()(pictures.float() / 255).softmax(1)
    highest, guesses = (tensor.numpy() for tensor in probabilities.max(1))
    right = guesses == labels.numpy()
    place = np.minimum((highest * BINS).astype(int), BINS - 1)
    error = sum(abs(right[place == k].mean() - highest[place == k].mean()) * (place == k).mean() for k in set(place))
    passing = {
        f"{threshold:g}": [int((highest >= threshold).sum()), int((~right[highest >= threshold]).sum())]
        for threshold in THRESHOLDS
    }
    return {"ece": float(error), "mean": float(highest.mean()), "accuracy": float(right.mean()), "passing": passing}


REFUSED = {
    "32x32 pixels": ((32, 32), "L"),
    "128x128 pixels": ((128, 128), "L"),
    "64x65 pixels": ((64, 65), "L"),
    "color": ((64, 64), "RGB"),
    "16 bits per pixel": ((64, 64), "I;16"),
}


def refusal(size: tuple[int, int], mode: str) -> str:
    """Exit status and error message of the inference program for such an image."""
    with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as name:
        Image.new(mode, size).save(Path(name) / "image.png")
        model = next(iter(sorted(MODELS.glob("*/best_metric_model.pth"))))
        command = [sys.executable, str(INFERENCE), "--input", name, "--output", name, "--model", str(model)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    said = result.stderr.replace(name, "/mnt/in").partition(" Each must")[0].strip()
    return f"{result.returncode}: {said}"


def table() -> Iterator[str]:
    kept = recorded()
    yield "| testing images | F1: median of seeds | lowest |"
    yield "|---|---|---|"
    for name in CHANGES:
        of_each = kept["robustness"][name]
        yield f"| {name} | {statistics.median(of_each):.4f} | {min(of_each):.4f} |"
    for name, said in kept["refused"]["testing"].items():
        status, _, sentence = said.partition(": ")
        yield f"| {name} | refused, exit status {status} | {sentence} |"


def calibration_table() -> Iterator[str]:
    rows = recorded()["calibration"]["testing"]
    errors = [row["ece"] for row in rows]
    mean, accuracy = (statistics.mean(row[key] for row in rows) for key in ("mean", "accuracy"))
    yield (
        f"Expected calibration error ({BINS} bins): median {statistics.median(errors):.4f}, highest {max(errors):.4f} "
        f"of {len(rows)} seeds. Mean confidence is {mean:.4f} at an accuracy of {accuracy:.4f}."
    )
    yield ""
    yield "| predictions with at least this probability | share of images | errors among them, all seeds |"
    yield "|---|---|---|"
    total = 600 * len(rows)
    for threshold in THRESHOLDS:
        passed, wrong = (sum(row["passing"][f"{threshold:g}"][k] for row in rows) for k in (0, 1))
        yield f"| {threshold:g} | {passed / total:.2%} | {wrong} of {passed:,} |"


def main() -> None:
    measure()
    for page in (PAGE, CARD):
        write_table("robustness", table(), page)
        write_table("calibration", calibration_table(), page)


if __name__ == "__main__":
    main()

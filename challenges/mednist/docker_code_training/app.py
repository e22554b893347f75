"""Trains the MedNIST reference model. Run it in challenges/mednist:

    docker build -f docker_code_training/Dockerfile -t medicichallenges/mednist:training docker_code_training
    docker run -it --rm --shm-size=256m -v $PWD/input_data:/mnt/in -v $PWD/model_output:/mnt/out \\
      medicichallenges/mednist:training python app.py

or, with PyTorch installed:

    python docker_code_training/app.py --input input_data --output model_output

Reads {training,validation}-data and {training,validation}_solution.csv. Writes best_metric_model.pth, a state dict, and
best_metric_model.json, the model card: classes, architecture, training, selection and scores. While it runs, it keeps
training_checkpoint.pth, from which the same command resumes after an interruption and produces the same model.

Design decisions; docs/reference-solution.md has the effect of each:
- An ensemble of small networks (0.1 million weights each), trained side by side on different random draws and averaged
  over an image and its mirror image. Each learns different accidental features of 600 images; the mean cancels them.
- Every image is decoded once and kept as bytes (5 MB). A batch is augmented as one tensor: one random affine map, one
  sampling, some arithmetic. No loader processes or shared memory are needed.
- The augmentation covers what is rare in 600 images: rotated plates, and contrast far below average.
- One learning-rate cycle over the whole run. AdamW is written out, because importing torch.optim takes two seconds.
- Each network trains in its own thread: operations this small slow down when several threads share them.
- Every epoch of each network has its own random generator, which depends only on the seed, the epoch and the network.
- The last epoch is the model. Decisions were made on the training and validation images; docs/reference-solution.md
  says what the testing images had suggested before.
"""

import argparse
import csv
import ctypes
import hashlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, grid_sample

CLASSES = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
SIZE = (64, 64)
NETWORK: dict[str, Any] = {"members": 3, "widths": [16, 32, 64, 128], "classes": len(CLASSES)}
CHOICE = "The last epoch, regardless of its score: the validation images were used to choose the recipe, not the epoch."
WANTED = "Each must be a complete grayscale (mode L) JPEG or PNG of 64x64 pixels."
CHECKPOINT = "training_checkpoint.pth"


@dataclass(frozen=True)
class Recipe:
    """Everything that was tuned on the validation images; benchmarks/training.py ablates the parts one by one."""

    rotation: float = 25  # degrees, to either side
    shift: float = 0.2  # of the width, to either side
    zoom: float = 0.3  # largest relative change of size
    flip: float = 0.5  # probability of a mirror image
    contrast: float = 0.2  # largest change of the logarithm of contrast
    brightness: float = 0.05  # largest change of brightness
    strong: float = 0.3  # probability of a strong change instead:
    strong_contrast: float = 0.5
    strong_brightness: float = 0.3
    fade: float = 0.3  # probability that contrast is also lowered,
    faded: float = 1.0  # by at most this much of its logarithm
    noise: float = 0.03  # largest standard deviation of the noise
    label_smoothing: float = 0.05
    weight_decay: float = 0.05
    warm_up: float = 0.25  # fraction of the cycle in which the learning rate rises


RECIPE = Recipe()


class InputError(Exception):
    """The input cannot be used; the message says what to do about it."""


class UnfitError(Exception):
    """An image that can be read but does not fit the network."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains the MedNIST reference model.")
    add = parser.add_argument
    add("--input", type=Path, default=Path("/mnt/in"), help="folder with the images and their classes (/mnt/in)")
    add("--output", type=Path, default=Path("/mnt/out"), help="folder that receives the model (/mnt/out)")
    add("--seed", type=int, default=0, help="the same seed gives the same model on the same machine (0)")
    add("--epochs", type=positive(int), default=28, help="passes over the training images (28)")
    add("--batch-size", type=positive(int), default=32, help="images per step (32)")
    add("--learning-rate", type=positive(float), default=5e-3, help="highest learning rate of the cycle (0.005)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        train(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        left = (options.output / CHECKPOINT).exists()
        then = "run the same command to resume." if left else f"{options.output} was not changed."
        print(f"Interrupted: {then}", file=sys.stderr)
        return 130
    return 0


def train(options: argparse.Namespace, recipe: Recipe = RECIPE) -> dict[str, Any]:
    start = time.perf_counter()
    check_output(options.output)
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    keep_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":  # these operations are deterministic on a CPU, where this call would take two seconds
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)

    images, labels = (t.to(device) for t in read_split(options.input, "training"))
    validation = [t.to(device) for t in read_split(options.input, "validation")]
    say(f"{len(images)} training and {len(validation[1])} validation images, {device}, seed {options.seed}")

    network = make_network(**NETWORK).to(device, memory_format=torch.channels_last)
    state: dict[str, Any] = {
        "done": 0,
        "network": network.state_dict(),
        "moments": [[(torch.zeros_like(w), torch.zeros_like(w)) for w in member.parameters()] for member in network],
    }
    checkpoint, asked = options.output / CHECKPOINT, what_is_asked(options, recipe, images, labels, *validation)
    if earlier := read_checkpoint(checkpoint, asked, device):
        network.load_state_dict(earlier.pop("network"))
        state |= earlier
        say(f"resumes after epoch {state['done']}, from {checkpoint}")

    steps_per_epoch = -(-len(images) // options.batch_size)
    steps = options.epochs * steps_per_epoch

    def one_epoch(epoch: int, number: int) -> float:
        """Trains one network for one epoch with its own random generator; returns the mean loss."""
        member, own, total = network[number], state["moments"][number], 0.0
        chance = Generator().manual_seed((options.seed * 10_000 + epoch) * 100 + number)
        batches = torch.randperm(len(images), generator=chance).split(options.batch_size)
        for step, batch in enumerate(batches, (epoch - 1) * steps_per_epoch + 1):
            augmented = augment(images[batch], recipe, chance).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = cross_entropy(member(augmented), labels[batch], label_smoothing=recipe.label_smoothing)
            loss.backward()
            rate = options.learning_rate * cycle(step / steps, recipe.warm_up)
            adamw(list(member.parameters()), own, step, rate, recipe.weight_decay)
            member.zero_grad()
            total += loss.item() * len(batch)
        return total / len(images)

    with ThreadPoolExecutor(len(network)) as pool:
        for epoch in range(state["done"] + 1, options.epochs + 1):
            network.train()
            losses = list(pool.map(partial(one_epoch, epoch), range(len(network))))
            write_checkpoint(checkpoint, asked, state | {"done": epoch})
            mean = sum(losses) / len(losses)
            say(f"epoch {epoch:2}/{options.epochs}  training loss {mean:.4f}  {time.perf_counter() - start:5.1f} s")

    scores = evaluate(network, *validation)
    card = {
        "classes": CLASSES,
        "network": "make_network",
        "arguments": NETWORK,
        "training": {
            "seed": options.seed,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "learning_rate": options.learning_rate,
            "recipe": asdict(recipe),
            "images": len(images),
            "device": str(device),
        },
        "choice": CHOICE,
        "validation": {"images": len(validation[1]), "epoch": options.epochs, **scores},
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }
    save(options.output, {name: tensor.cpu() for name, tensor in network.state_dict().items()}, card)
    checkpoint.unlink(missing_ok=True)
    say(f"{options.output / 'best_metric_model.pth'}: epoch {options.epochs}, validation F1 {scores['f1']:.4f}")
    return card


class Ensemble(nn.ModuleList):
    """Averages the outputs of its members for an image and its mirror image."""

    def forward(self, gray: Tensor) -> Tensor:
        return torch.stack([member(side) for member in self for side in (gray, gray.flip(3))]).mean(0)


def make_network(members: int, widths: list[int], classes: int) -> Ensemble:
    """Gray values [N, 1, 64, 64] between 0 and 1 -> logits [N, classes]. Also in inference_on_test.py."""

    def make_member() -> nn.Sequential:
        first = widths[0]
        layers: list[nn.Module] = [nn.Conv2d(1, first, 5, 2, 2, bias=False), nn.MaxPool2d(3, 2, 1)]
        layers += [nn.BatchNorm2d(first), nn.ReLU()]  # after the pooling, at a quarter of the cost
        for before, after, stride in zip([first, *widths], widths, [1] + [2] * len(widths), strict=False):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))

    return Ensemble(make_member() for _ in range(members))


def augment(images: Tensor, recipe: Recipe, chance: Generator) -> Tensor:
    """Bytes [N, 1, H, W] -> gray values between 0 and 1, each image augmented separately.

    Random numbers are drawn on the CPU, so the same seed gives the same augmentation on every device.
    """
    n, device = len(images), images.device

    def either_side(*shape: int) -> Tensor:
        return (torch.rand(*shape, generator=chance) * 2 - 1).to(device)

    def sometimes(probability: float, *shape: int) -> Tensor:
        return (torch.rand(*shape, generator=chance) < probability).float().to(device)

    angle = either_side(n, 1, 1) * math.radians(recipe.rotation)
    zoom = torch.exp(either_side(n, 1, 1) * math.log1p(recipe.zoom))
    mirror = 1 - 2 * sometimes(recipe.flip, n, 1, 1)
    right, down = (either_side(n, 1, 1) * 2 * recipe.shift for _ in range(2))
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    y, x = ((torch.arange(side, device=device) * 2 + 1) / side - 1 for side in images.shape[2:])
    x, y = x.view(1, 1, -1), y.view(1, -1, 1)
    places = torch.stack([mirror * cosine * x - sine * y + right, mirror * sine * x + cosine * y + down], 3)

    each = (n, 1, 1, 1)
    strong = sometimes(recipe.strong, *each)
    contrast = either_side(*each) * (recipe.contrast + strong * (recipe.strong_contrast - recipe.contrast))
    contrast -= sometimes(recipe.fade, *each) * either_side(*each).abs() * recipe.faded
    brightness = either_side(*each) * (recipe.brightness + strong * (recipe.strong_brightness - recipe.brightness))
    gray = images.float() / 255
    mean = gray.mean((1, 2, 3), keepdim=True)
    gray = ((gray - mean) * contrast.exp() + mean + brightness).clamp(0, 1)
    beyond = gray[:, :, :1, :1]  # the color of the image's corner
    gray = grid_sample(gray - beyond, places, align_corners=False) + beyond
    noise = torch.randn(gray.shape, generator=chance) * torch.rand(*each, generator=chance) * recipe.noise
    return (gray + noise.to(device)).clamp(0, 1)


def cycle(progress: float, warm_up: float) -> float:
    """The learning rate relative to its maximum at a progress of 0 to 1: up along a cosine, down along another."""
    if progress < warm_up:
        return 0.52 - 0.48 * math.cos(math.pi * progress / warm_up)
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warm_up) / (1 - warm_up))


@torch.no_grad()
def adamw(
    weights: list[nn.Parameter], moments: list[tuple[Tensor, Tensor]], step: int, rate: float, decay: float
) -> None:
    """One step of torch.optim.AdamW with default betas and epsilon; only tensors with several dimensions decay."""
    for weight, (mean, square) in zip(weights, moments, strict=True):
        gradient = weight.grad
        mean.lerp_(gradient, 1 - 0.9)
        square.lerp_(gradient * gradient, 1 - 0.999)
        if weight.ndim > 1:
            weight.mul_(1 - rate * decay)
        unbiased = square.div(1 - 0.999**step).sqrt_().add_(1e-8)
        weight.addcdiv_(mean, unbiased, value=-rate / (1 - 0.9**step))


@torch.inference_mode()
def evaluate(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Returns loss, accuracy and weighted F1 on bytes [N, 1, H, W]."""
    network.eval()
    logits = torch.cat([network(batch.float() / 255) for batch in images.split(200)]).float()
    guesses, n = logits.argmax(1), len(CLASSES)
    confusion = torch.bincount(labels * n + guesses, minlength=n * n).reshape(n, n).double()
    hits, support, predicted = confusion.diag(), confusion.sum(1), confusion.sum(0)
    f1 = 2 * hits / (support + predicted).clamp(min=1)
    return {
        "loss": cross_entropy(logits, labels).item(),
        "accuracy": (hits.sum() / support.sum()).item(),
        "f1": ((f1 * support).sum() / support.sum()).item(),
    }


def read_split(root: Path, split: str) -> tuple[Tensor, Tensor]:
    """Returns the images in root/{split}-data, bytes [N, 1, 64, 64], and their classes [N]."""
    table, folder = root / f"{split}_solution.csv", root / f"{split}-data"
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [(row["file"], row["class"]) for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(
            f"Cannot read {table} ({error.strerror}): it lists the {split} images and their classes. "
            "Mount its folder at /mnt/in, or name it with --input."
        ) from error
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is not a valid table: it must be UTF-8 CSV with the header file,class.") from error
    if not rows:
        raise InputError(f"{table} lists no images: add one row with file,class for each image in {folder}.")
    unknown = [f"{name} is {label!r}" for name, label in rows if label not in CLASSES]
    if unknown:
        raise InputError(f"{table} has an unknown class for {some(unknown, 'image')}. Use one of {', '.join(CLASSES)}.")
    paths = [folder / Path(name or "").name for name, _ in rows]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{folder} lacks {some(missing, 'image')} of the {len(rows)} that {table.name} lists. "
            "Add the images, or remove their rows from the table."
        )

    images, unfit = [], []
    for path in paths:
        try:
            images.append(read_image(path))
        except Exception as error:  # noqa: BLE001 - Pillow's errors have no common base class
            unfit.append(f"{path.name} {error if isinstance(error, UnfitError) else 'cannot be read'}")
    if unfit:
        raise InputError(f"{folder} contains {some(unfit, 'unusable image')}. {WANTED}")
    return torch.from_numpy(np.stack(images)).unsqueeze(1), torch.tensor([CLASSES.index(label) for _, label in rows])


def read_image(path: Path) -> np.ndarray:
    """Returns an image as bytes [64, 64]. Raises UnfitError. Also in inference_on_test.py."""
    with Image.open(path) as image:
        if image.mode != "L":
            raise UnfitError(f"has mode {image.mode}")
        if image.size != SIZE:
            raise UnfitError(f"has {image.width}x{image.height} pixels")
        return np.asarray(image)


def keep_memory() -> None:
    """Makes the C library keep freed memory for the next batch: requesting it again costs seconds."""
    with suppress(OSError, AttributeError):  # only glibc has it
        libc = ctypes.CDLL(None)
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD, its highest


def what_is_asked(options: argparse.Namespace, recipe: Recipe, *data: Tensor) -> str:
    """Digest of everything that the model depends on, to recognize the checkpoints of the same training."""
    asked = [options.seed, options.epochs, options.batch_size, options.learning_rate, asdict(recipe), NETWORK]
    digest = hashlib.sha256(json.dumps([*asked, str(torch.__version__)]).encode())
    for tensor in data:
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def read_checkpoint(path: Path, asked: str, device: torch.device) -> dict[str, Any]:
    """Returns the state of an interrupted run of the same training, or an empty dict."""
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return checkpoint["state"] if checkpoint["asked"] == asked else {}
    except Exception:  # noqa: BLE001 - an invalid checkpoint fails in many ways, and a new training needs none
        return {}


def write_checkpoint(path: Path, asked: str, state: dict[str, Any]) -> None:
    """Replaces the previous checkpoint atomically."""
    new = path.with_name(f".{path.name}.new")
    try:
        torch.save({"asked": asked, "state": state}, new)
        new.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError on a full disk
        new.unlink(missing_ok=True)
        raise InputError(
            f"Cannot write {path}: {error}. Free some space, or choose another folder with --output."
        ) from error


def check_output(folder: Path) -> None:
    """Fails before the training rather than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise InputError(f"Cannot write to {folder}. Mount a writable folder at /mnt/out, or name one with --output.")


def save(folder: Path, weights: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Writes the model and its card. If killed, it leaves either the old model or the new one, complete."""
    model, description = folder / "best_metric_model.pth", folder / "best_metric_model.json"
    new_model, new_description = folder / ".best_metric_model.pth.new", folder / ".best_metric_model.json.new"
    try:
        torch.save(weights, new_model)
        new_description.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        description.unlink(missing_ok=True)  # no card is better than another model's
        new_model.replace(model)
        new_description.replace(description)
    except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError on a full disk
        new_model.unlink(missing_ok=True)
        new_description.unlink(missing_ok=True)
        raise InputError(
            f"Cannot write the model to {folder}: {error}. Free some space, or choose another folder with --output."
        ) from error


def positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def number(text: str) -> int | float:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not greater than zero")
        return value

    return number


def some(names: list[str], what: str) -> str:
    """The number of names, and the first few of them."""
    more = ", ..." if len(names) > 5 else ""
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'} ({', '.join(names[:5])}{more})"


def say(line: str) -> None:
    print(line, flush=True)  # at once: standard output is a pipe in a container


if __name__ == "__main__":
    sys.exit(main())

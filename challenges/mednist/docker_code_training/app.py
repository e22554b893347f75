"""Trains the MedNIST reference model; run it in challenges/mednist:

    docker build -f docker_code_training/Dockerfile -t medicichallenges/mednist:training docker_code_training
    docker run -it --rm --shm-size=256m -v $PWD/input_data:/mnt/in -v $PWD/model_output:/mnt/out \\
      medicichallenges/mednist:training python app.py

or, where PyTorch is installed:

    python docker_code_training/app.py --input input_data --output model_output

Reads {training,validation}-data and {training,validation}_solution.csv; writes best_metric_model.pth, a state dict, and
best_metric_model.json, its card: classes, architecture, how it was trained, how it was chosen, what it scored. A file
training_checkpoint.pth lies there meanwhile: after an interruption the same command goes on from it, to the same model.

Notable choices; docs/reference-solution.md has what each is worth:
- Small networks (0.1 million weights each) are trained side by side, each on its own draws, and answer together, for an
  image and its mirror image: what 600 images teach by chance, each learns differently, and their mean forgets.
- Every image is decoded once and kept as bytes (5 MB). A batch is augmented as one tensor: one random affine map, one
  sampling, some arithmetic. So there are no loader processes, and no shared memory is needed.
- The augmentation draws what is rare in 600 images: turned plates, and contrast far lower than usual.
- One learning-rate cycle over the whole run. The step of AdamW is written out: importing torch.optim takes two seconds.
- Each network trains in a thread of its own: operations this small take longer when several threads share them.
- Every epoch of each network has its own generator: what it does depends on the seed and these two numbers alone.
- The last epoch is the model. Choices were made on the training and validation images; the page above says what the
  testing images had suggested before.
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
CHOICE = "The last epoch, whatever it scores: the validation images were used to choose the recipe, not the epoch."
WANTED = "Each has to be a whole grey (mode L) JPEG or PNG of 64x64 pixels."
CHECKPOINT = "training_checkpoint.pth"


@dataclass(frozen=True)
class Recipe:
    """Everything that was tuned, on the validation images; benchmarks/training.py takes one thing away at a time."""

    rotation: float = 25  # degrees, to either side
    shift: float = 0.2  # of the width, to either side
    zoom: float = 0.3  # up to so much smaller or larger
    flip: float = 0.5  # how often left and right change places
    contrast: float = 0.2  # largest change of the logarithm of contrast
    brightness: float = 0.05  # largest change of brightness
    strong: float = 0.3  # how often it is a strong change instead:
    strong_contrast: float = 0.5
    strong_brightness: float = 0.3
    fade: float = 0.3  # how often contrast is lowered besides,
    faded: float = 1.0  # by up to so much of its logarithm
    noise: float = 0.03  # largest standard deviation of the noise
    label_smoothing: float = 0.05
    weight_decay: float = 0.05
    warm_up: float = 0.25  # the part of the cycle in which the learning rate rises


RECIPE = Recipe()


class InputError(Exception):
    """What was given cannot be used; the message says what to do about it."""


class UnfitError(Exception):
    """An image that is whole, but not of the kind that the network was made for."""


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
        then = "the same command goes on from where it was." if left else f"{options.output} is as it was."
        print(f"Stopped before the end: {then}", file=sys.stderr)
        return 130
    return 0


def train(options: argparse.Namespace, recipe: Recipe = RECIPE) -> dict[str, Any]:
    start = time.perf_counter()
    check_output(options.output)
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    keep_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":  # on a CPU these very operations are deterministic, and asking costs two seconds
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
        say(f"goes on after epoch {state['done']}, from {checkpoint}")

    steps_per_epoch = -(-len(images) // options.batch_size)
    steps = options.epochs * steps_per_epoch

    def one_epoch(epoch: int, number: int) -> float:
        """Trains one network for one epoch, on its own draws; returns the mean loss."""
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
    """Answers with the mean of what its members answer to an image and to its mirror image."""

    def forward(self, grey: Tensor) -> Tensor:
        return torch.stack([member(side) for member in self for side in (grey, grey.flip(3))]).mean(0)


def make_network(members: int, widths: list[int], classes: int) -> Ensemble:
    """Grey values [N, 1, 64, 64] between 0 and 1 -> logits [N, classes]; inference_on_test.py has the same function."""

    def make_member() -> nn.Sequential:
        first = widths[0]
        layers: list[nn.Module] = [nn.Conv2d(1, first, 5, 2, 2, bias=False), nn.MaxPool2d(3, 2, 1)]
        layers += [nn.BatchNorm2d(first), nn.ReLU()]  # behind the pooling, where they cost a quarter
        for before, after, stride in zip([first, *widths], widths, [1] + [2] * len(widths), strict=False):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))

    return Ensemble(make_member() for _ in range(members))


def augment(images: Tensor, recipe: Recipe, chance: Generator) -> Tensor:
    """Bytes [N, 1, H, W] -> grey values between 0 and 1, each image changed in its own way.

    The numbers are drawn on the CPU: the same seed augments in the same way on every device.
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
    grey = images.float() / 255
    mean = grey.mean((1, 2, 3), keepdim=True)
    grey = ((grey - mean) * contrast.exp() + mean + brightness).clamp(0, 1)
    beyond = grey[:, :, :1, :1]  # the colour of the picture's corner
    grey = grid_sample(grey - beyond, places, align_corners=False) + beyond
    noise = torch.randn(grey.shape, generator=chance) * torch.rand(*each, generator=chance) * recipe.noise
    return (grey + noise.to(device)).clamp(0, 1)


def cycle(progress: float, warm_up: float) -> float:
    """The learning rate as a part of its highest, at a progress of 0 to 1: up along a cosine, down along another."""
    if progress < warm_up:
        return 0.52 - 0.48 * math.cos(math.pi * progress / warm_up)
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warm_up) / (1 - warm_up))


@torch.no_grad()
def adamw(
    weights: list[nn.Parameter], moments: list[tuple[Tensor, Tensor]], step: int, rate: float, decay: float
) -> None:
    """One step of torch.optim.AdamW with its usual numbers; only what has several dimensions decays."""
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
    """Loss, accuracy and weighted F1 on bytes [N, 1, H, W]."""
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
    """The images [N, 1, 64, 64], bytes, in root/{split}-data, and their classes [N] from root/{split}_solution.csv."""
    table, folder = root / f"{split}_solution.csv", root / f"{split}-data"
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [(row["file"], row["class"]) for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(
            f"Cannot read {table} ({error.strerror}): it lists the {split} images and their classes. "
            "Give the folder that holds it: mount it at /mnt/in, or name it with --input."
        ) from error
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is no table: it has to be UTF-8 CSV with the header file,class.") from error
    if not rows:
        raise InputError(f"{table} lists no images: give it one row with file,class for each image in {folder}.")
    unknown = [f"{name} is {label!r}" for name, label in rows if label not in CLASSES]
    if unknown:
        raise InputError(
            f"{table} gives an unknown class to {some(unknown, 'image')}. "
            f"Allowed are {', '.join(CLASSES)}: correct the table."
        )
    paths = [folder / Path(name or "").name for name, _ in rows]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{folder} lacks {some(missing, 'image')} of the {len(rows)} that {table.name} lists. "
            "Put the images there, or take their rows out of the table."
        )

    images, unfit = [], []
    for path in paths:
        try:
            images.append(read_image(path))
        except Exception as error:  # noqa: BLE001 - what Pillow raises on a broken file has no common class
            unfit.append(f"{path.name} {error if isinstance(error, UnfitError) else 'cannot be read'}")
    if unfit:
        raise InputError(f"{folder} holds {some(unfit, 'unfit image')}. {WANTED}")
    return torch.from_numpy(np.stack(images)).unsqueeze(1), torch.tensor([CLASSES.index(label) for _, label in rows])


def read_image(path: Path) -> np.ndarray:
    """An image file as bytes [64, 64], or UnfitError; inference_on_test.py has the same function."""
    with Image.open(path) as image:
        if image.mode != "L":
            raise UnfitError(f"is of mode {image.mode}")
        if image.size != SIZE:
            raise UnfitError(f"has {image.width}x{image.height} pixels")
        return np.asarray(image)


def keep_memory() -> None:
    """Has the C library keep freed memory for the next batch: to fetch it anew costs seconds."""
    with suppress(OSError, AttributeError):  # it is glibc's to offer
        libc = ctypes.CDLL(None)
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD, its highest


def what_is_asked(options: argparse.Namespace, recipe: Recipe, *data: Tensor) -> str:
    """All that the model depends on, as one digest: a checkpoint of another training is of no use."""
    asked = [options.seed, options.epochs, options.batch_size, options.learning_rate, asdict(recipe), NETWORK]
    digest = hashlib.sha256(json.dumps([*asked, str(torch.__version__)]).encode())
    for tensor in data:
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def read_checkpoint(path: Path, asked: str, device: torch.device) -> dict[str, Any]:
    """The state that an interrupted training of the very same left; empty if there is none."""
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return checkpoint["state"] if checkpoint["asked"] == asked else {}
    except Exception:  # noqa: BLE001 - what is no checkpoint fails in many ways, and a new training needs none
        return {}


def write_checkpoint(path: Path, asked: str, state: dict[str, Any]) -> None:
    """Replaces the one before by a whole new one."""
    new = path.with_name(f".{path.name}.new")
    try:
        torch.save({"asked": asked, "state": state}, new)
        new.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError on a full disk
        new.unlink(missing_ok=True)
        raise InputError(f"Cannot write {path}: {error}. Make room there or give another folder.") from error


def check_output(folder: Path) -> None:
    """Before the training, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise InputError(
            f"Cannot write to {folder}: it has to be a folder that this user may write to, on a disk that is not "
            "read-only. Give another: mount it at /mnt/out, or name it with --output."
        )


def save(folder: Path, weights: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Writes the model and its card; whenever this is killed, the model is the old one or the new one, whole."""
    model, description = folder / "best_metric_model.pth", folder / "best_metric_model.json"
    new_model, new_description = folder / ".best_metric_model.pth.new", folder / ".best_metric_model.json.new"
    try:
        torch.save(weights, new_model)
        new_description.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        description.unlink(missing_ok=True)  # no card at all rather than another model's
        new_model.replace(model)
        new_description.replace(description)
    except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError on a full disk
        new_model.unlink(missing_ok=True)
        new_description.unlink(missing_ok=True)
        raise InputError(
            f"Cannot write the model to {folder}: {error}. Make room there or give another folder."
        ) from error


def positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def number(text: str) -> int | float:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    return number


def some(names: list[str], what: str) -> str:
    """How many, and the first few of them."""
    more = ", ..." if len(names) > 5 else ""
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'} ({', '.join(names[:5])}{more})"


def say(line: str) -> None:
    print(line, flush=True)  # at once: standard output is a pipe in a container


if __name__ == "__main__":
    sys.exit(main())

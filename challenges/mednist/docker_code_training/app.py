"""Trains the MedNIST reference model; run it in challenges/mednist:

    docker build -f docker_code_training/Dockerfile -t medicichallenges/mednist:training docker_code_training
    docker run -it --rm --shm-size=256m -v $PWD/input_data:/mnt/in -v $PWD/model_output:/mnt/out \\
      medicichallenges/mednist:training python app.py

or, where PyTorch and MONAI are installed:

    python docker_code_training/app.py --input input_data --output model_output

Reads {training,validation}-data and {training,validation}_solution.csv; writes best_metric_model.pth, a state dict, and
best_metric_model.json, its card: classes, architecture, how it was trained, how it was chosen, what it scored.

Notable choices:
- A small residual network (ResNet with one block a stage, 0.3 million weights): 600 images cannot feed a larger one.
- One learning-rate cycle over the whole run, so that ten epochs are enough.
- Every image is decoded once and kept in memory (10 MB); only the augmentation is done anew in each epoch. So there are
  no loader processes, and no shared memory is needed.
- The epoch is chosen on the validation images. The testing images play no part.
"""

import argparse
import copy
import csv
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from monai.data import set_track_meta
from monai.networks.nets import ResNet
from monai.transforms import Compose, RandAffine, RandFlip
from monai.utils import set_determinism
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy

CLASSES = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
SIZE = (64, 64)
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
CHOICE = "The epoch with the highest weighted F1 on the validation images; of equals, the one with the lowest loss."


class InputError(Exception):
    """What was given cannot be used; the message says what to do about it."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Trains the MedNIST reference model.")
    add = parser.add_argument
    add("--input", type=Path, default=Path("/mnt/in"), help="folder with the images and their classes (/mnt/in)")
    add("--output", type=Path, default=Path("/mnt/out"), help="folder that receives the model (/mnt/out)")
    add("--seed", type=int, default=0, help="the same seed gives the same model on the same machine (0)")
    add("--epochs", type=positive(int), default=10, help="passes over the training images (10)")
    add("--batch-size", type=positive(int), default=32, help="images per step (32)")
    add("--learning-rate", type=positive(float), default=3e-3, help="highest learning rate of the cycle (0.003)")
    options = parser.parse_args(arguments)
    try:
        train(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Stopped before the end: {options.output} is as it was.", file=sys.stderr)
        return 130
    return 0


def train(options: argparse.Namespace) -> None:
    start = time.perf_counter()
    check_output(options.output)
    set_determinism(options.seed)
    set_track_meta(False)  # nothing here asks where an image came from, and plain tensors are transformed faster
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    images, labels = read_split(options.input, "training")
    validation_images, validation_labels = (t.to(device) for t in read_split(options.input, "validation"))
    augment = Compose(
        [
            RandAffine(prob=1, rotate_range=0.2, translate_range=4, scale_range=0.1, padding_mode="border"),
            RandFlip(prob=0.5, spatial_axis=1),
        ]
    ).set_random_state(options.seed)
    say(f"{len(images)} training and {len(validation_images)} validation images, {device}, seed {options.seed}")

    network = ResNet(**NETWORK).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate)
    steps = options.epochs * -(-len(images) // options.batch_size)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=steps)
    best: dict[str, Any] = {}
    for epoch in range(1, options.epochs + 1):
        network.train()
        total = 0.0
        for batch in torch.randperm(len(images)).split(options.batch_size):
            augmented = torch.stack([augment(images[i]) for i in batch])
            loss = cross_entropy(network(augmented.to(device)), labels[batch].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item() * len(batch)

        scores = evaluate(network, validation_images, validation_labels)
        is_best = not best or (scores["f1"], -scores["loss"]) > (best["f1"], -best["loss"])
        if is_best:
            best = {"epoch": epoch, **scores}
            weights = copy.deepcopy(network.state_dict())
        say(
            f"epoch {epoch:2}/{options.epochs}  training loss {total / len(images):.4f}  validation loss "
            f"{scores['loss']:.4f} accuracy {scores['accuracy']:.4f} F1 {scores['f1']:.4f}  "
            f"{time.perf_counter() - start:5.1f} s{'  best so far' if is_best else ''}"
        )

    card = {
        "classes": CLASSES,
        "network": "monai.networks.nets.ResNet",
        "arguments": NETWORK,
        "training": {
            "seed": options.seed,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "learning_rate": options.learning_rate,
            "images": len(images),
            "device": str(device),
        },
        "choice": CHOICE,
        "validation": {"images": len(validation_images), **best},
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "monai": str(monai.__version__),
        },
    }
    save(options.output, {name: tensor.cpu() for name, tensor in weights.items()}, card)
    say(f"{options.output / 'best_metric_model.pth'}: epoch {best['epoch']}, validation F1 {best['f1']:.4f}")


def read_split(root: Path, split: str) -> tuple[Tensor, Tensor]:
    """The images [N, 1, 64, 64] in root/{split}-data, and their classes [N] from root/{split}_solution.csv."""
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

    images, unreadable = [], []
    for path in paths:
        try:
            images.append(read_image(path))
        except Exception:  # noqa: BLE001 - what Pillow raises on a broken file has no common class
            unreadable.append(path.name)
    if unreadable:
        raise InputError(f"{folder} holds {some(unreadable, 'unreadable image')}. Replace each by a whole JPEG or PNG.")
    return torch.stack(images), torch.tensor([CLASSES.index(label) for _, label in rows])


def read_image(path: Path) -> Tensor:
    """An image file as a tensor [1, 64, 64] between 0 and 1; inference_on_test.py has the same function."""
    with Image.open(path) as image:
        grey = image.convert("L").resize(SIZE, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(grey, dtype=np.float32) / 255).unsqueeze(0)


def evaluate(network: torch.nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([network(batch) for batch in images.split(200)])
    guesses, n = logits.argmax(1), len(CLASSES)
    confusion = torch.bincount(labels * n + guesses, minlength=n * n).reshape(n, n).double()
    hits, support, predicted = confusion.diag(), confusion.sum(1), confusion.sum(0)
    f1 = 2 * hits / (support + predicted).clamp(min=1)
    return {
        "loss": cross_entropy(logits, labels).item(),
        "accuracy": (hits.sum() / support.sum()).item(),
        "f1": ((f1 * support).sum() / support.sum()).item(),
    }


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

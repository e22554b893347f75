"""Training the reference model: as a whole process next to the 2021 tutorial's recipe; ten seeds; ablations.

    python -m benchmarks.training                 times both as whole processes, from start to saved model
    python -m benchmarks.training --seeds 10      trains with seeds 0 to 9; uses validation and testing images
    python -m benchmarks.training --ablations 3   removes one component at a time, three seeds each; no testing images

The second and third resume after an interruption and write their tables into docs/reference-solution.md. Only --seeds
uses the testing images, to report results; nothing is chosen by them. An ablation trains on the training images and is
tested on the validation images, and vice versa: 1,200 images in total.
"""

import argparse
import contextlib
import io
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.measuring import Comparison, Line, side_by_side
from benchmarks.reference import (
    BASELINE_NAME,
    MODELS,
    TRAINING,
    MissingError,
    baseline,
    images,
    load,
    program,
    record,
    recorded,
    write_table,
)

IMAGES = 600  # in each split
AFFINE = {"rotation": 0, "shift": 0, "zoom": 0, "flip": 0}
LIGHT = {"contrast": 0, "brightness": 0, "strong": 0, "fade": 0}
ABLATIONS: dict[str, dict[str, Any]] = {
    "reference": {},
    "one network": {"network": {"members": 1}},
    "two networks": {"network": {"members": 2}},
    "no mirror image": {"one_side": True},
    "no augmentation": {"recipe": {**AFFINE, **LIGHT, "noise": 0}},
    "no affine map": {"recipe": AFFINE},
    "no contrast and brightness": {"recipe": LIGHT},
    "no strong contrast and brightness": {"recipe": {"strong": 0}},
    "no fading": {"recipe": {"fade": 0}},
    "no noise": {"recipe": {"noise": 0}},
    "no label smoothing": {"recipe": {"label_smoothing": 0}},
    "no weight decay": {"recipe": {"weight_decay": 0}},
    "a constant learning rate": {"constant": True},
    "half of the epochs": {"options": {"epochs": 14}},
    "half of the widths": {"network": {"widths": [8, 16, 32, 64]}},
}
FADED = "contrast × 0.5"  # of robustness.CHANGES: what the validation images hardly have


def measure(runs: int = 3) -> Comparison:
    """Both as whole processes; the baseline's time includes its evaluation of both other splits, as published."""
    data = images()
    with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as name:
        ours = [sys.executable, str(TRAINING), "--input", str(data)]
        theirs = [sys.executable, str(baseline()), str(data), "--save", f"{name}/baseline.pt"]
        return side_by_side(
            "training, whole process",
            (f"{BASELINE_NAME}, one epoch", lambda _: run(theirs)),
            ("app.py", lambda number: run([*ours, "--output", f"{name}/{number}"])),
            runs=runs,
        )


def lines(runs: int) -> list[Line]:
    """Nothing where the images or the baseline are missing, and that is said."""
    try:
        return [measure(runs).line("ratio 0.6")]
    except MissingError as error:
        print(f"training is left out: {error}", file=sys.stderr)
        return []


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def trained(
    app: ModuleType, data: Path, seed: int, target: Path, change: dict[str, Any] | None = None
) -> tuple[dict[str, Any], Any, float]:
    """Trains in this process, with something changed; returns the model's card, its network and the CPU seconds."""
    change = change or {}
    changed: dict[str, object] = {"NETWORK": app.NETWORK | change.get("network", {})}
    if change.get("constant"):
        changed["cycle"] = lambda *_: 0.3
    if change.get("one_side"):
        answer = {"forward": lambda members, gray: sum(member(gray) for member in members) / len(members)}
        changed["Ensemble"] = type("OneSide", (app.Ensemble,), answer)
    options = app.parse(["--input", str(data), "--output", str(target), "--seed", str(seed)])
    vars(options).update(change.get("options", {}))
    with replaced(app, changed), contextlib.redirect_stdout(io.StringIO()):
        begin = time.process_time()
        card: dict[str, Any] = app.train(options, replace(app.RECIPE, **change.get("recipe", {})))
        cpu_s = round(time.process_time() - begin, 1)
        return card, load(app, target), cpu_s


@contextlib.contextmanager
def replaced(module: ModuleType, changed: dict[str, object]) -> Iterator[None]:
    before = {name: getattr(module, name) for name in changed}
    vars(module).update(changed)
    try:
        yield
    finally:
        vars(module).update(before)


def seeds(count: int) -> None:
    app = program(TRAINING)
    for seed in range(count):
        key = str(seed)
        if recorded().get("seeds", {}).get(key, {}).get("base") == base(app):
            continue
        card, network, cpu_s = trained(app, images(), seed, MODELS / key)
        testing = app.evaluate(network, *app.read_split(images(), "testing"))
        kept = {
            "base": base(app),
            "validation_f1": card["validation"]["f1"],
            "testing_f1": testing["f1"],
            "testing_errors": errors(testing),
            "cpu_s": cpu_s,
        }
        record("seeds", key, kept)
        print(
            f"seed {seed}: validation F1 {kept['validation_f1']:.4f}, testing F1 {kept['testing_f1']:.4f}", flush=True
        )
    write_table("seeds", seeds_table())


def seeds_table() -> Iterator[str]:
    rows = sorted((int(seed), row) for seed, row in recorded()["seeds"].items())
    yield "| seed | validation F1 | testing F1 | errors of 600 | CPU s |"
    yield "|---|---|---|---|---|"
    for seed, row in rows:
        yield (
            f"| {seed} | {row['validation_f1']:.4f} | {row['testing_f1']:.4f} | {row['testing_errors']} "
            f"| {row['cpu_s']:.1f} |"
        )
    middle = {
        key: statistics.median(row[key] for _, row in rows)
        for key in ("validation_f1", "testing_f1", "testing_errors", "cpu_s")
    }
    yield (
        f"| **median** | {middle['validation_f1']:.4f} | {middle['testing_f1']:.4f} | {middle['testing_errors']:g} "
        f"| {middle['cpu_s']:.1f} |"
    )
    lowest = min(row["testing_f1"] for _, row in rows)
    yield f"| **lowest** | {min(row['validation_f1'] for _, row in rows):.4f} | {lowest:.4f} | | |"


def ablations(count: int, only: list[str]) -> None:
    from benchmarks.robustness import CHANGES  # with NumPy, which the other benchmarks do without

    app = program(TRAINING)
    with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as folder:
        directions = {"": images(), ", reversed": reversed_splits(Path(folder))}
        for seed, name, turn in itertools.product(range(count), only or ABLATIONS, directions):
            key = f"{name}, seed {seed}{turn}"
            if recorded().get("ablations", {}).get(key, {}).get("base") == base(app):
                continue
            data = directions[turn]
            card, network, cpu_s = trained(app, data, seed, Path(folder) / "model", ABLATIONS[name])
            pictures, labels = app.read_split(data, "validation")
            faded = app.torch.from_numpy(CHANGES[FADED][0](pictures.numpy()))
            kept = {
                "f1": card["validation"]["f1"],
                "errors": errors(card["validation"]),
                "faded": errors(app.evaluate(network, faded, labels)),
                "loss": card["validation"]["loss"],
                "cpu_s": cpu_s,
            }
            record("ablations", key, kept | {"base": base(app)})
            print(f"{key}: {kept}", flush=True)
    write_table("ablations", ablations_table(base(app)))


def reversed_splits(folder: Path) -> Path:
    """The images, with training and validation exchanged."""
    for split, other in (("training", "validation"), ("validation", "training")):
        (folder / f"{split}-data").symlink_to(images().resolve() / f"{other}-data")
        (folder / f"{split}_solution.csv").symlink_to(images().resolve() / f"{other}_solution.csv")
    return folder


def base(app: ModuleType) -> dict[str, Any]:
    """Everything that was tuned; results for other values cannot be reused."""
    options = vars(app.parse([]))
    return {
        **asdict(app.RECIPE),
        **app.NETWORK,
        **{key: options[key] for key in ("epochs", "batch_size", "learning_rate")},
    }


def errors(scores: dict[str, float]) -> int:
    return round((1 - scores["accuracy"]) * IMAGES)


def ablations_table(current: dict[str, Any]) -> Iterator[str]:
    rows = {key: row for key, row in recorded()["ablations"].items() if row["base"] == current}
    yield "| | F1: median | lowest | errors of 1,200: mean | highest | at half contrast | loss | CPU s | seeds |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in ABLATIONS:
        seeds = range(sum(key.startswith(f"{name}, seed ") for key in rows) // 2)
        if not seeds:
            continue
        pairs = [[rows[f"{name}, seed {seed}{turn}"] for turn in ("", ", reversed")] for seed in seeds]
        f1 = [statistics.mean(row["f1"] for row in pair) for pair in pairs]
        wrong, faded = ([sum(row[key] for row in pair) for pair in pairs] for key in ("errors", "faded"))
        loss, cpu_s = (statistics.mean(row[key] for pair in pairs for row in pair) for key in ("loss", "cpu_s"))
        yield (
            f"| {name} | {statistics.median(f1):.4f} | {min(f1):.4f} | {statistics.mean(wrong):.1f} | {max(wrong)} "
            f"| {statistics.mean(faded):.1f} | {loss:.4f} | {cpu_s:.1f} | {len(pairs)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, metavar="N")
    parser.add_argument("--ablations", type=int, metavar="N")
    parser.add_argument("--only", nargs="+", choices=list(ABLATIONS), default=[], metavar="NAME")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    if options.seeds:
        seeds(options.seeds)
    if options.ablations:
        ablations(options.ablations, options.only)
    if not options.seeds and not options.ablations:
        print(*(line.shown() for line in lines(options.runs)), sep="\n")


if __name__ == "__main__":
    main()

"""Training the reference model as a whole process beside the 2021 tutorial's recipe; its ten seeds; its ablations.

    python -m benchmarks.training                 side by side, whole processes, start to saved model
    python -m benchmarks.training --seeds 10      trains with seeds 0 to 9: validation and testing images
    python -m benchmarks.training --ablations 10  takes one thing away at a time: validation images only

The second and third go on where they were interrupted, and write their tables into docs/reference-solution.md. The
testing images are looked at by --seeds alone, for what is reported; nothing is chosen by them.
"""

import argparse
import contextlib
import io
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
    program,
    record,
    recorded,
    write_table,
)

AFFINE = {"rotation": 0, "shift": 0, "zoom": 0, "flip": 0}
LIGHT = {"contrast": 0, "brightness": 0, "strong": 0}
ABLATIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no augmentation": {"recipe": {**AFFINE, **LIGHT, "noise": 0}},
    "no affine map": {"recipe": AFFINE},
    "no contrast and brightness": {"recipe": LIGHT},
    "no strong contrast and brightness": {"recipe": {"strong": 0}},
    "no noise": {"recipe": {"noise": 0}},
    "no label smoothing": {"recipe": {"label_smoothing": 0}},
    "no weight decay": {"recipe": {"weight_decay": 0}},
    "a constant learning rate": {"constant": True},
    "half of the epochs": {"options": {"epochs": 15}},
    "half of the widths": {"widths": [8, 16, 32, 64]},
}


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


def trained(app: ModuleType, seed: int, target: Path, change: dict[str, Any] | None = None) -> dict[str, Any]:
    """Trains in this process, with something changed; returns the model's card and the CPU seconds it took."""
    change = change or {}
    changed: dict[str, object] = {"NETWORK": {**app.NETWORK, "widths": change.get("widths", app.NETWORK["widths"])}}
    if change.get("constant"):
        changed["cycle"] = lambda *_: 0.3
    options = app.parse(["--input", str(images()), "--output", str(target), "--seed", str(seed)])
    vars(options).update(change.get("options", {}))
    with replaced(app, changed), contextlib.redirect_stdout(io.StringIO()):
        begin = time.process_time()
        card: dict[str, Any] = app.train(options, replace(app.RECIPE, **change.get("recipe", {})))
    return {"card": card, "cpu_s": round(time.process_time() - begin, 1)}


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
        if recorded().get("seeds", {}).get(key, {}).get("recipe") == asdict(app.RECIPE):
            continue
        target = MODELS / key
        result = trained(app, seed, target)
        network = app.make_network(**app.NETWORK)
        network.load_state_dict(app.torch.load(target / "best_metric_model.pth", weights_only=True))
        pictures, labels = app.read_split(images(), "testing")
        testing = app.evaluate(network, pictures, labels)
        card = result["card"]
        kept = {
            "recipe": card["training"]["recipe"],
            "validation_f1": card["validation"]["f1"],
            "epoch": card["validation"]["epoch"],
            "testing_f1": testing["f1"],
            "testing_errors": round((1 - testing["accuracy"]) * len(labels)),
            "cpu_s": result["cpu_s"],
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
    app = program(TRAINING)
    for seed in range(count):
        for name in only or ABLATIONS:
            key = f"{name}, seed {seed}"
            if recorded().get("ablations", {}).get(key, {}).get("base") == asdict(app.RECIPE):
                continue
            with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as folder:
                result = trained(app, seed, Path(folder), ABLATIONS[name])
            validation = result["card"]["validation"]
            kept = {"f1": validation["f1"], "loss": validation["loss"], "cpu_s": result["cpu_s"]}
            record("ablations", key, kept | {"base": asdict(app.RECIPE)})
            print(f"{key}: {kept}", flush=True)
    write_table("ablations", ablations_table())


def ablations_table() -> Iterator[str]:
    rows = recorded()["ablations"]
    yield "| | validation F1: median | lowest | highest | validation loss: median | CPU s: median | seeds |"
    yield "|---|---|---|---|---|---|---|"
    for name in ABLATIONS:
        of_name = [row for key, row in rows.items() if key.rpartition(", seed ")[0] == name]
        if not of_name:
            continue
        f1, loss, cpu_s = ([row[key] for row in of_name] for key in ("f1", "loss", "cpu_s"))
        yield (
            f"| {name} | {statistics.median(f1):.4f} | {min(f1):.4f} | {max(f1):.4f} | {statistics.median(loss):.4f} "
            f"| {statistics.median(cpu_s):.1f} | {len(of_name)} |"
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

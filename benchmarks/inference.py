"""Inference: whole processes beside the 2021 tutorial's, memory by number of images, and how far from the limit it is.

    python -m benchmarks.inference                      side by side on 600 images, and the model beside sgemm
    python -m benchmarks.inference --images 600 100000  peak memory of the whole process for so many images

The weights are untrained: they cost as much as trained ones. Many images are links to the 600.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import Comparison, Line, side_by_side
from benchmarks.reference import (
    BASELINE_NAME,
    EXPORT,
    INFERENCE,
    ONNX_INFERENCE,
    TRAINING,
    MissingError,
    baseline,
    images,
    program,
    record,
    recorded,
    write_table,
)
from benchmarks.training import run

DENSENET = """\
import sys, torch
from monai.networks.nets import DenseNet121
torch.save(DenseNet121(spatial_dims=2, in_channels=1, out_channels=6).state_dict(), sys.argv[1])
"""
BATCH, MATRIX = 256, 2048


@contextmanager
def models() -> Iterator[Path]:
    """A folder with untrained weights: theirs in baseline.pt, ours in best_metric_model.pth and model.onnx."""
    with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as name:
        folder, app = Path(name), program(TRAINING)
        card = {"classes": app.CLASSES, "arguments": app.NETWORK}
        app.save(folder, app.make_network(**app.NETWORK).state_dict(), card)
        run([sys.executable, str(EXPORT), "--model", f"{folder}/best_metric_model.pth", "--output", name])
        yield folder


def measure(runs: int = 5) -> list[Comparison]:
    """Both programs as whole processes on the 600 testing images; what they answer plays no part."""
    data = images()
    with models() as folder:
        run([sys.executable, "-c", DENSENET, f"{folder}/baseline.pt"])
        theirs = [sys.executable, str(baseline()), str(data), "--infer-only", f"{folder}/baseline.pt"]
        return [
            side_by_side(
                f"inference on 600 images, whole process, {name}",
                (f"{BASELINE_NAME}, --infer-only", lambda _: run(theirs)),
                (path.name, lambda _, path=path: run(command(path, folder, data / "testing-data"))),  # type: ignore[misc]
                runs=runs,
            )
            for name, path in (("PyTorch", INFERENCE), ("onnxruntime", ONNX_INFERENCE))
        ]


def lines(runs: int) -> list[Line]:
    """The whole processes are left out where the images or the baseline are missing, and that is said."""
    compared: list[Line] = []
    try:
        compared = [comparison.line("ratio 0.333") for comparison in measure(runs)]
    except MissingError as error:
        print(f"inference as a whole process is left out: {error}", file=sys.stderr)
    return compared + throughput()


def command(path: Path, folder: Path, pictures: Path) -> list[str]:
    model = folder / ("model.onnx" if path == ONNX_INFERENCE else "best_metric_model.pth")
    places = ["--input", str(pictures), "--output", str(folder / "out"), "--model", str(model)]
    return [sys.executable, str(path), *places]


def memory(path: Path, count: int) -> dict[str, float]:
    """Peak MiB and seconds of the whole process, for so many images."""
    pictures = sorted((images() / "testing-data").iterdir())
    with models() as folder:
        many = folder / "many"
        many.mkdir()
        for first in pictures:
            shutil.copy(first, folder / first.name)
        for number in range(count):
            os.link(folder / pictures[number % len(pictures)].name, many / f"{number:07}.jpg")
        begin = time.perf_counter()
        child = subprocess.Popen(command(path, folder, many), stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        if child.returncode:
            raise RuntimeError(f"{path} ended with {child.returncode}")
    return {"peak_mib": round(usage.ru_maxrss / 1024, 1), "wall_s": round(seconds, 1)}


def memory_table() -> Iterator[str]:
    yield "| program | images | peak memory | seconds |"
    yield "|---|---|---|---|"
    rows = [(*key.split(", "), used) for key, used in recorded()["memory"].items()]
    for name, count, used in sorted(rows, key=lambda row: (row[0], int(row[1]))):
        yield f"| `{name}` | {int(count):,} | {used['peak_mib']:,.0f} MiB | {used['wall_s']:.1f} |"


def throughput(threads: int = 2, runs: int = 9) -> list[Line]:
    """The model alone, in memory, beside this machine's speed at the same arithmetic: a large product of matrices."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    with models() as folder:
        network, _ = program(INFERENCE).load_model(folder / "best_metric_model.pth")
        session, _ = program(ONNX_INFERENCE).load_model(folder / "model.onnx")
    network = network.to(memory_format=torch.channels_last).eval()
    pictures = np.zeros((BATCH, 1, 64, 64), np.uint8)
    gray = torch.from_numpy(pictures).float() / 255
    gflop = flops(network) * BATCH / 1e9
    left, right = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)
    with torch.inference_mode():
        sgemm, *models_s = in_turn(
            runs, lambda: left @ right, lambda: network(gray), lambda: session.run(["logits"], {"images": pictures})
        )
    peak = _speeds(2 * MATRIX**3 / 1e9, sgemm)
    lines = [Line("product of two matrices (sgemm), the peak", peak.median, "GFLOP/s", **peak.spread)]
    for name, seconds in zip(("PyTorch", "onnxruntime"), models_s, strict=True):
        speed = _speeds(gflop, seconds)
        title = f"the model itself, {name}, {BATCH / statistics.median(seconds):,.0f} images/s"
        lines.append(Line(title, speed.median, "GFLOP/s", "sgemm", peak.median, **speed.spread))
    return lines


@dataclass(frozen=True)
class _Speeds:
    median: float
    spread: dict[str, Any]


def _speeds(gflop: float, seconds: list[float]) -> _Speeds:
    return _Speeds(
        gflop / statistics.median(seconds),
        {"runs": len(seconds), "lowest": gflop / max(seconds), "highest": gflop / min(seconds)},
    )


def in_turn(runs: int, *calls: Callable[[], Any]) -> list[list[float]]:
    """Seconds of each call, made in turn."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(runs + 1):
        for call, kept in zip(calls, seconds, strict=True):
            begin = time.perf_counter()
            call()
            kept.append(time.perf_counter() - begin)
    return [kept[1:] for kept in seconds]  # the first is a warm-up


def flops(network: Any) -> int:
    """Additions and multiplications of convolutions and linear layers for one image."""
    import torch

    total = 0

    def count(layer: Any, _: Any, output: Any) -> None:
        nonlocal total
        total += 2 * layer.weight[0].numel() * output[0].numel()

    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, kinds)]
    with torch.inference_mode():
        network(torch.zeros(1, 1, 64, 64))
    for hook in hooks:
        hook.remove()
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", metavar="N")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    if options.images:
        for path in (INFERENCE, ONNX_INFERENCE):
            for count in options.images:
                used = memory(path, count)
                record("memory", f"{path.name}, {count}", used)
                print(f"{path.name}, {count:,} images: {used}", flush=True)
        write_table("memory", memory_table())
        return
    print(*(line.shown() for line in lines(options.runs)), sep="\n")


if __name__ == "__main__":
    main()

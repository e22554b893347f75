"""Exports the trained model to ONNX for predict.py. Run it in challenges/mednist with PyTorch and onnx installed:

    python docker_code_inference_onnx/export.py

Reads model_output/best_metric_model.{pth,json} and writes model.onnx and model.json (the same card) next to this file.
The exported network takes bytes, as images store them; the division by 255 is part of it.
"""

import argparse
import importlib.util
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "model_output" / "best_metric_model.pth"
PROGRAM = HERE.parent / "docker_code_inference" / "inference_on_test.py"
OPSET = 17


class FromBytes(nn.Module):
    """The network, preceded by the conversion from bytes to gray values."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images.float() / 255)
        return logits


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Exports the trained MedNIST model to ONNX.")
    add = parser.add_argument
    add("--model", type=Path, default=MODEL, help="the weights, with the model card next to them (%(default)s)")
    add("--output", type=Path, default=HERE, help="folder that receives model.onnx and its card (%(default)s)")
    options = parser.parse_args(arguments)
    spec = importlib.util.spec_from_file_location("inference_on_test", PROGRAM)
    assert spec
    assert spec.loader
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    if importlib.util.find_spec("onnx") is None:
        print("The export needs the package onnx: pip install onnx", file=sys.stderr)
        return 1
    try:
        network, _ = program.load_model(options.model)
        card = options.model.with_suffix(".json")
        if not card.exists():
            raise program.InputError(f"The model card {card} is missing; it lists the classes. Train the model again.")
    except program.InputError as error:
        print(error, file=sys.stderr)
        return 1
    options.output.mkdir(parents=True, exist_ok=True)
    target, new = options.output / "model.onnx", options.output / ".model.onnx.new"
    export(network, new)
    new.replace(target)
    shutil.copyfile(card, options.output / "model.json")
    print(f"{target}: {target.stat().st_size:,} bytes")
    return 0


def export(network: nn.Module, target: Path) -> None:
    with warnings.catch_warnings():
        # The new exporter needs two more packages and gives the same result for four convolutions.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            FromBytes(network).eval(),
            (torch.zeros(2, 1, 64, 64, dtype=torch.uint8),),
            str(target),
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "n"}, "logits": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )


if __name__ == "__main__":
    sys.exit(main())

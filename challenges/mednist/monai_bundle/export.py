"""Writes the trained model as a MONAI bundle. Run it in challenges/mednist with PyTorch installed:

    python monai_bundle/export.py
    palio pack monai_bundle/MedNISTClassifier -o mednist_monai_bundle.zip

Reads model_output/best_metric_model.{pth,json}. The bundle has the same weights, the network of the inference program,
and the configuration that lies next to this file, with the classes and the network's arguments of the model card.
"""

import argparse
import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "model_output" / "best_metric_model.pth"
PROGRAM = HERE.parent / "docker_code_inference" / "inference_on_test.py"
PARTS = ("configs", "docs", "scripts")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Writes the trained MedNIST model as a MONAI bundle.")
    add = parser.add_argument
    add("--model", type=Path, default=MODEL, help="the weights, with the model card next to them (%(default)s)")
    add("--output", type=Path, default=HERE / "MedNISTClassifier", help="the bundle's folder, replaced (%(default)s)")
    options = parser.parse_args(arguments)
    program = read_program()
    try:
        _, classes = program.load_model(options.model)  # refuses weights that do not fit
    except program.InputError as error:
        print(error, file=sys.stderr)
        return 1
    card = options.model.with_suffix(".json")
    network: dict[str, Any] = json.loads(card.read_text())["arguments"] if card.exists() else program.NETWORK
    write(options.output, options.model, network, classes)
    print(f"{options.output}: a MONAI bundle of {len(classes)} classes")
    return 0


def read_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inference_on_test", PROGRAM)
    assert spec
    assert spec.loader
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def write(bundle: Path, model: Path, network: dict[str, Any], classes: Sequence[str]) -> None:
    new = bundle.with_name(f".{bundle.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    for part in PARTS:
        shutil.copytree(HERE / part, new / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(PROGRAM, new / "scripts" / "network.py")
    (new / "models").mkdir()
    shutil.copyfile(model, new / "models" / "model.pt")
    inference = json.loads((new / "configs" / "inference.json").read_text())
    inference["network_def"] |= network
    metadata = json.loads((new / "configs" / "metadata.json").read_text())
    output = metadata["network_data_format"]["outputs"]["pred"]
    output |= {"num_channels": len(classes), "spatial_shape": [len(classes)]}
    output["channel_def"] = {str(number): name for number, name in enumerate(classes)}
    for name, content in (("inference", inference), ("metadata", metadata)):
        (new / "configs" / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    shutil.rmtree(bundle, ignore_errors=True)
    new.rename(bundle)


if __name__ == "__main__":
    sys.exit(main())

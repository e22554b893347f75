"""Small MONAI bundles for the challenge of tests.bundles: is the first letter of a text a vowel?"""

import copy
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bundles import YAML

CLASSES = ("no", "yes")
CHALLENGE = YAML.replace("[context, results]", "[context, results, monai]").replace(
    "  blind:",
    "  monai: {csv: answers.csv, columns: [file, answer], classes: ['no', 'yes']}\n  blind:",
)
METADATA: dict[str, Any] = {
    "version": "0.1.0",
    "monai_version": "1.4.0",
    "pytorch_version": "2.5.0",
    "numpy_version": "1.26.4",
    "required_packages_version": {},
    "task": "vowels",
    "description": "Tells vowels from consonants.",
    "authors": "us",
    "copyright": "ours",
    "network_data_format": {
        "inputs": {"image": {"type": "image", "channel_def": {"0": "image"}}},
        "outputs": {"pred": {"type": "probabilities", "channel_def": {"0": "no", "1": "yes"}}},
    },
}
INFERENCE: dict[str, Any] = {
    "bundle_root": ".",
    "dataset_dir": "/workspace/data",
    "output_dir": "$@bundle_root + '/eval'",
    "predictor": {
        "_target_": "scripts.vowels.Predictor",
        "weights": "$@bundle_root + '/models/model.pt'",
        "inputs": "@dataset_dir",
        "output": "@output_dir",
    },
    "run": ["$@predictor.run()"],
}
# Writes what CSVSaver writes: no header, whole paths, numbers.
PREDICTOR = """\
from pathlib import Path


class Predictor:
    def __init__(self, weights, inputs, output):
        self.vowels, self.inputs, self.output = Path(weights).read_text(), Path(inputs), Path(output)

    def run(self):
        with (self.output / "predictions.csv").open("w") as file:
            for path in sorted(self.inputs.glob("*.txt")):
                file.write(f"{path},{float(path.read_text()[0] in self.vowels)}\\n")
"""


def metadata(**changes: object) -> dict[str, Any]:
    """The content of metadata.json with other values; None leaves a key out."""
    content = {**copy.deepcopy(METADATA), **changes}
    return {key: value for key, value in content.items() if value is not None}


def with_classes(*names: str) -> dict[str, Any]:
    content = metadata()
    content["network_data_format"]["outputs"]["pred"]["channel_def"] = {str(i): name for i, name in enumerate(names)}
    return content


def monai_files(**changes: str | None) -> dict[str, str]:
    """A bundle that is right about everything. Keyword arguments replace files by the last part of their names without
    suffix; None leaves one out.
    """
    files = {
        "configs/metadata.json": json.dumps(METADATA),
        "configs/inference.json": json.dumps(INFERENCE),
        "models/model.pt": "aeiou",
        "scripts/__init__.py": "",
        "scripts/vowels.py": PREDICTOR,
    }
    names = {Path(name).stem: name for name in files}
    replaced = {names[stem]: content for stem, content in changes.items()}
    return {name: content for name, content in (files | replaced).items() if content is not None}


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def zip_files(path: Path, files: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path

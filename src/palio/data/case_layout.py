"""Writes the cases of a split that have several files or masks.

manifest.csv                                    split,case,file,class,sha256,source: one row for each file
input_data/{training,validation,testing}-data/  <case>.png, <case>/flair.nii.gz or <case>_flair.nii.gz
input_data/{training,validation}-masks/         masks, named as their cases
input_data/{training,validation}_solution.csv   file,class, if there are labels
input_data/sample-data/, sample-solution/       a few validation cases, and what reference_data has for the others
reference_data/masks/, testing_solution.csv     the only masks and labels of the testing cases
"""

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from palio.core.bundle.suffixes import Suffixes
from palio.data.case_files import opaque_files
from palio.data.cases import Case
from palio.data.layout import INPUTS, MANIFEST, REFERENCE, SAMPLE, SAMPLE_PER_CLASS, SAMPLE_SOLUTION, SPLITS, seal

Copy = Callable[[str, Path], str]  # copies a file of the source to a path, and returns the SHA-256 of the copy


def write_cases(
    new: Path, chosen: Sequence[tuple[str, Case]], tokens: Mapping[str, str], copy: Copy, copy_mask: Copy
) -> None:
    """Writes the cases, each with its split, below the folder `new`. `tokens` are their opaque names."""
    suffixes = Suffixes(PurePosixPath(file).name for _, case in chosen for file in (*case.files, *case.masks))
    ordered = sorted(chosen, key=lambda pair: (SPLITS.index(pair[0]), tokens[pair[1].name]))
    rows: list[tuple[str, ...]] = []
    answers: dict[str, list[tuple[str, str]]] = {split: [] for split in (*SPLITS, "sample")}
    taken: Counter[str] = Counter()

    def place(source: str, target: str, put: Copy) -> str:
        path = new / target
        path.parent.mkdir(parents=True, exist_ok=True)
        sha256 = put(source, path)
        seal(path)
        return sha256

    for split, case in ordered:
        token = tokens[case.name]
        files = opaque_files(case.files, case.name, token, suffixes)
        masks = opaque_files(case.masks, case.name, token, suffixes) if case.masks else {}
        folder = f"{REFERENCE}/masks" if split == "testing" else f"{INPUTS}/{split}-masks"
        named = token if len(files) > 1 else next(iter(files.values()))
        answers[split].append((f"{split}-data/{named}", case.label))
        for found, below, put in ((files, f"{INPUTS}/{split}-data", copy), (masks, folder, copy_mask)):
            for source, target in found.items():
                sha256 = place(source, f"{below}/{target}", put)
                rows.append((split, token, f"{below}/{target}", case.label, sha256, source))
        if split == "validation" and taken[case.stratum] < SAMPLE_PER_CLASS:
            taken[case.stratum] += 1
            answers["sample"].append((f"{SAMPLE}/{named}", case.label))
            for source, target in files.items():
                place(source, f"{INPUTS}/{SAMPLE}/{target}", copy)
            for source, target in masks.items():
                place(source, f"{INPUTS}/{Path(SAMPLE_SOLUTION).parent}/masks/{target}", copy_mask)
    for split, listed in answers.items():
        if any(label for _, label in listed):
            top = REFERENCE if split == "testing" else INPUTS
            name = SAMPLE_SOLUTION if split == "sample" else f"{split}_solution.csv"
            _write(new / top / name, ("file", "class"), listed)
    _write(new / MANIFEST, ("split", "case", "file", "class", "sha256", "source"), rows)
    for path in new.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    seal(path)

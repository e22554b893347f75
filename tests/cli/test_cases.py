"""A perfect submission scores 1.0 under opaque names, however the inputs of a challenge are laid out."""

import gzip
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image
from tests.bundles import DOCKERFILE, YAML, write_bundle, write_context
from tests.dicom import dicom_head

from palio.cli import main

# Answers and masks are found in the content of the inputs, so names are all that can go wrong.
PREDICT = """\
import csv, os
from pathlib import Path

source, target = Path("/mnt/in"), Path("/mnt/out")
answers = {}
for path in sorted(path for path in source.rglob("*") if path.is_file()):
    content = path.read_bytes()
    assert path.name.endswith(SUFFIX), path
    name = NAME
    answers.setdefault(name, sum(content) % 10007)
    mask = target / "masks" / MASK
    mask.parent.mkdir(parents=True, exist_ok=True)
    mask.write_bytes(content)
with open(target / "answers.csv", "w", newline="") as file:
    csv.writer(file).writerows([("file", "answer"), *answers.items()])
"""
SCORE = """\
import csv, json, sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
read = lambda path: {row["file"]: row["answer"] for row in csv.DictReader(path.open())}
files = lambda path: {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}
truth, given = files(source / "ref" / "masks"), files(source / "res" / "masks")
right = [given.get(name) == content for name, content in truth.items()]
names, answers = read(source / "ref" / "answers.csv"), read(source / "res" / "answers.csv")
right += [answers.get(name) == answer for name, answer in names.items()]
print([name for name in names if name not in answers], [name for name in truth if name not in given])
(target / "scores.json").write_text(json.dumps({"accuracy": sum(right) / len(right)}))
"""


@dataclass(frozen=True)
class Layout:
    inputs: dict[str, bytes]
    suffix: str
    name: str = "path.relative_to(source).as_posix()"  # what the column `file` says
    mask: str = "path.relative_to(source)"
    blind: str = '{inputs: "*", restore: [{csv: answers.csv, column: file}]}'


def picture(number: int, kind: str = "PNG", pages: int = 1) -> bytes:
    images = [Image.new("L", (4, 4), (37 * number + page) % 256) for page in range(pages)]
    file = io.BytesIO()
    images[0].save(file, kind, **({"save_all": True, "append_images": images[1:]} if pages > 1 else {}))
    return file.getvalue()


LAYOUTS = {
    "flat": Layout({f"{label}_{number}.png": picture(number) for number, label in enumerate("abab")}, ".png"),
    "case folders": Layout(
        {f"case{n:03}/{m}.nii.gz": gzip.compress(b"%d" % n) for n in range(4) for m in ("flair", "t1c")},
        ".nii.gz",
        name="path.parent.name",
        mask='(path.parent.name + ".nii.gz")',
    ),
    "siblings": Layout(
        {f"p_{n}_{m}.nii.gz": gzip.compress(b"%d" % n) for n in range(4) for m in ("0000", "0001")},
        ".nii.gz",
        name='path.name.rpartition("_")[0]',
        mask='(path.name.rpartition("_")[0] + ".nii.gz")',
        blind='{inputs: "*.nii.gz", case: "{case}_*.nii.gz", restore: [{csv: answers.csv, column: file}]}',
    ),
    "series": Layout(
        {f"{uid}/IM{n:04}": dicom_head(f"1.2.{uid}") for uid in ("901", "417") for n in range(12)},
        "",
        name="path.parent.name",
        mask='(path.parent.name + ".seg.dcm")',
    ),
    "pages": Layout({f"{n}/slide.ome.tiff": picture(n, "TIFF", 3) for n in range(7, 10)}, ".ome.tiff"),
    "classes": Layout(
        {f"{label}/{n}.png": picture(n) for label in ("benign", "malignant") for n in range(6)},
        ".png",
        blind='{inputs: "*.png", case: "**/{case}", restore: [{csv: answers.csv, column: file}]}',
    ),
}


@pytest.fixture
def palio(capfd: pytest.CaptureFixture[str]) -> Callable[..., dict[str, object]]:
    def run(*arguments: str | Path, engine: str = "bubblewrap") -> dict[str, object]:
        main([*map(str, arguments), "--engine", engine, "--json"])
        return dict(json.loads(capfd.readouterr().out))

    return run


def write_layout(home: Path, layout: Layout) -> tuple[Path, Path]:
    """Writes the bundle and its perfect submission, whose answers on the named inputs are the reference data."""
    yaml = YAML.replace('{inputs: "*.txt", restore: [{csv: answers.csv, column: file}]}', layout.blind)
    bundle = write_bundle(home / "bundle", yaml=yaml.replace("files: 20", "files: 200"), score=SCORE)
    for folder in ("input_data", "reference_data"):
        shutil.rmtree(bundle / folder)
    for name, content in layout.inputs.items():
        (bundle / "input_data" / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / "input_data" / name).write_bytes(content)
    predict = PREDICT.replace("SUFFIX", repr(layout.suffix)).replace("NAME", layout.name).replace("MASK", layout.mask)
    named = predict.replace("/mnt/in", str(bundle / "input_data")).replace("/mnt/out", str(bundle / "reference_data"))
    exec(named, {})  # noqa: S102 - the program that runs in the sandbox below
    context = write_context(home / "context", predict=predict, dockerfile=DOCKERFILE)
    subprocess.run(["zip", "-q", "-r", home / "s.zip", "."], cwd=context, check=True)
    return bundle, home / "s.zip"


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        *(pytest.param(name, "bubblewrap", marks=pytest.mark.bubblewrap) for name in LAYOUTS),
        pytest.param("case folders", "docker", marks=pytest.mark.docker),
    ],
)
def test_perfect_answer(name: str, engine: str, tmp_path: Path, palio: Callable[..., dict[str, object]]) -> None:
    layout = LAYOUTS[name]
    bundle, submission = write_layout(tmp_path, layout)
    result = palio("run", submission, "--challenge", bundle, "-o", tmp_path / "run", engine=engine)
    assert result["failure"] is None
    assert result["scores"] == {"accuracy": 1.0}
    told = b"".join(path.read_bytes() for path in (tmp_path / "run/participant").rglob("*") if path.is_file())
    real = {part for file in layout.inputs for part in file.split("/") if part not in {"flair.nii.gz", "t1c.nii.gz"}}
    assert not any(part.encode() in told for part in real if len(part) > 4 and not part.startswith(("slide", "IM")))


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    ("blind", "passed"),
    [
        (LAYOUTS["case folders"].blind, True),
        ('{inputs: "*"}', False),  # nothing restores the column
    ],
)
def test_check_run_notices_lost_names(
    blind: str, passed: bool, tmp_path: Path, palio: Callable[..., dict[str, object]]
) -> None:
    bundle, _ = write_layout(tmp_path, replace(LAYOUTS["case folders"], blind=blind))
    checks = palio("check", bundle, "--run")["self_test"]
    assert isinstance(checks, list)
    assert [check["passed"] for check in checks if "opaque" in check["name"]] == [passed], checks


@pytest.mark.bubblewrap
def test_run_refuses_a_pattern_that_matches_nothing(tmp_path: Path, palio: Callable[..., dict[str, object]]) -> None:
    blind = '{inputs: "case*.png", restore: [{csv: answers.csv, column: file}]}'
    bundle, submission = write_layout(tmp_path, replace(LAYOUTS["flat"], blind=blind))
    answers = bundle / "reference_data/answers.csv"
    for given in (submission, answers):
        result = palio("run", given, "--challenge", bundle, "-o", tmp_path / given.stem)
        failure = result["failure"]
        assert isinstance(failure, dict)
        assert (failure["code"], failure["cause"]) == ("blind-unfit", "organizer")
    assert not palio("check", bundle)["sound"]

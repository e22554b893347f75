"""Small pictures of sample cases: of what is a picture, and of nothing else."""

import io
from pathlib import Path

from PIL import Image
from tests.bundles import YAML, write_bundle

from palio.core.bundle.read import read_bundle
from palio.web.reading.samples import MOST, sample_pictures

SAMPLE = YAML.replace("palio:\n", "palio:\n  sample: {input: cases}\n")


def sizes(folder: Path) -> list[tuple[int, int]]:
    return [Image.open(io.BytesIO(each)).size for each in sample_pictures(read_bundle(folder))]


def test_samples_of_pictures_only(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b", yaml=SAMPLE)
    cases = folder / "cases"
    (cases / "below").mkdir(parents=True)
    Image.new("RGB", (400, 300), "red").save(cases / "a.png")
    (cases / "b.png").write_text("no picture")
    (cases / "c.txt").write_text("c")
    Image.new("L", (64, 64)).save(cases / "below" / "d.jpg")
    (tmp_path / "secret.png").write_bytes((cases / "a.png").read_bytes())
    (cases / "e.png").symlink_to(tmp_path / "secret.png")
    assert sizes(folder) == [(192, 144), (64, 64)]


def test_few_of_many_samples(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b", yaml=SAMPLE)
    (folder / "cases").mkdir()
    for number in range(20):
        Image.new("L", (8, 8)).save(folder / "cases" / f"{number:02}.png")
    assert sizes(folder) == [(8, 8)] * MOST


def test_no_samples(tmp_path: Path) -> None:
    assert sizes(write_bundle(tmp_path / "a")) == []
    assert sizes(write_bundle(tmp_path / "b", yaml=SAMPLE)) == []  # the folder is not there

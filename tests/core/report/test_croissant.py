"""Croissant metadata, read by MLCommons' own library."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.closed_bundle import write_closed_bundle

from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError
from palio.core.report.croissant import write_croissant
from palio.core.report.facts import facts_of

READ = """
import json, sys
import mlcroissant
found = mlcroissant.Dataset(jsonld=sys.argv[1])
(records,) = found.metadata.record_sets
print(json.dumps({
    "issues": found.metadata.issues.report(),
    "conforms_to": found.metadata.ctx.conforms_to.value,
    "rows": [[each.decode() if isinstance(each, bytes) else each for each in row.values()]
             for row in found.records(records.id)],
    "files": [each.id for each in found.metadata.distribution],
}))
"""


def test_public_data_read_by_mlcroissant(tmp_path: Path) -> None:
    folder = write_closed_bundle(tmp_path / "bundle")
    (folder / "public_data" / "labels.csv").write_text("file,class,weight\na.png,yes,1.5\nb.png,no,2\n")
    (folder / "public_data" / "notes.csv").write_bytes(b"\xff\xfe no table")
    bundle = read_bundle(folder)
    write_croissant(bundle, facts_of(bundle), tmp_path / "out", "https://creativecommons.org/licenses/by/4.0/")
    read = [sys.executable, "-W", "ignore", "-c", READ, str(tmp_path / "out" / "croissant.json")]
    environment = os.environ | {"CROISSANT_CACHE": str(tmp_path / "cache")}  # read when it is imported
    found = json.loads(subprocess.run(read, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    files = found.pop("files")
    assert found == {
        "issues": "",
        "conforms_to": "http://mlcommons.org/croissant/1.1",
        "rows": [["a.png", "yes", 1.5], ["b.png", "no", 2.0]],
    }
    assert {"public_data.zip", "public_data.zip.txt-files", "public_data.zip/labels.csv"} <= {*files}


def test_hidden_data_has_no_entry(tmp_path: Path) -> None:
    bundle = read_bundle(write_closed_bundle(tmp_path / "bundle"))
    write_croissant(bundle, facts_of(bundle), tmp_path / "out")
    text = (tmp_path / "out" / "croissant.json").read_text()
    assert not {word for word in ("input_data", "reference_data", "scoring_program", "one.txt") if word in text}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["croissant.json", "public_data.zip"]
    assert "license" not in json.loads(text)


def test_same_files_same_digest(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        bundle = read_bundle(write_closed_bundle(tmp_path / name / "bundle"))
        write_croissant(bundle, facts_of(bundle), tmp_path / name / "out")
        contents.append((tmp_path / name / "out" / "croissant.json").read_bytes())
    assert contents[0] == contents[1]


def test_no_public_data(tmp_path: Path) -> None:
    bundle = read_bundle(write_bundle(tmp_path / "b"))
    with pytest.raises(PalioError) as raised:
        write_croissant(bundle, facts_of(bundle), tmp_path / "out")
    assert raised.value.failure.message == "b has no public data to describe."
    assert not (tmp_path / "out").exists()


def test_target_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    bundle = read_bundle(write_closed_bundle(tmp_path / "bundle"))
    with pytest.raises(PalioError) as raised:
        write_croissant(bundle, facts_of(bundle), tmp_path / "out")
    assert raised.value.failure.code == "target-not-empty"

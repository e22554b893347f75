"""The key `blind` of competition.yaml, and what a bundle's check says about it and the inputs."""

import gzip
import io
from pathlib import Path

import pytest
from tests.bundles import YAML
from tests.bundles import write_bundle as write_vowels

from palio.core.bundle.check import check_bundle
from palio.core.bundle.model import BlindPolicy, Restore
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

BLIND = '{inputs: "*.txt", restore: [{csv: answers.csv, column: file}]}'
ANSWERS = (Restore("answers.csv", "file"),)


def bundle(home: Path, blind: str) -> Path:
    return write_vowels(home / "bundle", yaml=YAML.replace(BLIND, blind))


@pytest.mark.parametrize(
    ("blind", "policy"),
    [
        (BLIND, BlindPolicy("*.txt", ANSWERS)),
        ('{inputs: "*", case: "{case}_*.png"}', BlindPolicy("*", (), ("{case}_*.png",))),
        ('{inputs: "*", case: ["{case}/", "{case}.txt"]}', BlindPolicy("*", (), ("{case}/", "{case}.txt"))),
        (
            '{inputs: "*", restore: [{json: a.json}, {csv: answers.csv, column: file}]}',
            BlindPolicy("*", ANSWERS, (), ("a.json",)),
        ),
    ],
)
def test_read_blind(tmp_path: Path, blind: str, policy: BlindPolicy) -> None:
    assert read_bundle(bundle(tmp_path, blind)).phases[0].rules.blind == policy


@pytest.mark.parametrize(
    ("blind", "field"),
    [
        ('{inputs: "*", case: "*.png"}', "palio.blind.case"),
        ("{inputs: '*', case: {case}}", "palio.blind.case"),
        ("{inputs: '*', case: []}", "palio.blind.case"),
        ('{inputs: "*", case: ["{case}/", "x"]}', "palio.blind.case[1]"),
        ('{inputs: "*", restore: [{json: a.csv}]}', "palio.blind.restore[0].json"),
        ('{inputs: "*", restore: [{json: b/a.json}]}', "palio.blind.restore[0].json"),
    ],
)
def test_read_blind_refuses(tmp_path: Path, blind: str, field: str) -> None:
    with pytest.raises(PalioError) as caught:
        read_bundle(bundle(tmp_path, blind))
    assert [line.split(": ")[1] for line in caught.value.failure.evidence] == [field]


def test_check_of_inputs(tmp_path: Path) -> None:
    root = bundle(tmp_path, '{inputs: "*.txt", case: "{case}_*.txt"}')
    errors, _ = check_bundle(read_bundle(root))
    assert [problem.field for problem in errors] == ["palio.blind.case"]
    assert "`one.txt` does not match" in errors[0].message


def test_check_finds_a_name_within_a_file(tmp_path: Path) -> None:
    root = bundle(tmp_path, '{inputs: "*.gz"}')
    for compressed_as, warnings in (("scan.txt", 0), ("patient7.txt", 1)):
        content = io.BytesIO()
        with gzip.GzipFile(compressed_as, "wb", fileobj=content) as file:
            file.write(b"apple")
        (root / "input_data/patient7.txt.gz").write_bytes(content.getvalue())
        errors, found = check_bundle(read_bundle(root))
        assert errors == ()
        assert sum(problem.field == "palio.blind" for problem in found) == warnings

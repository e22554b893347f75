"""`palio data audit`, and the audit within `palio check`."""

import json
from pathlib import Path

import pytest
from PIL import Image

from palio.cli import main


def test_audit_of_a_template_and_of_a_fault_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    challenge = tmp_path / "shapes"
    assert main(["new", str(challenge)]) == 0
    capsys.readouterr()
    assert main(["data", "audit", str(challenge), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["serious"] == 0
    hidden = sorted((challenge / "input_data").iterdir())[0]
    copy = sorted((challenge / "public_data/training").iterdir())[0]
    copy.write_bytes(hidden.read_bytes())
    page = tmp_path / "report.html"
    assert main(["data", "audit", str(challenge), "--html", str(page)]) == 11
    out = capsys.readouterr().out
    assert (
        "1 set: Identical images are both hidden and known to participants (input_data, public_data/training)." in out
    )
    assert f"| input_data/{hidden.name} = public_data/training/{copy.name}" in out
    text = page.read_text()
    assert text.count("data:image/png;base64,") >= 2
    assert "<script" not in text
    assert "http" not in text
    assert main(["check", str(challenge)]) == 0
    assert "The data audit has" in capsys.readouterr().out


def test_audit_of_names_that_are_html(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "<b onclick=x>.png")
    page = tmp_path / "report.html"
    assert main(["data", "audit", str(tmp_path), "--html", str(page)]) == 0
    assert "<b onclick" not in page.read_text()
    assert "&lt;b onclick" in page.read_text()


def test_audit_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.png").touch()
    assert main(["data", "audit", str(tmp_path / "x.png")]) == 2
    assert "Name a folder of images" in capsys.readouterr().err
    assert main(["data", "audit", str(tmp_path), "--group-by", "("]) == 2

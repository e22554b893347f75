"""A run folder as Workflow Run RO-Crate, read by the library `rocrate`, and checked by the rules of its profile."""

import json
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate
from tests.run_folders import write_cases, write_run

from palio.core.errors import PalioError
from palio.core.report.run_crate import NAME, PROFILE, write_run_crate

STAGE = {"started": "2026-01-01T00:00:01+00:00", "finished": "2026-01-01T00:00:09+00:00", "image": "sha256:abc"}
TIMES = {"started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:00:20+00:00"}
SCORED = {"verdict": "scored", "scores": {"f1": 0.5}, "failure": None, **TIMES}
FAILURE = {"code": "predict-exit", "stage": "predict", "message": "It exited with 1."}


def run(folder: Path, **result: Any) -> Path:
    content = SCORED | {"stages": {"predict": STAGE, "score": STAGE | {"image": None}}} | result
    write_run(folder, result=content)
    if content["verdict"] == "scored":
        write_cases(folder / "scores" / "cases.csv", [1])
        (folder / "report.html").write_text("<p>Well.</p>")
    return folder


def entities(folder: Path) -> dict[str, dict[str, Any]]:
    return {each["@id"]: each for each in json.loads((folder / NAME).read_text())["@graph"]}


def test_crate_read_by_its_library(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    assert write_run_crate(folder) == folder / NAME
    crate = ROCrate(str(folder))
    assert crate.root_dataset["name"] == "Run of run.zip in MedNIST classification"
    assert {each.id for each in crate.data_entities} == {
        "config.json",
        "lock.json",
        "result.json",
        "report.html",
        "scores/",
    }


def test_action_links_what_it_used_and_made(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    write_run_crate(folder)
    found = entities(folder)
    assert found["./"]["conformsTo"] == {"@id": PROFILE}
    action, *stages = (found[each["@id"]] for each in found["./"]["mentions"])
    assert action["@type"] == "CreateAction"
    assert action["actionStatus"] == {"@id": "http://schema.org/CompletedActionStatus"}
    assert action["instrument"] == {"@id": f"urn:sha256:{'3' * 64}"}
    assert {each["@id"] for each in action["object"]} == {f"urn:sha256:{digit * 64}" for digit in "b12"}
    assert {each["@id"] for each in action["result"]} == {"report.html", "scores/", "#score-f1"}
    assert found["#score-f1"]["value"] == 0.5
    assert [stage["name"] for stage in stages] == ["Stage predict", "Stage score"]
    assert found[stages[0]["containerImage"]["@id"]]["name"] == "sha256:abc"


def test_team_is_the_agent(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", label="Blobs", result=SCORED)
    write_run_crate(folder)
    found = entities(folder)
    assert found["#team"] == {"@id": "#team", "@type": "Organization", "name": "Blobs"}
    action = found[found["./"]["mentions"][0]["@id"]]
    assert action["agent"] == {"@id": "#team"}


def test_nobody_is_the_agent_of_a_run_without_label(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", label="s.zip", result=SCORED)  # the name of its submission
    write_run_crate(folder)
    found = entities(folder)
    assert "agent" not in found[found["./"]["mentions"][0]["@id"]]
    assert "#team" not in found


def test_every_reference_resolves(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    write_run_crate(folder)
    found = entities(folder)
    known = {*found, "https://w3id.org/ro/crate/1.1", "http://schema.org/CompletedActionStatus"}

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            return {value["@id"]} if {*value} == {"@id"} else set().union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    assert {each for entity in found.values() for each in references([*entity.values()])} <= known


def test_failed_run(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", verdict="failed", scores=None, failure=FAILURE)
    write_run_crate(folder)
    found = entities(folder)
    action, predict, score = (found[each["@id"]] for each in found["./"]["mentions"])
    assert action["actionStatus"] == predict["actionStatus"] == {"@id": "http://schema.org/FailedActionStatus"}
    assert score["actionStatus"] == {"@id": "http://schema.org/CompletedActionStatus"}
    assert action["error"] == "predict-exit: It exited with 1."


def test_written_again_the_same(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    first = write_run_crate(folder).read_bytes()
    assert write_run_crate(folder).read_bytes() == first


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as raised:
        write_run_crate(tmp_path)
    assert raised.value.failure.message == f"{tmp_path} is no run folder of a finished run."
    assert [*tmp_path.iterdir()] == []

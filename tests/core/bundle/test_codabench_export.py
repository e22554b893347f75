"""Bundles of both dialects, written in Codabench's format and read again."""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.bundle_cases import CASES, make_case
from tests.bundles import YAML, write_bundle

from palio.cli import main
from palio.core.bundle.codabench_export.export import Exported, export_codabench
from palio.core.bundle.difference import differences
from palio.core.bundle.model import Bundle, Rules
from palio.core.bundle.read import read_bundle
from palio.core.bundle.zipped import bundle_folder
from palio.data.templates import TASKS, create_challenge

MEDNIST = Path(__file__).resolve().parents[3] / "challenges" / "mednist"
CODALAB = """\
title: Old
image: logo.png
html: {overview: overview.md, terms: terms.md}
PHASES
leaderboard:
  leaderboards: {Results: &RESULTS {label: Results, rank: 1}}
  columns:
    a: {leaderboard: *RESULTS, label: A, rank: 2, sort: desc}
    b: {leaderboard: *RESULTS, label: B, rank: 3, sort: asc, numeric_format: 4}
    mean: {leaderboard: *RESULTS, label: Mean, rank: 1, sort: asc, computed: {operation: Avg, fields: "a,b"}}
"""
PHASE = """\
  N:
    phasenumber: N
    label: Phase N
    start_date: START
    max_submissions: 3
    scoring_program: scoring_program
    reference_data: reference_data
    input_data: input_data
"""


def phases(*starts: str, more: str = "") -> str:
    return CODALAB.replace(
        "PHASES",
        "phases:\n"
        + "".join(PHASE.replace("N", str(n)).replace("START", start) + more for n, start in enumerate(starts, 1)),
    )


def export(bundle: Bundle, target: Path) -> tuple[Exported, dict[str, Any]]:
    """What was written, and the bundle as it reads back."""
    exported = export_codabench(bundle, target)
    with bundle_folder(target) as opened:
        again = read_bundle(opened.folder)
        assert exported.losses or not differences(bundle, again)
        return exported, plain(again)


def plain(bundle: Bundle) -> dict[str, Any]:
    """All that a bundle says, by dotted field, as the export names its fields."""
    value = json.loads(json.dumps(asdict(bundle), default=lambda each: shown(each, bundle.root)))
    for key in ("root", "digest", "warnings"):
        del value[key]
    value["leaderboards"] = [value.pop("leaderboard"), *value.pop("more_leaderboards")]
    for board in value["leaderboards"]:
        board["primary"] = board["primary"]["key"]
    value["phases"].sort(key=lambda phase: phase["start"])  # as Codabench has them
    for phase in value["phases"]:
        phase["tasks"] = [task["index"] for task in phase["tasks"]]
    return dict(flat("", value))


def shown(value: object, root: Path) -> str:
    return value.relative_to(root).as_posix() if isinstance(value, Path) else str(value)


def flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{prefix}.{key}".strip("."), inner)
    elif isinstance(value, list):
        yield f"{prefix}#", len(value)
        for at, inner in enumerate(value):
            yield from flat(f"{prefix}[{at}]", inner)
    else:
        yield prefix, value


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {key for key in before | after if before.get(key) != after.get(key)}


def assert_equal_but_for_what_is_told(bundle: Bundle, target: Path) -> Exported:
    exported, again = export(bundle, target)
    told = {loss.field for loss in exported.losses}
    differing = changed(plain(bundle), again)
    names = {re.sub("descending$", "sorting", field) for field in differing}
    assert {name for name in names if not name.startswith(tuple(told))} == set(), exported.losses
    again_there = target.with_name("again.zip")
    export_codabench(bundle, again_there)
    assert target.read_bytes() == again_there.read_bytes()
    return exported


@pytest.mark.parametrize("case", CASES)
def test_export_cases_round_trip(case: str, tmp_path: Path) -> None:
    assert_equal_but_for_what_is_told(read_bundle(make_case(case, tmp_path / case).bundle), tmp_path / "c.zip")


def test_export_mednist_round_trip(tmp_path: Path) -> None:
    exported = assert_equal_but_for_what_is_told(read_bundle(MEDNIST), tmp_path / "c.zip")
    told = {loss.field for loss in exported.losses}
    assert {
        "palio.limits",
        "palio.blind",
        "palio.monai",
        "palio.statistics",
        "palio.data",
        "tasks[0].scoring_program",
    } <= told


@pytest.mark.parametrize("task", TASKS)
def test_export_templates_round_trip(task: str, tmp_path: Path) -> None:
    create_challenge(tmp_path / "new", task)
    assert_equal_but_for_what_is_told(read_bundle(tmp_path / "new"), tmp_path / "c.zip")


RULES = [
    "",
    "palio: {}\n",
    "palio: {submissions: [code, results]}\n",
    "palio: {logs: {predict: full, score: tail, sample: none}, scores: hidden, data: public}\n",
    "palio: {limits: {build: {time: 90.5 s, network: false, size: 1 GB}, predict: {cpus: 0.5, gpus: 1}}}\n",
    "palio: {limits: {predict: {time: 0.1 min, shm: 1 MiB}, score: {time: 2 h, files: 3, output: 5 kB}}}\n",
    'palio: {blind: {inputs: "*.txt", case: "{case}_*.txt", restore: [{json: p.json}, {csv: a.csv, column: x}]}}\n',
    "palio: {monai: {image: 'example.org/m:1', csv: a.csv, columns: [x, y], classes: [a, b], files: '{case}.png'}}\n",
    "palio: {statistics: {cases: cases.csv, kind: classification, metric: accuracy}, ranking: {choose: last}}\n",
    "palio: {engine: gpu}\n",
    "palio: {monai: {csv: answers.csv, columns: [file, answer], classes: [no, yes]}}\n",
    "palio: {sample: {input: input_data, expect: reference_data/answers.csv}}\n",
    "palio: {sample: {input: input_data, twice: false}}\n",
]
PHASE_KEYS = [
    "",
    "    execution_time_limit: 1200\n",
    "    max_submissions: 0\n    max_submissions_per_day: 7\n",
    "    end: 2026-02-03 04:05:06.789 Europe/Berlin\n",
    "    hide_output: true\n    hide_score_output: true\n    auto_migrate_to_this_phase: true\n",
    '    description: "Two\\n\\n  lines: #1 – ü"\n    starting_kit: overview.md\n    public_data: input_data\n',
    "    palio: {submissions: [image], ranking: {choose: all}, logs: {predict: full}}\n",
    "    end: 2026-05-06\n",
]


@pytest.mark.parametrize(
    ("rules", "keys"), [*product(RULES, ["", PHASE_KEYS[1]]), *product(["", RULES[3]], PHASE_KEYS[2:])]
)
def test_export_rules_round_trip(rules: str, keys: str, tmp_path: Path) -> None:
    yaml = YAML[: YAML.index("palio:\n")].replace("    tasks: [0]\n", f"    tasks: [0]\n{keys}") + rules
    assert_equal_but_for_what_is_told(read_bundle(write_bundle(tmp_path / "b", yaml=yaml)), tmp_path / "c.zip")


@pytest.mark.parametrize(
    "more", ["", "    execution_time_limit: 7\n    auto_migration: true\n    max_submissions: 0\n"]
)
@pytest.mark.parametrize(
    "starts",
    [
        ("2026-01-01",),
        ("2026-01-01", "2026-02-01 10:30:00"),
        ("2026-01-01", "2026-01-01", "2026-01-01"),
        ("2026-03-01", "2026-01-01"),
    ],
)
def test_export_codalab_round_trip(starts: tuple[str, ...], more: str, tmp_path: Path) -> None:
    bundle = read_bundle(write_bundle(tmp_path / "b", yaml=phases(*starts, more=more)))
    exported = assert_equal_but_for_what_is_told(bundle, tmp_path / "c.zip")
    told = {loss.field for loss in exported.losses}
    assert ("phases[0].end" in told) == (len(set(starts)) < len(starts))
    assert ("phases[0].max_submissions" in told) == bool(more)


@pytest.mark.parametrize(
    ("computed", "lost"), [("MRR", {"computation", "sorting"}), ('Avg, weights: "1,2"', {"computation_weights"})]
)
def test_export_unsupported_computation(computed: str, lost: set[str], tmp_path: Path) -> None:
    direction = "desc" if computed == "MRR" else "asc"
    yaml = phases("2026-01-01").replace("Avg", computed).replace("sort: asc, comp", f"sort: {direction}, comp")
    exported = assert_equal_but_for_what_is_told(
        read_bundle(write_bundle(tmp_path / "b", yaml=yaml)), tmp_path / "c.zip"
    )
    told = {loss.field for loss in exported.losses}
    assert {f"leaderboards[0].columns[0].{field}" for field in lost} <= told


def test_export_knows_every_rule() -> None:
    """A rule that is new in the model has to be written too: add it to the block, to RULES above, and here."""
    assert {field.name for field in fields(Rules)} == {
        "data", "submissions", "build", "predict", "score", "logs_sample", "logs_predict", "logs_score", "scores",
        "feedback", "sample", "blind", "statistics", "ranking", "monai", "engine",
    }  # fmt: skip


def test_export_single_data_file(tmp_path: Path) -> None:
    yaml = YAML.replace("reference_data: reference_data", "reference_data: answers.csv")
    folder = write_bundle(tmp_path / "b", yaml=yaml)
    (folder / "reference_data/answers.csv").rename(folder / "answers.csv")
    exported = export_codabench(read_bundle(folder), tmp_path / "c.zip")
    assert "tasks[0].reference_data" in {loss.field for loss in exported.losses}
    assert "answers/answers.csv" in zipfile.ZipFile(tmp_path / "c.zip").namelist()


def test_export_links_pictures_execute_bits(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b")
    (folder / "common").mkdir()
    (folder / "common/shared.py").write_text("x = 1\n")
    (folder / "scoring_program/shared.py").symlink_to("../common/shared.py")
    (folder / "scoring_program/score.py").chmod(0o755)
    (folder / "img").mkdir()
    (folder / "img/a b.png").write_text("picture")
    (folder / "overview.md").write_text("# V\n![](img/a%20b.png) ![](../../secret.png) ![](missing.png)\n")
    (tmp_path / "secret.png").write_text("no")
    export_codabench(read_bundle(folder), tmp_path / "c.zip")
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        assert archive.read("scoring_program/shared.py") == b"x = 1\n"
        assert archive.read("img/a b.png") == b"picture"
        assert archive.getinfo("scoring_program/score.py").external_attr >> 16 == 0o100755
        assert not [name for name in archive.namelist() if "secret" in name]


def test_export_times_with_offset(tmp_path: Path) -> None:
    """Codabench drops the time of day of anything else."""
    export_codabench(read_bundle(write_bundle(tmp_path / "b")), tmp_path / "c.zip")
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        written = re.search("start: '(.+)'", archive.read("competition.yaml").decode())
    assert written
    assert datetime.fromisoformat(written[1]).utcoffset() is not None


def test_export_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "vowels")
    assert main(["export", "--codabench", "vowels", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert Path(told["path"]) == tmp_path / "vowels-codabench.zip"
    assert {"palio.limits", "palio.blind"} <= {loss["field"] for loss in told["losses"]}
    assert main(["export", "--codabench", "vowels-codabench.zip", "-o", "again.zip"]) == 0
    assert "palio.blind: " in capsys.readouterr().out
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "vowels-codabench.zip").read_bytes()
    assert main(["export", "--codabench", "vowels", "mednist"]) == 2

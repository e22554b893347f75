# ruff: noqa: E501 - sentences stand here as they are shown
"""What is wrong in competition.yaml: whole lists of problems and warnings."""

import pytest
from tests.core.bundle.minimal_bundle import MINIMAL, WriteBundle, problems, warnings

from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("2025-01-01 00:00", "ends when it starts, at 2025-01-01 00:00 UTC"),
        ("2024-12-24 12:00", "ends at 2024-12-24 12:00 UTC, before it starts at 2025-01-01 00:00 UTC"),
    ],
)
def test_phase_that_is_never_open_is_warned_of(write_bundle: WriteBundle, end: str, told: str) -> None:
    root = write_bundle(MINIMAL.replace("tasks: [0]}]", f"end: {end}, tasks: [0]}}]"))
    sentence = f"competition.yaml:5: phases[0]: “Only” {told}, so nobody can submit to it; write a later end"
    assert sentence in warnings(root)


def test_problems_listed(write_bundle: WriteBundle) -> None:
    root = write_bundle(
        """\
version: 3
titel: Broken
image: pages
pages:
  - {title: Overview, file: pages/overveiw.md}
  - {title: Secret, file: ../secret.md}
  - {file: /etc/passwd}
tasks:
  - {index: 0, scoring_program: 8d3a2f7c-0b1e-4c5d-9e6f-7a8b9c0d1e2f}
  - {index: 0, scoring_program: scoring_program, ingestion_program: logo.png}
  - {index: one, scoring_program: scoring_program}
phases:
  - {name: A, start: 2025-02-30, tasks: [0]}
  - {name: B, start: 2025-01-01, end: 2025-02-01, tasks: [0, 7], max_submissions: many}
  - {name: C, start: 2025-01-15, end: 2025-01-10, tasks: []}
leaderboards:
  - primary_index: 9
    submission_rule: Force_best
    columns:
      - {index: 0, key: f1, sorting: descending}
      - {index: 1, key: f1, sorting: asc}
      - {index: 2, key: mean, sorting: desc, computation: mean, computation_indexes: [2, 5]}
      - {index: 3, key: total, sorting: desc, computation: sum}
palio:
  data: secret
  submissions: [context, docker]
  limits:
    predict: {time: soon, memory: 8 Gib, cpus: 0, shm: 5 GiB, network: true}
  blind: {inputs: images/*.jpg, restore: [{csv: res/a.csv}]}
  statistics: {cases: cases.csv, kind: guess}
  ranking: best
"""
    )
    assert [problem.removeprefix("competition.yaml:") for problem in problems(root)] == [
        "1: version: says `3`; write 2, or 1.5 for a challenge in CodaLab's format",
        "1: title: is missing (did you mean `titel` in line 2?); give the challenge a title",
        "3: image: names the folder `pages`; name a file",
        "5: pages[0].file: is `pages/overveiw.md`, which is not in the bundle; did you mean `pages/overview.md`?",
        "6: pages[1].file: is `../secret.md`; write a path inside the bundle, without a leading / and without ..",
        "7: pages[2].title: is missing; give the page a title",
        "7: pages[2].file: is `/etc/passwd`; write a path inside the bundle, without a leading / and without ..",
        "9: tasks[0].scoring_program: is `8d3a2f7c-0b1e-4c5d-9e6f-7a8b9c0d1e2f`, the key of a dataset on another platform; download that dataset, put it into the bundle and write its path here",
        "10: tasks[1].ingestion_program: names the file `logo.png`; name a folder or a .zip",
        "10: tasks[1]: has the index 0, like another task above; give each task its own",
        "11: tasks[2].index: says `one`; write a whole number from 0 to 10,000",
        "13: phases[0].start: says `2025-02-30`, but there is no such day or time; write a date or time such as 2025-01-31, 2025-01-31 23:59:00+01:00 or 2025-01-31 23:59 Europe/Berlin (UTC if it names no zone)",
        "13: phases[0].end: is missing; only the last phase may be open-ended; write when “A” ends",
        "14: phases[1].max_submissions: says `many`; write a whole number from 0 to 1,000,000",
        "15: phases[2].tasks: is missing; write the indexes of its tasks as a list, such as [0]",
        "15: phases[2].start: “C” starts at 2025-01-15 00:00 UTC, before “B” ends at 2025-02-02 00:00 UTC; phases follow each other",
        "17: leaderboards[0].primary_index: says `9`, but no column has that index (defined: 0, 1, 2, 3)",
        "18: leaderboards[0].submission_rule: says `Force_best`; write Add, Add_And_Delete, Add_And_Delete_Multiple, Force_Last, Force_Latest_Multiple or Force_Best; did you mean `Force_Best`?",
        "20: leaderboards[0].columns[0].sorting: says `descending`; write asc or desc",
        "21: leaderboards[0].columns[1]: has the key `f1`, like leaderboards[0].columns[0]; give each column its own",
        "22: leaderboards[0].columns[2].computation: says `mean`; write avg, sum, min, max or avg_rank",
        "22: leaderboards[0].columns[2].computation_indexes[1]: says `5`, but no column has that index (defined: 0, 1, 2, 3)",
        "22: leaderboards[0].columns[2]: computes `mean` from `mean`, and so from itself; compute it from other columns",
        "23: leaderboards[0].columns[3].computation_indexes: is missing; write the indexes of the columns to compute from, such as [0, 1]",
        "25: palio.data: says `secret`; write public, held-out or private",
        "26: palio.submissions[1]: says `docker`; write context, image, results, code, monai or reference",
        "28: palio.limits.predict.time: says `soon`, which is not valid; write a duration such as 500 s, 30 min or 2 h, or a number of seconds",
        "28: palio.limits.predict.memory: says `8 Gib`, which has the unknown unit Gib; write a size such as 64 MiB, 8 GiB or 500 MB, or a number of bytes; did you mean `GiB`?",
        "28: palio.limits.predict.cpus: says `0`, which is out of range; write a number from 0.1 to 1024",
        "28: palio.limits.predict: allows more shared memory (shm) than memory, which includes it; raise `memory` or lower `shm`",
        "29: palio.blind.restore[0].csv: says `res/a.csv`; write the plain name of a CSV file, such as cases.csv, without folders",
        "29: palio.blind.restore[0].column: is missing; name the column with the names of inputs",
        "29: palio.blind.inputs: is `images/*.jpg`; write a pattern over file names, without folders, such as *.jpg",
        "30: palio.statistics.kind: says `guess`; write classification, probability, mean or pairs",
        "30: palio.statistics.metric: is missing; name the metric, such as f1_weighted",
        "31: palio.ranking: says `best`; write a mapping here: lines of `key: value`",
    ]


@pytest.mark.parametrize(
    ("competition", "expected"),
    [
        ("", ["competition.yaml: is empty; write a mapping here: lines of `key: value`"]),
        ("- a\n", ["competition.yaml:1: is a list; write a mapping here: lines of `key: value`"]),
        ("title: x\n".encode("utf-16"), ["competition.yaml: is saved as UTF-16; save it as UTF-8"]),
        ("title: x\n".encode("utf-16-be"), ["competition.yaml: is saved as UTF-16; save it as UTF-8"]),
        ("title: x\n".encode("utf-32"), ["competition.yaml: is saved as UTF-32; save it as UTF-8"]),
        (b"title: caf\xe9\n", ["competition.yaml:1: has a byte that is not UTF-8 (0xe9); save it as UTF-8"]),
        ("a: 1\nb: \0", ["competition.yaml:2: has the character U+0000, which YAML forbids; remove it"]),
        (
            "title:\n\t- a\n  \t- b\n",
            [
                "competition.yaml:2: is indented with a tab; YAML allows only spaces",
                "competition.yaml:3: is indented with a tab; YAML allows only spaces",
            ],
        ),
        (
            "title: a: b\n",
            [
                (
                    "competition.yaml:1: is not YAML: mapping values are not allowed here; quote a text that "
                    "contains a colon, and align the lines of a mapping"
                )
            ],
        ),
        (
            "a: *b\n",
            [
                (
                    "competition.yaml:1: is not YAML: found undefined alias 'b'; an alias `*name` needs an anchor `&name` "
                    "above it"
                )
            ],
        ),
        ("a: &a [*a]\n", ["competition.yaml:1: has an alias (`*name`) that contains itself; remove it"]),
        ("[" * 5000, ["competition.yaml:1: is nested more than 30 levels deep; make it flatter"]),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in ("ab", "bc", "cd", "de", "ef")),
            [
                "competition.yaml:1: has more than 10,000 values once its aliases are followed; shorten it",
            ],
        ),
        ("a: " + "x" * 300_000, ["competition.yaml: is larger than 256.0 KiB; put long texts into pages"]),
    ],
)
def test_yaml_unusable(write_bundle: WriteBundle, competition: str | bytes, expected: list[str]) -> None:
    assert problems(write_bundle(competition)) == expected


def test_yaml_too_many_values(write_bundle: WriteBundle) -> None:
    assert len(problems(write_bundle("- a\n" * 30_000))) == 1


FORTY = """\
version: 2
title: [a, b]  # 1
descripton: x  # 2
image: {a: b}  # 3
terms: pages/nope.md  # 4
registration_auto_approve: perhaps  # 5
docker_image: 'bad name'  # 6
pages:
- {title: Overview, file: pages/overveiw.md}  # 7
- {titel: Two, file: pages/terms.md}  # 8
- text  # 9
tasks:
- index: [0]  # 10
  name: {a: 1}  # 11
  scoring_program: scoring_programm  # 12
  input_data: /etc  # 13
  reference_data: [1]  # 14
  ingestion_only_during_scoring: maybe  # 15
- index: 1
  scoring_program: scoring_program
  input_data: https://example.org/data.zip  # 16
phases:
- index: zero  # 17
  name: A
  start: [2024]  # 18
  end: soon  # 19
  tasks: [1]
  max_submissions: [3]  # 20
  max_submissions_per_day: ten  # 21
  execution_time_limit: {a: 1}  # 22
  hide_output: 2  # 23
  auto_migrate_to_this_phase: true  # 24
- index: 1
  name: B
  start: 2025-01-01
  tasks: 1  # 25
leaderboards:
- title: x
  submission_rule: [Add]  # 26
  primary_index: 9  # 27
  columns:
  - {index: 0, key: [a], sorting: asc}  # 28
  - {index: 1, key: b, sorting: [asc]}  # 29
  - {index: 2, key: c, sorting: up}  # 30
  - {index: 3, key: d, sorting: asc, precision: many}  # 31
  - {index: 4, key: e, sorting: asc, computation: median, computation_indexes: [1]}  # 32
palio:
  data: [public]  # 33
  submissions: context  # 34
  limits: [1]  # 35
  logs: {predict: [full]}  # 36
  blind: {inputs: [a]}  # 37
  ranking: {choose: worst}  # 38
  sample: sample  # 39
  scores: hide  # 40
"""


def test_forty_mistakes(write_bundle: WriteBundle) -> None:
    with pytest.raises(PalioError) as raised:
        read_bundle(write_bundle(FORTY))
    marked = [number for number, line in enumerate(FORTY.splitlines(), start=1) if "  # " in line]
    found = [line.removeprefix("warning: ").split(": ")[0] for line in raised.value.failure.evidence]
    assert found == [f"competition.yaml:{number}" for number in marked]
    assert len(marked) == 40


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("max_submissions", "[3]", "write a whole number"),
        ("hide_output", "[yes]", "write true or false"),
        ("execution_time_limit", "{}", "write a duration"),
        ("start", "[2025]", "write a date or time"),
        ("starting_kit", "[a]", "write the path"),
    ],
)
def test_list_or_mapping_expected(write_bundle: WriteBundle, key: str, value: str, allowed: str) -> None:
    text = MINIMAL.replace("start: 2025-01-01", f"{key}: {value}" + (", start: 2025-01-01" if key != "start" else ""))
    (problem,) = problems(write_bundle(text))
    assert allowed in problem


def test_phase_with_undefined_task(write_bundle: WriteBundle) -> None:
    (problem,) = problems(write_bundle(MINIMAL.replace("tasks: [0]", "tasks: [0, 7]")))
    assert problem.startswith("competition.yaml:5: phases[0].tasks[1]: ")


def test_duplicate_key_last_wins(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(MINIMAL + "title: Large\n"))
    assert bundle.title == "Large"
    assert [(warning.line, warning.field) for warning in bundle.warnings] == [(7, "title")]


def test_errors_and_warnings_in_file_order(write_bundle: WriteBundle) -> None:
    text = MINIMAL.replace("start: 2025-01-01", "start: 10-07-2026, end: 03-09-2026").replace(
        "title: Small", "title: []"
    )
    with pytest.raises(PalioError) as raised:
        read_bundle(write_bundle(text))
    found = [line.removeprefix("warning: ") for line in raised.value.failure.evidence]
    assert [line.split(": ")[:2] for line in found] == [
        ["competition.yaml:2", "title"],
        ["competition.yaml:5", "phases[0].start"],
        ["competition.yaml:5", "phases[0].end"],
        ["competition.yaml:5", "phases[0].end"],
        ["competition.yaml:5", "phases[0]"],
    ]
    assert [line.startswith("warning: ") for line in raised.value.failure.evidence] == [False, True, True, True, True]


def test_unknown_and_unused_keys_warning(write_bundle: WriteBundle) -> None:
    text = MINIMAL.replace("sorting: desc", "title: F1").replace("leaderboards", "leaderboard")
    text = text.replace("version: 2\n", "") + (
        "queue: 8d3a\nforum_enabled:\nphasess: 3\npalio:\n  limts: {}\n  limits: {predict: {mem: 3}}\n"
    )
    found = [(warning.line, warning.field) for warning in read_bundle(write_bundle(text)).warnings]
    assert found == [
        (1, "version"),
        (5, "leaderboard"),
        (5, "leaderboard[0].columns[0]"),
        (8, "phasess"),
        (10, "palio.limts"),
        (11, "palio.limits.predict.mem"),
        (6, "queue"),  # what has no effect comes last
    ]


def test_computed_columns_circular(write_bundle: WriteBundle) -> None:
    circle = (
        "{key: a, sorting: desc, computation: sum, computation_indexes: [1]}, "
        "{key: b, sorting: desc, computation: sum, computation_indexes: [0]}"
    )
    assert problems(write_bundle(MINIMAL.replace("{key: f1, sorting: desc}", circle))) == [
        (
            "competition.yaml:6: leaderboards[0].columns[0]: computes `a` from `b`, and so from itself; compute it from "
            "other columns"
        ),
        (
            "competition.yaml:6: leaderboards[0].columns[1]: computes `b` from `a`, and so from itself; compute it from "
            "other columns"
        ),
    ]


def test_task_key_elsewhere(write_bundle: WriteBundle) -> None:
    text = MINIMAL.replace("scoring_program: scoring_program", "key: 8d3a2f7c-0b1e-4c5d-9e6f-7a8b9c0d1e2f")
    assert problems(write_bundle(text)) == [
        (
            "competition.yaml:4: tasks[0]: is the key of a task on another platform; download that task and write its "
            "scoring_program, input_data and reference_data here as paths"
        )
    ]

"""How programs say that they are started."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from palio.core.bundle.program import Program, own_command, read_program, with_container_paths
from palio.core.bundle.readers import image_name
from palio.core.bundle.values import Findings, Refused, Scalar, Value
from palio.core.errors import PalioError


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def test_metadata_yaml_before_metadata(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        {"metadata.yaml": "command: python3 score.py 'a b' && rm *\ndescription: x\n", "metadata": "command: old\n"},
    )
    assert read_program(folder) == Program(("python3", "score.py", "a b", "&&", "rm", "*"), has_dockerfile=False)


def test_metadata_without_suffix(tmp_path: Path) -> None:
    assert read_program(written(tmp_path, {"metadata": "command: ./run\n"})) == Program(("./run",), False)


@pytest.mark.parametrize(
    "text",
    [
        "command: python a b\n",
        "command : python a b",
        "\ufeff# how it starts\r\ncommand: 'python a b'  # a comment\r\n",
        "command: |\n  python a\n  b\n",
        "command: python old\ncommand: python a b\n",
        "{command: python a b}",
        "command:\n  - python a b\n",
        "command: [python a b]",
    ],
)
def test_command_as_other_platforms_read_it(tmp_path: Path, text: str) -> None:
    assert read_program(written(tmp_path, {"metadata": text})).command == ("python", "a", "b")


@pytest.mark.parametrize("text", ["", "see the starting kit", "command: a: b", "\tcommand: a", "description: x", "- a"])
def test_own_command_not_needed(tmp_path: Path, text: str) -> None:
    assert own_command(written(tmp_path, {"metadata": text}), is_needed=False) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "metadata: is empty; write a mapping here: lines of `key: value`"),
        ("run a", "metadata:1: says `run a`; write a mapping here: lines of `key: value`"),
        ("x: y\n\tcommand: a", "metadata:2: is indented with a tab; YAML allows only spaces"),
        (
            "command: [a, b]",
            "metadata:1: command: is a list of 2 commands; write one, such as a script that runs the others",
        ),
    ],
)
def test_own_command_needed(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(PalioError) as refused:
        own_command(written(tmp_path, {"metadata": text}), is_needed=True)
    assert refused.value.failure.code == "code-command-invalid"
    assert refused.value.failure.message == f"The submission's `command` cannot be used: {reason}."


def test_command_from_dockerfile(tmp_path: Path) -> None:
    folder = written(tmp_path, {"Dockerfile": 'FROM python\nCMD ["python", "score.py"]\n'})
    assert read_program(folder) == Program(None, has_dockerfile=True)


def test_program_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("metadata", "command: python3 score.py\n")
    assert read_program(tmp_path / "program.zip") == Program(("python3", "score.py"), has_dockerfile=False)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"score.py": ""}, "it has no metadata.yaml or metadata"),
        (
            {"program/metadata": "command: x"},
            "it has no metadata.yaml or metadata at its top level, only program/metadata",
        ),
        (
            {"Dockerfile": "FROM python\n"},
            "it has no metadata.yaml or metadata, and its Dockerfile has neither CMD nor ENTRYPOINT",
        ),
        ({"metadata": "description: x\n"}, "metadata:1: command: is missing; write the command that starts it"),
        (
            {"metadata": "description: x\ncommand: [a, b]\n"},
            "metadata:2: command: is a list of 2 commands; write one, such as a script that runs the others",
        ),
        ({"metadata": "command: []\n"}, "metadata:1: command: is a list; write a text here"),
        ({"metadata": "command: {a: b}\n"}, "metadata:1: command: is a mapping; write a text here"),
        ({"metadata": "command:\tpython a\n"}, "metadata:1: has a tab outside quotes; YAML allows only spaces there"),
        (
            {"metadata": "command:python a\n"},
            "metadata:1: says `command:python a`; write a mapping here: lines of `key: value`, with a space after the "
            "colon",
        ),
        (
            {"metadata": "description: x\ncommand: python a: b\n"},
            "metadata:2: is not YAML: mapping values are not allowed here; quote a text that contains a colon, and "
            "align the lines of a mapping",
        ),
        ({"metadata": "command: ''\n"}, "metadata:1: command: is missing; write the command that starts it"),
        (
            {"metadata": "command: \"''\"\n"},
            "metadata:1: command: says `''`, which names no program; write the program to start",
        ),
        (
            {"metadata": "command: a 'b\n"},
            "metadata:1: command: cannot be split into words (No closing quotation); check its quotes",
        ),
        (
            {"metadata.txt": "command: a\n"},
            "it has no metadata.yaml or metadata, only metadata.txt; rename it to metadata",
        ),
        ({"metadata": "\tcommand: a\n"}, "metadata:1: is indented with a tab; YAML allows only spaces"),
    ],
)
def test_program_without_command(tmp_path: Path, files: Mapping[str, str], reason: str) -> None:
    folder = written(tmp_path / "scoring_program", files)
    with pytest.raises(PalioError) as raised:
        read_program(folder)
    assert raised.value.failure.code == "program-command-missing"
    assert str(raised.value) == f"scoring_program does not say how to start it: {reason}."


def test_program_zip_broken(tmp_path: Path) -> None:
    (tmp_path / "program.zip").write_text("no zip")
    with pytest.raises(PalioError) as raised:
        read_program(tmp_path / "program.zip")
    assert raised.value.failure.code == "program-command-missing"


def test_program_zip_extra_top_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("program/metadata", "command: python score.py")
    assert read_program(tmp_path / "program.zip").command == ("python", "score.py")


LEGACY = (
    "$program/run $input $output $hidden $shared $tmp $predictions $ingestion_program $submission_program $input_data"
)


@pytest.mark.parametrize(
    ("ingestion", "scoring", "expected"),
    [
        (
            False,
            True,
            (
                "/app/program/run /app/input /app/output /app/input/ref /app/shared /app/output /app/input/res "
                "/app/program /app/ingested_program /app/input_data"
            ),
        ),
        (
            True,
            False,
            (
                "/app/program/run /app/input_data /app/output /app/input/ref /app/shared /app/output /app/output "
                "/app/program /app/ingested_program /app/input_data_data"
            ),
        ),
    ],
)
def test_legacy_words_replaced(ingestion: bool, scoring: bool, expected: str) -> None:
    command = with_container_paths(tuple(LEGACY.split()), ingestion=ingestion, scoring=scoring)
    assert command == tuple(expected.split())


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"metadata": "command: \"python a\\nb 'c\\nd'\""}, "because it contains a newline (U+000A)"),
        ({"metadata": f"command: {'a ' * 3000}"}, "has 5,999 characters; at most 4,096 are allowed"),
        ({"Dockerfile": "\n" * (2**20 + 1)}, "its Dockerfile: it is larger than the limit of 1 MiB"),
        ({"Dockerfile": "\n" * 2**20}, "its Dockerfile has neither CMD nor ENTRYPOINT"),
        (
            {"Dockerfile": "FROM x\nENV A=\0"},
            "its Dockerfile, line 2 (ENV A=\ufffd): it contains NUL (U+0000) in line 2",
        ),
    ],
    ids=("newline", "long", "large", "blank", "nul"),
)
def test_command_too_long_or_nul(tmp_path: Path, files: Mapping[str, str], reason: str) -> None:
    with pytest.raises(PalioError) as refused:
        read_program(written(tmp_path, files))
    assert refused.value.failure.code == "program-command-missing"
    assert reason in refused.value.failure.message


@pytest.mark.parametrize("name", ["python:3\nRUN x", "770e", "palio-build:0", "sha256:0", "a b"])
def test_program_without_image(name: str) -> None:
    with pytest.raises(Refused, match="is refused: "):
        image_name(Value(Findings("competition.yaml"), 1, "docker_image", Scalar(name, "str")))

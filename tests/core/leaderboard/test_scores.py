import os
from dataclasses import replace
from pathlib import Path

import pytest

from palio.core.bundle.model import Column
from palio.core.errors import Failure, PalioError
from palio.core.leaderboard.scores import LIMIT_BYTES, Scores, read_scores


def column(key: str, computation: str | None = None) -> Column:
    keys = ("f1", "recall") if computation else ()
    return Column(key, key.title(), True, 4, False, computation, keys)


COLUMNS = (column("f1"), column("recall"), column("mean", "avg"))


def refusal(folder: Path) -> Failure:
    with pytest.raises(PalioError) as caught:
        read_scores(folder, COLUMNS)
    return caught.value.failure


def refused(folder: Path) -> tuple[str, ...]:
    return refusal(folder).evidence


def test_scores_json(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"f1": 0.5, "recall": 1, "path": {"a": [1, {"b": 2}]}}')
    scores = read_scores(tmp_path, COLUMNS)
    assert dict(scores) == {"f1": 0.5, "recall": 1.0}
    assert scores == {"f1": 0.5, "recall": 1.0}
    assert scores.ignored == ("path",)
    assert len(scores) == 2
    assert isinstance(scores, Scores)


def test_computed_column_value_ignored(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"f1": 0.5, "recall": 1, "mean": 7}')
    assert read_scores(tmp_path, COLUMNS).ignored == ("mean",)


def test_scores_json_is_preferred(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"f1": 0.5, "recall": 1}')
    (tmp_path / "scores.txt").write_text("f1: 0.1\nrecall: 0.1\n")
    assert read_scores(tmp_path, COLUMNS) == {"f1": 0.5, "recall": 1.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f1: 0.5\nrecall: 1\n", {"f1": 0.5, "recall": 1.0}),
        ("f1:0.5\r\nrecall:1", {"f1": 0.5, "recall": 1.0}),
        ("f1: 1e-3\nrecall: 017\n", {"f1": 0.001, "recall": 17.0}),
        ("f1: -.5\nrecall: +2.\n", {"f1": -0.5, "recall": 2.0}),
        ("\ufeff---\n# by score.py\n'f1': \"0.5\"  # the mean\n\nrecall: 1#\n...\n", None),
        ("\ufeff---\n# by score.py\n'f1': \"0.5\"  # the mean\n\nrecall: 1\n...\n", {"f1": 0.5, "recall": 1.0}),
        ("classes:\n  f1: 9\n- f1\nf1: 0.5\nrecall: 1\ntime: 12:30:00\n", {"f1": 0.5, "recall": 1.0}),
        ('{"f1": 0.5, "recall": "1e0"}', {"f1": 0.5, "recall": 1.0}),
    ],
)
def test_scores_txt(tmp_path: Path, text: str, expected: dict[str, float] | None) -> None:
    (tmp_path / "scores.txt").write_text(text, encoding="utf-8")
    if expected is None:
        assert refused(tmp_path) == ("`recall`: `1#` is not a finite number",)
    else:
        assert read_scores(tmp_path, COLUMNS) == expected


@pytest.mark.parametrize("word", ["nan", "yes", "inf", "-inf", "1_000", "0x1f", "", "1e999", "0.5 0.6", "٣"])
def test_scores_txt_not_finite(tmp_path: Path, word: str) -> None:
    (tmp_path / "scores.txt").write_text(f"f1: {word}\nrecall: 1\n")
    assert refused(tmp_path) == (f"`f1`: `{word}` is not a finite number",)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("true", "`true`"),
        ("null", "`null`"),
        ("NaN", "`NaN`"),
        ("-Infinity", "`-Infinity`"),
        ("1e400", "`Infinity`"),
        ("1" + "0" * 5000, "`Infinity`"),
        ('"yes"', "`yes`"),
        ('"1_0"', "`1_0`"),
        ("[1]", "a list"),
        ('{"a": 1}', "an object"),
        ('"\\u001b[31m\\n"', "`␛[31m `"),
        ('"' + "9" * 70 + 'x"', "`" + "9" * 59 + "…`"),
        ('"\\ud800"', "`?`"),
    ],
)
def test_scores_json_not_finite(tmp_path: Path, value: str, shown: str) -> None:
    (tmp_path / "scores.json").write_text(f'{{"f1": {value}, "recall": 1}}')
    assert refused(tmp_path) == (f"`f1`: {shown} is not a finite number",)


def test_a_missing_column_has_no_score(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"recall": 1}')
    assert read_scores(tmp_path, COLUMNS) == {"recall": 1.0}


def test_required_column_missing(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"recall": 1, "F1": 0.5}')
    with pytest.raises(PalioError) as caught:
        read_scores(tmp_path, [replace(COLUMNS[0], required=True), *COLUMNS[1:]])
    assert caught.value.failure.code == "scores-invalid"
    assert caught.value.failure.evidence == ("`f1`: missing; did you mean `F1`?",)


@pytest.mark.parametrize("content", ["{}", '{"F1": 0.5}', '{"mean": 1}'])
def test_scores_without_any_column_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "scores.json").write_text(content)
    assert [line.partition(":")[0] for line in refused(tmp_path)] == ["`f1`", "`recall`"]


def test_all_problems_listed(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"F1": 0.5, "x": 1, "x": 2, "recall": true}')
    with pytest.raises(PalioError) as caught:
        read_scores(tmp_path, COLUMNS)
    failure = caught.value.failure
    assert failure.code == "scores-invalid"
    assert failure.stage == "score"
    assert failure.message == "scores.json, written by the scoring program, cannot be used: 2 problems."
    assert failure.evidence == (
        "`x`: repeated 2 times",
        "`recall`: `true` is not a finite number",
    )
    assert failure.next_step == (
        "Make the scoring program write one finite number for each column of the leaderboard, and each case once."
    )
    assert caught.value.exit_code == 11


@pytest.mark.parametrize(
    ("name", "content", "evidence"),
    [
        ("scores.json", b"", "scores.json is not JSON: Expecting value (line 1, column 1)"),
        ("scores.json", b'{"f1": .5}', "scores.json is not JSON: Expecting value (line 1, column 8)"),
        ("scores.json", b"[0.5]", 'scores.json is not an object such as {"f1": 0.93}'),
        ("scores.json", b'{"f1": 1}\xff', "scores.json is not UTF-8 text (at byte 10)"),
        ("scores.json", b'{"a": ' + b"[" * 200_000, "scores.json is nested too deeply"),
        ("scores.json", b" " * (LIMIT_BYTES + 1), "scores.json is larger than 1,048,576 bytes"),
        ("scores.txt", b"f1: 1\nrecall\n", "scores.txt has a line 2 other than `key: value`: `recall`"),
    ],
)
def test_scores_unreadable(tmp_path: Path, name: str, content: bytes, evidence: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path) == (evidence,)


def test_scores_txt_empty(tmp_path: Path) -> None:
    (tmp_path / "scores.txt").write_text("")
    assert refused(tmp_path) == ("`f1`: missing", "`recall`: missing")


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"f1": 1, "recall": 1}')
    output = tmp_path / "output"
    output.mkdir()
    (output / "scores.json").symlink_to(secret)
    assert refused(output) == ("scores.json is a link, and links are not followed",)
    (output / "scores.json").unlink()
    os.mkfifo(output / "scores.json")
    assert refused(output) == ("scores.json is not a regular file",)


def test_no_file_of_scores(tmp_path: Path) -> None:
    (tmp_path / "Scores.json").write_text("{}")
    failure = refusal(tmp_path)
    assert failure.code == "scores-missing"
    assert failure.stage == "score"
    assert failure.message == ("The scoring program exited with code 0 but wrote neither scores.json nor scores.txt.")
    assert failure.next_step == "Make it write one of them to its output folder."

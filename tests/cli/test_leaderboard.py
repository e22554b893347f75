"""`palio leaderboard` on run folders. The numbers themselves are tested in tests/core."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.run_folders import F1, SECONDS, write_run

from palio.cli import main

FAILURE = {
    "code": "predict-exit",
    "cause": "participant",
    "stage": "predict",
    "message": "The container exited with code 3, so its predictions were not used.",
    "evidence": ["exit"],
    "next_step": "Read the last lines of its log.",
}
FAILED = {"verdict": "failed", "scores": None, "failure": FAILURE}

ORDER = (
    "resnet.zip is right on 2 cases where vit.zip is wrong, and vit.zip on 1 where resnet.zip is wrong: the chance "
    "that these two are in the wrong order is 31 %."
)
REDRAWN = "If the cases were drawn again, resnet.zip would rank first, by itself or tied, in 81 % of 2,000 redraws."


def leaderboard(*arguments: object) -> int:
    return main(["leaderboard", *map(str, arguments)])


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    return [
        write_run(tmp_path / "linear", wrong=range(100, 140)),
        write_run(tmp_path / "resnet", wrong=range(1)),
        write_run(tmp_path / "vit", wrong=range(1, 3)),
    ]


def test_table_and_notes(three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = write_run(tmp_path / "broken", result=FAILED)
    assert leaderboard(broken, *three) == 0
    assert capsys.readouterr().out == (
        "MedNIST classification, phase Final\n"
        "  rank   run           F1 ↑     95 % interval  Seconds ↓\n"
        "  1-2    resnet.zip  0.9983  [0.9922, 0.9998]       12.2\n"
        "  1-2    vit.zip     0.9967  [0.9893, 0.9993]       12.2\n"
        "  3      linear.zip  0.9333  [0.9113, 0.9512]       12.2\n"
        "  –      broken.zip: failed at predict: The container exited with code 3, so its predictions were not used.\n"
        "\n"
        "600 cases cannot tell the first two apart.\nOne case is worth 0.0017.\n"
        "1 of 2 neighboring pairs differs significantly (exact McNemar, Holm over 3 pairs, 5 %): vit.zip and "
        "linear.zip.\n"
        "A rank range lists the ranks that 600 cases cannot tell apart.\n"
        f"{ORDER}\n{REDRAWN}\n"
    )


def test_order_of_arguments_does_not_matter(three: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    leaderboard(*three)
    first = capsys.readouterr().out
    leaderboard(*reversed(three))
    assert capsys.readouterr().out == first


def test_run_named_twice_is_ranked_once(
    three: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(three[0].parent)
    assert leaderboard("linear", three[0], "./linear/") == 0
    assert capsys.readouterr().out == (
        "MedNIST classification, phase Final\n"
        "  rank   run           F1 ↑     95 % interval  Seconds ↓\n"
        "  1      linear.zip  0.9333  [0.9113, 0.9512]       12.2\n"
        "\n"
        "Only one run has a score, so there is nothing to compare it with.\n"
    )


def test_run_without_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_cases = write_run(tmp_path / "a", wrong=range(6))
    without = write_run(tmp_path / "b", wrong=None, scores={"f1": 0.5, "seconds": 1})
    assert leaderboard(with_cases, without) == 0
    assert capsys.readouterr().out == (
        "MedNIST classification, phase Final\n"
        "  rank   run      F1 ↑     95 % interval  Seconds ↓\n"
        "  1      a.zip  0.9900  [0.9795, 0.9958]       12.2\n"
        "  2      b.zip  0.5000              none        1.0\n"
        "\n"
        "The runs could not be compared with each other, so their order may be chance.\n"
        "No interval for b.zip: scores/cases.csv is missing.\n"
    )


DICE = {"cases": "cases.csv", "kind": "mean", "metric": "mean(dice)"}


def write_dice(folder: Path, values: list[object], score: float) -> Path:
    run = write_run(folder, wrong=None, scores={"f1": score, "seconds": 1}, lock={"statistics": DICE})
    (run / "scores").mkdir()
    rows = "".join(f"{place},{value}\n" for place, value in enumerate(values))
    (run / "scores" / "cases.csv").write_text(f"case,dice\n{rows}")
    return run


@pytest.mark.parametrize(
    ("values", "score", "why"),
    [
        ([0.5, 0.6, -0.1], 1 / 3, "(row 4: dice is '-0.1'; it must lie from 0 to 1)"),
        ([0.5, 0.6, "nan"], 0.55, "(row 4: dice is 'nan', which is not a finite number)"),
        ([0.5, 0.6, 0.7], 0.9, "mean(dice) of scores/cases.csv is 0.6000, but the column F1 shows 0.9000"),
        ([0.5], 0.5, "an interval needs at least two cases, or two groups"),
        ([0.5, 0.5, 0.5], 0.5, "all cases have the same value, which tells nothing about other cases"),
    ],
    ids=["negative", "nan", "contradicts the score", "one case", "constant"],
)
def test_cases_that_tell_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: list[object], score: float, why: str
) -> None:
    assert leaderboard(*(write_dice(tmp_path / name, values, score) for name in "ab")) == 0
    said = capsys.readouterr().out
    assert f"No intervals: {'scores/cases.csv cannot be used ' * why.startswith('(')}" in said
    assert f"{why}.\n" in said
    assert "a.zip and b.zip have equal scores and share rank 1." in said


def test_different_case_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard(write_dice(tmp_path / "a", [0.5, 0.7], 0.6), write_dice(tmp_path / "b", [0.5] * 3, 0.5)) == 0
    assert (
        "The runs could not be compared with each other, so their order may be chance.\n"
        "The submissions were scored on different cases; the organizers have to re-score them.\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [range(0), range(7)], ids=["all perfect", "all equal"])
def test_equal_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: range) -> None:
    assert leaderboard(*(write_run(tmp_path / name, wrong=wrong) for name in "abc")) == 0
    said = capsys.readouterr().out
    assert said.count("\n  1-3    ") == 3
    assert "600 cases cannot tell all three apart.\n" in said
    assert "a.zip, b.zip and c.zip have equal scores and share rank 1.\n" in said
    assert "would rank first" not in said  # which of them, nothing says


def test_heading_phantom_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "a", lock={"phantom": True})
    assert leaderboard(run, "--html", tmp_path / "leaderboard.html") == 0
    heading = capsys.readouterr().out.splitlines()[0]
    assert heading == "MedNIST classification, phase Final — on PHANTOM images: synthetic pictures, not medical ones"
    page = (tmp_path / "leaderboard.html").read_text()
    assert "<title>MedNIST classification on PHANTOM images</title>" in page
    assert "<h1>MedNIST classification on PHANTOM images</h1>" in page


def test_hidden_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = [F1 | {"hidden": True}, SECONDS]
    run = write_run(tmp_path / "a", lock={"leaderboard": {"title": "R", "primary": "f1", "columns": columns}})
    assert leaderboard(run, "--html", tmp_path / "leaderboard.html") == 0
    assert capsys.readouterr().out.splitlines()[1:3] == ["  rank   run    Seconds ↓", "  1      a.zip       12.2"]
    assert "F1" not in (tmp_path / "leaderboard.html").read_text()
    assert leaderboard(run, "--json") == 0
    (ranked,) = json.loads(capsys.readouterr().out)["ranked"]
    assert (ranked["scores"], ranked["interval"]) == ({"seconds": 12.25}, None)


def test_json(three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = write_run(tmp_path / "broken", result=FAILED)
    assert leaderboard(*three[1:], broken, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    for run in shown["ranked"]:
        assert run.pop("intervals") == {"f1": run["interval"]}
        run["interval"] = [round(end, 4) for end in run["interval"]]
    assert shown == {
        "challenge": {"title": "MedNIST classification", "digest": "b" * 64},
        "phase": "Final",
        "phantom": False,
        "primary": "f1",
        "columns": [
            {"key": "f1", "title": "F1", "descending": True, "precision": 4},
            {"key": "seconds", "title": "Seconds", "descending": False, "precision": 1},
        ],
        "cases": 600,
        "ranked": [
            {
                "label": "resnet.zip",
                "run_folder": str(three[1]),
                "rank": 1,
                "rank_range": [1, 2],
                "scores": {"f1": 1 - 1 / 600, "seconds": 12.25},
                "interval": [0.9922, 0.9998],
                "no_interval": None,
                "no_intervals": {},
                "rank_frequencies": pytest.approx([0.82, 0.18], abs=0.03),
                "chance_next_is_better": 0.3125,
            },
            {
                "label": "vit.zip",
                "run_folder": str(three[2]),
                "rank": 2,
                "rank_range": [1, 2],
                "scores": {"f1": 1 - 2 / 600, "seconds": 12.25},
                "interval": [0.9893, 0.9993],
                "no_interval": None,
                "no_intervals": {},
                "rank_frequencies": pytest.approx([0.4, 0.6], abs=0.03),
                "chance_next_is_better": None,
            },
        ],
        "unranked": [
            {
                "label": "broken.zip",
                "run_folder": str(broken),
                "verdict": "failed",
                "reason": f"failed at predict: {FAILURE['message']}",
                "failure": FAILURE,
            }
        ],
        "comparisons": [
            {
                "ahead": "resnet.zip",
                "behind": "vit.zip",
                "only_ahead_right": 2,
                "only_behind_right": 1,
                "p_value": 1.0,
                "p_value_holm": 1.0,
            }
        ],
        "remarks": [
            "600 cases cannot tell the two apart.",
            "One case is worth 0.0017.",
            "No two neighboring runs differ significantly (exact McNemar, Holm over 1 pair, 5 %).",
            "A rank range lists the ranks that 600 cases cannot tell apart.",
            ORDER,
            REDRAWN,
        ],
        "page": None,
    }


# -- the page


class Page(HTMLParser):
    """What a page loads or runs, the elements it leaves open, and its text."""

    VOID = frozenset({"meta", "path"})

    def __init__(self, content: str) -> None:
        super().__init__()
        self.active: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attributes}
        if tag in {"script", "link", "img", "iframe", "object"} or names & {"src", "href", "srcset", "onload"}:
            self.active.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Closed as it is opened."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.text.append(data.strip())


def test_page_self_contained(three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = write_run(tmp_path / "broken", result=FAILED)
    html = tmp_path / "leaderboard.html"
    assert leaderboard(*three, broken, "--html", html) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Page: {html}"
    content = html.read_text()
    page = Page(content)
    assert (page.active, page.open) == ([], [])
    assert not re.search(r"https?:|@import|url\(", content)
    text = " | ".join(page.text)
    assert "Final: 4 runs, compared on 600 cases. ↑ higher is better, ↓ lower is better." in text
    assert " | 1–2 | resnet.zip | 0.9983 | 0.9922 – 0.9998 | 12.2 | 1–2 | vit.zip | 0.9967 | " in text
    assert " | 3 | linear.zip | 0.9333 | " in text
    assert "Without a rank | broken.zip | failed at predict: The container exited with code 3" in text
    assert REDRAWN in text
    assert content.count('class="whisker"') == content.count('class="dot"') == 3


def test_page_escaped(tmp_path: Path) -> None:
    label = "<script>alert(1)</script>\"'&"
    run = write_run(tmp_path / "a", label=label, lock={"bundle": {"title": "<b>T</b>", "digest": "<i>"}})
    assert leaderboard(run, "--html", tmp_path / "leaderboard.html") == 0
    page = Page((tmp_path / "leaderboard.html").read_text())
    assert page.active == []
    assert {label, "<b>T</b>", "<i>"} <= set(page.text)


def test_page_of_runs_without_cases(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", wrong=None)
    assert leaderboard(run, "--html", tmp_path / "leaderboard.html") == 0
    page = Page((tmp_path / "leaderboard.html").read_text())
    assert page.open == []
    assert "No intervals: scores/cases.csv is missing." in page.text


def test_page_replaced_or_kept(three: list[Path], tmp_path: Path) -> None:
    html = tmp_path / "leaderboard.html"
    html.write_text("old")
    assert leaderboard(tmp_path / "nothing", "--html", html) == 2
    assert html.read_text() == "old"
    assert leaderboard(*three, "--html", html) == 0
    assert html.read_text().startswith("<!doctype html>")


def test_page_not_writable(three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert leaderboard(three[0], "--html", tmp_path / "file" / "leaderboard.html") == 12
    assert "cannot be written" in capsys.readouterr().err


# -- the name of the command


def test_board_alias(three: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard(*three) == 0
    shown = capsys.readouterr().out
    assert main(["board", *map(str, three)]) == 0
    assert capsys.readouterr().out == shown


def test_page_is_only_for_run_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard("mednist", "--html", tmp_path / "leaderboard.html") == 2
    assert "--html needs run folders" in capsys.readouterr().err


# -- what cannot be ranked


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_not_a_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard(tmp_path / "runs") == 2
    assert refusal(capsys) == (
        "Failed. Action needed: you.\n"
        f"{tmp_path}/runs is not a run folder: it has no config.json.\n"
        "Next: Name folders that `palio run` wrote, such as runs/*.\n"
        "(usage)\n"
    )


def test_no_run_has_a_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        write_run(tmp_path / "failed", result=FAILED),
        write_run(tmp_path / "cancelled", result={"verdict": "cancelled"}),
        write_run(tmp_path / "running", result={"verdict": None}),
    ]
    assert leaderboard(*runs) == 2
    assert refusal(capsys) == (
        "Failed. Action needed: you.\n"
        "No run to rank: 3 runs have no score.\n"
        "  | failed.zip: failed at predict: The container exited with code 3, so its predictions were not used.\n"
        "  | cancelled.zip: cancelled\n"
        "  | running.zip: not finished\n"
        "Next: Name at least one run that was scored.\n"
        "(usage)\n"
    )


def test_runs_of_different_phases_and_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        write_run(tmp_path / "a"),
        write_run(tmp_path / "b", lock={"phase": "Practice"}),
        write_run(tmp_path / "c", lock={"reference_data": {"digest": "9" * 64}}),
    ]
    assert leaderboard(*runs) == 2
    assert refusal(capsys) == (
        "Failed. Action needed: you.\n"
        "These runs cannot be ranked together: they differ in phase and reference data.\n"
        "  | phase Final: a.zip, c.zip\n"
        "  | phase Practice: b.zip\n"
        "  | reference data 222222222222: a.zip, b.zip\n"
        "  | reference data 999999999999: c.zip\n"
        "Next: Name only runs of the same challenge, phase and data, or choose a phase with --phase NAME.\n"
        "(usage)\n"
    )


def test_phase_takes_only_its_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", lock={"phase": "Practice"})]
    assert leaderboard(*runs, "--phase", "Practice", "--json") == 0
    assert [run["label"] for run in json.loads(capsys.readouterr().out)["ranked"]] == ["b.zip"]


def test_phase_without_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard(write_run(tmp_path / "a"), "--phase", "final") == 2
    assert refusal(capsys) == (
        "Failed. Action needed: you.\n"
        "None of these runs is of the phase “final”. Their phases: Final.\n"
        "Next: Name one of these with --phase, or leave it out.\n"
        "(usage)\n"
    )

"""Under each feedback rule, everybody who is no organizer asks every address for the exact digits, and finds none."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import Client
from tests.web.access.everything import Call, Everything, address, body, calls, make_everything, send
from tests.web.scored_submissions import add_submission, compute_statistics, publish, write_leaderboard_bundle
from tests.web.world import World

from palio.web.http import cache
from palio.web.models import LeaderboardStatistics, Submission
from palio.web.storage.bundles import current_bundle

# 600 cases: 74, 73 and 131 wrong. A first submission, one that improves on it by less than 0.01, and the other team's.
WRONG = {"first": 74, "little": 73, "rival": 131}
SECONDS = {"first": 12.345678, "little": 11.456789, "rival": 13.567891}
STATISTICS = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"
RULES = {
    "rounded": "{rule: rounded, digits: 1}",
    "ladder": "{rule: ladder, step: 0.01}",
    "ladder without a step": "ladder",
    "none": "none",
}
WATCHERS = ("anonymous", "stranger", "captain", "team mate", "other team", "other organizer", "publisher")


def accuracy(name: str) -> float:
    return 1 - WRONG[name] / 600


def make(world: World, folder: Path, rule: str) -> tuple[Everything, dict[str, Submission]]:
    everything = make_everything(world, folder)
    bundle = write_leaderboard_bundle(folder / rule, palio=f"{STATISTICS}  feedback: {rule}\n")
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace(", hidden: true", ""))  # with a hidden column, teams get no receipt
    publish(world.challenge, bundle)
    world.challenge.submissions.all().update(phase="Practice")  # so that they are no part of a ladder
    found = {}
    for minute, (name, team) in enumerate(
        {"first": world.team, "little": world.team, "rival": world.rivals}.items(), start=50
    ):
        team.challenge.refresh_from_db()
        told = {"accuracy": accuracy(name), "seconds": SECONDS[name], "secret": 0.5}
        found[name] = add_submission(team, scores=told, minute=minute, wrong=[*range(WRONG[name])])
        run = settings.FOLDERS.runs / str(found[name].counted_id)
        said = f"accuracy {told['accuracy']}, seconds {told['seconds']}\n"
        for path in (run / "score.log", run / "participant" / "score.log", run / "report.html"):
            path.write_text(said)
        (run / "receipt.json").write_text(json.dumps({"statement": {"result": told}}))
    compute_statistics(world.challenge)
    caches["here"].clear()
    cache.clear()
    return replace(everything, full=replace(everything.full, best=found["first"])), found


def exact_digits(rule: str) -> re.Pattern[str]:
    """Scores, the ends of intervals, and how often each is wrong. A ladder without a step shows whole cases exactly."""
    numbers = [*map(accuracy, WRONG), *SECONDS.values()]
    if rule == "ladder without a step":
        return re.compile("|".join(re.escape(each) for each in (f"{accuracy('little'):.3f}", "11.456", "12.3456")))
    (stored,) = LeaderboardStatistics.objects.filter(phase="Final")
    numbers += [of[end] for columns in stored.intervals.values() for of in columns.values() for end in ("low", "high")]
    assert len(numbers) == 6 + 6  # two ranked teams and a best score before them, one column with intervals
    digits = {f"{number:.5f}"[:-1] for number in numbers} | {f"{number:.3f}" for number in numbers}
    return re.compile("|".join(rf"(?<!\d){re.escape(each)}" for each in sorted(digits)))


def answers(client: Client, everything: Everything, submissions: dict[str, Submission]) -> Iterator[tuple[str, str]]:
    """Every page and operation that reads, for each submission, with every log and each way to show a leaderboard."""
    for call in calls():
        if call.method != "GET" or call.name.startswith("admin:"):
            continue
        asked = {address(call, everything)}
        for submission in submissions.values():
            asked.add(address(call, everything, submission=submission.pk, file=submission.file_id, stage="score"))
        if "leaderboard" in call.name:
            asked |= {f"{each}?{query}" for each in [*asked] for query in ("phase=Final", "sort=-accuracy")}
        for where in sorted(asked):
            response = send(client, call, where, body(call, everything))
            content = b"".join(response.streaming_content) if response.streaming else response.content
            yield f"{call} {where}", content.decode(errors="replace") + repr(dict(response.headers))


@pytest.mark.parametrize("rule", RULES)
def test_exact_digits_nowhere(world: World, tmp_path: Path, browser: Callable[..., Client], rule: str) -> None:
    everything, submissions = make(world, tmp_path, RULES[rule])
    digits, leaks, seen = exact_digits(rule), [], 0
    for role in WATCHERS:
        for where, text in answers(browser(everything.people[role]), everything, submissions):
            seen += 1
            if leak := digits.search(text):
                leaks.append(f"{role}: {where}: {text[max(0, leak.start() - 60) : leak.end() + 20]!r}")
    assert leaks == []
    assert seen > 700


@pytest.mark.parametrize("rule", RULES)
def test_exact_digits_for_organizers(world: World, tmp_path: Path, browser: Callable[..., Client], rule: str) -> None:
    """The search above finds what there is to find."""
    everything, submissions = make(world, tmp_path, RULES[rule])
    digits = exact_digits("exact")
    found = {
        where.split(" /")[0]
        for where, text in answers(browser(everything.people["organizer"]), everything, submissions)
        if digits.search(text)
    }
    assert found >= {
        "GET pages:leaderboard",
        "GET pages:leaderboard-csv",
        "GET pages:leaderboard-json",
        "GET pages:leaderboard-svg",
        "GET api:leaderboard",
        "GET pages:submission",
        "GET api:submission",
        "GET pages:submission-log",
        "GET api:submission-log",
        "GET pages:submission-report",
        "GET pages:submission-receipt",
    }


@pytest.mark.parametrize(
    ("rule", "first", "little", "board"),
    [
        ("rounded", 0.9, 0.9, [(1, "Blobs", 0.9), (2, "Carolingians", 0.8)]),
        ("ladder", 0.88, None, [(1, "Blobs", 0.88), (2, "Carolingians", 0.78)]),
        (
            "ladder without a step",
            0.876666667,
            None,
            [(1, "Blobs", 0.876666667), (2, "Carolingians", 0.781666667)],
        ),
        ("none", None, None, []),
    ],
)
def test_what_a_team_sees(
    world: World,
    tmp_path: Path,
    browser: Callable[..., Client],
    rule: str,
    first: float | None,
    little: float | None,
    board: list[tuple[int, str, float]],
) -> None:
    everything, submissions = make(world, tmp_path, RULES[rule])
    client = browser(everything.people["captain"])
    for name, expected in (("first", first), ("little", little)):
        found = client.get(f"/api/v1/submissions/{submissions[name].pk}").json()
        assert (found["scores"] or {}).get("accuracy") == expected
        assert found["feedback"]
        assert "score" not in found["attempt"]["logs"]
        assert client.get(f"/api/v1/submissions/{submissions[name].pk}/receipt").status_code == 404
    answer = client.get("/api/v1/challenges/mednist/leaderboard").json()
    assert [(row["rank"], row["team"], row["scores"]["accuracy"]) for row in answer["rows"]] == board
    assert all(row["rank_range"] is None for row in answer["rows"])
    assert answer["cases"] is None
    assert answer["no_intervals"] is None  # they are withheld, which `feedback` says
    intervals = [row["interval"] for row in answer["rows"]]
    assert intervals == ([None, [0.7, 0.9]] if rule == "rounded" else [None] * len(board))


def test_equally_rounded_scores_share_a_rank(world: World, tmp_path: Path, browser: Callable[..., Client]) -> None:
    everything, _ = make(world, tmp_path, "{rule: rounded, digits: 0}")
    rows = browser(everything.people["captain"]).get("/api/v1/challenges/mednist/leaderboard").json()["rows"]
    assert [(row["rank"], row["scores"]["accuracy"]) for row in rows] == [(1, 1.0), (1, 1.0)]


def test_released_by_another_version(world: World, tmp_path: Path, browser: Callable[..., Client]) -> None:
    everything, submissions = make(world, tmp_path, RULES["ladder"])
    released = write_leaderboard_bundle(tmp_path / "released", palio=STATISTICS)
    yaml = released / "competition.yaml"
    yaml.write_text(yaml.read_text().replace(", hidden: true", ""))
    publish(world.challenge, released)
    assert current_bundle(world.challenge).phases[-1].rules.feedback.is_exact
    client = browser(everything.people["captain"])
    found = client.get(f"/api/v1/submissions/{submissions['little'].pk}").json()
    assert found["scores"]["accuracy"] == accuracy("little")
    assert found["feedback"] is None
    assert client.get(f"/api/v1/submissions/{submissions['little'].pk}/receipt").status_code == 200
    assert Call("api:submission", "GET") in calls()

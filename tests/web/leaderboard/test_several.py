"""Several leaderboards of a phase, and columns of the fact sheet."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.test import Client
from tests.bundles import two_tasks, write_bundle
from tests.run_folders import CASES, write_cases
from tests.web.scored_submissions import add_submission, compute_statistics, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import LeaderboardStatistics
from palio.web.storage.bundles import current_bundle

Browser = Callable[..., Client]
PAGE, API = "/c/mednist/leaderboard/Final/", "/api/v1/challenges/mednist/leaderboard"

SPEED = """\
  - title: Speed
    key: speed
    submission_rule: Force_Last
    columns:
      - {title: Seconds, key: seconds, index: 0, sorting: asc, precision: 1}
  - title: Jury
    key: jury
    hidden: true
    columns:
      - {title: Secret, key: secret, index: 0, sorting: desc, precision: 3}
"""
SHEET = """\
fact_sheet:
  method: {type: text, title: "Method <b>", is_required: true, is_on_leaderboard: true}
  data: {type: text, title: Data, is_on_leaderboard: false}
"""


def use(world: World, folder: Path, more: str = "") -> None:
    bundle = write_leaderboard_bundle(folder / "bundle")
    yaml = (bundle / "competition.yaml").read_text()
    yaml = yaml.replace(
        "palio:\n", f"{SPEED}{more}palio:\n  statistics: {{cases: cases.csv, kind: classification, metric: accuracy}}\n"
    )
    (bundle / "competition.yaml").write_text(yaml)
    publish(world.challenge, bundle)
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()


def test_each_leaderboard_rows_columns_rule(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path)
    add_submission(world.team, scores=scores(0.9, 5))
    add_submission(world.team, scores=scores(0.7, 30), minute=1)
    add_submission(world.rivals, scores=scores(0.8, 20), minute=2)
    anyone = browser(None)
    main, speed = (anyone.get(API, {"leaderboard": key} if key else {}).json() for key in ("", "speed"))
    assert [(row["team"], row["scores"]["accuracy"]) for row in main["rows"]] == [("Blobs", 0.9), ("Carolingians", 0.8)]
    assert [(row["team"], row["scores"]) for row in speed["rows"]] == [
        ("Carolingians", {"seconds": 20}),
        ("Blobs", {"seconds": 30}),  # the last, not the best
    ]
    assert main["leaderboards"] == [{"key": "main", "title": "Results"}, {"key": "speed", "title": "Speed"}]
    assert [speed[key] for key in ("leaderboard", "leaderboard_title", "primary")] == ["speed", "Speed", "seconds"]
    assert anyone.get(API, {"leaderboard": "other"}).status_code == 404


def test_page_tabs(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path)
    add_submission(world.team, scores=scores(0.9, 5))
    shown = browser(None).get(PAGE, {"leaderboard": "speed"}).text
    assert f'<a href="{PAGE}?leaderboard=speed" aria-current="page">Speed</a>' in shown
    assert "?leaderboard=speed&amp;sort=-seconds" in shown or "?leaderboard=speed&amp;sort=seconds" in shown
    assert "Jury" not in shown
    assert "Jury" in browser(world.alice).get(PAGE).text
    response = browser(None).get("/c/mednist/leaderboard.csv", {"phase": "Final", "leaderboard": "speed"})
    assert "mednist-final-speed.csv" in response["Content-Disposition"]
    header = next(csv.reader(io.StringIO(response.text)))
    assert ("seconds" in header, "accuracy" in header) == (True, False)


def test_hidden_leaderboard_organizer_only(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path)
    add_submission(world.team, scores=scores(0.9, 5))
    add_submission(world.rivals, scores=scores(0.8, 6))
    jury = {"leaderboard": "jury"}
    assert [browser(user).get(API, jury).status_code for user in (None, world.bob)] == [404, 404]
    own = browser(world.bob).get("/api/v1/challenges/mednist/submissions").json()["items"][0]
    assert own["scores"] == {"accuracy": 0.9, "seconds": 5}
    assert len(browser(world.alice).get(API, jury).json()["rows"]) == 2


def test_each_leaderboard_cached_separately(world: World, tmp_path: Path) -> None:
    use(world, tmp_path)
    add_submission(world.team, scores=scores(0.9, 5))
    world.challenge.refresh_from_db()
    bundle = current_bundle(world.challenge)
    twice = [
        [snapshot(world.challenge, bundle.phases[-1], board, Visibility.PUBLIC) for board in bundle.leaderboards]
        for _ in range(2)
    ]
    assert [a is b for a, b in zip(*twice, strict=True)] == [True] * 3
    assert len({id(each) for each in twice[0]}) == 3


def test_each_leaderboard_own_statistics(world: World, tmp_path: Path) -> None:
    """The metric is that of the first primary column; the other one says why it has no interval."""
    use(world, tmp_path)
    add_submission(world.team, scores=scores(1 - 1 / CASES, 5), wrong=[1])
    compute_statistics(world.challenge)
    found = {each.leaderboard: [*each.intervals.values()] for each in LeaderboardStatistics.objects.all()}
    assert "low" in found["main"][0]["accuracy"]
    assert "low" not in found["speed"][0]["seconds"]
    assert {*found} == {"main", "speed", "jury"}


def test_public_answers_are_columns(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path, SHEET)
    add_submission(world.team, scores=scores(0.9, 5), answers={"method": "<script>x</script>", "data": "private"})
    add_submission(world.rivals, scores=scores(0.8, 6), minute=1, answers={"method": "=1+1"})
    anyone = browser(None)
    page = anyone.get(PAGE, {"sort": "answer_method"}).text
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "Method &lt;b&gt;" in page
    assert "private" not in page
    rows = anyone.get(API, {"sort": "-answer_method"}).json()["rows"]
    assert [row["answers"] for row in rows] == [{"method": "=1+1"}, {"method": "<script>x</script>"}]
    listed = list(csv.DictReader(io.StringIO(anyone.get("/c/mednist/leaderboard.csv", {"phase": "Final"}).text)))
    assert [row["answer_method"] for row in listed] == ["<script>x</script>", "'=1+1"]


def test_several_tasks_statistics(world: World, tmp_path: Path, browser: Browser) -> None:
    policy = "palio:\n  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"
    publish(world.challenge, write_bundle(tmp_path / "tasks", yaml=two_tasks().replace("palio:\n", policy)))
    for team, wrong in ((world.team, 30), (world.rivals, 150)):
        team.challenge.refresh_from_db()
        submission = add_submission(team, scores={"accuracy": 1 - wrong / CASES})
        assert submission.counted is not None
        for task, count in ((0, wrong // 2), (1, 2 * wrong - wrong // 2)):
            folder = settings.FOLDERS.runs / submission.counted.identity / "scores" / str(task)
            folder.mkdir(parents=True, exist_ok=True)
            write_cases(folder / "cases.csv", range(count))
    compute_statistics(world.challenge)
    found = browser(None).get(API).json()
    first, second = found["rows"]
    assert first["interval"][0] < 0.95 < first["interval"][1] < second["scores"]["accuracy"] + 0.3
    assert ([first["rank_range"], second["rank_range"]], found["cases"]) == ([[1, 1], [2, 2]], 2 * CASES)
    method = "Intervals of the mean over tasks, 95 %: Jeffreys-Dirichlet on the confusion matrix."
    assert method in browser(None).get(PAGE).text

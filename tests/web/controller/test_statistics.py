"""Statistics of leaderboards: computed once by the controller, stored, and never shown when stale."""

import csv
import io
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from tests.run_folders import write_run
from tests.web.scored_submissions import add_submission, compute_statistics, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.cli import main
from palio.core.bounded_call import call_bounded
from palio.core.quantities import GIB
from palio.web.controller import statistics
from palio.web.controller.background import in_thread
from palio.web.controller.statistics import StatisticsUpdate
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import LeaderboardStatistics, Submission, Team

Browser = Callable[..., Client]
API = "/api/v1/challenges/mednist/leaderboard"
POLICY = "  statistics: {{cases: cases.csv, kind: classification, metric: {metric}}}\n"


def use(world: World, folder: Path, metric: str = "accuracy", **lines: str) -> World:
    publish(world.challenge, write_leaderboard_bundle(folder, palio=POLICY.format(metric=metric), **lines))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
    return world


def score(team: Team, wrong: int, **more: Any) -> Submission:
    return add_submission(team, scores=scores(1 - wrong / 600), wrong=[*range(wrong)], **more)


@pytest.fixture
def measured(world: World, tmp_path: Path) -> World:
    """A challenge with two scored teams whose single cases are known."""
    use(world, tmp_path / "bundle")
    score(world.team, 30)
    score(world.rivals, 10, minute=1)
    return world


def rows(browser: Browser) -> list[Any]:
    found: list[Any] = browser().get(API).json()["rows"]
    return found


def ranges(browser: Browser) -> list[Any]:
    return [row["rank_range"] for row in rows(browser)]


def intervals(browser: Browser) -> list[Any]:
    return [row["interval"] for row in rows(browser)]


def no_process(*_: object, **__: object) -> Any:
    raise AssertionError("nothing is missing")


# -- computed once, and stored


def test_statistics_computed_after_score(
    measured: World, make_controller: Callable[..., Any], browser: Browser
) -> None:
    assert (ranges(browser), intervals(browser)) == ([None, None], [None, None])
    stepped = make_controller()
    stepped.run_until(lambda: LeaderboardStatistics.objects.exclude(ranges={}).exists())
    assert ranges(browser) == [[1, 1], [2, 2]]
    assert [[round(end, 3) for end in interval] for interval in intervals(browser)] == [[0.971, 0.991], [0.93, 0.965]]


def test_statistics_same_everywhere(
    measured: World, browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compute_statistics(measured.challenge)
    api = rows(browser)
    assert json.loads(browser().get("/c/mednist/leaderboard.json").text)["rows"] == api
    for shown, row in zip(
        csv.DictReader(io.StringIO(browser().get("/c/mednist/leaderboard.csv").text)), api, strict=True
    ):
        assert [float(shown[name]) for name in ("interval_low", "interval_high")] == row["interval"]
        assert [int(shown[name]) for name in ("rank_first", "rank_last")] == row["rank_range"]
        assert float(shown["accuracy"]) == row["scores"]["accuracy"]
    page = browser().get("/c/mednist/leaderboard/").text
    assert re.findall(r'class="interval">(.*?)<', page) == [
        f"{low:.3f} – {high:.3f}" for low, high in intervals(browser)
    ]
    assert re.findall(r'class="rank">(.*?)<', page) == ["1", "2"]
    column = {"key": "accuracy", "title": "A", "descending": True, "precision": 3, "hidden": False}
    lock = {"leaderboard": {"title": "R", "primary": "accuracy", "columns": [column]}}
    runs = [
        write_run(tmp_path / str(wrong), wrong=range(wrong), scores={"accuracy": 1 - wrong / 600}, lock=lock)
        for wrong in (30, 10)
    ]
    capsys.readouterr()
    assert main(["leaderboard", *map(str, runs), "--json"]) == 0
    ranked = json.loads(capsys.readouterr().out)["ranked"]
    names = ("rank", "rank_range", "interval")
    assert [[run[name] for name in names] for run in ranked] == [[row[name] for name in names] for row in api]


def test_stored_statistics_reused(measured: World) -> None:
    compute_statistics(measured.challenge)
    stored, revision = LeaderboardStatistics.objects.get(), measured.challenge.leaderboard_revision
    compute_statistics(measured.challenge, no_process)
    assert LeaderboardStatistics.objects.get().computed == stored.computed
    assert measured.challenge.leaderboard_revision == revision


def test_new_attempt_adds_one_interval(measured: World) -> None:
    compute_statistics(measured.challenge)
    asked: list[tuple[str, list[str]]] = []

    def note(function: Callable[..., Any], runs: str, of: Mapping[str, float], *more: Any, **bounds: Any) -> Any:
        if function.__name__ in {"score_intervals", "rank_ranges"}:
            asked.append((function.__name__, [*of]))
        return call_bounded(function, runs, of, *more, **bounds)

    new = score(measured.team, 5, minute=2)
    (rival,) = Submission.objects.filter(team=measured.rivals)
    compute_statistics(measured.challenge, note)
    assert asked == [("score_intervals", [new.counted_id]), ("rank_ranges", [new.counted_id, rival.counted_id])]


def test_interval_after_withdrawal(measured: World, browser: Browser) -> None:
    best = score(measured.team, 5, minute=2)
    compute_statistics(measured.challenge)
    Submission.objects.filter(pk=best.pk).update(withdrawn=timezone.now())
    mark_changed(measured.challenge)
    assert ranges(browser) == [None, None]
    compute_statistics(measured.challenge)
    assert ranges(browser) == [[1, 1], [2, 2]]
    assert None not in intervals(browser)


# -- kinds of cases with numbers


def write_numbers(submission: Submission, rows: Mapping[str, tuple[float, float]]) -> None:
    """cases.csv with the columns dice and seconds of a submission's counted attempt."""
    folder = settings.FOLDERS.runs / str(submission.counted_id) / "scores"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{case},{dice},{seconds}" for case, (dice, seconds) in rows.items()]
    (folder / "cases.csv").write_text("\n".join(["case,dice,seconds", *lines]))


@pytest.mark.parametrize("primary", ["accuracy", "seconds"])  # of which lower is better
def test_means_of_several_columns(world: World, tmp_path: Path, browser: Browser, primary: str) -> None:
    policy = "  statistics: {cases: cases.csv, kind: mean, metrics: {accuracy: mean(dice), seconds: mean(seconds)}}\n"
    board = f"    primary_index: {['accuracy', 'seconds'].index(primary)}\n"
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio=policy, board=board))
    for minute, (team, dice, seconds) in enumerate(((world.team, 0.25, 8.0), (world.rivals, 0.75, 4.0))):
        team.challenge.refresh_from_db()
        submission = add_submission(team, scores=scores(dice, seconds), minute=minute)
        spread = [(place - 19.5) / 100 for place in range(40)]
        write_numbers(submission, {f"{place}": (dice + each, seconds + 4 * each) for place, each in enumerate(spread)})
    compute_statistics(world.challenge)
    found = rows(browser)
    assert [(row["team"], row["rank_range"]) for row in found] == [
        (world.rivals.name, [1, 1]),
        (world.team.name, [2, 2]),
    ]
    for row in found:
        assert row["interval"] == row["intervals"][primary]
        assert {*row["intervals"]} == {"accuracy", "seconds"}
        assert all(low < row["scores"][key] < high for key, (low, high) in row["intervals"].items())
    page = browser().get("/c/mednist/leaderboard/").text
    assert page.count('class="interval"') == 4
    assert "Intervals, 95 %: BCa bootstrap below 100 cases, percentile from 100." in page
    (first, _) = csv.DictReader(io.StringIO(browser().get("/c/mednist/leaderboard.csv").text))
    other = {"accuracy": "seconds", "seconds": "accuracy"}[primary]
    ends = [float(first[name]) for name in ("interval_low", "interval_high")]
    of_other = [float(first[f"interval_{end}_{other}"]) for end in ("low", "high")]
    assert (ends, of_other) == (found[0]["intervals"][primary], found[0]["intervals"][other])


# -- after a kill


def test_statistics_after_kill(measured: World, make_controller: Callable[..., Any], browser: Browser) -> None:
    stepped = make_controller()
    stepped.controller._statistics._start = lambda job: None  # as if it was killed before the child had finished
    for _ in range(3):
        stepped.controller.tick()
    assert ranges(browser) == [None, None]
    stepped.kill()
    stepped.run_until(lambda: LeaderboardStatistics.objects.exclude(ranges={}).exists())
    assert ranges(browser) == [[1, 1], [2, 2]]


def test_kill_between_intervals_and_ranges(measured: World, browser: Browser) -> None:
    class KilledError(BaseException):
        pass

    def killed_at(name: str) -> Callable[..., Any]:
        def call(function: Callable[..., Any], *given: Any, **bounds: Any) -> Any:
            if function.__name__ == name:
                raise KilledError
            return call_bounded(function, *given, **bounds)

        return call

    with pytest.raises(KilledError):
        compute_statistics(measured.challenge, killed_at("rank_ranges"))
    assert ranges(browser) == [None, None]
    assert None not in intervals(browser)
    compute_statistics(measured.challenge, killed_at("score_intervals"))  # which is not called again
    assert ranges(browser) == [[1, 1], [2, 2]]


# -- stale statistics are not shown


def test_new_score_hides_ranges_only(measured: World, browser: Browser) -> None:
    compute_statistics(measured.challenge)
    score(measured.team, 5, minute=2)
    assert ranges(browser) == [None, None]
    assert [row["interval"] is None for row in rows(browser)] == [True, False]


def test_changed_metric_hides_statistics(measured: World, browser: Browser, tmp_path: Path) -> None:
    compute_statistics(measured.challenge)
    use(measured, tmp_path / "other", metric="f1_macro")
    assert (ranges(browser), intervals(browser)) == ([None, None], [None, None])


def test_changed_score_hides_interval(measured: World, browser: Browser) -> None:
    compute_statistics(measured.challenge)
    stored = LeaderboardStatistics.objects.get()
    stored.intervals = {
        attempt: {key: {**each, "score": 0.123} for key, each in found.items()}
        for attempt, found in stored.intervals.items()
    }
    stored.save()
    mark_changed(measured.challenge)
    assert intervals(browser) == [None, None]


def test_hidden_primary_column_without_statistics(world: World, browser: Browser, tmp_path: Path) -> None:
    folder = write_leaderboard_bundle(tmp_path / "bundle", palio=POLICY.format(metric="accuracy"))
    text = (folder / "competition.yaml").read_text()
    (folder / "competition.yaml").write_text(
        text.replace("sorting: desc, precision: 3}", "sorting: desc, precision: 3, hidden: true}", 1)
    )
    publish(world.challenge, folder)
    world.team.challenge.refresh_from_db()
    score(world.team, 30)
    compute_statistics(world.challenge)
    assert not LeaderboardStatistics.objects.exists()
    assert intervals(browser) == [None]


# -- what goes wrong


def test_attempt_without_cases(measured: World, browser: Browser) -> None:
    third = add_submission(measured.team, scores=scores(0.99), wrong=None, minute=2)
    compute_statistics(measured.challenge)
    assert [row["interval"] is None for row in rows(browser)] == [True, False]
    stored = LeaderboardStatistics.objects.get()
    assert stored.intervals[third.counted_id]["accuracy"]["reason"] == "scores/cases.csv is missing"
    assert "single cases" in browser().get("/c/mednist/leaderboard/").text


def test_oversized_case_file(measured: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BOUNDS", replace(statistics.BOUNDS, memory_bytes=GIB))
    bad = score(measured.team, 5, minute=2).counted_id
    (cases,) = (settings.FOLDERS.runs / str(bad)).rglob("cases.csv")
    cases.write_bytes(b"file,truth,prediction\n" + b",,\n" * 12_000_000)  # small as a file, but not in memory
    compute_statistics(measured.challenge)
    assert [row["interval"] is None for row in rows(browser)] == [True, False]
    assert ranges(browser) == [None, None]
    stored = LeaderboardStatistics.objects.get()
    assert "exceeds the limits" in stored.intervals[bad]["accuracy"]["reason"]
    assert "exceeded the limits" not in stored.no_ranges  # it is not read again


def test_too_many_teams(measured: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MOST_RANGED", 1)
    compute_statistics(measured.challenge)
    assert ranges(browser) == [None, None]
    assert None not in intervals(browser)
    assert "Rank ranges are computed for up to 1 teams." in browser().get("/c/mednist/leaderboard/").text


def test_failed_computation_retried(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now, failures = [1000.0], []

    def call(*given: Any, **bounds: Any) -> Any:
        if now[0] < 1100:
            failures.append(now[0])
            raise RuntimeError("a child was killed")
        return call_bounded(*given, **bounds)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    update = StatisticsUpdate(settings.FOLDERS, start=lambda job: job(), call=call)
    for _ in range(100):
        update.look()
        now[0] += 1
    assert failures == [1000.0, 1060.0]
    now[0] += statistics.RETRY_S
    update.look()
    assert LeaderboardStatistics.objects.exclude(ranges={}).exists()


# -- beside the loop


def test_loop_starts_one_job(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "LOOK_S", 0.0)
    jobs: list[Callable[[], None]] = []
    update = StatisticsUpdate(settings.FOLDERS, start=jobs.append)
    update.look()
    update.look()
    assert len(jobs) == 1
    jobs.pop()()
    update.look()  # once more, as what was stored is a change
    jobs.pop()()
    update.look()
    assert jobs == []
    score(measured.team, 5, minute=2)
    update.look()
    assert len(jobs) == 1


@pytest.mark.django_db(transaction=True)
def test_thread_own_connection(small_bundle: Path, tmp_path: Path) -> None:
    from tests.web.world import make_world

    world = use(make_world(small_bundle), tmp_path / "bundle")
    score(world.team, 30)
    score(world.rivals, 10, minute=1)
    before = {*threading.enumerate()}
    StatisticsUpdate(settings.FOLDERS, start=in_thread).look()
    for thread in {*threading.enumerate()} - before:
        thread.join(60)
    assert LeaderboardStatistics.objects.exclude(ranges={}).exists()

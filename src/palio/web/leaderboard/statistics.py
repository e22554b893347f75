"""How certain a board is: intervals and ranges of ranks, from the single cases behind the scores that stand on it.

That takes seconds and numpy, so it is worked out apart: a board asks, a process of low priority answers into a file
(`python -m palio.web.leaderboard.statistics FILE`), and the next reader of the board finds it. Intervals are of
single attempts and are kept; ranges are of all that stand on the board, and are shown only for exactly those.

Not covered: ranges on boards of more than RANGED teams (RANGED_BY_REDRAWS where the metric is no mean over cases).
"""

import fcntl
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.quantities import GIB

RANGED, RANGED_BY_REDRAWS = 150, 25
_AGAIN_AFTER_S = 20.0
_CPU_S, _MEMORY_BYTES = 300, 4 * GIB  # of the process that answers, which reads what a scoring program has written

_asked: dict[Path, tuple[float, subprocess.Popen[bytes]]] = {}


@dataclass(frozen=True)
class Question:
    """What stands on a board, best first: attempts with their primary scores."""

    runs: Path
    policy: StatisticsPolicy
    primary: Column
    scores: Mapping[str, float]  # by the attempt's identity

    @property
    def about(self) -> str:
        """The same for the same attempts, scores and policy."""
        told = [asdict(self.policy), self.primary.key, self.primary.precision, [*self.scores.items()]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def policy_key(self) -> str:
        return json.dumps([asdict(self.policy), self.primary.key, self.primary.precision])


@dataclass(frozen=True)
class Answer:
    """By attempt. `ranges` is empty where `about` is not what stands on the board now."""

    about: str = ""
    policy_key: str = ""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    excuses: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    no_ranges: str = ""  # why there are none
    cases: int | None = None


def answer_file(folder: Path, challenge: str, phase: str) -> Path:
    name = hashlib.sha256(json.dumps([challenge, phase]).encode()).hexdigest()[:24]
    return folder / f"{name}.json"


def stamp(file: Path) -> int:
    """Changes whenever there is a new answer."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def find_answer(file: Path, question: Question) -> Answer:
    """What is known of it already; asks for the rest if there is any."""
    answer = _read(file)
    if answer.policy_key != question.policy_key:
        answer = Answer()
    if answer.about != question.about:
        ask(file, question)
        return Answer(policy_key=answer.policy_key, intervals=answer.intervals, excuses=answer.excuses)
    return answer


def ask(file: Path, question: Question) -> None:
    """Starts a process that answers, unless one was started for this board a moment ago."""
    for _, other in _asked.values():
        other.poll()  # so that no process that has ended is kept by the system for us
    last, process = _asked.get(file, (0.0, None))
    if process is not None and (process.poll() is None or time.monotonic() - last < _AGAIN_AFTER_S):
        return
    try:
        _write(file.with_suffix(".asked"), asdict(question))
        started = subprocess.Popen(
            [sys.executable, "-m", "palio.web.leaderboard.statistics", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return  # a full disk, too many processes: the board is shown without
    _asked[file] = (time.monotonic(), started)


def forget() -> None:
    """Ends whatever still answers, and everything that was asked: for tests, whose boards are all their own."""
    for _, process in _asked.values():
        process.kill()
        process.wait()
    _asked.clear()


def work_out(question: Question, known: Answer, *, with_ranges: bool = True) -> Answer:
    """The answer; intervals that are `known` already are taken from there."""
    from palio.core.leaderboard.from_runs import cases_behind
    from palio.core.statistics.cases import Answers, Cases
    from palio.core.statistics.comparisons import compare_all
    from palio.core.statistics.intervals import confusion_interval
    from palio.core.statistics.metrics import MEANS_OVER_CASES, confusion_matrix
    from palio.core.statistics.ranks import rank_ranges

    metric, policy = question.policy.metric, question.policy
    kept = known if known.policy_key == question.policy_key else Answer()
    most = RANGED if metric in MEANS_OVER_CASES else RANGED_BY_REDRAWS
    ranged = with_ranges and 1 < len(question.scores) <= most
    intervals, excuses, found = dict(kept.intervals), dict(kept.excuses), list[Cases | None]()
    for attempt, score in question.scores.items():
        if not ranged and (attempt in intervals or attempt in excuses):
            continue
        cases = cases_behind(question.runs / attempt, policy, question.primary, score)
        found.append(None if isinstance(cases, str) else cases)
        if isinstance(cases, str):
            excuses[attempt] = cases
        elif attempt not in intervals:
            own = Answers.of([cases])
            matrix = confusion_matrix(own.truth, own.predictions[0], len(own.classes))
            interval = confusion_interval(matrix, metric)
            intervals[attempt] = (interval.low, interval.high)
    here = question.scores.keys()
    answer = {
        "about": question.about,
        "policy_key": question.policy_key,
        "intervals": {attempt: ends for attempt, ends in intervals.items() if attempt in here},
        "excuses": {attempt: excuse for attempt, excuse in excuses.items() if attempt in here},
    }
    if not ranged:
        excuse = f"Rank ranges are worked out for up to {most} teams." if len(here) > most else ""
        return Answer(**answer, no_ranges=excuse)  # type: ignore[arg-type]
    places = [place for place, cases in enumerate(found) if cases is not None]
    if len(places) < 2:
        return Answer(**answer, no_ranges="There are no single cases to compare by.")  # type: ignore[arg-type]
    try:
        answers = Answers.of([cases for cases in found if cases is not None])
    except ValueError:
        excuse = "The submissions were not scored on the same cases, so that they cannot be compared."
        return Answer(**answer, no_ranges=excuse)  # type: ignore[arg-type]
    pairs = [_moved(pair, places) for pair in compare_all(answers, metric)]
    ranges = rank_ranges([*question.scores.values()], pairs)
    return Answer(
        **answer,  # type: ignore[arg-type]
        ranges=dict(zip(here, ranges, strict=True)),
        cases=len(answers.truth),
    )


def _moved(pair: Any, places: Sequence[int]) -> Any:
    from dataclasses import replace

    return replace(pair, a=places[pair.a], b=places[pair.b])


def _read(file: Path) -> Answer:
    try:
        content = json.loads(file.read_text())
        pairs = {name: {key: tuple(ends) for key, ends in content[name].items()} for name in ("intervals", "ranges")}
        return Answer(**content | pairs)
    except (OSError, ValueError, TypeError, KeyError):
        return Answer()


def _write(file: Path, content: Mapping[str, object]) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(json.dumps(content, default=str))
    part.replace(file)


def _question(file: Path) -> Question:
    content = json.loads(file.read_text())
    primary = content["primary"] | {"computation_keys": tuple(content["primary"]["computation_keys"])}
    return Question(Path(content["runs"]), StatisticsPolicy(**content["policy"]), Column(**primary), content["scores"])


def main(file: Path) -> None:
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    with file.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process is at it
        question = _question(file.with_suffix(".asked"))
        # Intervals first: they are quick, and whoever is killed at the ranges is not asked the same again.
        intervals = work_out(question, _read(file), with_ranges=False)
        _write(file, asdict(intervals))
        if len(question.scores) > 1:
            _write(file, asdict(work_out(question, intervals)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

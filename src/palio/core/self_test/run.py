"""Runs a bundle's scoring program on answers whose outcome is known, and on answers that are wrong in known ways.

The first answers are the bundle's own solution, if it has one, else the reference data. Many scoring programs want
predictions in another form than the reference data, so a refusal of those proves nothing unless the program cannot run
at all. From answers that were scored, wrong ones are made (`variations`).
"""

import os
import re
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from palio.core.attempt.renaming import renamed_and_restored
from palio.core.attempt.run_folder import RunFolder, Stage, new_identity
from palio.core.bundle.leaderboards import primary_of
from palio.core.bundle.model import Bundle, Phase, SubmissionKind
from palio.core.dockerfile.substitutes import NONE as NO_SUBSTITUTES
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.engine import Engine
from palio.core.errors import PalioError
from palio.core.evaluate import Attempt, Evaluation
from palio.core.quantities import duration_text, size_text
from palio.core.self_test.answers import Answers, zipped
from palio.core.self_test.growth import FACTORS, LONGEST_S, Tables, too_long, warning
from palio.core.self_test.scoring import Check, Running, Tried, refused
from palio.core.self_test.single_cases import check_cases
from palio.core.self_test.variations import Expected, Variation, variations
from palio.core.submission.kinds import read_submission

_WANTED = re.compile(r"/app/input/res/([^'\"\s]+)")
_QUOTED = re.compile(r"['\"`\[]([\w.-]+\.\w+)['\"`\]]")
# What no predictions can cause.
_OWN_FAULTS = re.compile(
    r"^(?:ModuleNotFoundError|ImportError|SyntaxError|IndentationError|TabError)\b"
    r"|^NameError: name '(?:basestring|raw_input|unicode|xrange)' "
    r"|^AttributeError: (?:module '|'dict' object has no attribute '(?:has_key|iter))"
    r"|No such file or directory: '/app/(?:input/ref|program)"
    r"|CalledProcessError: Command .*\bpip3?\W+install\b|^ERROR: No matching distribution found for"
    r"|Read-only file system: '",
    re.MULTILINE,
)
_AT_ONCE = 2  # scorings; a machine's tests must leave room for its work
_POLL_S = 0.02
_CONSTANT = (
    "the same scores as for all other predictions: the scoring program does not use them yet, or the first predictions "
    "have the lowest scores that there are; add a better sample submission under `solutions:`"
)
_ONE_AFTER_ANOTHER = (
    "the ingestion program ran before the scoring program, not beside it as on Codabench, so compare this score with "
    "one from there: programs that wait for each other give up"
)
FIRST = "the reference data as predictions"
_ASKED = frozenset({"score-exit", "scores-invalid", "scores-missing"})  # what unfit predictions may cause
_AGAIN: Mapping[str, Mapping[str, str]] = {
    "the same predictions again": {},
    "the same predictions with another hash seed": {"PYTHONHASHSEED": "1"},
    "the same predictions in another time zone and locale": {"TZ": "Pacific/Auckland", "LANG": "C", "LC_ALL": "C"},
}


def phases_to_test(bundle: Bundle) -> tuple[Phase, ...]:
    """The first of each group of phases that score in the same way."""
    found: dict[object, Phase] = {}
    for phase in bundle.phases:
        rules = phase.rules
        found.setdefault((phase.tasks, rules.score, rules.predict, rules.build, rules.blind, rules.submissions), phase)
    return tuple(found.values())


def run_self_test(
    bundle: Bundle,
    phase: Phase,
    engine: Engine,
    work: Path,
    substitutes: Substitutes = NO_SUBSTITUTES,
) -> Iterator[Check]:
    """Yields each check as it finishes. `work` is an empty folder that the caller removes."""
    for task in phase.tasks:
        folder = work / f"task-{task.index}"
        folder.mkdir()
        for check in _Tests(bundle, replace(phase, tasks=(task,)), engine, folder, substitutes).run():
            yield check if len(phase.tasks) == 1 else replace(check, name=f"{task.name}: {check.name}")


class _Tests:
    def __init__(self, bundle: Bundle, phase: Phase, engine: Engine, work: Path, substitutes: Substitutes) -> None:
        self._bundle, self._phase, self._engine, self._work = bundle, phase, engine, work
        self._substitutes = substitutes
        self._count = 0

    def run(self) -> Iterator[Check]:
        perfect: Tried | None = None
        failed = certain = False
        for name, path in self._solutions():
            shown = f"the bundle's own solution, {name}"
            if not _has_files(path):
                yield Check(shown, None, "does not exist or is empty, so it was not tested; put it there")
                continue
            tried = self._try(zipped(path, self._work / f"solution-{path.name}.zip"))
            perfect, certain = perfect or (tried if tried.scored else None), certain or tried.scored
            failed = failed or not tried.scored
            check = replace(tried.check(shown, passed=tried.scored), solution=name)
            if tried.scored and self._phase.tasks[0].ingestion_only_during_scoring:
                check = replace(check, passed=None, outcome=f"{check.outcome}; {_ONE_AFTER_ANOTHER}")
            yield check
        if perfect is None:
            perfect = yield from self._reference()
        if perfect is None:
            if failed:
                yield Check("correct answers are scored", False, "neither a solution nor the reference data was scored")
            return
        yield self._costs(perfect)
        answers = Answers.of(perfect.folder.predictions)
        yield from self._growth(perfect, answers)
        yield from self._same_again(perfect, answers)
        yield from self._through_opaque_names(perfect, answers)
        varied = [*variations(answers)]
        scored = [*self._each_scored((each.made_from(answers), None) for each in varied)]
        possible = [each for each, of in zip(scored, varied, strict=True) if of.expected is not Expected.WORSE]
        if cases := check_cases(self._bundle, self._phase, [perfect, *possible]):
            yield cases
        constant = _is_constant(perfect, varied, scored)
        for variation, again in zip(varied, scored, strict=True):
            check = self._varied(perfect, again, variation)
            if check.passed is False and constant and again.scored:
                check = replace(check, passed=None, outcome=_CONSTANT)
            if check.passed is False and variation.is_empty and not certain:
                yield replace(
                    check,
                    passed=None,
                    outcome="scored as high as the reference data, so predictions have another form here; add a sample "
                    "submission under `solutions:` to try the scoring",
                )
                return
            yield check

    def _solutions(self) -> Iterator[tuple[str, Path]]:
        task = self._phase.tasks[0]
        for solution in self._bundle.solutions:
            if task.index in solution.tasks:
                yield solution.path.relative_to(self._bundle.root).as_posix(), solution.path

    def _reference(self) -> Generator[Check, None, "Tried | None"]:
        """Yields a check, and returns what was scored."""
        reference = self._phase.tasks[0].reference_data
        name = FIRST
        if reference is None or not reference.exists():
            yield Check(name, None, "there is none; add a sample submission under `solutions:` to try the scoring")
            return None
        answers = Answers.read(reference, self._work / "reference")
        if other := self._named_as_restored(answers):
            answers, name = other, f"{name}, named {other.names[0]}"
        tried = self._score(answers)
        if not tried.scored and (other := self._renamed(answers, tried)):
            answers, name = other, f"{FIRST}, named {' and '.join(other.names)}"
            tried = self._score(answers)
        if tried.scored:
            yield tried.check(name, passed=True)
            return tried
        fault = tried.result.failure
        asked = fault is not None and fault.code in _ASKED | {"predictions-invalid"}
        if not asked or _OWN_FAULTS.search("\n".join(tried.log)):
            yield tried.check(name, passed=False)
        else:
            yield Check(
                name,
                None,
                "not accepted, so predictions have another form here; add a sample submission under `solutions:` to "
                "try the scoring",
                tried.log,
            )
        return None

    def _named_as_restored(self, answers: Answers) -> Answers | None:
        """A single file under the name that `blind` restores names in, unless it has that name."""
        blind = self._phase.rules.blind
        wanted = {restore.csv for restore in blind.restore if restore.csv} if blind else set()
        if len(wanted) == len(answers.names) == 1 and answers.names != [*wanted]:
            return answers.renamed(answers.names[0], *wanted)
        return None

    def _renamed(self, answers: Answers, tried: Tried) -> Answers | None:
        """The same answers under the name that the scoring program looked for, if its log tells."""
        files = [name for name in answers.names if not name.startswith(".")]
        if len(files) != 1:
            return None
        log, suffix = "\n".join(tried.log), Path(files[0]).suffix
        wanted = [name.rstrip(".,;:)") for name in _WANTED.findall(log)]
        wanted = wanted or [name for name in _QUOTED.findall(log) if Path(name).suffix == suffix and name not in files]
        return answers.renamed(files[0], wanted[-1]) if wanted and wanted[-1] not in files else None

    def _same_again(self, perfect: Tried, answers: Answers) -> Iterator[Check]:
        scored = self._each_scored((answers, environment) for environment in _AGAIN.values())
        for name, tried in zip(_AGAIN, scored, strict=True):
            same = tried.result.scores == perfect.result.scores
            yield Check(name, same, "the same scores" if same else f"different scores: {tried.outcome}", tried.log)

    def _through_opaque_names(self, perfect: Tried, answers: Answers) -> Iterator[Check]:
        """Whether the same predictions score as much when inputs have opaque names."""
        policy, task = self._phase.rules.blind, self._phase.tasks[0]
        if policy is None or task.input_data is None:
            return
        name = "the same predictions from a submission that sees opaque names"
        try:
            same = renamed_and_restored(answers.copied(self._work / "named"), task, policy, self._work / "restored")
        except PalioError as error:
            yield Check(name, False, f"{error.failure.message} ({error.failure.code})")
            return
        if same:
            yield Check(name, True, "the same predictions")
            return
        restored = self._score(Answers(self._work / "restored", {}))
        passed = restored.result.scores == perfect.result.scores
        yield Check(name, passed, "the same scores" if passed else f"names got lost: {restored.outcome}")

    def _varied(self, perfect: Tried, tried: Tried, variation: Variation) -> Check:
        failure = tried.result.failure
        if failure and failure.code == "predictions-invalid":
            return tried.check(variation.name, passed=variation.expected is not Expected.SAME)
        if failure and failure.code not in _ASKED:
            return tried.check(variation.name, passed=False)
        if failure:
            passed = None if variation.expected is not Expected.SAME else False
            advice = "better name the problem in problems.txt and exit with code 10, so that participants can fix it"
            return Check(variation.name, passed, f"{tried.outcome} For the organizer to fix; {advice}", tried.log)
        as_good = self._as_good(tried.result.scores or {}, perfect.result.scores or {})
        match variation.expected:
            case Expected.SAME if not as_good:
                return Check(variation.name, None, f"other scores: {tried.outcome}; does the order of rows count?")
            case Expected.WORSE if as_good:
                return Check(variation.name, False, f"scored as high as the right answers: {tried.outcome}")
        return tried.check(variation.name, passed=True)

    def _as_good(self, scores: Mapping[str, float], perfect: Mapping[str, float]) -> bool:
        primary = primary_of(self._bundle, self._phase)
        if primary.key not in scores or primary.key not in perfect:
            return False
        sign = 1 if primary.descending else -1
        return sign * scores[primary.key] >= sign * perfect[primary.key]

    def _costs(self, perfect: Tried) -> Check:
        record, limits = perfect.result.stages[Stage.SCORE], self._phase.rules.score
        parts = [f"{duration_text(record.wall_s or 0)} of {duration_text(limits.time_s)}"]
        if record.peak_memory_bytes:
            parts.append(f"{size_text(record.peak_memory_bytes)} of {size_text(limits.memory_bytes)}")
        high = (record.wall_s or 0) > limits.time_s / 2 or (record.peak_memory_bytes or 0) > limits.memory_bytes / 2
        return Check("time and memory of the scoring", None if high else True, ", ".join(parts))

    def _growth(self, perfect: Tried, answers: Answers) -> Iterator[Check]:
        """Time and memory at more rows, one run at a time, where the format of the files is known."""
        reference, limits = self._phase.tasks[0].reference_data, self._phase.rules.score
        if reference is None or not reference.exists():
            return
        tables = Tables.read(answers, Answers.read(reference, self._work / "growth-reference"))
        first = perfect.measured(1)
        if tables is None or first is None:
            return
        name, measured, ending = "time and memory at 1, 10 and 100 times the rows", [first], ""
        for factor in FACTORS:
            if too_long(measured):
                ending = f"{factor}x skipped, because {measured[-1].factor}x took {duration_text(measured[-1].wall_s)}"
                break
            predictions, expected = tables.repeated(factor)
            if predictions.size_bytes > self._phase.rules.predict.output_bytes:
                limit = size_text(self._phase.rules.predict.output_bytes)
                ending = f"{factor}x skipped: more than the {limit} that predictions may have"
                break
            folder = self._work / f"reference-{factor}"
            folder.mkdir()
            more = expected.copied(folder)
            tried = self._score(predictions, reference=more if reference.is_dir() else more / tables.expected.name)
            found = tried.measured(factor)
            if tried.stopped:
                shown = "; ".join([*map(str, measured), f"{factor}x: {tried.stopped}"])
                yield Check(
                    name, None, f"{shown}; look for a loop over all pairs of cases, or raise the limit", tried.log
                )
                return
            if found is None:
                ending = f"{factor}x not accepted, so the scoring wants just these cases"
                break
            measured.append(found)
        note = warning(measured, limits)
        yield Check(name, None if note else True, "; ".join(filter(None, [*map(str, measured), ending, note])))

    def _each_scored(self, wanted: Iterable[tuple[Answers, Mapping[str, str] | None]]) -> Iterator[Tried]:
        """Scores each, in order, as many at a time as the engine and this machine allow."""
        at_once = min(_AT_ONCE, os.cpu_count() or 1) if self._engine.runs_in_parallel else 1
        waiting, running = iter(wanted), deque[Running]()
        try:
            while True:
                while len(running) < at_once and (more := next(waiting, None)):
                    running.append(self._begun(self._packed(more[0]), SubmissionKind.RESULTS, more[1]))
                if not running:
                    return
                while not running[0].over:
                    time.sleep(_POLL_S)
                    for each in running:
                        each.step()
                yield running.popleft().tried
        finally:
            for each in running:
                each.cancel()

    def _packed(self, answers: Answers) -> Path:
        self._count += 1
        return answers.pack(self._work / f"answers-{self._count}.zip")

    def _score(self, answers: Answers, *, reference: Path | None = None) -> Tried:
        return self._try(self._packed(answers), SubmissionKind.RESULTS, reference)

    def _try(self, path: Path, kind: SubmissionKind | None = None, reference: Path | None = None) -> Tried:
        running = self._begun(path, kind, None, reference)
        try:
            while not running.over:
                time.sleep(_POLL_S)
                running.step()
        finally:
            running.cancel()  # does nothing once it is over
        return running.tried

    def _begun(
        self,
        path: Path,
        kind: SubmissionKind | None,
        environment: Mapping[str, str] | None,
        reference: Path | None = None,
    ) -> "Running":
        """Starts an evaluation. With `reference`, with other reference data than the task's, and in bounded time."""
        self._count += 1
        identity = new_identity()
        folder = RunFolder.create(self._work / f"run-{self._count}", identity)
        try:
            submission = read_submission(path, kind, accepted=self._phase.rules.submissions)
        except PalioError as error:
            return Running(folder, None, refused(error))
        task, phase = self._phase.tasks[0], self._phase
        if reference is not None:
            task = replace(task, reference_data=reference)
            score = replace(phase.rules.score, time_s=min(phase.rules.score.time_s, LONGEST_S))
            phase = replace(phase, tasks=(task,), rules=replace(phase.rules, score=score))
        attempt = Attempt(identity, submission, self._bundle, phase, task, label=path.name)
        attempt = replace(attempt, scoring_environment=environment or {})
        evaluation = Evaluation(attempt, self._engine, folder, any_kind=True, substitutes=self._substitutes)
        return Running(folder, evaluation)


def _is_constant(perfect: Tried, variations: Sequence[Variation], tried: Sequence[Tried]) -> bool:
    """Whether all that was scored has the scores of the right answers, whatever it says."""
    scores = [
        each.result.scores
        for variation, each in zip(variations, tried, strict=True)
        if each.scored and variation.expected is not Expected.SAME
    ]
    return len(scores) > 1 and all(each == perfect.result.scores for each in scores)


def _has_files(path: Path) -> bool:
    return path.is_file() or any(each.is_file() for each in path.rglob("*"))

"""What a participant may read: by policy, without what is hidden; every byte of it is looked through."""

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bundles import DOCKERFILE, YAML, answers, write_bundle
from tests.fakes import FakeEngine, ended

from palio.core.attempt.run_folder import RunFolder, Stage
from palio.core.bundle.model import LogPolicy
from palio.core.bundle.read import read_bundle
from palio.core.engine import End, Job, JobResult
from palio.core.errors import FAILURES
from palio.core.evaluate import Attempt, Evaluation
from palio.core.redaction.failure import texts
from palio.core.redaction.participant_view import END_ONLY, visible_log
from palio.core.submission.kinds import read_submission

Program = Callable[[Job, Path], JobResult | None]
TRUTH = {"scan-901.txt": "malignant", "scan-902.txt": "benign", "scan-903.txt": "malignant"}
LOG = "".join(f"step {number}\n" for number in range(100))
OPAQUE = re.compile(r"[0-9a-f]{32}")


def predict(job: Job, output: Path) -> None:
    """Knows nothing, prints what it sees."""
    names = sorted(path.name for path in job.mounts[0].source.iterdir())
    job.log.write_text(LOG + "\n".join(names) + "\n")
    (output / "answers.csv").write_text(answers(dict.fromkeys(names, "unsure")))


def score(job: Job, output: Path) -> None:
    job.log.write_text(json.dumps(TRUTH))
    (output / "scores.json").write_text(json.dumps({"accuracy": 0.5} | TRUTH))


def scoring(problems: str = "", *, exit_code: int = 10, end: End = End.EXITED) -> Program:
    """A scoring program that prints all labels, and says that the predictions are at fault."""

    def program(job: Job, output: Path) -> JobResult:
        job.log.write_text(json.dumps(TRUTH))
        if problems:
            (output / "problems.txt").write_text(problems)
        return ended(end, exit_code, detail=f"cannot mount {job.mounts[1].source} for {TRUTH}")

    return program


class ParticipantView:
    """A challenge with distinctive hidden names and labels, a fake engine, and who reads participant/ afterwards."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bundle = write_bundle(home / "bundle")
        for stale in (self.bundle / "input_data").iterdir():
            stale.unlink()
        for name in TRUTH:
            (self.bundle / "input_data" / name).write_text("pixels")
        (self.bundle / "reference_data/answers.csv").write_text(answers(TRUTH))
        self.submission = home / "s.zip"
        with zipfile.ZipFile(self.submission, "w") as archive:
            archive.writestr("Dockerfile", DOCKERFILE)
        self.engine = FakeEngine(home / "engine", {"predict": predict, "score": score}, build_log="built\n")
        self.run = home / "run"

    def ask(self, more: str = "", *, blind: bool = True) -> None:
        yaml = YAML if blind else YAML.replace("  blind:", "  #")
        (self.bundle / "competition.yaml").write_text(yaml + more)

    def evaluate(self, **programs: Program) -> dict[str, object]:
        self.engine.programs = {**self.engine.programs, **programs}
        bundle, submission = read_bundle(self.bundle), read_submission(self.submission)
        attempt = Attempt("0a0b", submission, bundle, bundle.phases[0], bundle.tasks[0], "team")
        Evaluation(attempt, self.engine, RunFolder.create(self.run, "0a0b")).finish()
        return dict(json.loads((self.run / "participant/result.json").read_text()))

    def failure(self, **programs: Program) -> dict[str, object]:
        failure = self.evaluate(**programs)["failure"]
        assert isinstance(failure, dict)
        return failure

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted((self.run / "participant").iterdir())}

    def leaks(self) -> list[str]:
        """Hidden names, stems and labels, and paths of this machine, in all that a participant may read."""
        secrets = {*TRUTH, *TRUTH.values(), *(name.removesuffix(".txt") for name in TRUTH), str(self.home)}
        return [f"{secret} in {name}" for name, text in self.files().items() for secret in secrets if secret in text]


@pytest.fixture
def view(tmp_path: Path) -> ParticipantView:
    return ParticipantView(tmp_path)


def test_view_of_a_scored_attempt(view: ParticipantView) -> None:
    result = view.evaluate()
    stages = result.pop("stages")
    assert isinstance(stages, dict)
    own = ["started", "finished", "wall_s", "end", "exit_code", "peak_memory_bytes", "peak_pids", "cpu_s"]
    assert {name: list(record) for name, record in stages.items()} == {"build": own, "predict": own, "score": own[:4]}
    complete = json.loads((view.run / "result.json").read_text())
    times = {name: complete[name] for name in ("started", "finished")}
    assert result == {"verdict": "scored", "scores": {"accuracy": 0.5}, "failure": None, **times}
    assert list(view.files()) == ["build.log", "result.json"]
    assert view.files()["build.log"] == "built\n"
    assert view.leaks() == []


# -- logs


@pytest.mark.parametrize("policy", ["none", "tail", "full"])
def test_view_of_a_predict_log(view: ParticipantView, policy: str) -> None:
    view.ask(f"  logs: {{predict: {policy}}}\n")

    def program(job: Job, output: Path) -> JobResult:
        job.log.write_text(LOG)
        return ended(exit_code=3)

    failure = view.failure(predict=program)
    steps = [f"step {number}" for number in range(100)]
    shown = {
        "none": None,
        "tail": "\n".join([END_ONLY, *steps[-20:], ""]),
        "full": LOG,
    }[policy]
    assert view.files().get("predict.log") == shown
    assert failure["log"] == ([] if policy == "none" else steps[-12:])
    assert failure["code"] == "predict-exit"
    assert json.loads((view.run / "result.json").read_text())["failure"]["log"] == steps[-12:]


@pytest.mark.parametrize(
    ("policy", "log", "shown"),
    [
        (LogPolicy.ORGANIZER, "a\n", None),
        (LogPolicy.NONE, "a\n", None),
        (LogPolicy.TAIL, "", ""),
        (LogPolicy.TAIL, "a\nb\n", "a\nb\n"),
        (LogPolicy.TAIL, "ä" * 5000, END_ONLY + "\n" + "ä" * 2048),
        (LogPolicy.FULL, "at /mnt/in\x1b[2J", "at /mnt/in␛[2J"),
        (LogPolicy.FULL, None, None),
    ],
)
def test_visible_log(view: ParticipantView, policy: LogPolicy, log: str | None, shown: str | None) -> None:
    folder = RunFolder.create(view.run, "0a0b")
    if log is not None:
        folder.log(Stage.PREDICT).write_text(log)
    rules = replace(read_bundle(view.bundle).phases[0].rules, logs_predict=policy)
    assert visible_log(folder, Stage.PREDICT, rules) == shown


def test_visible_log_not_a_file(view: ParticipantView) -> None:
    folder = RunFolder.create(view.run, "0a0b")
    folder.log(Stage.BUILD).symlink_to("/etc/passwd")
    assert visible_log(folder, Stage.BUILD, read_bundle(view.bundle).phases[0].rules) is None


def test_visible_log_names_no_host_path(view: ParticipantView) -> None:
    def program(job: Job, output: Path) -> JobResult:
        job.log.write_text(f"overlay {job.mounts[0].source} {view.bundle}/input_data/scan-901.txt\n")
        return ended(exit_code=1)

    view.ask("  logs: {predict: full}\n")
    view.failure(predict=program)
    assert view.files()["predict.log"] == "overlay … …\n"
    assert view.leaks() == []


def test_visible_log_of_scoring_if_shown(view: ParticipantView) -> None:
    view.ask("  data: public\n  logs: {score: full}\n")
    view.evaluate()
    rules = read_bundle(view.bundle).phases[0].rules
    assert visible_log(RunFolder(view.run), Stage.SCORE, rules) == view.files()["score.log"] == json.dumps(TRUTH)


# -- failures that are not the participant's


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (scoring(exit_code=1), "score-exit"),
        (scoring(end=End.NOT_STARTED), "score-not-started"),
        (scoring(exit_code=0), "scores-missing"),
    ],
)
def test_view_of_an_organizers_failure(view: ParticipantView, program: Program, code: str) -> None:
    failure = view.failure(score=program)
    assert (failure["code"], failure["message"]) == (code, texts(FAILURES[code], "score")[0])
    assert (failure["evidence"], failure["log"]) == ([], [])
    assert sorted(view.files()) == ["build.log", "result.json"]
    assert view.leaks() == []


def test_view_of_scoring_image_build_failure(view: ParticipantView) -> None:
    """Its log stays the organizer's even where they let participants read the scoring program's."""
    view.ask("  logs: {score: full}\n")
    view.submission = view.home / "mine.csv"
    view.submission.write_text(answers(TRUTH))
    view.engine.build_log, view.engine.build_result = "the labels", ended(exit_code=1, detail="RUN cat labels")
    assert view.failure()["code"] == "score-image-failed"
    assert visible_log(RunFolder(view.run), Stage.SCORE, read_bundle(view.bundle).phases[0].rules) is None
    assert sorted(view.files()) == ["result.json"]
    assert view.leaks() == []


def test_view_of_scores_that_name_labels(view: ParticipantView) -> None:
    def program(job: Job, output: Path) -> None:
        (output / "scores.json").write_text(json.dumps({"accuracy": "malignant"} | TRUTH))

    assert view.failure(score=program)["code"] == "scores-invalid"
    assert "malignant" in (view.run / "result.json").read_text()
    assert view.leaks() == []


def test_view_of_engine_text_with_host_paths(view: ParticipantView) -> None:
    def program(job: Job, output: Path) -> JobResult:
        return ended(End.NOT_STARTED, 127, detail=f'error mounting "{job.mounts[0].source}": no space')

    assert (
        view.failure(predict=program)["message"] == 'The container could not be started: error mounting "…": no space.'
    )
    assert view.leaks() == []


# -- what the scoring program says of the predictions


PROBLEMS = "".join(f"{name}: expected {label}, got unsure\n" for name, label in TRUTH.items())


def test_view_of_predictions_refused_blind(view: ParticipantView) -> None:
    """Hidden files have the names that the container saw, and labels are masked."""
    view.ask("  logs: {predict: full}\n")
    failure = view.failure(score=scoring(PROBLEMS))
    evidence = failure["evidence"]
    assert isinstance(evidence, list)
    opaque = [OPAQUE.match(line) for line in evidence]
    assert all(match and match[0] in view.files()["predict.log"] for match in opaque)
    assert [OPAQUE.sub("X", line) for line in evidence] == ["X.txt: expected …, got unsure"] * 3
    assert len({match[0] for match in opaque if match}) == 3


def test_view_without_labels(view: ParticipantView) -> None:
    view.ask("  logs: {predict: full}\n")
    everything = (view.bundle / "reference_data/answers.csv").read_text() + PROBLEMS + json.dumps(TRUTH)
    assert view.failure(score=scoring(everything))["code"] == "predictions-invalid"
    assert "malignant" in (view.run / "result.json").read_text()
    assert view.leaks() == []


def test_view_of_predictions_refused_not_blind(view: ParticipantView) -> None:
    view.ask(blind=False)
    assert view.failure(score=scoring(PROBLEMS))["evidence"] == [
        f"(hidden file {number}): expected …, got unsure" for number in (1, 2, 3)
    ]
    assert view.leaks() == []


def test_view_of_predictions_refused_public_not_blind(view: ParticipantView) -> None:
    view.ask("  data: public\n", blind=False)
    assert view.failure(score=scoring(PROBLEMS))["evidence"] == PROBLEMS.splitlines()


def test_view_of_submitted_predictions(view: ParticipantView) -> None:
    """Names that the participant wrote stay; others and labels do not."""
    view.submission = view.home / "mine.csv"
    view.submission.write_text("file,answer\nscan-901.txt,unsure\n")
    told = view.failure(score=scoring("scan-901.txt is malignant.\nscan-902.txt is missing (line 3).\n"))["evidence"]
    assert told == ["scan-901.txt is ….", "(hidden file 1) is missing (line 3)."]


def test_view_does_not_confirm_a_guess(view: ParticipantView) -> None:
    """A real name that the submission wrote itself is not told as the opaque name of its file."""

    def guess(job: Job, output: Path) -> None:
        names = sorted(path.name for path in job.mounts[0].source.iterdir())
        (output / "answers.csv").write_text(answers(dict.fromkeys(names, "scan-901.txt")))

    said = "'scan-901.txt' is no answer (line 2)\nscan-902.txt\n"
    told = view.failure(predict=guess, score=scoring(said))["evidence"]
    assert isinstance(told, list)
    assert [OPAQUE.sub("X", line) for line in told] == ["'(a hidden file)' is no answer (line …)", "X.txt"]


def test_view_of_unsearchable_sentences(view: ParticipantView) -> None:
    (view.bundle / "reference_data/more.txt").write_bytes(bytes(17 << 20))
    told = view.failure(score=scoring("scan-901.txt is malignant.\n3 rows are missing.\n"))["evidence"]
    assert told == ["(This message names hidden files. Only the organizer can read it.)", "3 rows are missing."]


def test_view_of_names_written_by_submission(view: ParticipantView) -> None:
    """Where no log may be read, a submission cannot say much by its files' names either."""

    def program(job: Job, output: Path) -> None:
        for number in range(9):
            (output / f"{number}{'x' * 200}").symlink_to("y")

    assert view.failure(predict=program)["evidence"] == [f"{number}{'x' * 78}…" for number in range(3)]


# -- public cases


@pytest.fixture
def sampled(view: ParticipantView) -> ParticipantView:
    view.ask("  sample: {input: sample_data, expect: sample_expected}\n")
    for name, content in {
        "sample_data/four.txt": "pixels",
        "sample_expected/a.csv": "file,answer\nfour.txt,x\n",
    }.items():
        (view.bundle / name).parent.mkdir()
        (view.bundle / name).write_text(content)
    return view


def public(*, exit_code: int, problems: str = "") -> Program:
    def program(job: Job, output: Path) -> JobResult:
        job.log.write_text("four.txt is x\n")
        if problems:
            (output / "problems.txt").write_text(problems)
        return ended(exit_code=exit_code)

    return program


def test_view_of_public_cases_refused(sampled: ParticipantView) -> None:
    program = public(exit_code=10, problems="four.txt: expected x, got unsure\n")
    failure = sampled.failure(sample=predict, **{"sample-score": program})
    assert (failure["charged"], failure["evidence"]) == (False, ["four.txt: expected x, got unsure"])
    assert list(sampled.files()) == ["build.log", "result.json", "sample-score.log", "sample.log"]
    assert sampled.files()["sample-score.log"] == "four.txt is x\n"


def test_view_of_public_cases_unscored(sampled: ParticipantView) -> None:
    failure = sampled.failure(sample=predict, **{"sample-score": public(exit_code=1)})
    assert (failure["code"], failure["evidence"], failure["log"]) == ("score-exit", [], ["four.txt is x"])


def test_view_of_an_attempt_that_was_cancelled(view: ParticipantView) -> None:
    bundle, submission = read_bundle(view.bundle), read_submission(view.submission)
    attempt = Attempt("0a0b", submission, bundle, bundle.phases[0], bundle.tasks[0], "team")
    evaluation = Evaluation(attempt, view.engine, RunFolder.create(view.run, "0a0b"))
    evaluation.step()
    evaluation.cancel()
    assert json.loads(view.files()["result.json"])["verdict"] == "cancelled"


def test_view_of_organizer_archive_invalid(view: ParticipantView) -> None:
    """Its entries have the names of hidden files; and it is not the participant's to mend."""
    yaml = view.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("input_data: input_data", "input_data: input_data.zip"))
    with zipfile.ZipFile(view.bundle / "input_data.zip", "w") as archive:
        archive.writestr("../scan-901.txt", "pixels")
    failure = view.failure()
    assert (failure["code"], failure["cause"], failure["charged"]) == ("folder-unreadable", "organizer", False)
    assert "scan-901.txt" in (view.run / "result.json").read_text()
    assert view.leaks() == []

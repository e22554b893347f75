"""An attempt whose process is killed, at every moment there is, and gone on with by another."""

import errno
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.bundles import ANSWERS, DOCKERFILE, PREDICT, answers, two_tasks, write_bundle
from tests.errors import code_of
from tests.fakes import LastingEngine, ended, killed_at

from palio.core.attempt.progress import Progress
from palio.core.attempt.run_folder import RunFolder, Stage, Verdict
from palio.core.bundle.read import read_bundle
from palio.core.engine import Job, JobResult, Work
from palio.core.errors import PalioError
from palio.core.evaluate import Attempt, Evaluation
from palio.core.receipt.reading import read_receipt
from palio.core.receipt.verify import verify_receipt
from palio.core.submission.kinds import read_submission

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def predict(job: Job, output: Path) -> None:
    """Finds the same files under the same names in whatever process."""
    yes_or_no = {
        path.name: "yes" if path.read_text()[0] in "aeiou" else "no" for path in job.mounts[0].source.iterdir()
    }
    (output / "answers.csv").write_text(answers(yes_or_no))


def score(job: Job, output: Path) -> None:
    program, reference, results = (mount.source for mount in (*job.copies, *job.mounts))
    assert (program / "score.py").is_file()
    truth, given = (sorted((folder / "answers.csv").read_text().split()) for folder in (reference, results))
    (output / "scores.json").write_text(json.dumps({"accuracy": float(truth == given)}))
    (output / "detailed_results.html").write_text("<p>3 right</p>")


def fail(job: Job, output: Path) -> JobResult:
    (output / "half").write_text("")
    return ended(exit_code=3)


def link(job: Job, output: Path) -> None:
    (output / "answers.csv").symlink_to("/etc/passwd")


TASKS = {
    "sample-0": predict,
    "sample-score-0": score,
    **{f"predict-{number}": predict for number in (0, 1)},
    **{f"score-{number}": score for number in (0, 1)},
}
GOOD = {"sample": predict, "sample-score": score, "predict": predict, "score": score}


class Ground:
    """A challenge with a public case, a submission, and an engine that outlives processes."""

    def __init__(self, home: Path, programs: Mapping[str, Callable[[Job, Path], JobResult | None]] = GOOD) -> None:
        self.home, self.programs = home, programs
        bundle = write_bundle(home / "bundle")
        yaml = bundle / "competition.yaml"
        yaml.write_text(yaml.read_text() + "  sample: {input: sample.zip, expect: sample_expected}\n")
        with zipfile.ZipFile(bundle / "sample.zip", "w") as archive:
            archive.writestr("four.txt", "plum")
        (bundle / "sample_expected").mkdir()
        (bundle / "sample_expected/answers.csv").write_text(answers({"four.txt": "no"}))
        self.bundle = read_bundle(bundle)
        self.submission = home / "s.zip"
        with zipfile.ZipFile(self.submission, "w") as archive:
            archive.writestr("Dockerfile", DOCKERFILE)
            archive.writestr("predict.py", PREDICT)

    def submit_results(self) -> None:
        self.submission = self.home / "mine.zip"
        with zipfile.ZipFile(self.submission, "w") as archive:
            archive.writestr("answers.csv", answers(dict(sorted(ANSWERS.items()))))

    def engine(self, run: str) -> LastingEngine:
        return LastingEngine(self.home / f"{run}-engine", self.programs, build_log="Step 1/1\n")

    def evaluation(self, run: str, identity: str = "0a0b") -> Evaluation:
        attempt = Attempt(
            identity,
            read_submission(self.submission),
            self.bundle,
            self.bundle.phases[0],
            self.bundle.tasks[0],
            "team",
        )
        return Evaluation(attempt, self.engine(run), RunFolder.open(self.home / run), key=KEY)

    def finish(self, run: str) -> Evaluation:
        evaluation = self.evaluation(run)
        while evaluation.step():
            pass
        return evaluation

    def folder(self, run: str) -> dict[str, Any]:
        """All that the run folder holds, without times and what has times in it."""
        root = self.home / run
        files: dict[str, Any] = {
            path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()
        }
        for name in ("files.json", "receipt.json"):
            files.pop(name)
        for name in [name for name in files if name.endswith("result.json")]:
            files[name] = json.loads(files[name])
            for timed in (files[name], *files[name]["stages"].values()):
                for time in ("started", "finished", "wall_s"):
                    timed.pop(time, None)
        files["config.json"] = json.loads(files["config.json"]) | {"created": "some time"}
        return files


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def check(ground: Ground, run: str, whole: Mapping[str, Any]) -> None:
    """It ended as if nobody had been killed: the same files, no job twice, nothing left over, a genuine receipt."""
    assert ground.folder(run) == whole
    engine = ground.engine(run)
    jobs = [name for name in engine.ran if not name.endswith(("build", "image"))]
    assert len(jobs) == len(set(jobs)), engine.ran
    assert engine.left == []
    assert [path.name for path in (ground.home / run).iterdir() if path.name.startswith(".")] == []
    verification = verify_receipt(read_receipt(ground.home / run))
    assert (verification.differences, verification.missing) == ((), ())


@pytest.mark.parametrize(
    ("programs", "first"),  # what fails is the same story up to there
    [
        pytest.param(GOOD, 1, id="scored"),
        pytest.param(GOOD | {"predict": fail}, 115, id="predict-exit"),
        pytest.param(GOOD | {"predict": link}, 115, id="output-refused"),
        pytest.param(GOOD | {"sample-score": fail}, 100, id="sample-fails"),
    ],
)
def test_killed_at_every_moment(tmp_path: Path, programs: Mapping[str, Any], first: int) -> None:
    ground = Ground(tmp_path, programs)
    ground.finish("whole")
    whole, moment = ground.folder("whole"), first
    while killed_at(moment, lambda: ground.finish(f"run{moment}")):  # noqa: B023
        ground.finish(f"run{moment}")
        check(ground, f"run{moment}", whole)
        moment += 1
    assert moment > first + 20


def test_results_killed_at_every_moment(ground: Ground) -> None:
    ground.submit_results()
    ground.finish("whole")
    whole, moment = ground.folder("whole"), 1
    while killed_at(moment, lambda: ground.finish(f"run{moment}")):  # noqa: B023
        ground.finish(f"run{moment}")
        check(ground, f"run{moment}", whole)
        moment += 1
    assert moment > 40


def test_full_disk_after_job_start(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    note_start = Progress.note_start

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def note(progress: Progress, work: Work) -> None:
        if work.name.endswith("-predict"):
            monkeypatch.setattr(RunFolder, "write_json", full)
            full()
        note_start(progress, work)

    monkeypatch.setattr(Progress, "note_start", note)
    ended = ground.finish("run")
    assert (ended.result.verdict, ended.result.failure and ended.result.failure.code) == (Verdict.FAILED, "disk-full")
    monkeypatch.undo()
    assert ground.finish("run").result.verdict is Verdict.SCORED  # in another process, as this one was killed
    ground.finish("whole")
    check(ground, "run", ground.folder("whole"))


def test_several_tasks_killed_at_many_moments(tmp_path: Path) -> None:
    ground = Ground(tmp_path, TASKS)
    yaml = ground.bundle.root / "competition.yaml"
    yaml.write_text(two_tasks(yaml.read_text()))
    ground.bundle = read_bundle(yaml.parent)
    whole_run = ground.finish("whole")
    assert whole_run.result.scores == {"accuracy": 1.0, "accuracy@0": 1.0, "accuracy@1": 1.0}
    whole, moment = ground.folder("whole"), 1
    while killed_at(moment, lambda: ground.finish(f"run{moment}")):  # noqa: B023
        ground.finish(f"run{moment}")
        check(ground, f"run{moment}", whole)
        moment += 7
    assert moment > 200


def test_killed_again_and_again(ground: Ground) -> None:
    ground.finish("whole")
    whole, chance = ground.folder("whole"), random.Random(7)
    for number in range(6):
        run, times = f"run{number}", 0
        while killed_at(chance.randrange(1, 60), lambda: ground.finish(run)):  # noqa: B023
            times += 1
        assert times >= 1
        ground.finish(run)  # which finds the verdict
        check(ground, run, whole)


def test_resumed_stage_times(ground: Ground) -> None:
    ground.finish("whole")
    moments = {}
    for moment in (130, 150):
        assert killed_at(moment, lambda: ground.finish(f"run{moment}"))  # noqa: B023
        before = ground.evaluation(f"run{moment}").result
        after = ground.finish(f"run{moment}").result
        assert after.started == before.started
        ended = {stage: record for stage, record in before.stages.items() if record.finished}
        assert {stage: after.stages[stage] for stage in ended} == ended
        assert {stage: after.stages[stage].started for stage in before.stages} == {
            stage: record.started for stage, record in before.stages.items()
        }
        moments[moment] = len(ended)
    assert moments[150] >= 2


def test_dropped_evaluation_keeps_job(ground: Ground) -> None:
    evaluation = ground.evaluation("run")
    while evaluation.stage is not Stage.PREDICT:
        evaluation.step()
    evaluation.step()
    del evaluation
    assert ground.finish("run").result.verdict is Verdict.SCORED
    assert ground.engine("run").ran.count("predict") == 1


def test_finished_attempt_cleaned_up(ground: Ground) -> None:
    """Killed at the first change after the verdict."""
    whole = ground.finish("whole").result
    moment = 1
    while killed_at(moment, lambda: ground.finish(f"run{moment}")):  # noqa: B023
        if RunFolder(ground.home / f"run{moment}").has("receipt.json"):
            result = ground.evaluation(f"run{moment}").result
            if result.verdict:
                break
        moment += 10
    assert ground.engine(f"run{moment}").left != []
    evaluation = ground.evaluation(f"run{moment}")
    assert not evaluation.step()
    assert evaluation.result == result
    assert (result.verdict, result.scores, list(result.stages)) == (whole.verdict, whole.scores, list(whole.stages))
    assert ground.engine(f"run{moment}").left == []
    assert not evaluation.folder.work.exists()


@pytest.mark.parametrize("moment", [5, 60, 120, 140])
def test_cancelled_attempt_cleaned_up(ground: Ground, moment: int) -> None:
    assert killed_at(moment, lambda: ground.finish("run"))
    evaluation = ground.evaluation("run")
    if moment == 120:
        assert evaluation.step()
    evaluation.cancel()
    assert not evaluation.step()
    assert ground.evaluation("run").result.verdict is Verdict.CANCELLED
    assert ground.engine("run").left == []
    assert not evaluation.folder.work.exists()


def test_failure_round_trip(tmp_path: Path) -> None:
    ground = Ground(tmp_path, GOOD | {"predict": fail})
    result = ground.finish("run").result
    assert result.failure is not None
    assert ground.evaluation("run").result == result


def test_missing_job_engine_fault(ground: Ground) -> None:
    evaluation = ground.evaluation("run")
    while evaluation.stage is not Stage.PREDICT:
        evaluation.step()
    evaluation.step()
    for record in ground.engine("run").folder.glob("*-predict.result"):
        record.unlink()
    result = ground.finish("run").result
    assert (result.verdict, result.failure and result.failure.code) == (Verdict.FAILED, "engine-fault")
    assert ground.engine("run").ran.count("predict") == 1


def test_failed_removal_retried(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise PalioError("engine-fault", engine="fake", action="removing", reason="it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(LastingEngine, "remove", gone)
        evaluation = ground.finish("run")
    assert (evaluation.result.verdict, evaluation.folder.work.exists()) == (Verdict.SCORED, True)
    assert ground.engine("run").left != []
    assert ground.finish("run").result == evaluation.result
    assert (ground.engine("run").left, evaluation.folder.work.exists()) == ([], False)


def test_folder_of_other_attempt(ground: Ground) -> None:
    ground.finish("run")
    assert code_of(lambda: ground.evaluation("run", "0c0d")) == "target-not-empty"
    ground.submit_results()
    assert code_of(lambda: ground.evaluation("run")) == "target-not-empty"

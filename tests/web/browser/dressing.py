"""What programs of MedNIST really write, for pictures of the pages that show it: logs, and the report of one that
is scored.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from tests.run_folders import CASES, CLASSES
from tests.web.browser.places import MEDNIST, Platform

from palio.web.models import Challenge, ControllerBeat, Submission

_BUILD = """\
Step 1/8 : ARG BASE=projectmonai/monai:latest
Step 2/8 : FROM ${BASE}
 ---> 9b56e8dff588
Step 3/8 : ENV USER=mednist
 ---> 35b231e5322b
Step 4/8 : ENV OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE
 ---> 467cb4c8065b
Step 5/8 : WORKDIR /opt/mednist/docker_code_inference
 ---> b6377b3d513a
Step 6/8 : COPY docker_code_inference/inference_on_test.py /opt/mednist/docker_code_inference/
 ---> cb1b3894f93a
Step 7/8 : COPY model_output/ /opt/mednist/model_output/
 ---> b0089c676e2a
Step 8/8 : CMD ["python", "inference_on_test.py"]
 ---> 9793d8dcf661
Successfully built 9793d8dcf661
"""
_LOGS = {
    "build.log": _BUILD,
    "sample.log": "12 images classified in 0.3 s: /mnt/out/classification_results.csv\n",
    "predict.log": "600 images classified in 0.6 s: /mnt/out/classification_results.csv\n",
}
_ENGINE = "Docker 20.10.24"


def dress(platform: Platform, wrong: int) -> None:
    """`wrong`: how many of the cases, the first ones, the scored submission got wrong."""
    Challenge.objects.exclude(pk=platform.world.challenge.pk).update(visibility=Challenge.Visibility.DRAFT)
    full = (platform.scored, platform.failed)
    for submission in Submission.objects.filter(challenge=platform.world.challenge):
        folder = _run_folder(submission)
        stops_at = submission.attempts.get(number=1).state
        for name, text in _LOGS.items():
            for path in (folder / name, folder / "participant" / name):
                if path.parent.is_dir() and (
                    path.is_file() or (submission in full and name != "predict.log") or submission == platform.scored
                ):
                    path.write_text(text if stops_at != path.stem else "")
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "input", Path(scratch) / "output"
        _write(source / "ref" / "testing_solution.csv", 0)
        _write(source / "res" / "classification_results.csv", wrong)
        target.mkdir()
        program = MEDNIST / "scoring_program" / "score.py"
        ended = subprocess.run([sys.executable, program, source, target], check=True, capture_output=True)
        report = (target / "detailed_results.html").read_bytes()
    (_run_folder(platform.scored) / "report.html").write_bytes(report)
    (_run_folder(platform.scored) / "score.log").write_bytes(ended.stdout)


def beat() -> None:
    """A controller lives, as far as the pages can tell."""
    alive = {"time": timezone.now(), "process": "server:1", "engine": _ENGINE, "trouble": ""}
    ControllerBeat.objects.update_or_create(pk="server", defaults=alive)


def _run_folder(submission: Submission) -> Path:
    return Path(settings.FOLDERS.runs / submission.attempts.get(number=1).identity)


def _write(path: Path, wrong: int) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "class"])
        for case in range(CASES):
            rows.writerow([f"{case:06}.jpg", CLASSES[(case + (case < wrong)) % len(CLASSES)]])

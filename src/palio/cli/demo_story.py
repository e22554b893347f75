"""The demo's story, one step a method: what it did, and what it found done before."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from palio.cli import rendering
from palio.cli.leaderboard import leaderboard
from palio.cli.run import evaluate
from palio.cli.train import train_challenge
from palio.core.attempt.lock import PHANTOM_NOTICE
from palio.core.errors import PalioError
from palio.core.files.tree import digest_copy
from palio.core.quantities import size_text
from palio.core.submission.pack import pack
from palio.core.training import MODEL_OUTPUT, TRAINING_CODE
from palio.data.getting import find_challenge, get_mednist
from palio.data.in_place import data_in_place
from palio.data.phantom import draw_phantom
from palio.data.shipped import copy_challenge
from palio.engines import find_fault, has_docker_image, open_engine

BASE_IMAGE = "projectmonai/monai:latest"
STEPS = 9


class Demo:
    """Where everything of one demo is, and its steps in order."""

    def __init__(self, engine: str, folder: Path, images: Path | None) -> None:
        self.engine = engine
        self.folder = folder
        self.challenge = folder / "mednist"
        self.submission = folder / "submission.zip"
        self.images = images
        self._run_folder = folder / "runs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        self._told = 0

    def tell(self) -> int:
        engine = self._find_engine()
        self._lay_out()
        self._get_images()
        self._train(engine)
        self._pack()
        outcome = self._run(engine)
        if outcome == 0:
            self._show()
            outcome = self._hand_in(engine)
        return outcome

    def _heading(self, what: str) -> None:
        self._told += 1
        phantom = (self.challenge / "reference_data" / PHANTOM_NOTICE).is_file()
        mark = rendering.ON_PHANTOM if phantom else ""
        click.echo(click.style(f"\n{self._told}/{STEPS}  {what}{mark}", bold=True))

    # -- the steps

    def _find_engine(self) -> str:
        self._heading("Find an engine")
        name = self.engine if self.engine != "auto" else self._pick_engine()
        engine, _ = open_engine(name)
        click.echo(f"  {engine.describe()}")
        return name

    def _pick_engine(self) -> str:
        """Docker if it answers and has the base image; else bubblewrap, installed if that can be done from here."""
        docker_fault = find_fault("docker")
        if docker_fault is None and has_docker_image(BASE_IMAGE):
            return "docker"
        reason = docker_fault.reason if docker_fault else f"Docker has no image {BASE_IMAGE} yet (several GB to pull)"
        if (fault := find_fault("bubblewrap")) and _can_install():
            click.echo("  Installing the sandbox bubblewrap with apt-get")
            _install_bubblewrap()
            fault = find_fault("bubblewrap")
        if fault is None:
            click.echo(f"  {reason}; bubblewrap needs neither a daemon nor images.")
            return "bubblewrap"
        if docker_fault is None:
            click.echo(f"  {reason}; it will be pulled now, which takes a while.")
            return "docker"
        raise PalioError(
            "engine-missing",
            reason=f"{docker_fault.reason}; {fault.reason}",
            next_step=f"{fault.next_step} Or: {docker_fault.next_step}",
        )

    def _lay_out(self) -> None:
        self._heading("Lay out the challenge")
        shipped = find_challenge(Path.cwd())
        if shipped is None:
            raise PalioError(
                "usage",
                problem="The MedNIST challenge, which comes with Palio's source, was not found.",
                next_step="Run this in a checkout of Palio, or install Palio again.",
            )
        copy_challenge(shipped, self.challenge)
        click.echo(f"  {self.challenge}: competition.yaml, its pages and programs")

    def _get_images(self) -> None:
        self._heading("Get the images")
        if self.images is None and (found := data_in_place(self.challenge)):
            click.echo(f"  in place ({found})")
            return
        try:
            report = get_mednist(self.challenge, self.images)
        except PalioError as error:
            if self.images is not None or error.failure.code not in ("network-unavailable", "download-corrupt"):
                raise
            click.echo(f"  {error.failure.message}")
            report = draw_phantom(self.challenge)
            click.echo("  Phantom pictures are used instead. They are synthetic: no score on them says anything about")
            click.echo("  medical images. With the real ones: palio demo --mednist PATH")
        click.echo(f"  {sum(report.images.values()):,} images ({report.data}), {report.source}")

    def _train(self, engine: str) -> None:
        self._heading("Train a model")
        made_from = {
            "code": digest_copy(self.challenge / TRAINING_CODE, executable=True),
            "data": digest_copy(self.challenge / "input_data", executable=False),
        }
        note = self.folder / "trained-from.json"
        model = self.challenge / MODEL_OUTPUT
        if model.is_dir() and note.is_file() and json.loads(note.read_text()) == made_from:
            click.echo(f"  {model} was trained from this very code and data, and is used again")
            return
        train_challenge(self.challenge, engine)
        note.write_text(json.dumps(made_from))

    def _pack(self) -> None:
        self._heading("Pack a submission")
        packed = pack(self.challenge, self.submission)
        click.echo(f"  {self.submission} ({size_text(packed.size_bytes)}): {', '.join(packed.files)}")

    def _run(self, engine: str) -> int:
        self._heading("Run it on images it has not seen, and score it")
        return evaluate(self.submission, self.challenge, None, engine, self._run_folder, None, None, as_json=False)

    def _show(self) -> None:
        self._heading("Show the leaderboard")
        now = _asked(self._run_folder)
        runs = sorted(path for path in (self.folder / "runs").iterdir() if _asked(path) == now)
        page = self.folder / "leaderboard.html"
        click.get_current_context().invoke(leaderboard, names=[str(run) for run in runs], html=page)
        click.echo(f"  report  {self._run_folder / 'report.html'}")
        click.echo(f"  page    {page}")
        click.echo(f"  all of it, readable without Palio: {self._run_folder}")

    def _hand_in(self, engine: str) -> int:
        """The same on a platform; for who sits at a terminal it stays open until Ctrl-C."""
        from palio.cli.demo_platform import running_platform, show_leaderboard, stay_open, take_part

        self._heading("Hand it in on a platform of its own")
        data = self.folder / "platform"
        with running_platform(data, self.challenge, engine) as address:
            click.echo(f"  The platform runs at {address}, for this machine alone")
            outcome = take_part(address, self.submission)
            self._heading("Look at it")
            show_leaderboard()
            again = f"palio serve --data {data}"
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                click.echo(f"\n  The platform is stopped. To look at its pages: {again}")
                return outcome
            click.echo(
                f"\n  Open {address}/c/mednist/leaderboard in a browser. Ctrl-C stops it; {again} starts it again."
            )
            stay_open()
        return outcome


def _asked(run: Path) -> list[object] | None:
    """What a run was asked, as runs of another version of the challenge or on other images have another leaderboard."""
    try:
        lock = json.loads((run / "lock.json").read_text())
    except (OSError, ValueError):
        return None
    return [lock.get(key) for key in ("bundle", "phase", "input_data", "reference_data")]


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install_bubblewrap() -> None:
    """Quietly, and without failing: what is still missing afterwards is found out by looking again."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "bubblewrap"]):
        subprocess.run(command, env=environment, capture_output=True, check=False)

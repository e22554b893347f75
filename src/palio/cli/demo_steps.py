"""The steps of `palio demo`. Each reports what it did, or what it reused from an earlier run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from palio.cli import rendering
from palio.cli.leaderboard import leaderboard
from palio.cli.run import evaluate
from palio.cli.train import train_challenge
from palio.core.attempt.lock import PHANTOM_NOTICE
from palio.core.engine import Enforcement, Engine
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
    """The files of one demo, and its steps in order. `open_engine` is for tests."""

    def __init__(
        self,
        engine: str,
        folder: Path,
        images: Path | None,
        *,
        open_engine: Callable[[str], tuple[Engine, str]] = open_engine,
    ) -> None:
        self.engine = engine
        self._open_engine = open_engine
        self.folder = folder
        self.challenge = folder / "mednist"
        self.submission = folder / "submission.zip"
        self.images = images
        self._run_folder = folder / "runs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        self._step = 0
        self._unenforced: tuple[str, ...] = ()

    def run(self) -> int:
        engine = self._find_engine()
        self._create_challenge()
        self._get_images()
        self._train(engine)
        self._pack()
        exit_code = self._evaluate(engine)
        if exit_code == 0:
            self._show()
            exit_code = self._submit(engine)
        return exit_code

    def _heading(self, what: str) -> None:
        self._step += 1
        phantom = (self.challenge / "reference_data" / PHANTOM_NOTICE).is_file()
        mark = rendering.ON_PHANTOM if phantom else ""
        click.echo(click.style(f"\n{self._step}/{STEPS}  {what}{mark}", bold=True))

    # -- the steps

    def _find_engine(self) -> str:
        self._heading("Find an engine")
        name = self.engine if self.engine != "auto" else self._pick_engine()
        engine, _ = self._open_engine(name)
        click.echo(f"  {engine.describe()}")
        found = (each.property for each in engine.guarantees() if each.enforcement is Enforcement.NONE)
        self._unenforced = tuple(found)
        if self._unenforced:
            click.echo(
                f"  Not enforced here: {', '.join(self._unenforced)}. Accepted, because you run your own program."
            )
        return name

    def _pick_engine(self) -> str:
        """Returns Docker if it responds and has the base image, else bubblewrap, which it installs if it can."""
        docker_fault = find_fault("docker")
        if docker_fault is None and has_docker_image(BASE_IMAGE):
            return "docker"
        reason = docker_fault.reason if docker_fault else f"Docker has no image {BASE_IMAGE} yet (several GB to pull)"
        if (fault := find_fault("bubblewrap")) and _can_install():
            click.echo("  Installing bubblewrap (the sandbox) with apt-get")
            _install_bubblewrap()
            fault = find_fault("bubblewrap")
        if fault is None:
            click.echo(f"  {reason}; bubblewrap needs neither a daemon nor images.")
            return "bubblewrap"
        if docker_fault is None:
            click.echo(f"  {reason}; pulling it now, which takes a while.")
            return "docker"
        raise PalioError(
            "engine-missing",
            reason=f"{docker_fault.reason}; {fault.reason}",
            next_step=f"{fault.next_step} Or: {docker_fault.next_step}",
        )

    def _create_challenge(self) -> None:
        self._heading("Create the challenge")
        shipped = find_challenge(Path.cwd())
        if shipped is None:
            raise PalioError(
                "usage",
                problem="The MedNIST challenge, which ships with Palio, was not found.",
                next_step="Run this in a checkout of Palio, or reinstall Palio.",
            )
        copy_challenge(shipped, self.challenge)
        click.echo(f"  {self.challenge}: competition.yaml, its pages and programs")

    def _get_images(self) -> None:
        self._heading("Get the images")
        if self.images is None and (found := data_in_place(self.challenge)):
            click.echo(f"  already in place ({found})")
            return
        try:
            report = get_mednist(self.challenge, self.images)
        except PalioError as error:
            if self.images is not None or error.failure.code not in ("network-unavailable", "download-corrupt"):
                raise
            click.echo(f"  {error.failure.message}")
            report = draw_phantom(self.challenge)
            click.echo("  Using phantom pictures instead. They are synthetic, so scores on them say nothing about")
            click.echo("  medical images. To use the real images: palio demo --mednist PATH")
        click.echo(f"  {sum(report.images.values()):,} images ({report.data}), {report.source}")

    def _train(self, engine: str) -> None:
        self._heading("Train a model")
        trained_from = {
            "code": digest_copy(self.challenge / TRAINING_CODE, executable=True),
            "data": digest_copy(self.challenge / "input_data", executable=False),
        }
        note = self.folder / "trained-from.json"
        model = self.challenge / MODEL_OUTPUT
        if model.is_dir() and note.is_file() and json.loads(note.read_text()) == trained_from:
            click.echo(f"  {model} is up to date: same code, same data")
            return
        train_challenge(self.challenge, engine)
        note.write_text(json.dumps(trained_from))

    def _pack(self) -> None:
        self._heading("Pack a submission")
        packed = pack(self.challenge, self.submission)
        click.echo(f"  {self.submission} ({size_text(packed.size_bytes)}): {', '.join(packed.files)}")

    def _evaluate(self, engine: str) -> int:
        self._heading("Run the submission on unseen images and score it")
        return evaluate(self.submission, self.challenge, None, engine, self._run_folder, None, None, as_json=False)

    def _show(self) -> None:
        self._heading("Show the leaderboard")
        now = _evaluated(self._run_folder)
        runs = sorted(path for path in (self.folder / "runs").iterdir() if _evaluated(path) == now)
        page = self.folder / "leaderboard.html"
        click.get_current_context().invoke(leaderboard, names=[str(run) for run in runs], html=page)
        click.echo(f"Report: {self._run_folder / 'report.html'}")
        click.echo(f"Run folder: {self._run_folder} (readable without Palio)")

    def _submit(self, engine: str) -> int:
        """Submits to a local platform, which stays up until Ctrl-C if this is a terminal."""
        from palio.cli.demo_platform import running_platform, show_leaderboard, stay_open, submit_as_participant

        self._heading("Submit it to a local platform")
        data = self.folder / "platform"
        with running_platform(data, self.challenge, engine, self._unenforced) as address:
            click.echo(f"  The platform runs at {address}, reachable only from this machine")
            exit_code = submit_as_participant(address, self.submission)
            self._heading("Show the platform's leaderboard")
            show_leaderboard()
            serve = f"palio serve --data {data}"
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                click.echo(f"\n  Stopping the platform. To start it again and see its pages: {serve}")
                return exit_code
            click.echo(f"\n  Open {address}/c/mednist/leaderboard in a browser. Ctrl-C stops it; {serve} restarts it.")
            stay_open()
        return exit_code


def _evaluated(run: Path) -> list[object] | None:
    """What a run evaluated. Runs of other versions or images belong on another leaderboard."""
    try:
        lock = json.loads((run / "lock.json").read_text())
    except (OSError, ValueError):
        return None
    return [lock.get(key) for key in ("bundle", "phase", "input_data", "reference_data")]


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install_bubblewrap() -> None:
    """Installs without raising; the caller checks again whether bubblewrap works."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "bubblewrap"]):
        subprocess.run(command, env=environment, capture_output=True, check=False)

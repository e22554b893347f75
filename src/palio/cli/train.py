"""`palio train`: builds and runs a challenge's training image."""

import os
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from palio.cli import rendering
from palio.cli.run import POLL_S, engine_option
from palio.core.errors import PalioError

if TYPE_CHECKING:
    from palio.core.engine import JobResult


_CPUS_IN_A_CLUSTER = 2  # whose nodes are not this machine


@click.command()
@click.argument("challenge", type=click.Path(exists=True, file_okay=False, path_type=Path))
@engine_option
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder for the trained model. [default: CHALLENGE/model_output]",
)
@click.option(
    "--time", "time_s", type=click.FloatRange(min=1), default=3600, show_default=True, help="Time limit in seconds."
)
@click.option(
    "--memory", "memory_gib", type=click.FloatRange(min=0.1), default=8, show_default=True, help="Memory limit in GiB."
)
@click.option(
    "--cpus",
    type=click.FloatRange(min=0.1),
    help=f"CPU limit. [default: all of this machine; in a cluster, at most {_CPUS_IN_A_CLUSTER}]",
)
@rendering.as_json_option
def train(
    challenge: Path,
    engine: str,
    to: Path | None,
    time_s: float,
    memory_gib: float,
    cpus: float | None,
    as_json: bool,
) -> None:
    """Build and run CHALLENGE's training image on its training and validation data.

    If training succeeds, its output replaces CHALLENGE/model_output.
    """
    target = train_challenge(challenge, engine, to, time_s, memory_gib, cpus, quiet=as_json)
    if as_json:
        rendering.echo_json({"target": str(target), "files": sorted(path.name for path in target.iterdir())})


def train_challenge(
    challenge: Path,
    engine_name: str,
    to: Path | None = None,
    time_s: float = 3600,
    memory_gib: float = 8,
    cpus: float | None = None,
    *,
    quiet: bool = False,
) -> Path:
    """Trains, prints the training's log as it grows, and returns the folder with the model."""
    from palio.core import training as training
    from palio.core.attempt.run_folder import new_identity
    from palio.core.engine import BuildLimits, Limits
    from palio.core.quantities import GIB, MIB, duration_text
    from palio.engines import open_engine

    code, data = challenge / training.TRAINING_CODE, challenge / "input_data"
    if not (code / "Dockerfile").is_file():
        raise PalioError(
            "usage",
            problem=f"{challenge} has no {training.TRAINING_CODE}/Dockerfile.",
            next_step="Name a challenge with a training image, such as challenges/mednist.",
        )
    if not data.is_dir() or not any(data.iterdir()):
        raise PalioError(
            "data-missing",
            path="input_data",
            field="the training data",
            next_step=f"Run `palio data get mednist --to {challenge}`.",
        )
    engine, why = open_engine(engine_name)
    click.echo(f"Training on {engine.describe()}{why}", err=quiet)
    work = Path(tempfile.mkdtemp(prefix="palio-train-"))
    request = training.Training(
        identity=new_identity(),
        code=code.resolve(),
        data=data.resolve(),
        target=(to or challenge / training.MODEL_OUTPUT).resolve(),
        work=work,
        build_limits=BuildLimits(time_s=1800, memory_bytes=8 * GIB, size_bytes=40 * GIB, network=True),
        limits=Limits(
            time_s=time_s,
            memory_bytes=int(memory_gib * GIB),
            cpus=cpus or _cpus(engine.name),
            pids=1024,
            shm_bytes=256 * MIB,
            output_bytes=2 * GIB,
        ),
    )
    try:
        result = _show(training.train(request, engine), quiet=quiet)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    click.echo(f"Trained in {duration_text(result.wall_s)}. The model is in {request.target}", err=quiet)
    return request.target


def _cpus(engine_name: str) -> int:
    here = os.cpu_count() or 1
    return min(here, _CPUS_IN_A_CLUSTER) if engine_name == "kubernetes" else here


def _show(steps: "Generator[Path, None, JobResult]", *, quiet: bool) -> "JobResult":
    """Waits for the training to finish and prints its logs as they grow."""
    current: Path | None = None
    shown = 0
    try:
        while True:
            log = next(steps)
            if log != current:
                if current:
                    _print_from(current, shown, quiet=quiet)
                current, shown = log, 0
            shown = _print_from(log, shown, quiet=quiet)
            time.sleep(POLL_S)
    except StopIteration as end:
        result: JobResult = end.value
        return result
    finally:
        if current:
            _print_from(current, shown, quiet=quiet)
        steps.close()


def _print_from(log: Path, shown: int, *, quiet: bool) -> int:
    """Prints the log's complete lines after byte `shown`; returns the new position."""
    if not log.is_file():
        return shown
    with log.open("rb") as file:
        file.seek(shown)
        lines, newline, _ = file.read().rpartition(b"\n")
    for line in lines.decode(errors="replace").splitlines():
        click.echo(f"  | {line}", err=quiet)
    return shown + len(lines) + len(newline)

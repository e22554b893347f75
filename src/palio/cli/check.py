"""`palio check`: is a bundle sound?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from palio.cli import rendering
from palio.cli.run import engine_option
from palio.core.errors import EXIT_CODES, Cause

if TYPE_CHECKING:
    from palio.core.bundle.model import Bundle, Problem
    from palio.core.self_test import Trial


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--run",
    "by_experiment",
    is_flag=True,
    help="Also run the scoring program: on answers that are right, on none at all, and twice.",
)
@engine_option
@rendering.as_json_option
def check(bundle: Path, by_experiment: bool, engine: str, as_json: bool) -> int:
    """Say what is wrong with BUNDLE, all of it at once, with file and line.

    Exit code 0 if it can be used (there may be warnings), 11 if not.
    """
    from palio.core.bundle.check import check_bundle
    from palio.core.bundle.read import read_bundle

    found = read_bundle(bundle)
    errors, warnings = check_bundle(found)
    warnings = (*found.warnings, *warnings)
    if not as_json:
        _show(found.title, errors, warnings)
    trials = _try(found, engine, quiet=as_json) if by_experiment and not errors else []
    sound = not errors and all(trial.fine for trial in trials)
    if as_json:
        rendering.echo_json(
            {
                "title": found.title,
                "digest": found.digest,
                "sound": sound,
                "errors": [str(problem) for problem in errors],
                "warnings": [str(problem) for problem in warnings],
                "trials": [asdict(trial) for trial in trials],
            }
        )
    else:
        click.echo("\nIt can be used." if sound else "\nIt cannot be used yet.")
    return 0 if sound else EXIT_CODES[Cause.ORGANIZER]


def _show(title: str, errors: Sequence["Problem"], warnings: Sequence["Problem"]) -> None:
    click.echo(title)
    for problem in errors:
        click.echo(f"  {click.style('error', fg='red')}    {problem}")
    for problem in warnings:
        click.echo(f"  {click.style('warning', fg='yellow')}  {problem}")
    if not errors and not warnings:
        click.echo("  nothing to complain of")


def _try(bundle: "Bundle", engine_name: str, *, quiet: bool) -> list["Trial"]:
    from palio.core.bundle.pick_phase import pick_phase
    from palio.core.self_test import run_trials
    from palio.engines import open_engine

    engine, why = open_engine(engine_name)
    click.echo(f"Trying the scoring program on {engine.describe()} ({why}):", err=quiet)
    trials = []
    with TemporaryDirectory(prefix="palio-check-") as work:
        for trial in run_trials(bundle, pick_phase(bundle, None), engine, Path(work)):
            click.echo(f"  {'fine' if trial.fine else 'WRONG':<5}  {trial.what}: {trial.outcome}", err=quiet)
            trials.append(trial)
    return trials

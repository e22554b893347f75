"""`palio check`: validates a bundle."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from palio.cli import audited, rendering
from palio.cli.images import image_option, substitutes
from palio.cli.run import engine_option
from palio.core.errors import EXIT_CODES, Cause, counted

if TYPE_CHECKING:
    from palio.core.bundle.model import Bundle, Problem
    from palio.core.bundle.zipped import OpenBundle
    from palio.core.dockerfile.substitutes import Substitutes
    from palio.core.self_test.images import ImageOnMachine
    from palio.core.self_test.scoring import Check
    from palio.data.audit.findings import AuditReport


_AUDIT_S = 10.0  # for reading images; `palio data audit` reads all
_LABELS = {True: "ok", False: "FAILED", None: "note"}


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--run",
    "with_self_test",
    is_flag=True,
    help="Also run the scoring program, on correct answers and on answers that are wrong in known ways.",
)
@engine_option
@image_option
@rendering.as_json_option
def check(bundle: Path, with_self_test: bool, engine: str, images: tuple[str, ...], as_json: bool) -> int:
    """Validate BUNDLE, a folder or a zip, and list every problem, with file and line.

    Exits with 0 if there are no errors, even if there are warnings, else with 11.
    """
    from palio.core.bundle.zipped import bundle_folder

    known_images = substitutes(images)
    with bundle_folder(bundle, whole=with_self_test) as opened:
        return _check(opened, engine, known_images, with_self_test=with_self_test, as_json=as_json)


def _check(
    opened: "OpenBundle", engine: str, known_images: "Substitutes", *, with_self_test: bool, as_json: bool
) -> int:
    from palio.core.bundle.check import check_bundle
    from palio.core.bundle.problems import in_file_order
    from palio.core.bundle.read import read_bundle
    from palio.core.bundle.task_file import has_only_a_task

    if has_only_a_task(opened.folder):
        return _check_task(opened, as_json=as_json)
    found = read_bundle(opened.folder)
    errors, warnings = check_bundle(found, data=opened.data)
    warnings = in_file_order((*opened.notes, *found.warnings, *warnings))
    if not as_json:
        _show(found.title, in_file_order((*errors, *warnings)))
    images = _images(found, engine, known_images, quiet=as_json) if not errors else []
    audit = _audit(found, opened, quiet=as_json) if not errors else None
    checks = _self_test(found, engine, known_images, quiet=as_json) if with_self_test and not errors else []
    sound = not errors and all(check.passed is not False for check in checks)
    if as_json:
        rendering.echo_json(
            {
                "title": found.title,
                "digest": found.digest,
                "sound": sound,
                "errors": [str(problem) for problem in errors],
                "warnings": [str(problem) for problem in warnings],
                "images": [asdict(image) for image in images],
                "self_test": [asdict(check) for check in checks],
                "data_audit": audit.as_json() if audit else None,
            }
        )
    else:
        click.echo(f"\n{_conclusion(errors, checks)}")
        if audit and audit.serious:
            number = len(audit.serious)
            click.echo(f"The data audit has {counted(number, 'serious finding')}: to publish, fix or accept them.")
    return 0 if sound else EXIT_CODES[Cause.ORGANIZER]


def _audit(bundle: "Bundle", opened: "OpenBundle", *, quiet: bool) -> "AuditReport | None":
    """Shows what a short data audit finds; nothing if there are no images."""
    from palio.data.audit.listing import list_bundle
    from palio.data.audit.run import audit

    listing = list_bundle(bundle, opened.data)
    if not any(file.is_image for file in listing.files):
        return None
    report = audit(listing, time_s=_AUDIT_S)
    click.echo(f"Data audit: {audited.scope(report)}", err=quiet)
    audited.show(report, err=quiet)
    return report


def _conclusion(errors: Sequence["Problem"], checks: Sequence["Check"]) -> str:
    failed = [check for check in checks if check.passed is False]
    if errors or any(not check.solution for check in failed):
        return "This bundle cannot be used yet."
    if solutions := ", ".join(dict.fromkeys(check.solution for check in failed)):
        return f"This bundle can be used. Fix these solutions, or remove them from competition.yaml: {solutions}."
    return "This bundle can be used."


def _check_task(opened: "OpenBundle", *, as_json: bool) -> int:
    """Checks one task for Codabench, which is no challenge yet."""
    from palio.core.bundle.task_file import read_task_file

    task = read_task_file(opened.folder)
    problems = (*opened.notes, *task.problems)
    sound = not any(problem.is_error for problem in problems)
    if as_json:
        rendering.echo_json(
            {
                "task": task.name,
                "sound": sound,
                "errors": [str(problem) for problem in problems if problem.is_error],
                "warnings": [str(problem) for problem in problems if not problem.is_error],
            }
        )
    else:
        _show(task.name or "A task", problems)
        click.echo(
            "\nThis task can be used. It is no challenge yet: name its zips under `tasks` of a competition.yaml."
            if sound
            else "\nThis task cannot be used yet."
        )
    return 0 if sound else EXIT_CODES[Cause.ORGANIZER]


def _show(title: str, problems: Sequence["Problem"]) -> None:
    click.echo(title)
    for problem in problems:
        label = click.style("error", fg="red") if problem.is_error else click.style("warning", fg="yellow")
        click.echo(f"  {label}{'    ' if problem.is_error else '  '}{problem}")
    if not problems:
        click.echo("  No problems found.")


def _images(bundle: "Bundle", engine_name: str, known_images: "Substitutes", *, quiet: bool) -> list["ImageOnMachine"]:
    """Shows what the images are on this machine; nothing if no engine is there, which a bundle need not care about."""
    from palio.core.errors import PalioError
    from palio.core.self_test.images import images_on_machine
    from palio.engines import open_engine

    try:
        engine, _ = open_engine(engine_name)
        found = [*images_on_machine(bundle, engine, known_images)]
    except PalioError as error:
        if error.failure.code not in ("engine-missing", "engine-fault"):
            raise
        return []
    if found:
        click.echo(f"Images on this machine ({engine.describe()}):", err=quiet)
    for image in found:
        click.echo(f"  {_LABELS[True if image.is_here else None]:<6}  {image.where}: {image.outcome}", err=quiet)
    return found


def _self_test(bundle: "Bundle", engine_name: str, known_images: "Substitutes", *, quiet: bool) -> list["Check"]:
    from palio.core.self_test.run import phases_to_test, run_self_test
    from palio.engines import open_engine

    engine, why = open_engine(engine_name)
    click.echo(f"Testing the scoring program on {engine.describe()}{why}:", err=quiet)
    phases = phases_to_test(bundle)
    checks = []
    for phase in phases:
        with TemporaryDirectory(prefix="palio-check-") as work:
            for found in run_self_test(bundle, phase, engine, Path(work), known_images):
                check = found if len(phases) == 1 else replace(found, name=f"{phase.name}: {found.name}")
                click.echo(f"  {_LABELS[check.passed]:<6}  {check.name}: {check.outcome}", err=quiet)
                for line in check.log if not check.passed else ():
                    click.echo(f"          | {line}", err=quiet)
                if check.next_step:
                    click.echo(f"          Next: {check.next_step}", err=quiet)
                checks.append(check)
    return checks

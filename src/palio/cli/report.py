"""`palio report`: what a paper about a challenge and its reviewers ask for."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from palio.cli import rendering


@click.command()
@click.argument("challenge", required=False, metavar="[CHALLENGE|EXPORT]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write. [default: CHALLENGE-report]",
)
@click.option(
    "--cases",
    is_flag=True,
    help="Write single cases even while a phase with hidden data is open. They are for organizers only.",
)
@rendering.as_json_option
def report(challenge: str | None, output: Path | None, cases: bool, as_json: bool) -> None:
    """Write the report of a challenge that you organize: a page to print, and files for a paper.

    CHALLENGE is the name of a challenge on the platform; EXPORT is a folder or zip that `palio export --runs` wrote.
    """
    # Here and not above: `palio --help` needs no numpy.
    from palio.core.errors import PalioError
    from palio.core.report.writing import write_report

    source = Path(challenge) if challenge else None
    is_export = challenge is not None and _is_export(challenge)
    with TemporaryDirectory(prefix="palio-report-") as scratch:
        if is_export and source:
            name, export = source.resolve().name.removesuffix(".zip").removesuffix("-export"), source
        else:
            name, export = _downloaded(challenge, Path(scratch))
        target = output or Path(f"{name}-report")
        if target.exists() and any(target.iterdir()):
            raise PalioError("target-not-empty", path=target.absolute())
        written = write_report(str(export), str(target), with_cases=cases)
    if as_json:
        rendering.echo_json({"to": str(target.absolute()), **written})
        return
    click.echo(f"Report: {target / 'report.html'} (to save it as PDF, print it in a browser)")
    for file in written["files"]:
        if file != "report.html":
            click.echo(f"  {target / file}")
    if written["reason"]:
        click.echo(str(written["reason"]))


def _is_export(given: str) -> bool:
    """A folder that only has the name of a challenge, such as its bundle's, is none; `./NAME` always means a folder."""
    from palio.core.report.facts import NAME

    path = Path(given)
    return path.is_file() or (path / NAME).is_file() or (path.exists() and "/" in given)


def _downloaded(challenge: str | None, scratch: Path) -> tuple[str, Path]:
    """The name of a challenge on the platform, and its export."""
    from palio.client import connect
    from palio.client.exporting import export
    from palio.client.submitting import resolve_challenge

    connection = connect()
    name = resolve_challenge(connection, challenge)
    return name, export(connection, name, scratch / "export", runs=True)

"""`palio export`: downloads everything about a challenge that you organize."""

from pathlib import Path

import click

from palio.cli import rendering


@click.command()
@click.argument("challenge", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.zip",
    help="The folder or .zip file to write. [default: CHALLENGE-export]",
)
@click.option("--files", is_flag=True, help="Include the submitted files.")
@click.option("--runs", is_flag=True, help="Include the scoring program's output: scores, single cases, reports.")
@rendering.as_json_option
def export(challenge: str | None, output: Path | None, files: bool, runs: bool, as_json: bool) -> None:
    """Download results, attempts, leaderboards, receipts and versions of CHALLENGE.

    The export's README.md describes every file.
    """
    from palio.client import connect
    from palio.client.exporting import export as fetch
    from palio.client.submitting import resolve_challenge

    connection = connect()
    name = resolve_challenge(connection, challenge)
    target = fetch(connection, name, output or Path(f"{name}-export"), files=files, runs=runs)
    if as_json:
        rendering.echo_json({"challenge": name, "to": str(target)})
    else:
        click.echo(f"{name} was exported to {target}. README.md there describes every file.")

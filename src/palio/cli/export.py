"""`palio export`: everything about a challenge that you organize, for the paper."""

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
    help="Where to: a folder, or a zip if it is named so. [default: CHALLENGE-export]",
)
@click.option("--files", is_flag=True, help="With the files that were handed in.")
@click.option("--runs", is_flag=True, help="With what the scoring program wrote: scores, single cases, reports.")
@rendering.as_json_option
def export(challenge: str | None, output: Path | None, files: bool, runs: bool, as_json: bool) -> None:
    """Fetch results, attempts, boards, receipts and versions of CHALLENGE; its README names every file."""
    from palio.client import connect
    from palio.client.exporting import export as fetch
    from palio.client.participating import the_challenge

    connection = connect()
    name = the_challenge(connection, challenge)
    target = fetch(connection, name, output or Path(f"{name}-export"), files=files, runs=runs)
    if as_json:
        rendering.echo_json({"challenge": name, "to": str(target)})
    else:
        click.echo(f"{name} is in {target}; README.md there names every file.")

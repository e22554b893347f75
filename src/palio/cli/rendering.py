"""Renders results and failures for the terminal and as JSON."""

import json
from collections.abc import Mapping, Sequence

import click

from palio.core.errors import Failure, party

# Added to the heading of everything that shows scores on phantom images.
ON_PHANTOM = " — on PHANTOM images: synthetic pictures, not medical ones"

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


def echo_json(value: Mapping[str, object]) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def failure(what: Failure, *, action_needed: str | None = None, as_json: bool = False) -> None:
    """Prints a failure; with `as_json` also as an object on standard output. `action_needed`: the responsible party, in
    words for this reader.
    """
    if as_json:
        echo_json({"failure": what.as_json()})
    where = f" at {what.stage}" if what.stage else ""
    heading = f"Failed{where}. Action needed: {action_needed or party(what.cause)}."
    click.echo(click.style(heading, fg="red", bold=True), err=True)
    click.echo(what.message, err=True)
    for line in (*what.evidence, *what.log):
        click.echo(f"  | {line}", err=True)
    click.echo(f"Next: {what.next_step}", err=True)
    click.echo(click.style(f"({what.code})", dim=True), err=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Formats a table: the first column is left-aligned, the others right-aligned."""
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)

"""`palio schema`: prints the format of competition.yaml for editors."""

import click

from palio.cli import rendering


@click.command()
def schema() -> None:
    """Print the JSON Schema of competition.yaml, which editors use to complete and check the file.

    For example: `palio schema > competition.schema.json`, then a first line
    `# yaml-language-server: $schema=competition.schema.json` in competition.yaml.
    """
    from palio.core.bundle.schema import json_schema

    rendering.echo_json(json_schema())

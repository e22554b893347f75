"""`palio demo`: the whole story on this machine, with nothing but this command."""

from pathlib import Path

import click

from palio.cli.run import engine_option


@click.command()
@engine_option
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("palio-demo"),
    show_default=True,
    metavar="DIR",
    help="Where everything of the demo goes; what is there is used again.",
)
@click.option(
    "--mednist",
    "images",
    type=click.Path(exists=True, path_type=Path),
    envvar="PALIO_MEDNIST",
    show_envvar=True,
    metavar="PATH",
    help="The MedNIST images: a folder or the archive. [default: from the network; without one, phantom pictures]",
)
def demo(engine: str, folder: Path, images: Path | None) -> int:
    """Train a model on medical images, pack it, run it in a sandbox on images it has not seen, score it,
    show it; then do the same on a platform of its own, as a participant would.

    Needs neither Docker nor a network once Palio is installed, and takes under three minutes.
    """
    from palio.cli.demo_story import Demo

    return Demo(engine, folder, images).tell()

"""`palio demo`: the whole workflow on this machine, in one command."""

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
    help="The folder for everything the demo writes. Existing results are reused.",
)
@click.option(
    "--mednist",
    "images",
    type=click.Path(exists=True, path_type=Path),
    envvar="PALIO_MEDNIST",
    show_envvar=True,
    metavar="PATH",
    help="Folder or archive with the MedNIST images. [default: download them; offline, draw synthetic pictures]",
)
def demo(engine: str, folder: Path, images: Path | None) -> int:
    """Train a model, submit it and see it ranked, all on this machine.

    Trains a model on medical images, packs it, runs it in a sandbox on unseen images, scores and ranks it. Then it
    starts a local platform and submits the model there as a participant would.

    Once Palio is installed, the demo needs neither Docker nor a network and takes under three minutes.
    """
    from palio.cli.demo_steps import Demo

    return Demo(engine, folder, images).run()

"""`palio serve` and its like: each becomes a process of the platform, with its flags as PALIO_* environment.

The platform's own code, and Django with it, is imported only there.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from palio.engines import ENGINES

ENGINE = click.Choice(["auto", *ENGINES])


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder of everything: database, files, runs, keys. [default: palio-data]",
)
config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file with settings. [default: palio.toml, if it is here]",
)
running_options = _options(
    data_option,
    config_option,
    click.option("--engine", type=ENGINE, help="Where containers run. [default: auto]"),
    click.option("--slots", type=click.IntRange(1), metavar="N", help="Attempts that run at a time. [default: 1]"),
)


@click.command()
@running_options
@click.option("--host", metavar="H", help="The address to listen at. [default: 127.0.0.1, for this machine alone]")
@click.option("--port", type=click.IntRange(1, 65535), metavar="P", help="The port to listen at. [default: 8000]")
@click.option("--url", metavar="U", help="The address that people open, as https://palio.example.org.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes that answer requests. [default: 1]")
@click.option("--sign-up", type=click.Choice(["open", "invitation"]), help="Who may make an account. [default: open]")
@click.option(
    "--with",
    "with_",
    metavar="BUNDLE",
    multiple=True,
    help="Publish a challenge at the start: `mednist`, or a folder; may be given several times.",
)
@click.option("--pages-only", is_flag=True, help="Without the controller, which `palio controller` runs elsewhere.")
def serve(with_: tuple[str, ...], pages_only: bool, config: Path | None, **flags: object) -> NoReturn:
    """Run the platform: pages, API and controller, in one process tree.

    The first start makes everything, and prints a link for its operator. Every setting can also be given as PALIO_NAME
    in the environment, or in palio.toml; docs/operate.md lists them.
    """
    more = [*(word for named in with_ for word in ("--with", named)), *(["--pages-only"] if pages_only else [])]
    _become("serve", more, config, flags)


@click.command()
@running_options
def controller(config: Path | None, **flags: object) -> NoReturn:
    """Run the platform's controller alone: it evaluates what is handed in. `palio serve` has one already."""
    _become("controller", [], config, flags)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def backup(file: Path, config: Path | None, as_json: bool, **flags: object) -> NoReturn:
    """Write all of a server's data to FILE (.tar or .tar.gz), while it runs."""
    _become("backup", [str(file), *(["--json"] if as_json else [])], config, flags)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@config_option
def restore(file: Path, config: Path | None, **flags: object) -> NoReturn:
    """Make the data folder anew from FILE, which `palio backup` wrote. A folder that is there is never overwritten."""
    _become("restore", [str(file)], config, flags)


@click.command(name="admin-link")
@click.argument("name", default="admin")
@data_option
@config_option
def admin_link(name: str, config: Path | None, **flags: object) -> NoReturn:
    """Print a link with which NAME sets a new password, once, and is an admin. The server may run."""
    _become("admin-link", [name], config, flags)


def _become(command: str, arguments: list[str], config: Path | None, flags: dict[str, object]) -> NoReturn:
    """Replaces this process, so that signals and exit code are the platform's own."""
    given = {name: value for name, value in (*flags.items(), ("config", config)) if value is not None}
    for name, value in given.items():
        variable = f"PALIO_{name.upper()}"
        os.environ.pop(f"{variable}_FILE", None)  # a flag counts for more than it
        os.environ[variable] = str(value)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "palio.web.serving", command, *arguments])  # noqa: S606

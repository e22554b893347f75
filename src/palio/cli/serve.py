"""`palio serve` and the other server commands. Each replaces itself with a platform process and passes its flags on as
PALIO_* variables.

Platform code, and with it Django, is imported only in that process.
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
    help="The data folder: database, files, runs and keys. [default: palio-data]",
)
config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The settings file. [default: palio.toml in this folder, if any]",
)
running_options = _options(
    data_option,
    config_option,
    click.option("--engine", type=ENGINE, help="The engine that runs containers. [default: auto]"),
    click.option(
        "--slots", type=click.IntRange(1), metavar="N", help="How many attempts run in parallel. [default: 1]"
    ),
)


@click.command()
@running_options
@click.option("--host", metavar="H", help="The address to listen on. [default: 127.0.0.1, this machine only]")
@click.option("--port", type=click.IntRange(1, 65535), metavar="P", help="The port to listen on. [default: 8000]")
@click.option(
    "--url", metavar="U", help="The public address, such as https://palio.example.org. [default: http://HOST:PORT]"
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="How many processes serve requests. [default: 1]")
@click.option("--sign-up", type=click.Choice(["open", "invitation"]), help="Who may sign up. [default: open]")
@click.option(
    "--with",
    "with_",
    metavar="BUNDLE",
    multiple=True,
    help="Publish a challenge at startup: `mednist` or a folder. Can be repeated.",
)
@click.option(
    "--pages-only", is_flag=True, help="Do not run the controller here; `palio controller` runs it elsewhere."
)
def serve(with_: tuple[str, ...], pages_only: bool, config: Path | None, **flags: object) -> NoReturn:
    """Run the platform: pages, API and controller.

    The first start creates the data folder and prints a sign-in link for the operator. Every setting can also be given
    as PALIO_<NAME> in the environment or in palio.toml; docs/operate.md lists them.
    """
    more = [*(word for named in with_ for word in ("--with", named)), *(["--pages-only"] if pages_only else [])]
    _become("serve", more, config, flags)


@click.command()
@running_options
def controller(config: Path | None, **flags: object) -> NoReturn:
    """Run only the controller, which evaluates submissions.

    `palio serve` already includes one, unless it was started with --pages-only.
    """
    _become("controller", [], config, flags)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def backup(file: Path, config: Path | None, as_json: bool, **flags: object) -> NoReturn:
    """Back up all of a server's data to FILE (.tar or .tar.gz).

    The server can keep running.
    """
    _become("backup", [str(file), *(["--json"] if as_json else [])], config, flags)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@config_option
def restore(file: Path, config: Path | None, **flags: object) -> NoReturn:
    """Restore the data folder from FILE.

    FILE was written by `palio backup`. An existing data folder is never overwritten.
    """
    _become("restore", [str(file)], config, flags)


@click.command(name="admin-link")
@click.argument("name", default="admin")
@data_option
@config_option
def admin_link(name: str, config: Path | None, **flags: object) -> NoReturn:
    """Print a one-time link that lets NAME set a password and makes NAME an admin.

    The server can keep running.
    """
    _become("admin-link", [name], config, flags)


def _become(command: str, arguments: list[str], config: Path | None, flags: dict[str, object]) -> NoReturn:
    """Replaces this process with the platform's, which then handles signals and sets the exit code."""
    given = {name: value for name, value in (*flags.items(), ("config", config)) if value is not None}
    for name, value in given.items():
        variable = f"PALIO_{name.upper()}"
        os.environ.pop(f"{variable}_FILE", None)  # a flag takes precedence
        os.environ[variable] = str(value)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "palio.web.serving", command, *arguments])  # noqa: S606

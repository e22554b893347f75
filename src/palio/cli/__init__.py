"""The command line. Commands raise; only `main` turns exceptions into messages and exit codes."""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from palio import __version__
from palio.cli import rendering
from palio.cli.check import check
from palio.cli.compare import compare
from palio.cli.data import data
from palio.cli.demo import demo
from palio.cli.doctor import doctor
from palio.cli.export import export
from palio.cli.leaderboard import leaderboard
from palio.cli.new import new
from palio.cli.organize import announce, disqualify, message
from palio.cli.pack import pack
from palio.cli.platform import join, login
from palio.cli.publish import publish
from palio.cli.report import report
from palio.cli.rescore import rescore
from palio.cli.run import run, score
from palio.cli.schema import schema
from palio.cli.serve import admin_link, backup, controller, restore, serve
from palio.cli.submit import cancel, choose, logs, status, submit
from palio.cli.train import train
from palio.cli.verify import verify
from palio.core.errors import EXIT_CANCELLED, PalioError

EXIT_BUG = 1
EXIT_USAGE = 2


class _Group(click.Group):
    """Knows `board`, the former name of `leaderboard`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, "leaderboard" if cmd_name == "board" else cmd_name)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="palio")
def palio() -> None:
    """Run image-AI challenges that are won by code: build, run and score submissions in a sandbox, and rank them.

    To see the whole workflow on this machine, run `palio demo`.
    """


for _command in (
    *(demo, doctor, new, data, train, pack, run, score, leaderboard, compare, check, verify),
    *(login, join, submit, status, logs, cancel, choose),
    *(serve, controller, backup, restore, admin_link),
    *(publish, rescore, disqualify, announce, message, export, report, schema),
):
    palio.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (see `EXIT_CODES`). Only bugs show a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)  # `kill` cleans up like Ctrl-C
    argv = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in argv
    try:
        outcome = palio.main(argv, prog_name="palio", standalone_mode=False)
    except PalioError as error:
        rendering.failure(error.failure, as_json=as_json)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Cancelled.", err=True)
        return EXIT_CANCELLED
    except BrokenPipeError:  # the reader of our output, such as `head`, has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the interpreter can flush at exit
        return 0
    except Exception:  # noqa: BLE001 - anything that is not in the error table is a bug
        traceback.print_exc()
        click.echo("This is a bug in Palio. Please report it and include the lines above.", err=True)
        return EXIT_BUG
    return outcome if isinstance(outcome, int) else 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

"""`python -m palio.web.serving COMMAND`: the server side of the CLI's operator commands.

Failures look the same and have the same exit codes as in the CLI. Each command imports only what it needs.
"""

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from palio.core.errors import EXIT_CANCELLED, EXIT_CODES, PalioError
from palio.web.config.configuration import Configuration, read_configuration
from palio.web.serving.terminal import show_failure

EXIT_BUG = 1


def main() -> int:
    asked = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)  # SIGTERM cleans up like Ctrl-C
    try:
        return _run(asked, read_configuration())
    except PalioError as error:
        show_failure(error.failure)
        return EXIT_CODES[error.failure.cause]
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return EXIT_CANCELLED
    except Exception:  # noqa: BLE001 - whatever is not a failure of the table is a bug, and is shown as one
        traceback.print_exc()
        print("This is a bug in Palio. Please report it with the lines above.", file=sys.stderr)
        return EXIT_BUG


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(asked: argparse.Namespace, configuration: Configuration) -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "palio.web.settings"
    if asked.command == "health":
        from palio.web.serving.health import ask_health

        return ask_health(configuration)
    if asked.command == "check-store":
        from palio.web.serving.health import check_store

        return check_store(configuration)
    if asked.command == "restore":
        from palio.web.serving.restore import restore

        return restore(asked.file, configuration)
    if asked.command == "backup":
        from palio.web.serving.backup import backup

        return backup(asked.file, configuration, as_json=asked.json)
    if asked.command == "admin-link":
        from palio.web.serving.platform import show_admin_link

        return show_admin_link(asked.name, configuration)
    from palio.web.serving.platform import Platform

    pages, controller = asked.command == "serve", asked.command == "controller" or not asked.pages_only
    return Platform(configuration, pages=pages, controller=controller, with_=asked.with_).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="palio.web.serving")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--with", dest="with_", action="append", default=[])
    serve.add_argument("--pages-only", action="store_true")
    commands.add_parser("controller").set_defaults(with_=[], pages_only=False)
    backup = commands.add_parser("backup")
    backup.add_argument("file", type=Path)
    backup.add_argument("--json", action="store_true")
    commands.add_parser("restore").add_argument("file", type=Path)
    commands.add_parser("admin-link").add_argument("name")
    commands.add_parser("health")
    commands.add_parser("check-store")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Substitutes for images, as the commands that evaluate take them: flags, then PALIO_IMAGES, then palio.toml."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from palio.core.dockerfile.substitutes import Substitutes

FILE = "palio.toml"

image_option = click.option(
    "--image",
    "images",
    multiple=True,
    metavar="OLD=NEW",
    help="Use the image NEW where a bundle names OLD and this machine lacks it. Can be repeated. "
    "[default: the table [images] in palio.toml]",
)


def substitutes(
    flags: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> "Substitutes":
    """Raises PalioError "configuration-invalid" with all problems."""
    # Imported here to keep `palio --help` fast.
    from palio.core.dockerfile.substitutes import VARIABLE, chains, read_words, refuse

    environment = os.environ if environment is None else environment
    found, problems = _of_file(environment, folder or Path())
    given = [(VARIABLE, environment.get(VARIABLE, "")), *(("--image", flag) for flag in flags)]
    for where, text in given:
        more, wrong = read_words(text)
        found |= more
        problems += [f"{where}: {each}" for each in wrong]
    refuse(problems or chains(found))
    return found


def _of_file(environment: Mapping[str, str], folder: Path) -> tuple["Substitutes", list[str]]:
    """The rest of the file is the platform's, which reads it strictly."""
    from palio.core.dockerfile.substitutes import TABLE, Substitutes, read_substitutes
    from palio.core.files.staging import reading

    named = environment.get("PALIO_CONFIG")
    file = Path(named) if named else folder / FILE
    if not named and not file.exists():
        return Substitutes(), []
    with reading(file):
        content = file.read_bytes()
    try:
        table = tomllib.loads(content.decode()).get(TABLE, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        return Substitutes(), [f"{file} is not valid TOML: {error}"]
    if not isinstance(table, dict):
        return Substitutes(), [f"{file}: `{TABLE}` is not a table"]
    found, problems = read_substitutes(table)
    return found, [f"{file}: [{TABLE}] {each}" for each in problems]

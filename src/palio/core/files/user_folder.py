"""The user's own Palio folders: one for keys, one for settings, or $PALIO_HOME for both."""

import os
from pathlib import Path

DATA, SETTINGS = ("XDG_DATA_HOME", ".local/share"), ("XDG_CONFIG_HOME", ".config")


class NoHomeFolderError(Exception):
    """The user has no home folder, and no variable names another one."""

    reason = "this user has no home folder"


def own_folder(kind: tuple[str, str]) -> Path:
    """Returns $PALIO_HOME, else the folder `palio` in the XDG folder of that kind. It need not exist.

    Raises NoHomeFolderError.
    """
    if own := os.environ.get("PALIO_HOME"):
        return Path(own).absolute()
    variable, usual = kind
    folder = Path(os.environ.get(variable, ""))
    if not folder.is_absolute():  # which the XDG specification says to ignore
        try:
            folder = Path.home() / usual
        except RuntimeError:
            raise NoHomeFolderError from None
    return folder / "palio"

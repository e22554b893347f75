"""Where this user's own things of Palio are kept: keys in one folder, settings in another, or all in $PALIO_HOME."""

import os
from pathlib import Path

DATA, SETTINGS = ("XDG_DATA_HOME", ".local/share"), ("XDG_CONFIG_HOME", ".config")


class NoHomeFolderError(Exception):
    """This user has no home folder, and nothing says where else."""

    reason = "this user has no home folder"


def own_folder(kind: tuple[str, str]) -> Path:
    """$PALIO_HOME, else the folder `palio` in the XDG specification's folder of that kind, which need not be there.

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

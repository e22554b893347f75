"""Palio as where it is installed: with its bytecode, whatever PYTHONDONTWRITEBYTECODE says here, and nothing set."""

import os
import sys
from pathlib import Path

PALIO = (sys.executable, "-m", "palio")


def environment(home: Path) -> dict[str, str]:
    """`home` is where its keys go, instead of this user's own folder."""
    left_out = ("PALIO_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {"PALIO_HOME": str(home / "keys")}

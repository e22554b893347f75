"""The settings as a table: `python -m palio.web.config.table`, for docs/operate.md."""

from dataclasses import fields
from pathlib import Path

from palio.core.dockerfile.substitutes import Substitutes
from palio.engines.named import NamedEngines
from palio.web.config.configuration import Configuration


def configuration_table() -> str:
    """Returns a Markdown table with one row for each field of Configuration."""
    lines = ["| Setting | Default | Description |", "|---|---|---|"]
    for setting in fields(Configuration):
        says = setting.metadata["says"]
        secret = "; secret: keep it in a file" if setting.metadata["secret"] else ""
        lines.append(f"| `{setting.name}` | {_shown(setting.default)} | {says}{secret} |")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ("", (), Substitutes(), NamedEngines()):
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value if not isinstance(value, Path) else str(value)}`"


if __name__ == "__main__":
    print(configuration_table(), end="")

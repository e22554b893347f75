"""Wheels made by tests, which stand for packages of an index."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_TIME = (2020, 1, 1, 0, 0, 0)


def write_wheel(
    folder: Path,
    name: str = "tinything",
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> Path:
    """A pure wheel with a package of that name, whose VALUE is its version. The same call gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {each}\n" for each in requires)
    contents = {
        f"{name}/__init__.py": f"VALUE = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(files or {}),
    }
    contents[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*contents, f"{info}/RECORD"))
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in contents.items():
            archive.writestr(zipfile.ZipInfo(path, _TIME), content)
    return target

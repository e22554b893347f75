"""Runs a MONAI bundle as `python -m monai.bundle run` does, with the same arguments.

That command needs the package `fire`, but only to read its arguments; where it is missing, they are read here.
"""

import importlib.util
import os
import shlex
import sys
from ast import literal_eval

arguments = sys.argv[1:]
print("+", shlex.join(["python", "-m", "monai.bundle", "run", *arguments]), flush=True)
if importlib.util.find_spec("fire"):
    os.execv(sys.executable, [sys.executable, "-m", "monai.bundle", "run", *arguments])  # noqa: S606
sys.path[0] = os.getcwd()  # noqa: PTH109 - the bundle's root, as with `-m`

from monai.bundle import run  # noqa: E402

told = dict(zip(arguments[::2], arguments[1::2], strict=True))
run(
    **{name.removeprefix("--"): literal_eval(value) if value.startswith("[") else value for name, value in told.items()}
)

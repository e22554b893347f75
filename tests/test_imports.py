"""What importing Palio's command line costs, seen from a fresh interpreter."""

import subprocess
import sys

HEAVY = ("cryptography", "django", "torch", "docker", "kubernetes", "numpy", "scipy", "PIL", "pydantic", "yaml")


def test_cli_imports_nothing_heavy() -> None:
    code = f"import sys, palio.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"

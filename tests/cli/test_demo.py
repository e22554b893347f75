"""`palio demo`, as a newcomer runs it: everything in one command, from the images to a platform's leaderboard."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.conftest import lacking


@pytest.mark.bubblewrap
def test_demo_ends_with_a_leaderboard(mednist: Path, tmp_path: Path) -> None:
    if find_spec("torch") is None or find_spec("monai") is None:
        lacking("torch and monai, which train the model, are not installed")
    ran = subprocess.run(
        [sys.executable, "-m", "palio", "demo", "--engine", "bubblewrap", "--mednist", str(mednist)],
        cwd=tmp_path,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    steps = [line.partition("  ")[0] for line in ran.stdout.splitlines() if line[1:4] == "/9 "]
    assert steps == [f"{number}/9" for number in range(1, 10)]
    here, there = ran.stdout.split("8/9  ")
    local = scores_of("submission.zip", here)
    assert local
    assert float(local[-1]) > 0.9
    assert set(scores_of("visitor-", there)) == set(local)
    assert (tmp_path / "palio-demo" / "leaderboard.html").is_file()


def scores_of(name: str, shown: str) -> list[str]:
    """The numbers of the row of the leaderboard, but not the ends of intervals, which may not be there yet."""
    (row,) = (line for line in shown.splitlines() if re.match(rf" +1 +{name}", line))
    return re.findall(r" (\d\.\d{4})\b(?![,\]])", row)

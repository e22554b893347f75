"""`make proof`: what a newcomer sees. Clones HEAD, and runs `make demo` and `make test` as on four kinds of machine.

    no docker     neither the docker command nor an engine
    client only   the docker command, and no engine behind it
    engine        an engine that responds, without the MedNIST images
    images        the same, with PALIO_MEDNIST set to a folder that holds them

Only what is missing is faked: PATH without Docker's programs, DOCKER_HOST at a socket that does not exist, no
PALIO_MEDNIST. All else is this machine's, so what it lacks itself cannot be shown here, and is listed as that.
`make setup` runs once, in the clone; between the kinds everything that git does not know is removed but .venv.

Needs Python, make and git, and is not part of `make test`. `--full` runs all tests instead of a selection.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASES = ("no docker", "client only", "engine", "images")
# Some of whatever asks for an engine or for images, and of what tidies up behind it.
SELECTED = (
    "tests/engines/test_docker_connection.py tests/engines/test_docker.py tests/engines/test_bubblewrap.py "
    "tests/web/controller/test_serve_killed.py tests/cli/test_run.py tests/cli/test_run_failures.py "
    "tests/challenges/mednist/test_inference.py "
    "tests/submissions/test_hostile.py tests/test_deploy.py tests/test_imports.py "
    '-k "not test_attack or 16-symlink or 21-own or 24-zip"'
)
_DOCKERS = re.compile(r"docker.*|com\.docker\..*")
_NOT_A_NEWCOMERS = re.compile(r"PALIO_.*|PYTHON(PATH|HOME)|VIRTUAL_ENV|DJANGO_.*|DATABASE_URL|MAKE.*|MFLAGS|DOCKER_.*")
_SETUP_S, _DEMO_S, _SELECTED_S, _ALL_S = 3600, 1200, 2400, 4 * 3600


@dataclass
class Row:
    case: str
    command: str
    result: str
    seconds: float = 0.0
    left_out: Counter[str] = field(default_factory=Counter)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--full", action="store_true", help="run all tests, not a selection (hours)")
    parser.add_argument("--only", action="append", choices=CASES, help="only this kind of machine; may be repeated")
    parser.add_argument("--keep", action="store_true", help="keep the clone and the logs")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
    # Readable by other users, and not in /tmp: sandboxes start the bwrap that PATH names, also where that is a link.
    home = Path(tempfile.mkdtemp(prefix="palio-proof-", dir="/var/tmp"))
    home.chmod(0o755)
    rows: list[Row] = []
    try:
        clone = home / "palio"
        subprocess.run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(clone)], check=True)
        print(f"A clone of {_head(clone)} in {clone}", flush=True)
        rows.append(_make(clone, "all", _newcomers(), home / "setup.log", _SETUP_S, "setup"))
        for case in asked.only or CASES:
            if rows[0].result == "passed":
                rows += _prove(clone, case, home, full=asked.full)
    finally:
        if not asked.keep:
            shutil.rmtree(home, ignore_errors=True)
    _print(rows)
    nothing_left_out = os.environ.get("PALIO_TEST_ALL") == "1"
    return int(any(row.result != "passed" and (nothing_left_out or row.command != "-") for row in rows))


def _prove(clone: Path, case: str, home: Path, *, full: bool) -> Iterator[Row]:
    variables = _newcomers()
    if case == "no docker":
        variables["PATH"] = _path_without_docker(home / "bin")
    if case in ("no docker", "client only"):
        variables["DOCKER_HOST"] = f"unix://{home}/no-engine.sock"
    elif not _engine_responds(variables):
        yield Row(case, "-", "not shown here: no Docker engine responds on this machine")
        return
    if case == "client only" and shutil.which("docker") is None:
        yield Row(case, "-", "not shown here: this machine has no docker command")
        return
    if case == "images":
        images = os.environ.get("PALIO_MEDNIST", "")
        if not Path(images or "/nowhere", "testing_solution.csv").is_file():
            yield Row(case, "-", "not shown here: PALIO_MEDNIST names no folder with the images")
            return
        variables["PALIO_MEDNIST"] = str(Path(images).resolve())
    subprocess.run(["git", "clean", "-xdfq", "--exclude=.venv"], cwd=clone, check=True)
    log = home / case.replace(" ", "-")
    yield _make(clone, case, variables, log.with_suffix(".demo.log"), _DEMO_S, "demo")
    tests = ["test"] if full else ["test", f"TESTS={SELECTED}"]
    yield _make(clone, case, variables, log.with_suffix(".test.log"), _ALL_S if full else _SELECTED_S, *tests)


def _make(clone: Path, case: str, variables: dict[str, str], log: Path, limit_s: float, *words: str) -> Row:
    print(f"[{case}] make {words[0]}", flush=True)
    begin = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", *words],
            cwd=clone,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    seconds, said = time.monotonic() - begin, log.read_text(errors="replace")
    result = "passed" if code == 0 else f"no end within {limit_s:g} s" if code is None else f"failed, exit code {code}"
    row = Row(case, f"make {words[0]}", result, seconds, _left_out(said))
    shown = said.splitlines() if code != 0 else _what_counts(said)
    for line in shown[-60:]:
        print(f"    {line}", flush=True)
    return row


def _what_counts(said: str) -> list[str]:
    """Of a run that passed: which engine the demo took, and how many tests passed."""
    lines = said.splitlines()
    engine = next((number for number, line in enumerate(lines) if "Find an engine" in line), None)
    found = lines[engine + 1 : engine + 3] if engine is not None else []
    return found + [line for line in lines if re.search(r"\d+ passed", line)]


def _left_out(said: str) -> Counter[str]:
    """How many tests were left out for which reason, from pytest's summary."""
    count: Counter[str] = Counter()
    for many, reason in re.findall(r"^SKIPPED \[(\d+)\] [^:]+:\d+: (.*)$", said, re.MULTILINE):
        count[reason] += int(many)
    return count


def _newcomers() -> dict[str, str]:
    """This environment without what only somebody who works on Palio has set."""
    return {name: value for name, value in os.environ.items() if not _NOT_A_NEWCOMERS.fullmatch(name)}


def _path_without_docker(links: Path) -> str:
    """PATH, where each folder with a program of Docker's is replaced by links to all others in it."""
    made = []
    for number, folder in enumerate(map(Path, os.get_exec_path())):
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if any(_DOCKERS.fullmatch(name) for name in names):
            target = links / str(number)
            target.mkdir(parents=True)
            for name in names:
                if not _DOCKERS.fullmatch(name):
                    (target / name).symlink_to(folder.resolve() / name)
            folder = target
        made.append(str(folder))
    return os.pathsep.join(made)


def _engine_responds(variables: dict[str, str]) -> bool:
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        ran = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0 and bool(ran.stdout.strip())


def _head(clone: Path) -> str:
    command = ["git", "log", "-1", "--format=%h “%s”"]
    return subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout.strip()


def _print(rows: list[Row]) -> None:
    for row in rows:
        for reason, many in row.left_out.most_common():
            print(f"[{row.case}] left out {many}: {reason}")
    print(f"\n{'machine':<12} {'command':<11} {'time':>7}  result")
    for row in rows:
        left = f", {row.left_out.total()} tests left out" if row.left_out else ""
        print(f"{row.case:<12} {row.command:<11} {row.seconds:>5.0f} s  {row.result}{left}")


if __name__ == "__main__":
    sys.exit(main())

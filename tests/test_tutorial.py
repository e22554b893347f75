"""docs/tutorial.md does what it says: its blocks marked `sh` are run in their order, in a folder that looks like a
checkout, and each block marked `text` has to be what the commands before it printed.

A text block is compared line by line: `…` stands for anything, alone on a line for any lines; how long and how large
something was, versions, times, digests and ids may be others. Scores have to be the very ones, unless the block has
other figures here: the model is trained for a few epochs only, or the images are phantom. A comment
`<!-- test: … -->` before a block says what is different about it, and is one of MARKS.

Not covered: getting Palio (the clone, `make setup`), and what the page has done in a browser: tests/web/browser.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.conftest import ROOT, lacking
from tests.docker_command import has_image
from tests.web.serving.running import START_S, environment, free_port, is_running, tree

from palio.cli.rendering import ON_PHANTOM
from palio.data.shipped import copy_challenge
from palio.engines import find_fault

PAGE = ROOT / "docs" / "tutorial.md"
EPOCHS = 4
ENGINE = "docker" if find_fault("bubblewrap") else "bubblewrap"  # which needs no image, and so is faster
NEEDS_ENGINE: pytest.MarkDecorator = getattr(pytest.mark, ENGINE)
BASES = ("projectmonai/monai:latest", "python:3.11-slim")
END = "-- the block has ended --"
MARKS = {
    "",
    "not run",
    "with images",  # the page's way where MedNIST is at hand
    "without images",  # and where it is not
    "other figures",
    "in the second terminal",
    "Ctrl-C in the second terminal",
}
BLOCK = re.compile(r"(?:^<!-- test: ([^\n]+) -->\n)?^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run, and how each may look.
VARIES = (
    r"\b\d+(?:\.\d+)? (?:ms|s|min)\b",
    r"\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB)\b",
    r"\b\d+\.\d+\.\d+\b",  # a version
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b",
    r"\b[0-9a-f]{12,64}\b",  # a digest
    r"\b[a-z0-9]{16}\b",  # an id
)
A_FIGURE = r"\b\d+\.\d+\b"


@dataclass(frozen=True)
class Block:
    line: int
    mark: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"docs/tutorial.md, line {self.line}"


def read_blocks(page: str) -> list[Block]:
    return [
        Block(page.count("\n", 0, found.start(2)) + 1, found[1] or "", found[2], found[3])
        for found in BLOCK.finditer(page)
    ]


def shows(printed: str, told: str, *, other_figures: bool = False) -> bool:
    """Whether the lines that the page tells of are among what was printed, in their order."""
    lines = (r"(?:.*\n)*?" if line == "…" else _pattern(line, other_figures) + r"\n" for line in told.splitlines())
    return re.search("^" + "".join(lines), printed, re.MULTILINE) is not None


def _pattern(line: str, other_figures: bool) -> str:
    varies = [*VARIES, A_FIGURE] if other_figures else VARIES
    pattern, end = "", 0
    for found in re.finditer("|".join(varies), line):
        kinds = (kind for kind in varies if re.fullmatch(kind, found[0]))
        pattern, end = pattern + _literally(line[end : found.start()]) + next(kinds), found.end()
    return pattern + _literally(line[end:])


def _literally(text: str) -> str:
    """Columns are as wide as what is in them."""
    return re.sub(r"(?:\\ )+", " +", re.escape(text)).replace("…", ".*")


class Terminal:
    """A shell that a person types into, in a session of its own, so that Ctrl-C and closing it reach all it started."""

    def __init__(self, folder: Path, name: str, variables: dict[str, str]) -> None:
        self._folder, self._name, self._blocks = folder, name, 0
        self._printed = folder.parent / f"{name}.log"
        with self._printed.open("wb") as printed:
            self.process = subprocess.Popen(
                ["bash", "-e"],
                cwd=folder,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        return self._printed.read_text()

    def type(self, block: Block) -> None:
        """From a file, so that no command reads what is typed after it."""
        self._blocks += 1
        script = self._folder.parent / f"{self._name}-{self._blocks}.sh"
        script.write_text(block.text)
        assert self.process.stdin
        with suppress(BrokenPipeError):  # it has ended, which whoever waits for it finds
            self.process.stdin.write(f". {script} < /dev/null\necho '{END}'\n".encode())
            self.process.stdin.flush()

    def run(self, block: Block) -> str:
        """What it printed; a command that fails ends the shell, and the test."""
        before = len(self.printed)
        self.type(block)
        while f"{END}\n" not in (printed := self.printed[before:]):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                if f"{END}\n" not in (printed := self.printed[before:]):
                    pytest.fail(f"{block}: a command failed.\n{block.text}\nIt printed:\n{printed}", pytrace=False)
        return printed.partition(END)[0]

    def interrupt(self) -> None:
        """Ctrl-C, and then no more commands."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.close()
        self.process.wait(60)

    def close(self) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):
            self.process.stdin.close()


@contextmanager
def terminal(folder: Path, name: str, variables: dict[str, str]) -> Iterator[Terminal]:
    """Whatever it has started and is left afterwards is killed, each process by its id."""
    opened = Terminal(folder, name, variables)
    try:
        yield opened
    finally:
        left = set(tree(opened.process.pid))
        if opened.process.poll() is None:
            os.killpg(opened.process.pid, signal.SIGINT)  # a server ends what it has started
        opened.close()
        with suppress(subprocess.TimeoutExpired):
            opened.process.wait(20)
        for process in left | {opened.process.pid}:
            if is_running(process):
                os.kill(process, signal.SIGKILL)
        opened.process.wait(10)


@pytest.fixture
def engine() -> str:
    """ENGINE, with what the page's containers are built from."""
    if ENGINE == "bubblewrap" and find_spec("torch") is None:
        lacking("there is no Python package `torch`")
    if ENGINE == "docker" and (missing := [base for base in BASES if not has_image(base)]):
        lacking(f"the Docker engine has no {' and no '.join(missing)}")
    return ENGINE


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the commands of the page need of a checkout; its model takes a few epochs to train."""
    folder = tmp_path / "palio"
    challenge = folder / "challenges" / "mednist"
    copy_challenge(ROOT / "challenges" / "mednist", challenge)
    training = challenge / "docker_code_training" / "Dockerfile"
    before = training.read_text()
    training.write_text(before.replace('"app.py"]', f'"app.py", "--epochs", "{EPOCHS}"]'))
    assert training.read_text() != before
    if not Path(sys.prefix, "bin", "activate").is_file():
        lacking("the tests do not run in a virtual environment, as `make setup` makes one")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def images() -> str | None:
    """Where MedNIST is; without it the page's other way is taken, with phantom images."""
    named = os.environ.get("PALIO_MEDNIST")
    return named if named and Path(named, "testing_solution.csv").is_file() else None


@NEEDS_ENGINE
def test_tutorial_commands_and_output(checkout: Path, engine: str, images: str | None) -> None:
    port = free_port()
    blocks = read_blocks(PAGE.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
    variables = environment(
        PALIO_ENGINE=engine,
        PALIO_PORT=str(port),
        PALIO_HOME=str(checkout.parent / "home"),
        XDG_CACHE_HOME=str(checkout.parent / "cache"),
    ) | ({"PALIO_MEDNIST": images} if images else {})
    left_out = {"not run", "without images" if images else "with images"}
    with terminal(checkout, "first", variables) as first, terminal(checkout, "second", variables) as second:
        printed = ""
        for block in blocks:
            if block.mark in left_out:
                continue
            in_second = "second terminal" in block.mark
            if block.mark.startswith("Ctrl-C"):
                second.interrupt()
            if block.kind == "sh" and in_second:
                second.type(block)
            elif block.kind == "sh":
                printed = first.run(block).replace(ON_PHANTOM, "")
            elif in_second:
                wait_until_shown(second, block)
            else:
                figures = block.mark == "other figures" or not images
                if not shows(printed, block.text, other_figures=figures):
                    pytest.fail(f"{block} tells of:\n{block.text}\nPrinted was:\n{printed}", pytrace=False)
    left = {path.name for path in checkout.iterdir()}
    assert left == {".venv", "challenges"}  # the page's last block removes the rest


def wait_until_shown(terminal: Terminal, block: Block) -> None:
    until = time.monotonic() + START_S
    while not shows(terminal.printed.replace(ON_PHANTOM, ""), block.text):
        if terminal.process.poll() is not None or time.monotonic() > until:
            pytest.fail(f"{block} tells of:\n{block.text}\nPrinted was:\n{terminal.printed}", pytrace=False)
        time.sleep(0.1)


def test_tutorial_blocks_all_tested() -> None:
    page = PAGE.read_text()
    blocks = read_blocks(page)
    assert {block.mark for block in blocks} == MARKS
    assert page.count("\n```") == 2 * len(blocks)  # and so there is no fence of another kind
    assert page.count("<!-- test:") == sum(block.mark != "" for block in blocks)


@pytest.mark.parametrize(
    ("told", "figures", "shown"),
    [
        ("score  0.3 s\n", False, True),
        ("score  0.3 MiB\n", False, False),
        ("  1  admin  0.8665\n", False, True),
        ("  1  admin  0.8666\n", False, False),
        ("  1  admin  0.8666\n", True, True),
        ("  2  admin  0.8665\n", True, False),
        ("  1  admin  0.8665\n  2  bob  0.5000\n", False, False),
        ("  1  admin  0.8665\n…\n  2  bob  0.5000\n", False, True),
        ("  2  bob  0.5000\n…\n  1  admin  0.8665\n", False, False),
        ("run 0123456789ab in …/first\n", False, True),
        ("run 0123456789ab in …/second\n", False, False),
    ],
)
def test_text_block_match(told: str, figures: bool, shown: bool) -> None:
    printed = "score   12.5 s\n  1     admin  0.8665\n\n  2       bob  0.5000\nrun ba9876543210 in /tmp/x/first\n"
    assert shows(printed, told, other_figures=figures) is shown

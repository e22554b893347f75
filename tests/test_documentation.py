"""The documentation agrees with the code: links, screenshots, generated tables, commands, paths and wording."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from PIL import Image
from tests.conftest import ROOT
from tests.submissions.attacks import read_attacks
from tests.wording import GLOSSARY, Finding, findings, paths, read_rules

from palio.cli import palio
from palio.core.attempt import states
from palio.core.failure_reference import catalog
from palio.web.config.table import configuration_table

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(ROOT.glob("docs/*.md"))
LINK = re.compile(r"\]\(([^)#:\s]+)(?=[)#\s])")  # pages and images of this project, without fragments
ANCHOR = re.compile(r"\]\(([^)#:\s]*)#([^)\s]+)\)")
CODE = re.compile(r"```\w*\n(.*?)```|^ {4}(.+)$|`([^`]+)`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s(/])palio ([a-z][a-z-]* [^|&;#\n]*)", re.MULTILINE)
PATH = re.compile(r"`((?:src|tests|docs|benchmarks|challenges|deploy)/[\w./-]+?)/?`")
GENERATED: dict[str, Callable[[], str]] = {
    "<!-- python -m palio.web.config.table -->": configuration_table,
    "<!-- states: python -m palio.core.attempt.states -->": states.table,
}
RULES = read_rules(GLOSSARY.read_text(encoding="utf-8"))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_in(page: Path) -> str:
    return "\n".join(next(filter(None, groups)) for groups in CODE.findall(text_of(page)))


def anchors(page: Path) -> set[str]:
    """Fragments of a page's headings, as Git hosts write them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_targets(page: Path) -> None:
    links = LINK.findall(text_of(page))
    assert [link for link in links if not (page.parent / link).exists()] == []
    fragments = [(page.parent / link if link else page, fragment) for link, fragment in ANCHOR.findall(text_of(page))]
    assert [f"{target.name}#{name}" for target, name in fragments if name not in anchors(target)] == []


def test_readme_links_to_every_page() -> None:
    found, new = {ROOT / "README.md"}, {ROOT / "README.md"}
    while new:
        linked = {(page.parent / link).resolve() for page in new for link in LINK.findall(text_of(page))}
        new = {page for page in linked if page.suffix == ".md"} - found
        found |= new
    assert [page.name for page in PAGES if page not in found] == []


def test_tour_shows_every_screenshot() -> None:
    shown = set(re.findall(r"\(img/platform/([\w-]+)\.png\)", text_of(ROOT / "docs/tour.md")))
    taken = {path.stem for path in (ROOT / "docs/img/platform").glob("*.png")}
    variants = {name for name in taken if name.endswith("-dark")}
    small = {
        "leaderboard-organizer",
        "rescores",
        "error",
        "password-reset",
        "publish-version",
        "submit-not-yet",
        "terms",
    }
    assert taken - shown == variants | small


def test_readme_shows_the_walk() -> None:
    """An animated picture of at most 1 MB, with a text alternative."""
    shown = re.findall(r"!\[([^\]]+)\]\((\S+\.webp)\)", text_of(ROOT / "README.md"))
    ((alternative, path),) = shown
    assert len(alternative) > 50
    assert (ROOT / path).stat().st_size <= 1_000_000
    with Image.open(ROOT / path) as picture:
        assert getattr(picture, "n_frames", 1) >= 6


@pytest.mark.parametrize(("page", "mark"), [("operate.md", next(iter(GENERATED))), ("queue.md", list(GENERATED)[1])])
def test_generated_table_is_current(page: str, mark: str) -> None:
    shown = text_of(ROOT / "docs" / page).partition(f"{mark}\n")[2].partition("<!-- end -->")[0]
    assert shown == GENERATED[mark](), f"docs/{page}: replace the table below {mark}"


def test_failures_page_is_current() -> None:
    assert text_of(ROOT / "docs/failures.md") == catalog(), (
        "run: python -m palio.core.failure_reference > docs/failures.md"
    )


def test_isolation_page_lists_every_attack() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", text_of(ROOT / "docs/isolation.md"), re.MULTILINE)
    assert rows == [(str(int(attack.name[:2])), attack.description) for attack in read_attacks()]


def test_performance_page_lists_every_benchmark() -> None:
    from benchmarks.__main__ import BENCHMARKS

    _, _, names = text_of(ROOT / "docs/performance.md").partition("runs a single benchmark: `")
    assert names.partition("`")[0].split() == ", ".join(BENCHMARKS).split()


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("challenges/*/*.md"))], ids=lambda page: page.name)
def test_commands_and_paths_exist(page: Path) -> None:
    problems = [problem for line in COMMAND.findall(code_in(page)) for problem in problems_of(line)]
    missing = [path for path in PATH.findall(text_of(page)) if not (ROOT / path).exists() and not is_made(path)]
    assert problems + missing == []


def problems_of(line: str) -> Iterator[str]:
    """What is wrong with the command line `palio LINE`; two spaces begin an explanation."""
    words = re.split(r" {2,}", line)[0].split()
    command: click.Command = palio
    context = click.Context(palio)
    while words and isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            yield f"palio {line}: there is no command {name}"
            return
        command = found
    known = {"--help", "--version"} | {
        flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    yield from (f"palio {line}: no option {word}" for word in words if word.startswith("--") and word not in known)


def is_made(path: str) -> bool:
    """Whether a command makes it, so that a checkout does not have it."""
    return any(name in path for name in ("/input_data", "/model_output", "/reference_data", "/packages"))


def test_wording_follows_the_glossary() -> None:
    assert [str(finding) for path in paths() for finding in findings_in(path)] == []


def findings_in(path: str) -> list[Finding]:
    return findings(path, text_of(ROOT / path), RULES)


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        ("a.md", "Hand it in.\n\nNow hand\nin more.\n", ["1: Hand it in", "3: hand in"]),
        ("a.md", "`hand in`, [x](hand-in.md)\n\n    hand in\n\n```\nhand in\n```\n", []),
        (
            "a.html",
            '<p class="desk">{{ desk }} <a title="the desk">go</a>\n{% if desk %}a desk{% endif %}',
            ["1: desk", "2: desk"],
        ),
        ("a.py", 'desk = "desk"\n"""The desk."""\nx = f"a {desk}"  # one desk\n', ["2: desk", "3: desk"]),
        ("a.js", "// the desk\nlet desk = 'desk', x = 'a desk'\n", ["1: desk", "2: desk"]),
        ("a.conf", "desk on; # the desk\n", ["1: desk"]),
        ("a.md", "the leaderboard and dashboard of the participant’s turn\n", ["1: ’s turn"]),
    ],
)
def test_words_to_avoid_are_found_in_prose(path: str, content: str, found: list[str]) -> None:
    table = (
        "## Words to avoid\n| not | but |\n|---|---|\n| hand* in, hand it in | submit |\n| desk, board, 's turn | x |\n"
    )
    found_there = findings(path, content, read_rules(table))
    assert [f"{finding.line}: {finding.words}" for finding in found_there] == found

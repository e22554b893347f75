"""Writes the report of a challenge and the files beside it into a folder."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palio.core.report.citation import bibtex, citation_cff
from palio.core.report.content import Content, read_content
from palio.core.report.design import design_of
from palio.core.report.exported import opened
from palio.core.report.page import report_page
from palio.core.report.robustness import case_rows

REPORT, CASES, BIBTEX, CITATION = "report.html", "cases.csv", "citation.bib", "CITATION.cff"
DESIGN, DESIGN_TEXT = "design.json", "design.txt"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Written:
    """What was written. `cases` is the number of rows of the table of cases; None if it was left out, and `reason`
    says why."""

    files: tuple[str, ...]
    cases: int | None
    reason: str = ""


def write_report(export: str, target: str, with_cases: bool = False) -> dict[str, Any]:
    """Writes the report of the export, a folder or zip, into the folder `target`. Returns Written as a dictionary,
    because this may be called in a child process. `with_cases`: write single cases although a hidden phase is open.
    """
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    with opened(Path(export)) as exported:
        content = read_content(exported)
    (folder / REPORT).write_text(report_page(content), encoding="utf-8")
    (folder / BIBTEX).write_text(bibtex(content.facts), encoding="utf-8")
    (folder / CITATION).write_text(citation_cff(content.facts), encoding="utf-8")
    design = design_of(content.facts, content)
    (folder / DESIGN).write_text(json.dumps(design.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / DESIGN_TEXT).write_text(design.as_text(), encoding="utf-8")
    files, cases, reason = [REPORT, BIBTEX, CITATION, DESIGN, DESIGN_TEXT], None, ""
    if content.still_open and not with_cases:
        reason = f"The table of single cases was left out, because {', '.join(content.still_open)} is still open."
    elif not any(found.cases for _, found in content.robustness):
        reason = "There is no table of single cases: the export has none that can be used."
    else:
        cases = _write_cases(folder / CASES, content)
        files.append(CASES)
    return vars(Written(tuple(files), cases, reason))


def _write_cases(path: Path, content: Content) -> int:
    """One row for each task, case, algorithm and metric, as challengeR reads them."""
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["task", "case", "algorithm", "metric", "value"])
        for row in _cases(content):
            writer.writerow(row)
            rows += 1
    return rows


def _cases(content: Content) -> Iterator[tuple[str, str, str, str, float]]:
    done: set[tuple[str, str]] = set()
    for board, found in content.robustness:
        tasks = {task["index"]: task["name"] for task in content.facts["tasks"]}
        names = [tasks.get(index, str(index)) for index in board.phase["tasks"]]
        teams = [place.team for place in board.ranked]
        for place in board.ranked:
            if (board.phase["name"], place.submission) in done:  # ranked on several leaderboards
                continue
            done.add((board.phase["name"], place.submission))
            several = teams.count(place.team) > 1
            algorithm = f"{place.team} ({place.submission})" if several else place.team
            for task, case, metric, value in case_rows((found.cases or {}).get(place.submission, ())):
                title = f"{board.phase['name']}: {names[task]}"
                yield _text(title), _text(case), _text(algorithm), metric, value


def _text(text: str) -> str:
    """Without the start of a formula, which a spreadsheet would compute."""
    return f"'{text}" if text.startswith(_FORMULA) else text

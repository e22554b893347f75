"""Scores MedNIST predictions against the reference.

    python score.py [INPUT OUTPUT]          (default: input output)

INPUT/ref and INPUT/res each contain one CSV file with the columns file and class. Rows are joined by file name; folders
are ignored. OUTPUT receives

    scores.txt, scores.json   precision, recall and f1: the weighted averages of scikit-learn's classification_report
    cases.csv                 file, truth, prediction
    detailed_results.html     the report's table and a plot of the confusion matrix, in one file
    problems.txt              instead of all these: what is wrong with the predictions, one sentence per line

Exit status: 0 scored; 10 the predictions are invalid (the sentences also go to standard error); 11 the reference or the
folders are invalid.

Uses only the standard library, so it starts quickly and runs on any image.
"""

import argparse
import csv
import gc
import io
import json
import operator
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from itertools import islice
from pathlib import Path

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
OUTPUTS = ("scores.txt", "scores.json", "cases.csv", "detailed_results.html", "problems.txt")
SCORED, PREDICTIONS_AT_FAULT, ORGANIZER_AT_FAULT = 0, 10, 11


class UnusableError(Exception):
    """A CSV file cannot be used; the arguments are sentences that say why."""


@dataclass
class Finding:
    """One kind of problem: how many rows have it, and the first few of them."""

    what: str
    advice: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        self.count += 1
        if len(self.examples) < 5:
            self.examples.append(example)

    def __str__(self) -> str:
        rows = "1 row" if self.count == 1 else f"{self.count:,} rows"
        more = f" and {self.count - len(self.examples):,} more" if self.count > len(self.examples) else ""
        return f"{rows} {self.what}: {', '.join(self.examples)}{more}. {self.advice}"


@dataclass(frozen=True)
class Answers:
    """File names in ascending order, and the class of each."""

    files: list[str]
    classes: list[str]


def read_answers(folder: Path, asked: Sequence[str] | None = None) -> Answers:
    """Reads the class of each file from the only CSV file in the folder. Raises UnusableError with all problems.

    With `asked`, the CSV file must name exactly these files. Memory grows with the distinct files, not with the rows.
    """
    path = only_csv(folder)
    name = shown(f"{folder.name}/{path.name}")
    content = content_of(path, name)
    faultless = faultless_answers(content)
    if faultless and asked in (None, faultless.files):
        return faultless
    return careful_answers(content, name, frozenset(asked) if asked is not None else None)


def careful_answers(content: bytes, name: str, asked: Collection[str] | None) -> Answers:
    """Reads any file, row by row, and collects all problems."""
    fields = Finding("without exactly two fields", "Write one file name and one class in each row.")
    nameless = Finding("without a file name", "Name the image in each row.")
    unknown = Finding("for unknown files", "Remove them or correct their names.")
    repeated = Finding("for files named in an earlier row", "Keep one row for each file; folders are ignored.")
    classless = Finding("without a class", f"Use one of {', '.join(CLASSES)}.")
    misclassed = Finding("with an unknown class", f"Use exactly one of {', '.join(CLASSES)}.")
    missing = Finding("missing", "Add one row for each of these files.")

    answers: dict[str, str] = {}
    broken = ""
    rows = csv.reader(lines_of(content), strict=True)
    try:
        header = next(rows, [])
        if sorted(header) != ["class", "file"]:
            raise UnusableError(
                f"{name} begins with {shown(','.join(header))}; its first line must be 'file,class': "
                "exactly these two columns, in either order."
            )
        file_column, class_column = header.index("file"), header.index("class")
        for row in rows:
            if len(row) != 2:
                if row:  # ignore empty lines
                    fields.add(f"line {rows.line_num} ({len(row)} field{'s' * (len(row) > 1)})")
                continue
            file, answer = row[file_column], row[class_column]
            base = file.replace("\\", "/").rpartition("/")[2]
            if not base:
                nameless.add(f"line {rows.line_num}")
            elif asked is not None and base not in asked:
                unknown.add(f"{shown(file)} (line {rows.line_num})")
            elif base in answers:
                repeated.add(f"{shown(file)} (line {rows.line_num})")
            else:
                answers[base] = answer
            if answer not in CLASSES:
                if answer.strip():
                    misclassed.add(f"{shown(answer)} (line {rows.line_num})")
                else:
                    classless.add(f"line {rows.line_num}")
    except csv.Error as error:
        broken = f"{name} is not valid CSV after line {rows.line_num}: {error}. Close every quotation mark."
    if not broken:
        for file in sorted(file for file in asked or () if file not in answers):
            missing.add(shown(file))
    findings = (fields, nameless, unknown, repeated, classless, misclassed, missing)
    problems = [f"{name} has {finding}" for finding in findings if finding.count]
    if broken:
        problems.append(broken)
    elif not problems and not answers:
        problems.append(f"{name} has no rows. Write one row for each file below its header.")
    if problems:
        raise UnusableError(*problems)
    files = sorted(answers)
    return Answers(files, [answers[file] for file in files])


def only_csv(folder: Path) -> Path:
    """Returns the only CSV file in the folder; other files are ignored."""
    # Names with a leading dot are metadata of other systems ("._predictions.csv" in archives from a Mac).
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.name[0] != ".")
    if len(found) != 1:
        names = f" ({', '.join(shown(path.name) for path in found[:5])}{', ...' if len(found) > 5 else ''})"
        raise UnusableError(
            f"The folder {shown(folder.name)} contains {len(found) or 'no'} CSV files{names if found else ''}; "
            "it must contain exactly one, with the columns file and class."
        )
    return found[0]


def content_of(path: Path, name: str) -> bytes:
    """Returns the bytes of a UTF-8 text file, with or without a byte order mark."""
    content = path.read_bytes()
    if b"\0" in content:
        raise UnusableError(f"{name} contains NUL bytes, like UTF-16 text and binary files. Save it as UTF-8 text.")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableError(f"{name} is not UTF-8 text: see line {line}. Save it as UTF-8 text.") from error
    return content


def lines_of(content: bytes) -> Iterable[str]:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")


def faultless_answers(content: bytes) -> Answers | None:
    """What `careful_answers` gives for a file in which nothing is wrong or unusual, many times as fast; else None.

    The text is taken as a whole: most of the time would go into a loop over millions of rows, and into a dictionary of
    their names, each look into which waits for memory.
    """
    header, _, rows = content.decode("utf-8-sig").replace("\r\n", "\n").partition("\n")
    if not rows.endswith("\n"):
        rows += "\n"
    folder, slash, _ = rows[: rows.index("\n")].partition(",")[0].rpartition("/")
    if slash:  # most often all files are named with the same folder
        rows = f"\n{rows}".replace(f"\n{folder}/", "\n")[1:]
    count = sum(rows.count(f",{name}\n") for name in CLASSES)
    if header != "file,class" or not count == rows.count("\n") == rows.count(","):
        return None
    if any(mark in rows for mark in '"\r/\\'):
        return None
    lines = rows[:-1].replace(",", "\0").split("\n")
    lines.sort()  # by name, as NUL comes before any other character
    parts = "\0".join(lines).split("\0")
    files = parts[::2]
    kept = {name: name for name in CLASSES}  # each class once, however often it was read
    return Answers(files, [kept[answer] for answer in parts[1::2]]) if files[0] and ascending(files) else None


def ascending(names: Sequence[str]) -> bool:
    """Whether each is after the one before it, and so none is named twice."""
    return all(map(operator.lt, names, islice(names, 1, None)))


def shown(foreign: str) -> str:
    """Untrusted text in quotes, safe to print: short, on one line, without control characters."""
    return repr(foreign if len(foreign) <= 80 else foreign[:77] + "...")


@dataclass(frozen=True)
class Scores:
    precision: float
    recall: float
    f1: float


def class_scores(matrix: Sequence[Sequence[int]]) -> list[Scores]:
    """Scores per class, from a confusion matrix with a row per true class and a column per predicted class."""

    def ratio(part: int, whole: int) -> float:
        return part / whole if whole else 0.0  # zero_division=0

    scores = []
    for k, row in enumerate(matrix):
        hits, support, predicted = row[k], sum(row), sum(other[k] for other in matrix)
        scores.append(Scores(ratio(hits, predicted), ratio(hits, support), ratio(2 * hits, support + predicted)))
    return scores


def average(scores: Sequence[Scores], weights: Sequence[int]) -> Scores:
    """Weighted averages, identical to NumPy's and therefore scikit-learn's to the last bit."""

    def mean(values: Iterable[float]) -> float:
        total = 0.0  # not sum(): since Python 3.12 it corrects rounding errors, NumPy does not
        for value, weight in zip(values, weights, strict=True):
            total += value * weight
        return total / sum(weights)

    return Scores(mean(s.precision for s in scores), mean(s.recall for s in scores), mean(s.f1 for s in scores))


STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #59636e; --rule: #d5dae0; --empty: #f3f5f7;
        --right: #1a56c4; --wrong: #c2410c; --on: #fff }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --ink: #e8eaed; --soft: #9aa4b0; --rule: #343a43; --empty: #1d2127;
          --right: #6ea8fe; --wrong: #ff9e64; --on: #0b0d10 } }
body { margin: 0 auto; max-width: 46rem; padding: 2rem 1.25rem 3rem; background: var(--page); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem } p { color: var(--soft) }
dl { display: flex; flex-wrap: wrap; gap: .75rem 2.5rem; margin: 1.5rem 0 0 } dt { color: var(--soft) }
dd { margin: 0; font-size: 1.75rem; font-weight: 600; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .4rem .5rem; text-align: right; border-bottom: 1px solid var(--rule) }
th:first-child { text-align: left } thead th { color: var(--soft); font-weight: 500 } tbody th { font-weight: 500 }
tfoot tr:first-child > * { border-top: 2px solid var(--rule) } tfoot th { font-weight: 600 }
figure { margin: 0 } figcaption { color: var(--soft); margin-top: .75rem } svg { display: block; width: 100% }
svg text { fill: var(--ink); font: 15px system-ui, sans-serif } svg .axis { fill: var(--soft) }
svg .none { fill: var(--soft) } svg .strong { fill: var(--on); font-weight: 600 }
svg .empty { fill: var(--empty) } svg .right { fill: var(--right) } svg .wrong { fill: var(--wrong) }
"""


def report_page(matrix: Sequence[Sequence[int]], *, phantom: bool = False) -> str:
    scores, support = class_scores(matrix), [sum(row) for row in matrix]
    total, hits = sum(support), sum(row[k] for k, row in enumerate(matrix))
    weighted = average(scores, support)

    def table_row(heading: str, s: Scores, count: int) -> str:
        cells = "".join(f"<td>{value:.4f}</td>" for value in (s.precision, s.recall, s.f1))
        return f'<tr><th scope="row">{escape(heading)}</th>{cells}<td>{count:,}</td></tr>\n'

    body = "".join(map(table_row, CLASSES, scores, support))
    foot = (
        f'<tr><th scope="row">accuracy</th><td></td><td></td><td>{hits / total:.4f}</td><td>{total:,}</td></tr>\n'
        + table_row("macro avg", average(scores, [1] * len(scores)), total)
        + table_row("weighted avg", weighted, total)
    )
    on_phantom = " — on PHANTOM images: synthetic pictures, not medical ones" if phantom else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MedNIST: detailed results{on_phantom}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Detailed results{on_phantom}</h1>
<dl>
<div><dt>F1, weighted</dt><dd>{weighted.f1:.4f}</dd></div>
<div><dt>Precision, weighted</dt><dd>{weighted.precision:.4f}</dd></div>
<div><dt>Recall, weighted</dt><dd>{weighted.recall:.4f}</dd></div>
<div><dt>Correct</dt><dd>{hits:,} of {total:,}</dd></div>
</dl>
<h2>Classification report</h2>
<table>
<thead><tr><th scope="col">Class</th><th scope="col">precision</th><th scope="col">recall</th>\
<th scope="col">f1-score</th><th scope="col">support</th></tr></thead>
<tbody>
{body}</tbody>
<tfoot>
{foot}</tfoot>
</table>
<h2>Confusion matrix</h2>
<figure>
{confusion_picture(matrix)}<figcaption id="mistakes">{escape(mistakes(matrix))}</figcaption>
</figure>
</body>
</html>
"""


def confusion_picture(matrix: Sequence[Sequence[int]]) -> str:
    """The matrix as an SVG: blue for correct, orange for wrong, more opaque for a larger share of the row."""
    left, top, width, height = 110, 62, 98, 54
    shapes = [f'<text class="axis" x="{left + 3 * width}" y="18" text-anchor="middle">Prediction</text>']
    shapes.append('<text class="axis" x="0" y="48">Truth</text>')
    for k, name in enumerate(CLASSES):
        across, down = left + (k + 0.5) * width, top + (k + 0.5) * height + 5
        shapes.append(f'<text x="{across}" y="48" text-anchor="middle">{escape(name)}</text>')
        shapes.append(f'<text x="0" y="{down}">{escape(name)}</text>')
        for j, count in enumerate(matrix[k]):
            x, y, share = left + j * width, top + k * height, count / max(sum(matrix[k]), 1)
            box = f'x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{height - 2}" rx="3"'
            shapes.append(f'<rect class="empty" {box}/>')
            if count:  # even a single mistake among thousands stays visible
                kind = "right" if j == k else "wrong"
                shapes.append(f'<rect class="{kind}" fill-opacity="{0.3 + 0.7 * share:.3f}" {box}/>')
            look = "none" if not count else "strong" if share > 0.6 else "some"
            shapes.append(f'<text class="{look}" x="{x + width / 2}" y="{down}" text-anchor="middle">{count:,}</text>')
    return (
        f'<svg viewBox="0 0 {left + 6 * width} {top + 6 * height}" role="img" aria-labelledby="picture" '
        'aria-describedby="mistakes">\n<title id="picture">Confusion matrix, truth by prediction</title>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def mistakes(matrix: Sequence[Sequence[int]]) -> str:
    """The wrong predictions in words."""
    wrong = [
        (-matrix[t][p], f"{matrix[t][p]:,} {CLASSES[t]} classified as {CLASSES[p]}")
        for t in range(len(CLASSES))
        for p in range(len(CLASSES))
        if t != p and matrix[t][p]
    ]
    return f"Mistakes: {', '.join(words for _, words in sorted(wrong))}." if wrong else "No mistakes."


def plain(value: float) -> str:
    """All digits without an exponent: scores.txt is often read as YAML, where 1e-05 is a string."""
    return f"{Decimal(repr(value)):f}"


def score(source: Path, target: Path) -> int:
    """Scores source/res against source/ref, writes to target and returns the exit status."""
    target.mkdir(parents=True, exist_ok=True)
    for name in OUTPUTS:  # a failing run must not leave earlier scores
        (target / name).unlink(missing_ok=True)
    try:
        truth = read_answers(source / "ref")
    except UnusableError as error:
        print(*error.args, sep="\n", file=sys.stderr)
        return ORGANIZER_AT_FAULT
    try:
        predictions = read_answers(source / "res", asked=truth.files)
    except UnusableError as error:
        print(*error.args, sep="\n", file=sys.stderr)
        (target / "problems.txt").write_text("".join(f"{problem}\n" for problem in error.args), encoding="utf-8")
        return PREDICTIONS_AT_FAULT

    pairs = Counter(zip(truth.classes, predictions.classes, strict=True))
    matrix = [[pairs[actual, predicted] for predicted in CLASSES] for actual in CLASSES]
    weighted = average(class_scores(matrix), [sum(row) for row in matrix])
    result = {"precision": weighted.precision, "recall": weighted.recall, "f1": weighted.f1}
    lines = "".join(f"{key}: {plain(value)}\n" for key, value in result.items())
    with (target / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "truth", "prediction"])
        writer.writerows(zip(truth.files, truth.classes, predictions.classes, strict=True))
    phantom = (source / "ref" / "PHANTOM.txt").is_file()  # marks the labels of synthetic images
    (target / "detailed_results.html").write_text(report_page(matrix, phantom=phantom), encoding="utf-8")
    (target / "scores.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
    (target / "scores.txt").write_text(lines, encoding="utf-8")
    print(lines, end="")
    return SCORED


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Scores the predictions in INPUT/res against the reference in INPUT/ref, into OUTPUT."
    )
    parser.add_argument("input", type=Path, nargs="?", default=Path("input"), help="folder with ref and res (input)")
    parser.add_argument("output", type=Path, nargs="?", default=Path("output"), help="folder for the scores (output)")
    options = parser.parse_args(arguments)
    try:
        return score(options.input, options.output)
    except OSError as error:
        print(
            f"Cannot use {shown(str(error.filename or options.output))}: {error.strerror}. INPUT must be a readable "
            "folder with ref and res, and OUTPUT a writable folder on a disk with free space.",
            file=sys.stderr,
        )
        return ORGANIZER_AT_FAULT


if __name__ == "__main__":
    gc.disable()  # there are no reference cycles, and the collector would traverse millions of rows
    sys.exit(main())

"""The data audit as one HTML file without scripts and outside resources: for screens, dark mode and paper."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import palio
from palio.core.errors import counted
from palio.data.audit.findings import TESTED_FALSE_POSITIVE_RATE, AuditReport, Finding, Severity, Signal

_STYLE = Path(__file__).with_suffix(".css")
_WORDS = {Severity.SERIOUS: "Serious", Severity.WARNING: "Warnings", Severity.NOTE: "Notes"}
_MOST_CLASSES = 30  # rows of the table; more are unreadable


def audit_page(report: AuditReport) -> str:
    """A whole HTML document. Everything from files is escaped."""
    title = f"Data audit: {report.name}"
    read = counted(report.read, "file")
    of = f" of {report.files:,}" if report.read < report.files else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
            f'<header><p class="kicker">Data audit</p><h1>{escape(report.name)}</h1>',
            f'<p class="soft">{read}{of} read, {counted(report.cases, "case")}, '
            f"{counted(len(report.splits), 'split')}.</p>",
            f"{_verdict(report)}</header>",
            *(_section(report, severity) for severity in Severity),
            _signals(report.signals),
            _splits(report.splits),
            f'<footer class="soft">Palio {escape(palio.__version__)}. If labels were independent of everything that is '
            f"tested, an audit would report a leak with a probability of at most {TESTED_FALSE_POSITIVE_RATE:.0%}. Not "
            "covered: text within pixels, and whether labels are right.</footer></body></html>\n",
        ]
    )


def _verdict(report: AuditReport) -> str:
    tally = {severity: sum(finding.severity is severity for finding in report.findings) for severity in Severity}
    chips = "".join(
        f'<li class="chip {severity.value}"><b>{number}</b> {escape(_WORDS[severity].lower())}</li>'
        for severity, number in tally.items()
    )
    said = (
        "Fix what is serious before you publish, or say why it is acceptable."
        if tally[Severity.SERIOUS]
        else "Nothing serious was found."
    )
    return f'<ul class="chips">{chips}</ul><p class="verdict">{said}</p>'


def _section(report: AuditReport, severity: Severity) -> str:
    found = [finding for finding in report.findings if finding.severity is severity]
    if not found:
        return ""
    return f"<section><h2>{_WORDS[severity]}</h2>{''.join(_finding(each, report.pictures) for each in found)}</section>"


def _finding(finding: Finding, pictures: Mapping[str, str]) -> str:
    number, _, unit = finding.counted.partition(" ")
    values = "".join(f"<li><code>{escape(value)}</code></li>" for value in finding.values)
    listed = f'<ul class="values">{values}</ul>' if values else ""
    return (
        f'<article class="finding {finding.severity.value}"><p class="count">{number}<span> {escape(unit)}</span></p>'
        f'<div><p class="message">{escape(finding.message)}</p>'
        f"{''.join(_example(example, pictures) for example in _rows(finding))}"
        f"{listed}"
        f'<p class="fix"><b>Fix</b> {_coded(finding.fix)}</p><p class="code">{escape(finding.code)}</p></div></article>'
    )


def _rows(finding: Finding) -> list[tuple[str, ...]]:
    """The examples that belong together each in a row of its own, and single ones in one row."""
    if all(len(example) == 1 for example in finding.examples):
        single = tuple(example[0] for example in finding.examples)
        return [single] if single else []
    return list(finding.examples)


def _example(names: tuple[str, ...], pictures: Mapping[str, str]) -> str:
    figures = "".join(
        (
            f'<figure><img src="{pictures[name]}" alt="" width="96" height="96">'
            f"<figcaption>{escape(name)}</figcaption></figure>"
            if name in pictures
            else f'<figure class="bare"><figcaption>{escape(name)}</figcaption></figure>'
        )
        for name in names
    )
    return f'<div class="example">{figures}</div>'


def _coded(text: str) -> str:
    """With what is between back-quotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def _signals(signals: tuple[Signal, ...]) -> str:
    if not signals:
        return ""
    rows = []
    worst: dict[str, Signal] = {}
    for signal in signals:
        if signal.feature not in worst or signal.skill > worst[signal.feature].skill:
            worst[signal.feature] = signal
    for signal in sorted(worst.values(), key=lambda each: -each.skill):
        low, high, at, chance = (
            f"{value * 100:.1f}" for value in (signal.low, signal.high, signal.score, signal.chance)
        )
        strip = (
            '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<path class="grid" vector-effect="non-scaling-stroke" d="M{chance} 0V10"/>'
            f'<path class="whisker" vector-effect="non-scaling-stroke" d="M{low} 5H{high}"/>'
            f'<path class="dot" vector-effect="non-scaling-stroke" d="M{at} 5h.001"/></svg>'
        )
        significance = "&lt; 0.01" if signal.p <= TESTED_FALSE_POSITIVE_RATE else f"{signal.p:.2f}"
        rows.append(
            f'<tr><th scope="row">{escape(signal.feature)}</th><td>{signal.score:.3f}'
            f'<span class="interval">{signal.low:.3f} – {signal.high:.3f}</span></td>'
            f'<td class="strip">{strip}</td><td>{signal.chance:.3f}</td><td>{significance}</td>'
            f'<td class="left">{escape(signal.split or "all")}</td></tr>'
        )
    return (
        "<section><h2>Labels predicted without looking at an image</h2>"
        '<p class="soft">Balanced accuracy of a small classifier on one feature, in five-fold cross-validation, with '
        "its 95 % interval, for the split where it is highest. The thin line is chance. p is corrected for all "
        "features and splits.</p>"
        '<div class="card"><table><thead><tr><th scope="col">Feature</th><th scope="col">Score</th>'
        '<th class="strip" scope="col">0 to 1</th><th scope="col">Chance</th><th scope="col">p</th>'
        f'<th class="left" scope="col">Split</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div></section>'
    )


def _splits(splits: Mapping[str, Mapping[str, int]]) -> str:
    labels = sorted({label for counts in splits.values() for label in counts})
    if not splits:
        return ""
    head = "".join(f'<th scope="col">{escape(split or "all")}</th>' for split in splits)
    shown = labels[:_MOST_CLASSES]
    rows = "".join(
        f'<tr><th scope="row">{escape(label) or "without a label"}</th>'
        + "".join(f"<td>{counts.get(label, 0):,}</td>" for counts in splits.values())
        + "</tr>"
        for label in shown
    )
    total = "".join(f"<td>{sum(counts.values()):,}</td>" for counts in splits.values())
    more = f'<p class="soft">and {len(labels) - len(shown):,} more labels</p>' if len(labels) > len(shown) else ""
    return (
        '<section><h2>Cases by split and label</h2><div class="card"><table><thead><tr><th scope="col">Label</th>'
        f'{head}</tr></thead><tbody>{rows}<tr class="total"><th scope="row">Total</th>{total}</tr></tbody></table>'
        f"</div>{more}</section>"
    )

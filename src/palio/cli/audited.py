"""Shows the findings of a data audit on the terminal."""

from typing import TYPE_CHECKING

import click

from palio.core.errors import counted

if TYPE_CHECKING:
    from palio.data.audit.findings import AuditReport, Finding

_COLORS = {"serious": "red", "warning": "yellow", "note": "blue"}
_SHOWN_EXAMPLES = 2


def scope(report: "AuditReport") -> str:
    """How much was looked at."""
    of = f" of {report.files:,}" if report.read < report.files else ""
    splits = f" in {counted(len(report.splits), 'split')}" if len(report.splits) > 1 else ""
    return f"{counted(report.read, 'file')}{of} read, {counted(report.cases, 'case')}{splits}."


def show(report: "AuditReport", *, err: bool = False) -> None:
    """Shows each finding, with examples and the fix."""
    for finding in report.findings:
        word = finding.severity.value
        click.echo(f"  {click.style(word, fg=_COLORS[word])}{' ' * (9 - len(word))}{finding}", err=err)
        if word != "note":
            for line in examples(finding):
                click.echo(f"           | {line}", err=err)
            click.echo(f"           Fix: {finding.fix}", err=err)


def examples(finding: "Finding") -> list[str]:
    """Lines that show the problem."""
    lines = [" = ".join(example) if len(example) > 1 else example[0] for example in finding.examples[:_SHOWN_EXAMPLES]]
    return lines if lines else list(finding.values[:_SHOWN_EXAMPLES])


def conclusion(report: "AuditReport") -> str:
    """One sentence on what to do."""
    number = len(report.serious)
    if number:
        return (
            f"{counted(number, 'serious finding')}. Fix {'it' if number == 1 else 'them'} before you publish the data."
        )
    return "Nothing serious was found."

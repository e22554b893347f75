"""What the data audit finds: findings with their severity, examples and fix, and the report that lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from palio.core.errors import counted

EXAMPLES = 5  # of a finding, in the report
TESTED_FALSE_POSITIVE_RATE = 0.01  # of all tests of one audit together, if labels are independent of everything


class Severity(StrEnum):
    SERIOUS = "serious"  # scores are not to be trusted, or somebody's personal data becomes public
    WARNING = "warning"  # worth fixing, or at least worth knowing
    NOTE = "note"  # what was counted, or not looked at


@dataclass(frozen=True)
class Finding:
    """`code` says what kind it is; `count` of `of` files or cases are concerned. `examples` are sets of paths below the
    audited folder that belong together, such as pairs; `values` are texts that show the problem.
    """

    code: str
    severity: Severity
    message: str  # a sentence: what was found, and where
    fix: str  # a sentence: what to do, with the command if there is one
    count: int
    of: int | None = None
    examples: tuple[tuple[str, ...], ...] = ()
    values: tuple[str, ...] = ()
    unit: str = "file"  # what is counted

    @property
    def counted(self) -> str:
        """The count with its unit, such as "3 of 1,800 files"."""
        if self.of is None or self.of == self.count:
            return counted(self.count, self.unit)
        return f"{self.count:,} of {counted(self.of, self.unit)}"

    def __str__(self) -> str:
        return f"{self.counted}: {self.message}"

    def as_json(self) -> dict[str, Any]:
        return vars(self) | {"severity": self.severity.value}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Finding":
        return cls(
            **{
                **found,
                "severity": Severity(found["severity"]),
                "examples": tuple(map(tuple, found["examples"])),
                "values": tuple(found["values"]),
            }
        )


@dataclass(frozen=True)
class Signal:
    """How well labels of a split can be predicted from one feature, without looking at images.

    `score` is the balanced accuracy in cross-validation, with its 95 % interval; `p` is the probability of a score as
    high for any feature of any split if labels were independent of all of them.
    """

    split: str
    feature: str
    score: float
    low: float
    high: float
    chance: float
    p: float
    cases: int

    @property
    def skill(self) -> float:
        """0 for chance, 1 for perfect."""
        return (self.score - self.chance) / (1 - self.chance)


@dataclass(frozen=True)
class AuditReport:
    """`splits` counts cases by split and class, with an empty class for cases without a label."""

    name: str
    files: int
    cases: int
    read: int
    splits: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]
    signals: tuple[Signal, ...] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)  # path -> a small picture as data: URL

    @property
    def serious(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.SERIOUS)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "files": self.files,
            "cases": self.cases,
            "read": self.read,
            "serious": len(self.serious),
            "splits": {split: dict(counts) for split, counts in self.splits.items()},
            "findings": [finding.as_json() for finding in self.findings],
            "signals": [vars(signal) for signal in self.signals],
        }


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Serious ones first; otherwise as they were found."""
    return tuple(sorted(findings, key=lambda finding: list(Severity).index(finding.severity)))

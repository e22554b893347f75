"""Draws small images for the tests of the audit. Each is noise of low frequency, so that no two are alike."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from palio.data.audit.findings import AuditReport, Finding, Severity
from palio.data.audit.run import audit_folder


def image(seed: int, side: int = 32) -> Image.Image:
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


def save(path: Path, seed: int, side: int = 32, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image(seed, side).save(path, **options)
    return path


def name(seed: int) -> str:
    """An opaque name, whose order says nothing."""
    return f"{np.random.default_rng(seed + 1000).integers(16**12):012x}"


def write_classes(folder: Path, each: int = 20, suffix: str = ".png") -> Path:
    """Two class folders of images that nothing tells apart, not even the order of their times."""
    for seed in range(2 * each):
        save(folder / "ab"[seed % 2] / f"{name(seed)}{suffix}", seed)
    return folder


def write_table(folder: Path, rows: list[str], file: str = "labels.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text("\n".join(["file,class", *rows]) + "\n")
    return folder


def audited(folder: Path, **options: Any) -> AuditReport:
    return audit_folder(folder, **options)


def finding(report: AuditReport, code: str) -> Finding | None:
    found = [each for each in report.findings if each.code == code]
    return found[0] if found else None


def leaks(report: AuditReport) -> dict[str, Severity]:
    """Features that are reported to leak the label."""
    return {
        each.message.partition(" tells")[0].partition(" partly")[0]: each.severity
        for each in report.findings
        if each.code == "label-leak"
    }

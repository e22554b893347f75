"""Phases one after the other, as Codabench requires them. CodaLab's may run in parallel."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from palio.core.bundle.codabench_export.losses import Losses
from palio.core.bundle.model import Phase
from palio.core.bundle.times import shown

_STEP = timedelta(minutes=1)  # between phases that start together


def in_sequence(phases: Sequence[Phase], losses: Losses) -> list[Phase]:
    """The phases by their start, each of which ends before the next one starts."""
    ordered = sorted(phases, key=lambda phase: phase.start)
    written: list[Phase] = []
    for index, phase in enumerate(ordered):
        start = phase.start
        if written and start <= written[-1].start:
            start = written[-1].start + _STEP
            losses.add(
                f"phases[{index}].start",
                f"“{phase.name}” starts at {shown(phase.start)}, when or before another phase does; phases follow each "
                f"other on Codabench, so {shown(start)} was written",
            )
        if phase.index != index:
            losses.add(f"phases[{index}].index", f"“{phase.name}” comes by its start, because phases follow each other")
        written.append(replace(phase, index=index, start=start))
    for index, (phase, following) in enumerate(pairwise(list(written))):
        if phase.end is None or phase.end > following.start:
            was = f"ends at {shown(phase.end)}" if phase.end else "never ends"
            losses.add(
                f"phases[{index}].end",
                f"“{phase.name}” {was}, in parallel with “{following.name}”; phases follow each other on Codabench, so "
                f"{shown(following.start)} was written",
            )
            written[index] = replace(phase, end=following.start)
    last = written[-1]
    if last.end is not None and last.end < last.start:
        written[-1] = replace(last, end=last.start)
    return written

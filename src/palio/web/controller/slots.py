"""How much runs at once: number of attempts, and their CPUs, memory and GPUs in total.

The next attempt in the queue starts when it fits beside the running ones; later ones do not overtake it, so that large
attempts never starve. An attempt that needs more than the machine has runs by itself, and the engine reports what it
cannot provide; exceeding the platform's configuration is a failure.
"""

import math
import os
import sys
from dataclasses import dataclass

from palio.core.bundle.model import Rules
from palio.core.errors import PalioError
from palio.core.quantities import size_text
from palio.web.config.configuration import Configuration


@dataclass(frozen=True)
class Share:
    """The resources that an attempt may use at a time."""

    cpus: float
    memory_bytes: int
    gpus: int

    def __add__(self, other: "Share") -> "Share":
        return Share(self.cpus + other.cpus, self.memory_bytes + other.memory_bytes, self.gpus + other.gpus)


NOTHING = Share(0.0, 0, 0)


def share_of(rules: Rules, *, scored_only: bool) -> Share:
    """The maximum over all stages; a build counts as one CPU, as engines do not limit it."""
    stages = [Share(rules.score.cpus, rules.score.memory_bytes, rules.score.gpus)]
    if not scored_only:
        stages.append(Share(rules.predict.cpus, rules.predict.memory_bytes, rules.predict.gpus))
        stages.append(Share(1.0, rules.build.memory_bytes, 0))
    return Share(
        max(stage.cpus for stage in stages),
        max(stage.memory_bytes for stage in stages),
        max(stage.gpus for stage in stages),
    )


class Slots:
    """Of the platform; with `name`, of a named engine, where 0 is no limit, as a cluster is not this machine."""

    def __init__(self, configuration: Configuration, name: str = "") -> None:
        self.count = configuration.slots
        self._configured, self._name = configuration, name
        self._where = f"[engines.{name}] of palio.toml" if name else "palio.toml"
        self._all = Share(
            configuration.cpus or (math.inf if name else float(os.cpu_count() or 1)),
            configuration.memory_bytes
            or (sys.maxsize if name else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
            configuration.gpus or (sys.maxsize if name else 0),
        )

    def refuse_impossible(self, share: Share) -> None:
        """Raises PalioError "limit-unavailable" for more than the configuration allows all attempts together."""
        configured, most = self._configured, self._all
        for setting, key, asked, limit, is_set in (
            ("cpus", "cpus", f"{share.cpus:g}", f"{most.cpus:g}", share.cpus > most.cpus and configured.cpus),
            (
                "memory",
                "memory_gib",
                size_text(share.memory_bytes),
                size_text(most.memory_bytes),
                share.memory_bytes > most.memory_bytes and configured.memory_gib,
            ),
            ("gpus", "gpus", str(share.gpus), str(most.gpus), share.gpus > most.gpus),
        ):
            if is_set:
                raise PalioError(
                    "limit-unavailable",
                    setting=setting,
                    value=asked,
                    engine=self._name or "the platform",
                    reason=f"its configuration lets attempts use {limit}",
                    next_step=f"Raise `{key}` in {self._where}, or lower the limit in competition.yaml.",
                )

    def has_room(self, share: Share, running: int, used: Share) -> bool:
        """`used`: by the `running` attempts together."""
        if not running:
            return True
        total = used + share
        return (
            running < self.count
            and total.cpus <= self._all.cpus
            and total.memory_bytes <= self._all.memory_bytes
            and total.gpus <= self._all.gpus
        )

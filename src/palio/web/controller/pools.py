"""Where attempts run: on the platform's engine, or on one that the operator named (engines/named.py).

A named engine has slots of its own, or those of the platform. Engines of the same kind are watched once.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from palio.core.errors import PalioError
from palio.web.config.configuration import Configuration
from palio.web.controller.engines import Engines, EngineWatch
from palio.web.controller.slots import Slots


@dataclass(frozen=True)
class Pool:
    """`environment` is what a worker adds to its own before it opens the engine. Pools may share their `slots`."""

    watch: EngineWatch
    slots: Slots
    environment: Mapping[str, str] = field(default_factory=dict)


class Pools:
    """`default` is of phases that name no engine."""

    def __init__(self, configuration: Configuration, engines: Engines, changed: threading.Event, before: str) -> None:
        self.default = Pool(EngineWatch(configuration.engine, engines, changed, before), Slots(configuration))
        self._watches = {"": self.default.watch, configuration.engine: self.default.watch}
        self._named: dict[str, Pool] = {}
        for name, named in configuration.engines.by_name:
            if named.engine not in self._watches:
                self._watches[named.engine] = EngineWatch(named.engine, engines, changed)
            slots = self.default.slots
            if named.slots:
                limits = replace(
                    configuration,
                    slots=named.slots,
                    cpus=named.cpus,
                    memory_gib=named.memory_gib,
                    gpus=named.gpus,
                )
                slots = Slots(limits, name=name)
            self._named[name] = Pool(self._watches[named.engine], slots, named.environment)

    def __iter__(self) -> Iterator[Pool]:
        yield self.default
        yield from self._named.values()

    @property
    def watches(self) -> list[EngineWatch]:
        return list(dict.fromkeys(self._watches.values()))

    @property
    def named_trouble(self) -> dict[str, str]:
        """Why the named engines cannot be used now; those that can be used are missing."""
        return {name: pool.watch.found.trouble for name, pool in self._named.items() if pool.watch.found.trouble}

    @property
    def slots(self) -> int:
        """Of all of them together."""
        return sum(each.count for each in {id(pool.slots): pool.slots for pool in self}.values())

    def of(self, name: str) -> Pool:
        """The one of phases that name this engine, or none. Raises PalioError "engine-removed"."""
        if not name:
            return self.default
        if name not in self._named:
            raise PalioError("engine-removed", name=name)
        return self._named[name]

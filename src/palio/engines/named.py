"""Engines that an operator names, for bundles to choose by `palio.engine`: the tables `[engines.NAME]` of palio.toml.

Each is an engine of this platform with the nodes and the queue of a cluster that its jobs use. A bundle cannot choose
these itself, because only the operator knows what they cost and whom they serve.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from palio.core.errors import PalioError
from palio.core.quantities import GIB
from palio.engines import ENGINES
from palio.engines.kubernetes.settings import PREFIX, Settings

TABLE = "engines"  # in palio.toml
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_OF_CLUSTERS = ("queue", "node_selector", "tolerations")
_NUMBERS = {"slots": 10_000, "cpus": 100_000, "memory_gib": 1_000_000, "gpus": 10_000}
_ADVICE = {
    "queue": 'text, such as `queue = "gpu"`',
    "node_selector": 'text, such as `node_selector = "pool=gpu"`',
    "tolerations": 'text, such as `tolerations = "nvidia.com/gpu=present:NoSchedule"`',
}


@dataclass(frozen=True)
class NamedEngine:
    """`engine`: the platform's if empty. `queue`, `node_selector` and `tolerations` are as in kubernetes.Settings.

    With `slots`, it has slots of its own; then `cpus`, `memory_gib` and `gpus` limit its attempts together, where they
    are not 0. Without, its attempts use the platform's slots.
    """

    engine: str = ""
    queue: str = ""
    node_selector: str = ""
    tolerations: str = ""
    slots: int = 0
    cpus: float = 0.0
    memory_gib: float = 0.0
    gpus: int = 0

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gib * GIB)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that an engine for its attempts is opened with."""
        return {f"{PREFIX}{name.upper()}": value for name in _OF_CLUSTERS if (value := getattr(self, name))}


@dataclass(frozen=True)
class NamedEngines:
    by_name: tuple[tuple[str, NamedEngine], ...] = ()

    def of(self, name: str) -> NamedEngine | None:
        return dict(self.by_name).get(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.by_name)


def read_named_engines(content: object) -> tuple[NamedEngines, list[str]]:
    """Reads the tables, or the same as a JSON object in text. Returns what is wrong with them, too, as sentences."""
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except ValueError:
            return NamedEngines(), ['not valid JSON. Write an object such as {"gpu": {"queue": "gpu"}}']
    if not isinstance(content, Mapping) or not all(isinstance(each, Mapping) for each in content.values()):
        return NamedEngines(), [f"not a table of tables. Write [{TABLE}.gpu] and its keys below"]
    problems: list[str] = []
    found = []
    for name, table in content.items():
        wrong = list(_problems(table))
        if not NAME.fullmatch(name):
            wrong.append("its name is not allowed. Use lowercase letters, digits and `-`")
        problems += [f"`{name[:80]}`: {each}" for each in wrong]
        if not wrong:
            found.append((name, NamedEngine(**table)))
    return NamedEngines(tuple(found)), problems


def _problems(table: Mapping[str, Any]) -> Iterator[str]:
    known = [each.name for each in fields(NamedEngine)]
    for key, value in table.items():
        if key not in known:
            yield f"unknown key `{key}`. Use {', '.join(f'`{each}`' for each in known)}"
        elif key == "engine" and value not in ENGINES:
            yield f"engine {value!r} is not allowed. Use {' or '.join(f'`{each}`' for each in ENGINES)}"
        elif key in _NUMBERS and not _is_number(key, value):
            kind = "whole number" if key in ("slots", "gpus") else "number"
            yield f"{key} {value!r} is not allowed. Use a {kind} from 0 to {_NUMBERS[key]}"
        elif key in _ADVICE:
            yield from _in_a_cluster(key, value, table.get("engine", ""))
    if not table.get("slots") and (idle := [key for key in ("cpus", "memory_gib", "gpus") if table.get(key)]):
        yield f"`{idle[0]}` has no effect without `slots`. Set `slots` too, or remove it"


def _is_number(key: str, value: object) -> bool:
    types = (int,) if key in ("slots", "gpus") else (int, float)
    return isinstance(value, types) and not isinstance(value, bool) and 0 <= value <= _NUMBERS[key]


def _in_a_cluster(key: str, value: object, engine: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{key} {value!r} is not allowed. Use {_ADVICE[key]}"
    elif engine != "kubernetes":
        yield f'`{key}` applies to clusters only. Add `engine = "kubernetes"`, or remove it'
    else:
        try:
            Settings.read({f"{PREFIX}FOLDER": "/", f"{PREFIX}{key.upper()}": value})
        except PalioError as error:
            yield error.failure.message.removeprefix(PREFIX).rstrip(".").replace(key.upper(), key, 1)

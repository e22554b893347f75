"""The tables [engines.NAME]: what they may contain, and what they become for an engine."""

import json
from typing import Any

import pytest

from palio.engines.kubernetes.settings import Settings
from palio.engines.named import NamedEngine, NamedEngines, read_named_engines

GPU: dict[str, Any] = {
    "engine": "kubernetes",
    "queue": "gpu",
    "node_selector": "pool=gpu,zone=a",
    "tolerations": "nvidia.com/gpu, pool=gpu:NoSchedule",
    "slots": 4,
    "memory_gib": 0.5,
}


def test_table_and_the_same_as_json_are_read() -> None:
    expected = NamedEngines((("gpu", NamedEngine(**GPU)), ("large", NamedEngine(slots=2))))
    tables = {"gpu": GPU, "large": {"slots": 2}}
    assert read_named_engines(tables) == (expected, [])
    assert read_named_engines(json.dumps(tables)) == (expected, [])
    assert (expected.names, expected.of("small")) == (("gpu", "large"), None)


def test_settings_of_its_engine() -> None:
    found, _ = read_named_engines({"gpu": GPU})
    (_, gpu) = found.by_name[0]
    settings = Settings.read({"PALIO_KUBERNETES_FOLDER": "/shared", **gpu.environment})
    assert (settings.queue, settings.labels) == ("gpu", {"pool": "gpu", "zone": "a"})
    assert settings.tolerated == [
        {"operator": "Exists", "key": "nvidia.com/gpu"},
        {"operator": "Equal", "key": "pool", "value": "gpu", "effect": "NoSchedule"},
    ]
    assert gpu.memory_bytes == 512 * 1024**2


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("{", ['not valid JSON. Write an object such as {"gpu": {"queue": "gpu"}}']),
        ({"gpu": "kubernetes"}, ["not a table of tables. Write [engines.gpu] and its keys below"]),
        ({"GPU": {}}, ["`GPU`: its name is not allowed. Use lowercase letters, digits and `-`"]),
        (
            {"gpu": {"engine": "podman"}},
            ["`gpu`: engine 'podman' is not allowed. Use `docker` or `bubblewrap` or `kubernetes`"],
        ),
        ({"gpu": {"slots": 1.5}}, ["`gpu`: slots 1.5 is not allowed. Use a whole number from 0 to 10000"]),
        ({"gpu": {"slots": True}}, ["`gpu`: slots True is not allowed. Use a whole number from 0 to 10000"]),
        ({"gpu": {"cpus": 4}}, ["`gpu`: `cpus` has no effect without `slots`. Set `slots` too, or remove it"]),
        (
            {"gpu": {"queue": "gpu"}},
            ['`gpu`: `queue` applies to clusters only. Add `engine = "kubernetes"`, or remove it'],
        ),
        (
            {"gpu": {"engine": "kubernetes", "node_selector": "gpu"}},
            ["`gpu`: node_selector is 'gpu', which is not labels of nodes, such as `pool=gpu` or `pool=gpu,zone=a`"],
        ),
        (
            {"gpu": {"engine": "kubernetes", "tolerations": "a=b:Never"}},
            [
                "`gpu`: tolerations is 'a=b:Never', which is not taints, such as `nvidia.com/gpu` or "
                "`pool=gpu:NoSchedule`"
            ],
        ),
    ],
)
def test_problems_are_sentences(content: object, problems: list[str]) -> None:
    assert read_named_engines(content) == (NamedEngines(), problems)


def test_unknown_key_names_the_known_ones() -> None:
    _, (problem,) = read_named_engines({"gpu": {"image": "a"}})
    assert problem.startswith("`gpu`: unknown key `image`. Use `engine`, `queue`, `node_selector`, `tolerations`, ")

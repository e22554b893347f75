"""The dashboard, the alert rules and the manual name what /metrics really exports, and nothing else."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import yaml
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from tests.conftest import ROOT

from palio.web.models import ControllerBeat

pytestmark = pytest.mark.django_db

RULES = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/grafana.json").read_text())
PAGE = (ROOT / "docs/operate.md").read_text()
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds to every series


@dataclass
class Exported:
    """`samples`: for each name of a series, the values of each of its labels. `families`: names as in the manual."""

    samples: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    families: set[str] = field(default_factory=set)


@pytest.fixture
def exported() -> Exported:
    """All that a platform with a controller and an engine exports."""
    ControllerBeat.objects.create(time=timezone.now(), process="here:1", engine="docker", engine_check_s=0.1)
    text = Client().get("/metrics").content.decode()
    found = Exported()
    for family in text_string_to_metric_families(text):
        found.families.add(f"{family.name}_total" if family.type == "counter" else family.name)
        for sample in family.samples:
            labels = found.samples.setdefault(sample.name, defaultdict(set))
            for label, value in sample.labels.items():
                labels[label].add(value)
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query")


def unknown(expression: str, exported: Exported) -> list[str]:
    """Whatever an expression names that no series has: a name, a label, or a value of a label."""
    wrong = []
    for name, selected in re.findall(r"(palio_\w+)(?:\{([^}]*)\})?", expression):
        labels = exported.samples.get(name)
        if labels is None:
            wrong.append(name)
            continue
        for label, value in re.findall(r'(\w+)="([^"]*)"', selected):
            if label not in OF_PROMETHEUS and value not in labels.get(label, ()):
                wrong.append(f'{name}{{{label}="{value}"}}')
    known = OF_PROMETHEUS.union(*exported.samples.values())
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        wrong += [label for label in grouped.split(", ") if label not in known]
    return wrong


def test_every_expression_names_what_is_exported(exported: Exported) -> None:
    found = list(expressions())
    assert len(found) > len(RULES) + len(DASHBOARD["panels"])
    assert all("palio" in expression for expression in found)
    assert {expression: wrong for expression in found if (wrong := unknown(expression, exported))} == {}


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("palio_queue_lengths > 1", ["palio_queue_lengths"]),
        ("palio_attempts_finished", ["palio_attempts_finished"]),
        ('palio_attempts_running{stage="built"}', ['palio_attempts_running{stage="built"}']),
        ('palio_slots{stage="build"}', ['palio_slots{stage="build"}']),
        ("sum by (verdicts) (palio_slots)", ["verdicts"]),
    ],
)
def test_whatever_is_not_exported_is_noticed(exported: Exported, expression: str, wrong: list[str]) -> None:
    assert unknown(expression, exported) == wrong


def test_legends_and_annotations_name_labels(exported: Exported) -> None:
    known = OF_PROMETHEUS.union(*exported.samples.values())
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known
    for rule in RULES:
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) == {"instance"}


def test_dashboard_has_a_data_source_of_its_own_choice_and_room_for_each_panel() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) > 10
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}


def test_every_metric_is_on_the_dashboard_or_in_an_alert(exported: Exported) -> None:
    used = " ".join(expressions())
    assert [name for name in exported.families if name not in used] == []


def test_manual_lists_every_metric_and_no_other(exported: Exported) -> None:
    section = PAGE.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `palio_")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(exported.families)


def test_manual_says_what_to_do_for_every_alert() -> None:
    section = PAGE.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(Palio\w+)` \| (.+) \|$", section, re.MULTILINE))
    assert list(rows) == [rule["alert"] for rule in RULES]
    assert min(len(text) for text in rows.values()) > 40
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning"}

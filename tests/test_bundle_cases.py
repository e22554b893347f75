"""The small bundles of tests/bundles: what `palio check` finds, and their scores by `palio run` on every engine and on
a server. `pytest -s` prints them as a table; docs/challenges.md has the same.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.bundle_cases import CASES, MEASURED, BundleCase, Submitted, make_case
from tests.web.serving.running import running

from palio.cli import main
from palio.client.connection import Connection
from palio.client.submitting import submit, watch
from palio.client.uploading import upload_file
from palio.core.bundle.check import check_bundle
from palio.core.bundle.read import read_bundle

DOCS = Path(__file__).resolve().parent.parent / "docs" / "challenges.md"
ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("bubblewrap", "docker")]
PUBLISH = """
import json, sys
from pathlib import Path
import django
django.setup()
from palio.web.access.tokens import hashed, new_secret
from palio.web.models import ApiToken, User
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.joining import join, terms_of
from palio.web.verbs.publish import publish
alice = User.objects.create_user("alice", password="alice-long-password")
tokens = {}
for slug, (folder, participants) in json.load(sys.stdin).items():
    challenge = publish(Path(folder), actor=alice, slug=slug).challenge
    terms = terms_of(current_bundle(challenge))
    for name in participants:
        user = User.objects.create_user(f"{slug}-{name}", password="long-enough-password")
        join(challenge, user, terms_digest=terms.digest if terms else "")
        tokens[f"{slug}-{name}"] = new_secret()
        ApiToken.objects.create(
            user=user, name="t", scopes=["read", "submit"], secret_hash=hashed(tokens[f"{slug}-{name}"])
        )
print(json.dumps(tokens))
"""

Seen = dict[tuple[str, str], dict[str, Mapping[str, float | str]]]  # by case and submission, and by where it ran


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BundleCase]:
    return {name: make_case(name, tmp_path_factory.mktemp("cases") / name) for name in CASES}


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """The scores that were seen, printed at the end."""
    found: Seen = {}
    yield found
    for (case, submission), by_place in found.items():
        for place, scores in by_place.items():
            print(f"\n{case:18} {submission:24} {place:22} {shown(scores)}", end="")


@pytest.mark.parametrize("name", CASES)
def test_findings(name: str, cases: dict[str, BundleCase]) -> None:
    bundle = read_bundle(cases[name].bundle)
    errors, warnings = check_bundle(bundle)
    assert errors == ()
    assert tuple(problem.field for problem in (*bundle.warnings, *warnings)) == cases[name].warnings


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_scores_of_palio_run(
    name: str,
    engine: str,
    cases: dict[str, BundleCase],
    seen: Seen,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    runs = []
    for submitted in cases[name].submissions:
        runs.append(tmp_path / submitted.name)
        phase = ["--phase", submitted.phase] if submitted.phase else []
        command = ["run", submitted.path, "--challenge", cases[name].bundle, "--engine", engine, "-o", runs[-1], *phase]
        main([*map(str, command), "--json"])
        result = json.loads(capfd.readouterr().out)
        assert result["failure"] is None
        assert json.loads((runs[-1] / "lock.json").read_text())["submission"]["kind"] == submitted.kind
        assert measured(result["scores"], submitted) == dict(submitted.scores)
        note(seen, name, submitted, f"palio run, {engine}", result["scores"])
    if board := cases[name].leaderboard:
        assert main(["leaderboard", *map(str, runs), "--json"]) == 0
        ranked = json.loads(capfd.readouterr().out)["ranked"]
        values = {row["label"].removesuffix(".zip"): row["scores"][board["column"]] for row in ranked}
        assert values == board["values"]


@pytest.mark.parametrize("engine", ENGINES)
def test_scores_of_a_server(
    engine: str, cases: dict[str, BundleCase], seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    operated = {"PALIO_ENGINE": engine, "PALIO_ANYONE_ON_BUBBLEWRAP": "true", "PALIO_SLOTS": "2"}
    with running(tmp_path / "data", **operated) as platform:
        waiting = submit_all(platform.address, tmp_path / "data", cases)
        for name, submitted, ended in waiting:
            result = ended()
            assert result["failure"] is None, (name, submitted.name)
            assert measured(result["scores"], submitted) == dict(submitted.scores)
            note(seen, name, submitted, f"server, {engine}", result["scores"])


def submit_all(
    address: str, data: Path, cases: Mapping[str, BundleCase]
) -> list[tuple[str, Submitted, Callable[[], Any]]]:
    """Publishes all cases and submits to their open phases, each submission for a team of its own."""
    open_ones = [
        (case, submitted) for case in cases.values() for submitted in case.submissions if is_open(case, submitted)
    ]
    published: dict[str, tuple[str, list[str]]] = {name: (str(case.bundle), []) for name, case in cases.items()}
    for case, submitted in open_ones:
        published[case.name][1].append(submitted.name)
    tokens = json.loads(
        subprocess.run(
            [sys.executable, "-c", PUBLISH],
            input=json.dumps(published),
            env=os.environ | {"PALIO_DATA": str(data), "DJANGO_SETTINGS_MODULE": "palio.web.settings"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    )
    waiting: list[tuple[str, Submitted, Callable[[], Any]]] = []
    for case, submitted in open_ones:
        connection = Connection(address, tokens[f"{case.name}-{submitted.name}"])
        file = upload_file(connection, case.name, submitted.path, phase=submitted.phase)
        identity = submit(connection, case.name, file["id"], phase=submitted.phase)["id"]
        waiting.append((case.name, submitted, partial(wait_for, connection, identity)))
    return waiting


def wait_for(connection: Connection, submission: str) -> Any:
    return list(watch(connection, submission))[-1]


def is_open(case: BundleCase, submitted: Submitted) -> bool:
    phases = [phase for phase in read_bundle(case.bundle).phases if submitted.phase in (None, phase.name)]
    return phases[0].end is None or phases[0].end > datetime.now(UTC)


def measured(scores: Mapping[str, float], submitted: Submitted) -> dict[str, float | str]:
    """The scores, without the values of those that differ from run to run."""
    return {
        key: MEASURED if submitted.scores.get(key) == MEASURED and value >= 0 else value
        for key, value in scores.items()
    }


def note(seen: Seen, name: str, submitted: Submitted, place: str, scores: Mapping[str, float]) -> None:
    seen.setdefault((name, submitted.name), {})[place] = scores


def shown(scores: Mapping[str, float | str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in scores.items())


def test_docs_have_the_table(cases: dict[str, BundleCase]) -> None:
    page = DOCS.read_text()
    rows = [
        f"| {case.name} | {submitted.name} | {submitted.kind} | {shown(submitted.scores)} |"
        for case in cases.values()
        for submitted in case.submissions
    ]
    assert [row for row in rows if row not in page] == []

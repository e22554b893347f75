"""Whatever stands in competition.yaml, the answer is a bundle or a listing, never an accident."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio.core.bundle.check import check_bundle
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

KEYS = """
version title image terms pages file tasks index scoring_program input_data phases start end name
leaderboards leaderboard columns key sorting computation computation_indexes primary_index palio
limits predict time memory blind inputs restore csv sample statistics ranking submissions logs html
label start_date phasenumber is_parallel_parent parent_phasenumber computed fields operation rank
max_submissions end_date << execution_time_limit
""".split()  # noqa: SIM905 - words read better than a list of strings
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**20)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["2", "1.5", ".", "..", "a\0b", "x" * 5000, "2025-01-01", "9999-12-31 23:59-12:00", "8 GiB", "link"]
    )
    | st.sampled_from(
        [
            "2025-01-01",
            "9999-12-31 23:59-12:00",
            "pages",
            "pages/overview.md",
            "scoring_program",
            "Avg",
            "avg_rank",
            "desc",
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=30,
)
TOPS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundle")
    for name in ("pages/overview.md", "scoring_program/metadata"):
        (root / name).parent.mkdir()
        (root / name).write_text("x")
    (root / "link").symlink_to("link")
    return root


def answer(folder: Path, data: bytes) -> None:
    (folder / "competition.yaml").write_bytes(data)
    failure = None
    try:
        check_bundle(read_bundle(folder))
    except PalioError as error:
        failure = error.failure
    assert failure is None or (failure.code == "bundle-invalid" and failure.evidence)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(top=TOPS)
def test_any_document(folder: Path, top: dict[str, object]) -> None:
    answer(folder, yaml.safe_dump(top, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.sampled_from("ab:-[]{}&*!<>|#'\"%@?,\\ \n\t\r0é\u2028"), max_size=60))
def test_any_text(folder: Path, text: str) -> None:
    answer(folder, text.encode())


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=60))
def test_any_bytes(folder: Path, data: bytes) -> None:
    answer(folder, data)


SOUND = (
    """\
version: 2
title: Sound
pages: [{title: Overview, file: pages/overview.md}]
terms: pages/overview.md
tasks: [{index: 0, name: Classify, scoring_program: scoring_program, input_data: pages, reference_data: pages}]
solutions: [{index: 0, tasks: [0], path: pages}]
fact_sheet: {a: {key: a, type: text}}
phases: [{name: Only, start: 2025-01-01, end: 2026-01-01, tasks: [0], max_submissions: 3, execution_time_limit: 60}]
leaderboards:
- submission_rule: Add
  columns:
  - {index: 0, key: f1, sorting: desc, precision: 2}
  - {index: 1, key: mean, sorting: desc, computation: avg, computation_indexes: [0]}
palio:
  data: public
  limits: {predict: {time: 60 s, memory: 2 GiB, shm: 1 GiB}}
  blind: {inputs: "*.md", restore: [{csv: a.csv, column: file}]}
  sample: {input: pages, expect: pages}
  statistics: {cases: cases.csv, kind: classification, metric: f1_weighted}
  ranking: {choose: best}
""",
    """\
title: Older
has_registration: true
end_date: 2026-01-01
html: {overview: pages/overview.md, terms: pages/overview.md}
phases:
  1: {phasenumber: 1, label: A, start_date: 2025-01-01, scoring_program: scoring_program, is_parallel_parent: true}
  2: {phasenumber: 2, label: B, start_date: 2025-01-01, scoring_program: scoring_program, parent_phasenumber: 1}
  3: {phasenumber: 3, label: C, start_date: 2025-01-01, scoring_program: scoring_program, phase_never_ends: true}
leaderboard:
  leaderboards: {RESULTS: {label: Results, rank: 1}}
  columns:
    a: {leaderboard: {label: Results}, label: A, rank: 1, sort: asc, numeric_format: 2}
    b: {leaderboard: {label: Results}, label: B, rank: 2, computed: {operation: Avg, fields: a}}
""",
)


def places(value: object, so_far: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [place for key, part in entries for place in places(part, (*so_far, key))]
    return [so_far, *below] if so_far else below


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), sound=st.sampled_from(SOUND), new=VALUES, is_removed=st.booleans())
def test_sound_document_with_one_change(
    folder: Path, data: st.DataObject, sound: str, new: object, is_removed: bool
) -> None:
    document = yaml.safe_load(sound)
    *above, last = data.draw(st.sampled_from(places(document)))
    holder = document
    for key in above:
        holder = holder[key]
    if is_removed:
        del holder[last]
    else:
        holder[last] = new
    answer(folder, yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("sound", SOUND)
def test_unchanged_documents_sound(folder: Path, sound: str) -> None:
    (folder / "competition.yaml").write_text(sound)
    read_bundle(folder)

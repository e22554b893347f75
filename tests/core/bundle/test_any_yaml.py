"""Whatever stands in competition.yaml, the answer is a bundle or a listing, never an accident."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
        read_bundle(folder)
    except PalioError as error:
        failure = error.failure
    assert failure is None or (failure.code == "bundle-invalid" and failure.evidence)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(top=TOPS)
def test_any_document_is_read_or_refused(folder: Path, top: dict[str, object]) -> None:
    answer(folder, yaml.safe_dump(top, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.sampled_from("ab:-[]{}&*!<>|#'\"%@?,\\ \n\t\r0é\u2028"), max_size=60))
def test_any_text_is_read_or_refused(folder: Path, text: str) -> None:
    answer(folder, text.encode())


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(folder: Path, data: bytes) -> None:
    answer(folder, data)

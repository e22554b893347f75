from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from palio.core.statistics.cases import Cases, Measurements, SingleCases
from palio.core.statistics.kept import Kept, load, save, updated
from palio.core.statistics.methods import Method, method

KINDS = [
    ("classification", "accuracy"),
    ("classification", "f1_macro"),
    ("mean", "mean(dice)"),
    ("probability", "auc"),
    ("probability", "average_precision"),
]
FILES = tuple(f"{case:03}" for case in range(120))
TRUTHS = tuple("abc"[case % 3] for case in range(120))


def cases(kind: str, number: int, files: tuple[str, ...] = FILES) -> SingleCases:
    """Submission `number`; a later one is worse, and the sixth predicts a class that no other does."""
    random = np.random.default_rng(number)
    if kind == "classification":
        wrong = random.random(120) < 0.05 + number / 20
        other = "d" if number == 5 else "a"
        said = tuple(other if is_wrong else truth for is_wrong, truth in zip(wrong, TRUTHS, strict=True))
        return Cases(files, TRUTHS, said)
    if kind == "mean":
        return Measurements(files, (), ("dice",), random.beta(8, 1 + number / 4, (120, 1)), has_truth=False)
    truth = np.arange(120) % 2
    said_at = np.clip(truth * 0.5 + random.random(120) * (0.5 + number / 20), 0, 1)
    return Measurements(files, (), ("",), np.stack([truth, said_at], axis=1), has_truth=True)


def board(
    kind: str, of: Method, numbers: Sequence[int], before: Kept | None = None, read: list[str] | None = None
) -> Kept:
    def reading(labels: Sequence[str]) -> list[list[SingleCases]]:
        if read is not None:
            read.extend(labels)
        return [[cases(kind, int(label))] for label in labels]

    return updated(before, [*map(str, numbers)], reading, of, "settings", descending=True)


def numbers(kept: Kept) -> dict[str, object]:
    only = kept.table.only
    return {
        "labels": kept.labels,
        "p_values": kept.table.p_values.tolist(),
        "only": None if only is None else only.tolist(),
        "scores": kept.redraws.scores.round(12).tolist(),
        "better": kept.redraws.better.tolist(),
    }


@pytest.mark.parametrize(("kind", "metric"), KINDS)
def test_one_more_one_less_and_another_order_equal_a_new_start(kind: str, metric: str) -> None:
    of, read = method(kind, metric), list[str]()
    before = board(kind, of, [0, 1, 2, 3, 4])
    after = board(kind, of, [3, 0, 5, 1, 4], before, read)
    assert read == ["5"]
    assert numbers(after) == numbers(board(kind, of, [3, 0, 5, 1, 4]))


def test_file_gives_the_same_back(tmp_path: Path) -> None:
    for kind, metric in KINDS:
        of = method(kind, metric)
        kept = board(kind, of, [0, 1, 2])
        save(kept, tmp_path / "kept.kept")
        found = load(tmp_path / "kept.kept")
        assert found is not None
        assert numbers(found) == numbers(kept)
        read: list[str] = []
        assert numbers(board(kind, of, [2, 1, 3], found, read)) == numbers(board(kind, of, [2, 1, 3]))
        assert read == ["3"]


@pytest.mark.parametrize(
    "content", [b"", b"no JSON", b"[]\n", b'{"version": 1, "arrays": ["p_values"], "tasks": []}\nshort']
)
def test_damaged_file_is_not_used(tmp_path: Path, content: bytes) -> None:
    assert load(tmp_path / "missing.kept") is None
    (tmp_path / "damaged.kept").write_bytes(content)
    assert load(tmp_path / "damaged.kept") is None


def test_other_settings_start_anew() -> None:
    of, read = method("classification", "accuracy"), list[str]()
    before = board("classification", of, [0, 1])

    def reading(labels: Sequence[str]) -> list[list[SingleCases]]:
        read.extend(labels)
        return [[cases("classification", int(label))] for label in labels]

    updated(before, ["0", "1"], reading, of, "others", descending=True)
    assert read == ["0", "1"]


def test_different_cases_are_refused() -> None:
    of = method("classification", "accuracy")
    before = board("classification", of, [0, 1])
    other = cases("classification", 2, tuple(f"x{case:03}" for case in range(120)))
    with pytest.raises(ValueError, match="different cases"):
        updated(before, ["0", "1", "2"], lambda _: [[other]], of, "settings", descending=True)

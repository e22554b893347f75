import time
from pathlib import Path

import pytest

from palio.core.redaction.hidden_names import (
    ITSELF,
    NUMBERED,
    WITHHELD,
    HiddenNames,
    first_words,
    label_words,
    reference_texts,
    replacements,
    stands_in,
)


def words(*real: str, labels: frozenset[str] | None = frozenset(), places: bool = False) -> HiddenNames:
    return HiddenNames(replacements(real, lambda path: (NUMBERED + path,) * 3), labels, places)


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("missing: 1a.jpg.", "missing: (hidden file 1)."),
        ("missing: '1a.jpg', b/2a.jpg, 2a.jpg", "missing: '(hidden file 1)', (hidden file 2), (hidden file 2)"),
        ("11a.jpg and 1ab.jpg are others", "11a.jpg and 1ab.jpg are others"),
        ("masks/1A.JPG_0 and case 1a-x", "masks/(hidden file 1)_0 and case (hidden file 1)-x"),
        ("3 files are missing", "3 files are missing"),
        ("so many that they do not all fit: 2a.jpg, 1a.j…", "so many that they do not all fit: (hidden file 1), …"),
    ],
)
def test_masked_names(sentence: str, told: str) -> None:
    assert words("1a.jpg", "b/2a.jpg").masked([sentence]) == (told,)


def test_masked_numbers_by_mention() -> None:
    """Not by their order among the hidden files, which may be that of their classes."""
    assert words("a1.jpg", "a2.jpg", "a3.jpg").masked(["a3 first", "then a1, a3"]) == (
        "(hidden file 1) first",
        "then (hidden file 2), (hidden file 1)",
    )


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("28 rows are missing: 28.jpg", "… rows are missing: (hidden file 1)"),
        ("28, 1,028 and 0.28 and 128", "…, 1,028 and 0.28 and 128"),
    ],
)
def test_masked_stems_that_are_numbers(sentence: str, told: str) -> None:
    assert words("28.jpg").masked([sentence]) == (told,)


def test_masked_names_of_two_files() -> None:
    assert words("a/same.jpg", "b/same.jpg").masked(["same.jpg, a/same.jpg"]) == ("(a hidden file), (hidden file 1)",)


def test_masked_labels_beside_hidden_name_only() -> None:
    masked = words("1a.jpg", labels=frozenset({"hand", "cxr", "0"})).masked
    assert masked(["1a.jpg: expected Hand, got CXR (class_0), not Foot", "Allowed are Hand, CXR."]) == (
        "(hidden file 1): expected …, got … (…), not Foot",
        "Allowed are Hand, CXR.",
    )


def test_masked_labels_beside_allowed_name() -> None:
    assert HiddenNames({"1a.jpg": ITSELF}, frozenset({"hand"})).masked(["1a.jpg is a Hand"]) == ("1a.jpg is a …",)


def test_masked_without_known_labels() -> None:
    assert words("1a.jpg", labels=None).masked(["1a.jpg: Hand", "2 rows"]) == (WITHHELD, "2 rows")


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("'x' (line 12), 'y' (line 14)", "'x' (line …), 'y' (line …)"),
        ("line 5 (3 fields)", "line … (3 fields)"),
        ("Rows 1, 2 and 30 differ; 2 rows are missing", "Rows … differ; 2 rows are missing"),
    ],
)
def test_masked_places(sentence: str, told: str) -> None:
    assert words("1a.jpg", places=True).masked([sentence]) == (told,)
    assert words("1a.jpg").masked([sentence]) == (sentence,)


def test_masked_ten_thousand_names_fast() -> None:
    real = [f"folder/case-{number:05}.nii.gz" for number in range(10_000)]
    sentences = [", ".join(f"case-{20 * number + k:05}.nii.gz" for k in range(25)) for number in range(20)]
    begin = time.process_time()
    told = words(*real).masked(sentences)
    assert time.process_time() - begin < 3
    assert "case" not in "".join(told)


def test_label_words(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "truth.csv").write_text("file,class\n1a.jpg,Left-Hand\n9z.jpg,Foot\n")
    (tmp_path / "below/more.json").write_text('{"1a": {"age": 44}}')
    (tmp_path / "image.png").write_bytes(b"1a.jpg,Secret")
    texts = reference_texts(tmp_path)
    assert texts is not None
    names = replacements(["1a.jpg"], lambda path: (path,) * 3)
    assert label_words(texts, names) == {"left-hand", "left", "hand", "age", "44"}


def test_reference_texts_too_large(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(bytes(9 << 20))
    assert reference_texts(tmp_path) is None


def test_first_words() -> None:
    assert first_words([["file,class", '"one", yes', "two;no", ""], []]) == {"one", "two"}


@pytest.mark.parametrize(("text", "there"), [("x,1.jpg", True), ("11.jpg 1.jpgs", False), ("1.jpg" * 3000, False)])
def test_stands_in(text: str, there: bool) -> None:
    assert stands_in("1.jpg", text) is there


def test_replacements_with_tokens() -> None:
    """The names of cases are replaced wherever they stand, the roles of files are not."""
    token = "0" * 32
    opaque = {"case7/flair.nii.gz": f"{token}/flair.nii.gz"}
    names = replacements(opaque, lambda path: (opaque[path], "flair.nii.gz", "flair"), {token: "case7"})
    hidden = HiddenNames(names, frozenset())
    assert hidden.masked(["case7.nii.gz and Case7/flair.nii.gz lack flair", "case71 is another"]) == (
        f"{token}.nii.gz and {token}/flair.nii.gz lack flair",
        "case71 is another",
    )


def test_replacements_of_folders() -> None:
    assert words("images/p7/s7.png", "images/p8/s8.png").masked(["images: p7 lacks a mask, s8.png, images/p7"]) == (
        "images: (hidden file 1) lacks a mask, (hidden file 2), (hidden file 1)",
    )

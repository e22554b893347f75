import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dicom import dicom_head

from palio.core.bundle.case_names import CasesUnclearError, Hidden, case_pattern, name_parts
from palio.core.bundle.model import BlindPolicy
from palio.core.bundle.suffixes import Suffixes


def opaque(
    *names: str, inputs: str = "*", case: Sequence[str] = (), contents: dict[str, bytes] | None = None
) -> dict[str, str]:
    """The names with each hidden part as a number in angle brackets, numbered by first mention."""
    numbers: dict[Hidden, int] = {}
    policy = BlindPolicy(inputs, (), tuple(case))
    found = name_parts(names, policy, lambda name, _: (contents or {}).get(name, b""))
    for name, parts in found.items():
        assert "".join(part if isinstance(part, str) else part.text for part in parts) == name
    return {
        name: "".join(p if isinstance(p, str) else f"<{numbers.setdefault(p, len(numbers) + 1)}>" for p in parts)
        for name, parts in found.items()
    }


def said(*names: str, inputs: str = "*", case: Sequence[str] = ()) -> list[str]:
    return list(opaque(*names, inputs=inputs, case=case).values())


def refusal(*names: str, inputs: str = "*", case: Sequence[str] = ()) -> str:
    with pytest.raises(CasesUnclearError) as caught:
        said(*names, inputs=inputs, case=case)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.png", ".png"),
        ("scan.nii.gz", ".nii.gz"),
        ("slide.ome.tiff", ".ome.tiff"),
        ("x.seg.nrrd", ".seg.nrrd"),
        ("x.tar.gz", ".tar.gz"),
        ("x.ome.tif.gz", ".ome.tif.gz"),
        ("smith.mha", ".mha"),
        ("john.smith.nii.gz", ".nii.gz"),
        ("john.smith", ""),
        ("1.2.840.10008.5", ""),
        ("IM0001", ""),
        (".png", ""),
        ("a.b.", ""),
    ],
)
def test_suffixes(name: str, suffix: str) -> None:
    assert Suffixes([name, "x.y", "v.w"]).split(name) == (name[: len(name) - len(suffix)], suffix)


def test_unknown_suffixes_stay_if_shared() -> None:
    assert said("a.fancy", "b.fancy", "c.smith") == ["<1>.fancy", "<2>.fancy", "<3>"]


def test_files_are_cases() -> None:
    assert said("benign1.png", "malignant1.png", "x.ome.tiff") == ["<1>.png", "<2>.png", "<3>.ome.tiff"]


def test_folder_cases_with_roles() -> None:
    assert said(
        "c1/flair.nii.gz", "c1/t1.nii.gz", "c1/t2.nii.gz", "c2/flair.nii.gz", "c2/t1.nii.gz", "c2/t2.nii.gz"
    ) == [
        "<1>/flair.nii.gz",
        "<1>/t1.nii.gz",
        "<1>/t2.nii.gz",
        "<2>/flair.nii.gz",
        "<2>/t1.nii.gz",
        "<2>/t2.nii.gz",
    ]


def test_name_of_a_case_in_its_files() -> None:
    assert said("B-001/B-001_t1c.nii.gz", "B-001/seg_001.png", "B-002/B-002_t1c.nii.gz", "B-002/seg_002.png") == [
        "<1>/<1>_t1c.nii.gz",
        "<1>/seg_<2>.png",
        "<3>/<3>_t1c.nii.gz",
        "<3>/seg_<4>.png",
    ]


def test_case_files_without_role() -> None:
    names = ("p1/flair.png", "p1/t1.png", "p1/smith.png", "p2/flair.png", "p2/t1.png")
    assert said(*names) == ["<1>/flair.png", "<1>/t1.png", "<1>/<2>.png", "<3>/flair.png", "<3>/t1.png"]


def test_files_not_inputs() -> None:
    names = ("p1/scan.nii.gz", "p1/p1.json", "p2/scan.nii.gz", "readme.txt")
    assert said(*names, inputs="*.nii.gz") == ["<1>/scan.nii.gz", "<1>/<1>.json", "<2>/scan.nii.gz", "readme.txt"]


def test_folder_of_all_inputs() -> None:
    assert said("images/a.png", "images/b.png") == ["images/<1>.png", "images/<2>.png"]
    assert said("imagesTs/p1/scan.nii", "imagesTs/p2/scan.nii") == ["imagesTs/<1>/scan.nii", "imagesTs/<2>/scan.nii"]
    assert said("smith/a.png", "smith/b.png") == ["<1>/<2>.png", "<1>/<3>.png"]


def test_folders_may_be_classes() -> None:
    """Nothing shows which files share a folder."""
    assert said("benign/a8.png", "benign/b3.png", "malignant/c4.png") == ["<1>/<2>.png", "<3>/<4>.png", "<5>/<6>.png"]
    numbered = [f"{label}/{number:03}.png" for label in ("benign", "malignant") for number in range(20)]
    assert "cases or classes" in refusal(*numbered)
    assert len(set(said(*numbered, case=["**/{case}"]))) == 40
    assert all(re.fullmatch(r"<\d+>/<\d+>\.png", name) for name in said(*numbered, case=["**/{case}"]))
    assert said(*numbered, case=["{case}/"])[20] == "<2>/000.png"


def test_sites_with_patients() -> None:
    names = [f"site{site}/p{patient:02}/flair.nii" for site in range(2) for patient in range(9)]
    assert "cases or classes" in refusal(*names)
    assert said(*names, case=["*/{case}/"])[:2] == ["<1>/<2>/flair.nii", "<3>/<4>/flair.nii"]


def test_single_case() -> None:
    """As in a sample: the same roles as among many cases."""
    assert said("p1/flair.nii.gz", "p1/p1_t1c.nii.gz") == ["<1>/flair.nii.gz", "<1>/<1>_t1c.nii.gz"]
    assert said("images/p1/t1.nii", "images/p1/t2.nii") == ["images/<1>/t1.nii", "images/<1>/t2.nii"]
    assert said("p1_flair.nii.gz", "p1_t1c.nii.gz") == ["<1>_flair.nii.gz", "<1>_t1c.nii.gz"]


def test_siblings() -> None:
    names = ("p1_left.png", "p1_right.png", "p2_left.png", "p2_right.png")
    assert said(*names) == ["<1>_left.png", "<1>_right.png", "<2>_left.png", "<2>_right.png"]
    assert said("benign_1.png", "malignant_1.png", "benign_2.png") == ["<1>.png", "<2>.png", "<3>.png"]


def test_siblings_by_pattern() -> None:
    names = ("p_1_0000.nii.gz", "p_1_0001.nii.gz", "p_2_0000.nii.gz")
    expected = ["<1>_0000.nii.gz", "<1>_0001.nii.gz", "<2>_0000.nii.gz"]
    assert said(*names, case=["{case}_*.nii.gz"]) == expected


def test_patterns_in_order() -> None:
    names = ("p1_t1_ce.png", "p1_flair.png", "p1/p1_x.png")
    patterns = ["{case}_t1_ce.png", "{case}_*.png", "{case}/{case}_*.png"]
    assert said(*names, case=patterns) == ["<1>_t1_ce.png", "<1>_flair.png", "<1>/<1>_x.png"]


def test_case_pattern_that_does_not_match() -> None:
    assert "`b.png` does not match" in refusal("a_1.png", "b.png", case=["{case}_*.png"])


@pytest.mark.parametrize("pattern", ["*.png", "", "{case}*?*?*", "{Case}.png"])
def test_case_pattern_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"write|use at most"):
        case_pattern(pattern)


def test_inputs_that_match_nothing() -> None:
    assert refusal("a.png", inputs="case*").startswith(".inputs is `case*`, but matches no input (1 file")


def test_dicom_series() -> None:
    names = {f"{uid}/IM{number:04}": dicom_head(uid) for uid in ("1.2.31", "1.2.57") for number in range(30)}
    found = opaque(*names, contents=names)
    assert found["1.2.31/IM0007"] == "<1>/IM0007"
    assert found["1.2.57/IM0029"] == "<2>/IM0029"


def test_dicom_series_in_classes() -> None:
    names = {
        f"{label}/{uid}/{uid}.{number}.dcm": dicom_head(uid)
        for label, uid in (("benign", "1.2.31"), ("benign", "1.2.45"), ("malignant", "1.2.57"))
        for number in range(6)
    }
    found = opaque(*names, contents=names)
    folders = {name.rpartition("/")[0] for name in found.values()}
    assert len(folders) == len({folder.partition("/")[0] for folder in folders}) == 3


def test_dicom_images_of_different_series() -> None:
    names = {f"{label}/{n:03}.dcm": dicom_head(f"1.2.{label}{n}") for label in "12" for n in range(9)}
    with pytest.raises(CasesUnclearError, match="cases or classes"):
        opaque(*names, contents=names)


_words = st.text("abcxyz019_-. é", min_size=1, max_size=9).filter(lambda word: word.strip(". ") == word)
_trees = st.lists(st.lists(_words, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8, unique=True).filter(
    lambda names: not any(other.startswith(f"{name}/") for name in names for other in names)
)


@given(_trees)
def test_any_tree_unique_names(names: list[str]) -> None:
    try:
        found = opaque(*names)
    except CasesUnclearError:
        return
    assert len({name.lower() for name in found.values()}) == len(names) or len({n.lower() for n in names}) < len(names)
    for name, shown in found.items():  # every file is hidden somewhere
        assert "<" in shown, name

"""What two runs on the same public cases wrote differently."""

import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from palio.core.attempt.sample_differences import sample_differences


def write(folder: Path, files: dict[str, str | bytes]) -> str:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(folder)


def zipped(content: bytes, when: int) -> bytes:
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=when) as file:
        file.write(content)
    return target.getvalue()


def differing(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "only_in": None, "rows": None, "differing": None, "largest": None} | more


TABLE = "file,class,p\na.jpg,CXR,0.5\nb.jpg,Hand,0.25\n"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"a.csv": TABLE, "metadata": "elapsedTime: 1"}, {"a.csv": TABLE, "metadata": "elapsedTime: 2"}, []),
        ({"a.csv": TABLE}, {"a.csv": "file,class,p\nb.jpg,Hand,0.25\na.jpg,CXR,0.5\n"}, []),
        ({"m.nii.gz": zipped(b"mask", 1)}, {"m.nii.gz": zipped(b"mask", 2)}, []),
        ({"m.nii.gz": zipped(b"mask", 1)}, {"m.nii.gz": zipped(b"mark", 1)}, [differing("m.nii.gz")]),
        ({"m.gz": b"no gzip"}, {"m.gz": b"no gzip"}, []),
        (
            {"a.csv": TABLE},
            {"a.csv": TABLE.replace("CXR", "Hand")},
            [differing("a.csv", rows=2, differing=1)],
        ),
        (
            {"a.csv": TABLE},
            {"a.csv": TABLE.replace("0.5", "0.75").replace("0.25", "0.3125")},
            [differing("a.csv", rows=2, differing=2, largest=0.25)],
        ),
        (  # no column names the rows
            {"a.csv": "x,y\n1,2\n1,2\n3,2\n"},
            {"a.csv": "x,y\n3,2\n1,2\n4,2\n"},
            [differing("a.csv", rows=3, differing=1)],
        ),
        ({"a.csv": "x\n1\n"}, {"a.csv": "y\n1\n"}, [differing("a.csv")]),
        ({"a.csv": b"\xff\n1\n"}, {"a.csv": b"\xfe\n1\n"}, [differing("a.csv")]),
        ({"d/a.npy": "1"}, {"b.npy": "1"}, [differing("b.npy", only_in=2), differing("d/a.npy", only_in=1)]),
    ],
)
def test_differences(
    tmp_path: Path, first: dict[str, str | bytes], second: dict[str, str | bytes], expected: list[dict[str, Any]]
) -> None:
    found = sample_differences(write(tmp_path / "1", first), write(tmp_path / "2", second))
    assert found["differences"] == expected
    assert found["differing"] == len(expected)
    assert found["files"] == len({*first, *second} - {"metadata"})


def test_few_of_many_files_named(tmp_path: Path) -> None:
    one = write(tmp_path / "1", {f"{number}.npy": "1" for number in range(100)})
    two = write(tmp_path / "2", {f"{number}.npy": "2" for number in range(100)})
    found = sample_differences(one, two)
    assert (found["files"], found["differing"], len(found["differences"])) == (100, 100, 20)

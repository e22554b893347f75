import zipfile
from pathlib import Path

import pytest

from palio.core.files.lfs import lfs_pointers

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"


def test_lfs_pointers_in_folder_and_zip(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name, content in {
        "a/image.nii.gz": POINTER,
        "b.csv": "file,class\n" * 20,
        "about.md": f"A pointer begins with\n{POINTER}",
        "long.txt": POINTER + "x" * 1000,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    assert lfs_pointers(folder) == ["a/image.nii.gz"]
    with zipfile.ZipFile(tmp_path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    assert lfs_pointers(tmp_path / "data.zip") == ["a/image.nii.gz"]


@pytest.mark.parametrize("name", ["data.zip", "truth.csv"])
def test_lfs_pointer_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(POINTER)
    assert lfs_pointers(tmp_path / name) == [name]

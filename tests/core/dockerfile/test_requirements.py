"""What may be handed to a pip that has a network, and what may not."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.wheels import write_wheel

from palio.core.dockerfile.read import DockerfileError, Instruction
from palio.core.dockerfile.requirements import MOST_REQUIREMENTS, Wanted
from palio.core.dockerfile.run_commands import PipInstall

Add = Callable[[PipInstall], Wanted]
RUN = Instruction(2, "RUN", {}, "pip install")


@pytest.fixture
def add(tmp_path: Path) -> Add:
    def find(path: str) -> Path | None:
        found = tmp_path / path.lstrip("/")
        return found if found.exists() and not found.is_symlink() else None

    def add(install: PipInstall) -> Wanted:
        wanted = Wanted()
        wanted.add(install, find, RUN)
        return wanted

    return add


def test_requirements_files(add: Add, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    sha = "ab" * 32
    (tmp_path / "a.txt").write_text(
        f"\ufeff# all\nNumPy >= 1.26  # fast\n-r sub/b.txt\nscipy==1.12 \\\n  --hash=sha256:{sha}\n--pre\n"
        'x[y] ; python_version < "3"\n-i https://pypi.org/simple\n'
    )
    (tmp_path / "sub/b.txt").write_text("-c c.txt\ntiny\n")
    (tmp_path / "sub/c.txt").write_text("six<2\n")
    wanted = add(PipInstall(("pandas",), ("a.txt",)))
    assert wanted.lines == [
        "pandas",
        "NumPy>=1.26",
        "tiny",
        f"scipy==1.12 --hash=sha256:{sha}",
        'x[y]; python_version < "3"',
    ]
    assert (wanted.constraints, wanted.options) == (["six<2"], {"--pre"})


def test_wheels(add: Add, tmp_path: Path) -> None:
    one, two = write_wheel(tmp_path / "w", "one"), write_wheel(tmp_path / "w", "two")
    (tmp_path / "r.txt").write_text("./w/two-1.0-py3-none-any.whl\n")
    wanted = add(PipInstall(("w/one*.whl",), ("r.txt",), folders=("w",)))
    assert wanted.wheels == {one.name: one, two.name: two}
    assert wanted.links == wanted.wheels


@pytest.mark.parametrize(
    "line",
    [
        "git+https://example.org/a",
        "https://example.org/a-1-py3-none-any.whl",
        "file:///etc/passwd",
        "a @ http://127.0.0.1/a-1-py3-none-any.whl",
        "./folder",
        ".",
        "/opt/a",
        "a-1.tar.gz",
        "a b",
        "--config-settings x=y",
        "-e .",
        "--extra-index-url https://example.org",
        "--find-links https://example.org",
        "--find-links file:///etc",
        "-r ../../etc/passwd",
        "-r missing.txt",
        "-r r.txt",
        "w.whl",
        "--trusted-host=x",
    ],
)
def test_requirement_unsafe(add: Add, tmp_path: Path, line: str) -> None:
    (tmp_path / "r.txt").write_text(f"{line}\n")
    with pytest.raises(DockerfileError) as raised:
        add(PipInstall(files=("r.txt",)))
    assert raised.value.where.startswith("line 2")


def test_requirements_too_many_or_unreadable(add: Add, tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("a\n" * (MOST_REQUIREMENTS + 1))
    (tmp_path / "odd.txt").write_bytes(b"\xff\xff")
    (tmp_path / "large.txt").write_text("#" * (1 << 21))
    (tmp_path / "broken.whl").write_bytes(b"no zip")
    for install in (
        *(PipInstall(files=(name,)) for name in ("many.txt", "odd.txt", "large.txt", "missing.txt")),
        *(PipInstall((name,)) for name in ("broken.whl", "missing.whl", "m*.whl")),
        PipInstall(folders=("missing",)),
    ):
        with pytest.raises(DockerfileError):
            add(install)


def test_wheel_damaged(add: Add, tmp_path: Path) -> None:
    wheel = tmp_path / "damaged.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x-1.dist-info/METADATA", "Name: x\n" * 100)
    with zipfile.ZipFile(wheel) as archive:
        (member,) = archive.infolist()
    content = bytearray(wheel.read_bytes())
    content[30 + len(member.filename)] = 0xFF  # a kind of block that there is not
    wheel.write_bytes(content)
    with pytest.raises(DockerfileError, match="cannot be read"):
        add(PipInstall(("damaged.whl",)))


@pytest.mark.parametrize(
    "needs", ["x @ http://127.0.0.1/x.whl", "x@file:///etc/x.whl", "x\n @ http://127.0.0.1/x.whl", "x; a == 'http://b'"]
)
def test_wheel_depends_on_url(add: Add, tmp_path: Path, needs: str) -> None:
    write_wheel(tmp_path / "w", requires=[needs])
    for install in (PipInstall(("w/tinything-1.0-py3-none-any.whl",)), PipInstall(folders=("w",))):
        with pytest.raises(DockerfileError):
            add(install)


def test_wheel_second_metadata(add: Add, tmp_path: Path) -> None:
    more = {"other-1.0.dist-info/METADATA": "Name: other\nVersion: 1.0\nRequires-Dist: x @ http://127.0.0.1/x.whl\n"}
    write_wheel(tmp_path / "w", files=more)
    with pytest.raises(DockerfileError):
        add(PipInstall(folders=("w",)))

"""Whatever can be seen of a folder is in its digest, and nothing else is; a copy is what its digest says."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio.core.files.digest import UnfitFile
from palio.core.files.tree import TIME_NS, copy_tree, digest_copy, digest_tree, entries_as_is, entries_to_copy

# Names that tools leave behind, that differ in case or in one byte, that hold what a digest's lines are made of.
NAMES = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "a\n",
        "a b",
        "a.b",
        "-",
        "\xe9",
        "e\u0301",  # the same letter, as macOS writes it
        "\udcff",
        "__pycache__",
        ".git",
        ".DS_Store",
        "__MACOSX",
        "run.sh",
    ]
)


class Node(NamedTuple):
    kind: str  # file, folder or link
    mode: int = 0o644
    content: bytes = b""  # of a file; of a link its target


Tree = Mapping[str, Node]  # by relative path; folders are listed too

CONTENTS = st.sampled_from([b"", b"x", b"y", b"xx", b"\0", b"\n", b"a\0b", b"#!/bin/sh\n"])
FILES = st.builds(Node, st.just("file"), st.sampled_from([0o644, 0o755, 0o600, 0o700, 0o640]), CONTENTS)
LINKS = st.builds(
    Node, st.just("link"), st.just(0), st.sampled_from([b"a", b"../a", b"/etc/passwd", b"nowhere", b"\xff"])
)
FOLDERS = st.sampled_from([0o755, 0o700, 0o750]).map(lambda mode: Node("folder", mode))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree: dict[str, Node] = {}
    for path in draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=6, unique=True)):
        above = path.split("/")[:-1]
        parents = ["/".join(above[: length + 1]) for length in range(len(above))]
        if path in tree or any(parent in tree and tree[parent].kind != "folder" for parent in parents):
            continue
        tree |= {parent: draw(FOLDERS) for parent in parents if parent not in tree}
        tree[path] = draw(FILES | LINKS | FOLDERS)
    return tree


def write(tree: Tree, folder: Path, order: Callable[[list[str]], list[str]] = sorted) -> Path:
    """Makes each entry in the given order, folders that are needed first."""
    folder.mkdir()
    for path in order(list(tree)):
        node, place = tree[path], folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if node.kind == "folder":
            place.mkdir(exist_ok=True)
        elif node.kind == "link":
            place.symlink_to(os.fsdecode(node.content))
        else:
            place.write_bytes(node.content)
    for path, node in tree.items():
        if node.kind != "link":
            (folder / path).chmod(node.mode)
    return folder


def digest(tree: Tree, order: Callable[[list[str]], list[str]] = sorted) -> str:
    with tempfile.TemporaryDirectory() as home:
        return digest_tree(write(tree, Path(home, "tree"), order))


@st.composite
def changes(draw: st.DrawFn, tree: Tree) -> Tree:
    """Another tree: one entry with another byte, name, mode, target or kind; one less; or one more."""
    changed = dict(tree)
    leaves = sorted(path for path in tree if not any(other.startswith(f"{path}/") for other in tree))
    what = draw(st.sampled_from(["add", "remove", "rename", "replace", "mode"])) if leaves else "add"
    if what == "add":
        folders = ["", *(f"{path}/" for path, node in tree.items() if node.kind == "folder")]
        changed[f"{draw(st.sampled_from(folders))}{draw(NAMES)}.new"] = draw(FILES | LINKS | FOLDERS)
    elif what == "mode":
        modes = [path for path, node in sorted(tree.items()) if node.kind != "link"] or leaves
        path = draw(st.sampled_from(modes))
        changed[path] = Node("file", 0o711) if tree[path].kind == "link" else tree[path]._replace(mode=0o711)
    else:
        path = draw(st.sampled_from(leaves))
        node = changed.pop(path)
        if what == "rename":
            changed[f"{path}2"] = node
        elif what == "replace":
            changed[path] = draw((FILES | LINKS | FOLDERS).filter(lambda other: other != node))
    return changed


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_changes_the_digest(data: st.DataObject) -> None:
    tree = data.draw(trees())
    changed = data.draw(changes(tree))
    assert changed != tree
    assert digest(changed) != digest(tree)


@settings(max_examples=50, deadline=None)
@given(trees(), trees())
def test_digest_equal_only_for_equal_trees(one: Tree, other: Tree) -> None:
    assert (digest(one) == digest(other)) == (one == other)


@settings(max_examples=50, deadline=None)
@given(trees(), st.randoms(use_true_random=False))
def test_digest_ignores_order_and_times(tree: Tree, random: object) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = write(tree, Path(home, "one"), lambda paths: sorted(paths, reverse=True))
        for path in folder.rglob("*"):
            os.utime(path, ns=(1, 1), follow_symlinks=False)
        assert digest_tree(folder) == digest(tree)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_digest_ignores_owners(tmp_path: Path) -> None:
    folder = write({"a": Node("file"), "b": Node("folder", 0o755)}, tmp_path / "tree")
    before = digest_tree(folder)
    for path in folder.iterdir():
        os.chown(path, 12_345, 12_345)
    assert digest_tree(folder) == before


def test_digest_name_injection(tmp_path: Path) -> None:
    """A name with a line end in it, beside the two names that it looks like."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one/a").write_bytes(b"")
    (tmp_path / "one/b").write_bytes(b"")
    (tmp_path / "two").mkdir()
    (tmp_path / "two/a\nb").write_bytes(b"")
    assert digest_tree(tmp_path / "one") != digest_tree(tmp_path / "two")


PROGRAM = {
    "run.sh": Node("file", 0o700, b"#!/bin/sh\n"),
    "score.py": Node("file", 0o600, b"print()"),
    "empty": Node("folder", 0o700),
    "lib": Node("folder", 0o711),
    "lib/a.py": Node("file", 0o666, b"1"),
    "link.py": Node("link", content=b"lib/a.py"),
}
JUNK = {
    "__pycache__": Node("folder", 0o755),
    "__pycache__/score.pyc": Node("file", 0o644, b"other"),
    "lib/.DS_Store": Node("file", 0o644, b"x"),
    ".git": Node("folder", 0o755),
    ".git/HEAD": Node("link", content=b"/nowhere"),
}


def listing(folder: Path) -> dict[str, tuple[str, bytes]]:
    return {
        entry.name: (oct(entry.mode), b"" if entry.is_folder else entry.path.read_bytes())
        for entry in entries_as_is(folder)
    }


@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_copy_same_digest(tmp_path: Path, umask: int) -> None:
    source = write(PROGRAM | JUNK, tmp_path / "source")
    old = os.umask(umask)
    try:
        copy_tree(source, tmp_path / "copy", executable=True)
        copy_tree(source, tmp_path / "data", executable=False)
    finally:
        os.umask(old)
    assert listing(tmp_path / "copy") == {
        "run.sh": ("0o100755", b"#!/bin/sh\n"),
        "score.py": ("0o100644", b"print()"),
        "empty": ("0o40755", b""),
        "lib": ("0o40755", b""),
        "lib/a.py": ("0o100644", b"1"),
        "link.py": ("0o100644", b"1"),
    }
    assert listing(tmp_path / "data")["run.sh"] == ("0o100644", b"#!/bin/sh\n")
    assert digest_tree(tmp_path / "copy") == digest_copy(source, executable=True)
    assert digest_tree(tmp_path / "data") == digest_copy(source, executable=False)
    copied = [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]
    assert {path.stat().st_mtime_ns for path in copied} == {TIME_NS}
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o755


def test_digest_ignores_uncopied(tmp_path: Path) -> None:
    with_junk, without = write(PROGRAM | JUNK, tmp_path / "with"), write(PROGRAM, tmp_path / "without")
    for executable in (True, False):
        assert digest_copy(with_junk, executable=executable) == digest_copy(without, executable=executable)


@pytest.mark.parametrize("path", sorted(PROGRAM))
def test_digest_includes_copied(tmp_path: Path, path: str) -> None:
    before = write(PROGRAM, tmp_path / "before")
    after = write(
        {
            name: node
            for name, node in PROGRAM.items()
            if name != path and not name.startswith(f"{path}/") and not (node.kind == "link" and path.startswith("lib"))
        },
        tmp_path / "after",
    )
    for executable in (True, False):
        assert digest_copy(before, executable=executable) != digest_copy(after, executable=executable)


def test_digest_execute_bit_of_programs(tmp_path: Path) -> None:
    one = write(PROGRAM, tmp_path / "one")
    other = write(PROGRAM | {"run.sh": Node("file", 0o644, b"#!/bin/sh\n")}, tmp_path / "other")
    assert digest_copy(one, executable=True) != digest_copy(other, executable=True)
    assert digest_copy(one, executable=False) == digest_copy(other, executable=False)


def test_digest_of_single_file(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"x")
    shutil.copy(tmp_path / "a.zip", tmp_path / "b.zip")
    assert digest_copy(tmp_path / "a.zip", executable=True) != digest_copy(tmp_path / "b.zip", executable=True)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("../outside", "link is a link to the outside; put the file itself there"),
        ("nothing", "link is a broken link; put the file itself there"),
        (".", "link is a link to a folder; put the folder itself there"),
        (".git/pipe", "link is a link to something that is neither a file nor a folder; put a file there"),
    ],
)
def test_copy_outer_link_refused(tmp_path: Path, target: str, sentence: str) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "folder/.git").mkdir(parents=True)
    os.mkfifo(tmp_path / "folder/.git/pipe")
    (tmp_path / "folder/link").symlink_to(target)
    with pytest.raises(UnfitFile) as raised:
        copy_tree(tmp_path / "folder", tmp_path / "copy", executable=True)
    assert str(raised.value) == sentence
    with pytest.raises(UnfitFile, match=r"is a (broken )?link"):
        digest_copy(tmp_path / "folder", executable=True)


def test_pipe_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for call in (digest_tree, lambda folder: digest_copy(folder, executable=True)):
        with pytest.raises(UnfitFile) as raised:
            call(tmp_path)
        assert str(raised.value) == "pipe is neither a file nor a folder; remove it"


def test_copy_multiplying_links_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.core.files.tree.MAX_LINKED", 100)
    for level in range(10):
        (tmp_path / f"{level}").mkdir()
        for name in "ab":
            (tmp_path / f"{level}/{name}").symlink_to(f"../{level + 1}")
    (tmp_path / "10").mkdir()
    with pytest.raises(UnfitFile):
        list(entries_to_copy(tmp_path / "0", executable=False, within=tmp_path))

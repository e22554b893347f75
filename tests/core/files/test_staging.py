import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.mounts import on_a_mount

from palio.core.errors import PalioError
from palio.core.files.staging import reading, settle, staged, writing

# Swaps two folders, or dies by SIGKILL just before its n-th rename.
DIES = """
import os, signal, sys
from pathlib import Path
from palio.core.files.staging import staged

parent, deadline, renames = Path(sys.argv[1]), int(sys.argv[2]), 0

def count(event, _arguments):
    global renames
    if event == "os.rename":
        renames += 1
        if renames == deadline:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
with staged(parent / "a", parent / "b") as (a, b):
    for folder in (a, b):
        folder.mkdir()
        (folder / "file").write_text("new")
"""


def state(parent: Path) -> dict[str, str]:
    return {path.relative_to(parent).as_posix(): path.read_text() for path in parent.rglob("*") if path.is_file()}


def old_state(parent: Path) -> dict[str, str]:
    for name in "ab":
        (parent / name).mkdir(parents=True)
        (parent / name / "file").write_text("old")
        (parent / name / "gone").write_text("old")
    return state(parent)


NEW = {"a/file": "new", "b/file": "new"}


def test_staged_complete(tmp_path: Path) -> None:
    parent = tmp_path / "made" / "on the way"
    with staged(parent / "a", parent / "b", parent / "c") as (a, b, _unbuilt):
        a.mkdir()
        (a / "file").write_text("1")
        b.write_text("2")
        assert sorted(path.name for path in parent.iterdir() if not path.name.startswith(".")) == []
    assert state(parent) == {"a/file": "1", "b": "2"}


def test_staged_replaces_a_folder_as_a_whole(tmp_path: Path) -> None:
    old_state(tmp_path)
    with staged(tmp_path / "a") as (a,):
        a.mkdir()
        (a / "file").write_text("new")
    assert state(tmp_path) == {"a/file": "new", "b/file": "old", "b/gone": "old"}


def test_staged_exception_keeps_old_state(tmp_path: Path) -> None:
    old = old_state(tmp_path)
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "a", tmp_path / "b") as (a, _):  # noqa: PT012
        a.mkdir()
        raise KeyboardInterrupt
    assert state(tmp_path) == old


def test_staged_takes_targets_of_one_folder_only(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="all targets of one stage lie in one folder"),
        staged(tmp_path / "a", tmp_path / "b" / "c"),
    ):
        pass


# The renames are: naming the stage, committing, then two for each folder.
@pytest.mark.parametrize("deadline", range(1, 8))
def test_staged_killed(tmp_path: Path, deadline: int) -> None:
    old = old_state(tmp_path)
    died = subprocess.run([sys.executable, "-c", DIES, tmp_path, str(deadline)], check=False)
    assert died.returncode == (-signal.SIGKILL if deadline <= 6 else 0)
    settle(tmp_path)
    found = {path: text for path, text in state(tmp_path).items() if not path.startswith(".palio-nascent-")}
    assert found == (old if deadline <= 2 else NEW)


def test_settle_keeps_stage_of_live_process(tmp_path: Path) -> None:
    stage = tmp_path / ".palio-staging-abc"
    (stage / "building").mkdir(parents=True)
    with (stage / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settle(tmp_path)
        assert (stage / "building").is_dir()
    settle(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_settle_removes_unlocked_stage(tmp_path: Path) -> None:
    stage = tmp_path / ".palio-nascent-abc"
    stage.mkdir()
    settle(tmp_path)
    assert stage.is_dir()
    os.utime(stage, (0, 0))
    settle(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_reading_names_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "absent"
    with pytest.raises(PalioError) as raised, reading(path):
        path.read_bytes()
    assert raised.value.failure.code == "source-unreadable"
    assert str(raised.value) == f"{path} cannot be read: no such file or directory."
    assert raised.value.exit_code == 12


def test_writing_unknown_error_passes(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), writing(tmp_path):
        raise ConnectionResetError(104, "Connection reset by peer")


def test_staged_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PalioError) as raised, staged(tmp_path / "file" / "below" / "a"):
        pass
    assert str(raised.value) == f"{tmp_path}/file/below/a cannot be written to: not a directory."


STAGES = """
import os, sys
from pathlib import Path
from palio.core.errors import PalioError
from palio.core.files.staging import staged
target = Path(sys.argv[1], "a")
try:
    with staged(target) as (new,):
        new.write_bytes(bytes(100_000))
except PalioError as error:
    print(error, error.exit_code, os.listdir(target.parent))
"""


def test_staged_disk_full(tmp_path: Path) -> None:
    said = on_a_mount("size=64k", tmp_path, STAGES)
    assert said == f"The disk that holds {tmp_path}/a is full (0 B free). 12 []\n"


def test_staged_read_only_disk(tmp_path: Path) -> None:
    said = on_a_mount("ro", tmp_path, STAGES)
    assert said == f"{tmp_path}/a cannot be written to: read-only file system. 12 []\n"


def test_staged_in_foreign_folder(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for folder in (tmp_path, *tmp_path.parents):  # pytest keeps its folders to itself
            if folder.stat().st_mode & 0o077:
                break
            folder.chmod(0o755)
    else:
        user = []
        tmp_path.chmod(0o555)
    said = subprocess.run([*user, sys.executable, "-c", STAGES, tmp_path], check=True, capture_output=True, text=True)
    assert said.stdout == f"{tmp_path}/a cannot be written to: permission denied. 12 []\n"

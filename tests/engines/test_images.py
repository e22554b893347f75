"""How every engine builds images, and what a job gets from its image."""

import shutil
import stat
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.engines.trial import BASE, BUILD_LIMITS, Trial

from palio.core.engine import (
    End,
)
from palio.core.errors import PalioError
from palio.core.files.tree import TIME_NS, entries_as_is
from palio.core.quantities import GIB


def test_command_replaces_cmd(trial: Trial) -> None:
    image = trial.image(f'FROM {BASE}\nENTRYPOINT ["echo", "entry"]\nCMD ["cmd"]\n')
    assert trial.run(image=image)[1] == "entry cmd\n"
    assert trial.run(image=image, command=("given", "two words"))[1] == "entry given two words\n"


def test_shell_form(trial: Trial) -> None:
    image = trial.image(f"FROM {BASE}\nENV NAME=palio\nCMD echo $NAME $((1 + 2)) && false\n")
    result, log = trial.run(image=image)
    assert (result.exit_code, log) == (1, "palio 3\n")


def test_files_workdir_environment_of_image(trial: Trial) -> None:
    dockerfile = f"""
        FROM {BASE}
        ARG WHERE=/opt/app
        WORKDIR $WHERE
        COPY app.py data/ ./
        COPY data /srv/data
        COPY tool /usr/local/bin/palio-tool
        ENV A=1 B="two words"
        CMD ["python", "app.py"]
    """
    program = "import os; print(os.getcwd(), sorted(os.listdir()), sorted(os.listdir('/srv/data')), os.environ['B'])"
    image = trial.image(textwrap.dedent(dockerfile), **{"app.py": program, "data/x": "1", "tool": "tool"})
    assert trial.run(image=image)[1] == "/opt/app ['app.py', 'x'] ['x'] two words\n"
    read = ("python", "-c", "print(open('/usr/local/bin/palio-tool').read(), open('/srv/data/x').read())")
    assert trial.run(image=image, command=read)[1] == "tool 1\n"
    assert trial.run(image=image, workdir="/srv", command=("pwd",))[1] == "/srv\n"


SHOW = """
import os, stat
for folder, folders, files in os.walk("/srv"):
    for name in folders + files:
        path = os.path.join(folder, name)
        found = os.lstat(path)
        content = os.readlink(path) if os.path.islink(path) else "" if os.path.isdir(path) else open(path).read()
        mode = 0 if os.path.islink(path) else stat.S_IMODE(found.st_mode)
        time = int(found.st_mtime) if stat.S_ISREG(found.st_mode) else 0
        print(ascii((path[len("/srv/"):], stat.S_IFMT(found.st_mode) | mode, content, time)))
"""
CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda context: (context / "a/b.txt").write_text("twp"),
    "a name": lambda context: (context / "a/b.txt").rename(context / "a/c.txt"),
    "the execute bit": lambda context: (context / "a/b.txt").chmod(0o755),
    "a bit of the mode": lambda context: (context / "a/b.txt").chmod(0o664),
    "bytecode": lambda context: (context / "__pycache__/b.txt").write_text("x"),
    "the name of bytecode": lambda context: (context / "__pycache__/b.txt").rename(context / "__pycache__/c"),
    "a repository": lambda context: (context / ".git/HEAD").write_text("x"),
    "what macOS leaves": lambda context: (context / ".DS_Store").write_text("x"),
    "a folder that macOS leaves": lambda context: (context / "__MACOSX").mkdir(),
    "an empty folder": lambda context: (context / "a/empty").mkdir(),
    "a link's target": lambda context: _removed(context / "a/link").symlink_to("nowhere"),
    "a link in place of a file": lambda context: _removed(context / "a/b.txt").symlink_to("c.txt"),
    "a folder in place of a file": lambda context: _removed(context / "a/b.txt").mkdir(),
    "what is ignored": lambda context: (context / ".dockerignore").write_text("ignored\n__pycache__\n"),
    "a file that is ignored": lambda context: (context / "ignored").write_text("x"),
}


def _removed(path: Path) -> Path:
    path.unlink()
    return path


def seen_of(context: Path) -> list[str]:
    """What a program sees of it. The Dockerfile is left out: an engine may be given its resolved text."""
    ignored = (context / ".dockerignore").read_text().split()
    return [
        ascii(
            (
                entry.name,
                stat.S_IFMT(entry.mode) if entry.is_link else entry.mode,
                "" if entry.is_folder else str(entry.path.readlink()) if entry.is_link else entry.path.read_text(),
                TIME_NS // 10**9 if stat.S_ISREG(entry.mode) else 0,
            )
        )
        for entry in entries_as_is(context)
        if entry.name.split("/")[0] not in ignored and entry.name != "Dockerfile"
    ]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_image_reused_for_same_context(trial: Trial, tmp_path: Path, change: Callable[[Path], object]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for name, text in {
        "Dockerfile": f"FROM {BASE}\nCOPY . /srv/\n",
        ".dockerignore": "ignored\n",
        "ignored": "1",
        "a/b.txt": "two",
        "__pycache__/b.txt": "two",
        ".git/HEAD": "two",
        ".DS_Store": "two",
    }.items():
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        (first / name).write_text(text)
        (first / name).chmod(0o644)
    (first / "a/link").symlink_to("b.txt")
    for folder in (path for path in first.rglob("*") if path.is_dir()):
        folder.chmod(0o755)
    shutil.copytree(first, second, symlinks=True)
    change(second)
    (_, before), (_, after), (again, reused) = map(trial.build_from, (first, second, first))
    assert before.image
    assert after.image
    assert reused.image == before.image
    assert "Reusing an image" in again.log.read_text()
    for image, context in ((before.image, first), (after.image, second)):
        result, log = trial.run(SHOW, image=image, command=("python", "/mnt/in/program.py"))
        assert result.succeeded, log
        seen = [line for line in log.splitlines() if not line.startswith("('Dockerfile', 33188, 'FROM ")]
        assert sorted(seen) == sorted(seen_of(context))


def test_image_reused_for_same_build(trial: Trial, tmp_path: Path) -> None:
    """The same context with other arguments, another Dockerfile of it, and other limits."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {BASE}\nARG SAID=nothing\nENV SAID=$SAID\n")
    (context / "Other").write_text(f"FROM {BASE}\nENV SAID=other\n")
    builds: list[dict[str, Any]] = [
        {},
        {"arguments": {"SAID": "this"}},
        {"arguments": {"SAID": "that"}},
        {"dockerfile": "Other"},
        {"limits": replace(BUILD_LIMITS, memory_bytes=GIB)},
    ]
    said, keys = [], set()
    for fields in builds:
        work, result = trial.build_from(context, **fields)
        keys.add(work.image_key)
        command = ("python", "-c", "import os; print(os.environ['SAID'])")
        said.append(trial.run(image=result.image, command=command)[1].strip())
    assert said == ["nothing", "this", "that", "other", "nothing"]
    assert len(keys) == len(builds)


SCRIPT = "#!/bin/sh\necho started"
NOT_STARTABLE = {
    "no-bit": (SCRIPT, 0o644, "/opt/run.sh is not executable"),
    "crlf": (
        SCRIPT.replace("\n", "\r\n"),
        0o755,
        "the first line of /opt/run.sh ends in CR LF, so its interpreter is not found",
    ),
    "bom": (f"\ufeff{SCRIPT}", 0o755, "/opt/run.sh begins with a byte order mark, so its `#!` line is ignored"),
    "no-interpreter": (
        SCRIPT.replace("sh", "none"),
        0o755,
        "/opt/run.sh needs the interpreter /bin/none, which does not exist",
    ),
    "no-line": ("echo started", 0o755, "/opt/run.sh is a text file without a `#!` line"),
    "empty": ("", 0o755, "/opt/run.sh is empty"),
}
STARTS = {
    "path": '["/opt/run.sh"]',
    "relative": '["./run.sh"]',
    "shell": "/opt/run.sh",
    "shell-with-exec": "exec /opt/run.sh --quick",
}


@pytest.mark.parametrize("fault", NOT_STARTABLE)
def test_script_unstartable_named(trial: Trial, tmp_path: Path, fault: str) -> None:
    text, mode, reason = NOT_STARTABLE[fault]
    context = _script_context(tmp_path, text, mode, STARTS["path"])
    work = trial.job(image=trial.build_from(context)[1].image, command=())
    result = trial.wait(work)
    assert (result.end, result.exit_code, result.detail.partition("\n")[0]) == (End.NOT_STARTED, None, reason)
    assert "started" not in work.log.read_text().splitlines()
    assert trial.wait(work, trial.another()).end is End.NOT_STARTED  # a new process finds the same


@pytest.mark.parametrize("start", STARTS)
def test_script_checked_in_every_form(trial: Trial, tmp_path: Path, start: str) -> None:
    named = "./run.sh" if start == "relative" else "/opt/run.sh"
    context = _script_context(tmp_path / "bad", SCRIPT, 0o644, STARTS[start])
    result, _ = trial.run(image=trial.build_from(context)[1].image, command=())
    assert (result.end, result.detail.partition("\n")[0]) == (End.NOT_STARTED, f"{named} is not executable")
    context = _script_context(tmp_path / "good", SCRIPT, 0o755, STARTS[start])
    result, log = trial.run(image=trial.build_from(context)[1].image, command=())
    assert (result.succeeded, log) == (True, "started\n")


def test_mounted_script_not_executable(trial: Trial) -> None:
    result, _ = trial.run("print()", command=("/mnt/in/program.py",))
    assert (result.end, result.detail.partition("\n")[0]) == (
        End.NOT_STARTED,
        "/mnt/in/program.py is not executable",
    )


def _script_context(context: Path, text: str, mode: int, start: str) -> Path:
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(f"FROM {BASE}\nWORKDIR /opt\nCOPY run.sh /opt/\nENTRYPOINT {start}\n")
    (context / "run.sh").write_text(text, newline="")
    (context / "run.sh").chmod(mode)
    return context


def test_same_digest_built_once(trial: Trial) -> None:
    first, result = trial.build()
    again = replace(first, name=f"{first.name}-again", log=trial.folder / "again.log")
    repeated = trial.wait(again)
    assert (repeated.succeeded, repeated.image) == (True, result.image)
    assert "Reusing an image" in again.log.read_text()


def test_build_failure_names_step(trial: Trial) -> None:
    work, result = trial.build(f"FROM {BASE}\nWORKDIR /app\nCOPY model.pth /opt/\n")
    assert (result.end, result.succeeded, result.image) == (End.EXITED, False, None)
    assert "COPY model.pth /opt/" in result.detail
    assert "model.pth" in work.log.read_text()


def test_build_outside_context(trial: Trial) -> None:
    (trial.folder / "secret").write_text("the labels")
    work, result = trial.build(f"FROM {BASE}\nCOPY ../secret /opt/\n")
    assert (result.succeeded, result.image) == (False, None)
    assert "COPY ../secret /opt/" in result.detail
    assert "the labels" not in work.log.read_text()


def test_image_over_size(trial: Trial) -> None:
    work, _ = trial.build()
    context = trial.folder / "large"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {BASE}\nCOPY large /opt/\n")
    (context / "large").write_bytes(b"x" * 2_000_000)
    limits = replace(BUILD_LIMITS, size_bytes=1_000_000)
    name = f"palio-test-{uuid4().hex[:12]}"
    large = replace(work, name=name, digest=name, context=context, limits=limits)
    result = trial.wait(large)
    assert (result.end, result.image) == (End.IMAGE_SIZE, None)
    assert int(result.detail) >= 2_000_000


def test_build_polled_by_fresh_engine(trial: Trial) -> None:
    work, result = trial.build()
    other = trial.another()
    other.start(work)
    deadline = time.monotonic() + 30
    while (found := other.poll(work)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found is not None
    assert (found.succeeded, found.image) == (True, result.image)
    with suppress(PalioError):
        other.remove(work)

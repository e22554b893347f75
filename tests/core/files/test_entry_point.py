from collections.abc import Sequence

import pytest

from palio.core.files.entry_point import late_advice, program_path, start_fault


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ([], None),
        (["python", "predict.py"], None),
        (["/app/run.sh", "x"], "/app/run.sh"),
        (["./run.sh"], "./run.sh"),
        (["/bin/sh", "-c", "/app/run.sh --fast"], "/app/run.sh"),
        (["bash", "-c", "exec ./run.sh"], "./run.sh"),
        (["/bin/sh", "-c", "cd /app && ./run.sh"], None),
        (["/bin/sh", "-c", "python /app/predict.py"], None),
        (["/bin/sh", "-c", ""], None),
        (["/bin/sh", "-c", "HOME=/tmp /app/run.sh"], None),
        (["/bin/sh", "-c", "'"], None),
        (["python", "-c", "/app/run.sh"], None),
        (["/app/\0"], None),
    ],
)
def test_program_path(command: Sequence[str], path: str | None) -> None:
    assert program_path(command) == path


@pytest.mark.parametrize(
    "head",
    [
        b"#!/bin/sh\n",
        b"#!/usr/bin/env python\nx",
        b"#! /bin/sh -e\n",
        b"\x7fELF\2\0",
        b"#!sh\n",
        b"#!\n",
        b"#!/bin/\0\n",
    ],
)
def test_entry_point_startable(head: bytes) -> None:
    assert start_fault("/run", 0o755, head, {"/bin/sh", "/usr/bin/env"}.__contains__) is None


@pytest.mark.parametrize(
    ("head", "system"), [(b"MZ\x90\0", "Windows"), (b"\xcf\xfa\xed\xfe\7\0", "macOS"), (b"\xca\xfe\xba\xbe\0", "macOS")]
)
def test_program_for_another_system_is_named_as_that(head: bytes, system: str) -> None:
    fault = start_fault("/app/run.exe", 0o644, head, lambda path: True)
    assert str(fault) == f"/app/run.exe is a program for {system}\nBuild it for Linux."


def test_entry_point_fault_and_advice() -> None:
    fault = start_fault("/a\n\x1b[2J/run.sh", 0o644, b"", lambda path: True)
    assert str(fault) == (
        "/a\\x0a\\x1b[2J/run.sh is not executable\nSet the bit with `chmod +x` before you pack; the zip keeps it."
    )


@pytest.mark.parametrize(
    ("reported", "word"),
    [
        ("run.sh: Permission denied", "chmod +x"),
        ('exec: "run.sh": permission denied: unknown', "chmod +x"),
        ("run.sh: No such file or directory", "CR LF"),
        ("exec /app/run: exec format error", "#!/bin/sh"),
    ],
)
def test_entry_point_advice_from_log(reported: str, word: str) -> None:
    assert word in late_advice(reported)
    assert late_advice("out of memory") == ""

"""Calls a function in a child process with limits, so that a hostile file can only harm the child that parses it.

Covered: wall-clock time, address space, CPU time, the size of the answer and of any written file, interpreter crashes,
and a caller that is killed (the child dies with it). Arguments and answers travel as JSON. A PalioError raised by the
function is raised here. Not covered: secrecy. The child runs as the same user and can read what that user can. It runs
only Palio's own code.
"""

import ctypes
import json
import math
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

from palio.core.errors import Failure, PalioError
from palio.core.quantities import GIB, MIB, size_text

_PR_SET_PDEATHSIG = 1
_ATTEMPTS = 3  # if something else kills the child, such as an out-of-memory machine
_START_S = 10.0  # how long the interpreter may take to start on a busy machine
_RUN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from palio.core.bounded_call import _main; _main()"


@dataclass(frozen=True)
class Bounds:
    """What one call may use: wall-clock and CPU seconds, and bytes of address space, answer and any written file."""

    time_s: float = 30.0
    memory_bytes: int = GIB
    answer_bytes: int = 16 * MIB
    file_bytes: int = 0


class BoundsError(Exception):
    """The call exceeded a limit. The text is a clause, such as "it took longer than 30 s"."""


def call_bounded(function: Callable[..., Any], *arguments: Any, bounds: Bounds | None = None) -> Any:
    """Returns `function(*arguments)`, called in a child process.

    `function` must be importable by name; arguments and answer must be JSON. A child that is killed from outside is
    replaced, because that is not the file's fault. Raises BoundsError, the PalioError that the function raised, or
    RuntimeError with a traceback for a bug in it.
    """
    bounds = bounds or Bounds()
    for _ in range(_ATTEMPTS):
        output, errors, code = _call(function, arguments, bounds)
        if code != -signal.SIGKILL:
            return _answer(output, errors, code, bounds)
    raise RuntimeError(f"a bounded call was killed from outside {_ATTEMPTS} times")


def _call(function: Callable[..., Any], arguments: Sequence[Any], bounds: Bounds) -> tuple[bytes, str, int]:
    """Runs one child; returns its standard output, standard error and exit code."""
    request = json.dumps(
        {"function": f"{function.__module__}:{function.__qualname__}", "arguments": arguments, "bounds": asdict(bounds)}
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _RUN, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            output, errors = child.communicate(request.encode(), timeout=bounds.time_s + _START_S)
        except subprocess.TimeoutExpired:
            raise BoundsError(f"it took longer than {bounds.time_s:g} s") from None
        finally:
            _end(child)
    return output, errors.decode(errors="replace"), child.returncode


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _answer(output: bytes, errors: str, code: int, bounds: Bounds) -> Any:
    if code in (-signal.SIGXCPU, -signal.SIGALRM):
        raise BoundsError(f"it took longer than {bounds.time_s:g} s")
    if code:
        lines = errors.strip().splitlines() or [f"exit code {code}"]
        if "MemoryError" in lines[-1]:
            raise BoundsError(_memory(bounds))
        if code < 0:
            raise BoundsError(f"the process that read it crashed ({signal.Signals(-code).name})")
        raise RuntimeError(f"a bounded call broke: {errors.strip() or lines[-1]}")
    found = json.loads(output)
    if "failure" in found:
        raise PalioError.of(Failure.from_json(found["failure"]))
    if "exceeded" in found:
        raise BoundsError(found["exceeded"])
    return found["answer"]


def _main() -> None:
    """Runs in the child."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    request = json.load(sys.stdin)
    bounds = Bounds(**request["bounds"])
    module, _, name = request["function"].partition(":")
    function: Any = import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    _limit(bounds)
    try:
        found = {"answer": function(*request["arguments"])}
    except PalioError as error:
        found = {"failure": error.failure.as_json()}
    except MemoryError:
        found = {"exceeded": _memory(bounds)}
    except RecursionError:
        found = {"exceeded": "it is nested too deeply"}
    except Exception:  # noqa: BLE001 - the caller raises it again
        traceback.print_exc()
        sys.exit(1)
    text = json.dumps(found)
    if len(text) > bounds.answer_bytes:
        text = json.dumps({"exceeded": f"its result is larger than {size_text(bounds.answer_bytes)}"})
    sys.stdout.write(text)


def _memory(bounds: Bounds) -> str:
    return f"it needed more than {size_text(bounds.memory_bytes)} of memory"


def _limit(bounds: Bounds) -> None:
    seconds = math.ceil(bounds.time_s)
    for kind, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, bounds.memory_bytes),
        (resource.RLIMIT_FSIZE, bounds.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # CPU time: the soft limit sends SIGXCPU; the hard limit sends SIGKILL, which could come from anyone.
        resource.setrlimit(kind, (most, hard if kind == resource.RLIMIT_CPU else most))
    signal.setitimer(signal.ITIMER_REAL, bounds.time_s)  # SIGALRM ends the child even if its caller is stuck

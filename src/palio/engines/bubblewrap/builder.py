"""Builds one image in a process of its own, with limits, so that the caller can continue and can stop it.

Covered: wall-clock time, memory, the size of the image and the number of its entries. Nothing of the context is run. A
child of this process reads and copies it, and ends with this process. Unfinished work is in the build's own folder.
"""

import json
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.dockerfile.read import DockerfileError
from palio.core.engine import Build, BuildLimits, End, JobResult
from palio.core.files.log import LogWriter
from palio.core.plain_words import UnfitWordError
from palio.core.quantities import MIB
from palio.engines.bubblewrap import users
from palio.engines.bubblewrap.environment import Environments, EnvironmentTooLargeError, IndexUnreachableError
from palio.engines.bubblewrap.image import ImageTooLargeError, build_image
from palio.engines.bubblewrap.images import ROOT, image_name, remove_unused, store_image
from palio.engines.bubblewrap.interpreter import Interpreter, this_interpreter
from palio.engines.bubblewrap.packages import package_folders
from palio.engines.bubblewrap.pip_configuration import caller_environment
from palio.engines.bubblewrap.processes import start_time
from palio.engines.bubblewrap.supervisor import RESULT, SUPERVISOR, TASK, write_atomically

MAKING, DISCARDED = "making", "discarded"
_LEAST_MEMORY_BYTES = 128 * MIB  # what the interpreter itself needs


class _StoppedError(Exception):
    """This process was asked to stop."""


def build_task(build: Build, images: Path, *, locks: str, group: str | None) -> dict[str, Any]:
    """The task description for the build process. `locks` is the folder of users' locks, `group` a cgroup's name."""
    return {
        "name": image_name(build.image_key),
        "interpreter": asdict(this_interpreter()),  # a process without site packages has another one
        "images": str(images),
        "context": str(build.context),
        "dockerfile": build.dockerfile,
        "arguments": dict(build.arguments),
        "limits": asdict(build.limits),
        "log": str(build.log.absolute()),
        # For pip, which is run on what RUN installs.
        "bwrap": os.path.realpath(shutil.which("bwrap") or "bwrap"),
        "search_path": sys.path,
        "package_folders": package_folders(),
        "python_home": str(Path(os.path.realpath(sys.executable)).parent),
        "pip_environment": caller_environment(),
        "locks": locks,
        "users": users.candidates(),
        "group": group,
    }


def main(folder: Path) -> None:
    """Builds the task described in `folder`."""
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        with suppress(OSError):
            os.set_inheritable(number, False)  # children must not inherit the lock
    signal.signal(signal.SIGTERM, _stop)
    write_atomically(folder / SUPERVISOR, {"pid": os.getpid(), "started": start_time(os.getpid())})
    started, begin = datetime.now(UTC), time.monotonic()
    try:
        result = _build(folder, json.loads((folder / TASK).read_text()))
    except _StoppedError:
        result = {"end": End.EXITED, "exit_code": 128 + signal.SIGTERM, "detail": "stopped"}
    except Exception as error:  # noqa: BLE001 - the polling process must be told
        write_atomically(folder / RESULT, {"fault": str(error) or type(error).__name__})
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(folder / MAKING, ignore_errors=True)
    finished = started + timedelta(seconds=time.monotonic() - begin)
    write_atomically(folder / RESULT, JobResult(**result, started=started, finished=finished).as_json())


def _stop(*_: object) -> NoReturn:
    raise _StoppedError


def _build(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    images, limits = Path(task["images"]), BuildLimits(**task["limits"])
    remove_unused(images, folder / DISCARDED)
    shutil.rmtree(folder / MAKING, ignore_errors=True)
    (folder / MAKING / ROOT).mkdir(mode=0o755, parents=True)
    bounds = Bounds(limits.time_s, max(limits.memory_bytes, _LEAST_MEMORY_BYTES), file_bytes=limits.size_bytes)
    begin = time.monotonic()
    try:
        made: dict[str, Any] = call_bounded(make_image, str(folder / MAKING), task, bounds=bounds)
        return made
    except BoundsError as error:
        if time.monotonic() - begin >= limits.time_s:
            return {"end": End.TIME, "exit_code": None, "detail": str(error)}
        return {"end": End.EXITED, "exit_code": 1, "detail": f"{task['dockerfile']}\n{error}"}


def make_image(making: str, task: dict[str, Any]) -> dict[str, Any]:
    """In the child: builds the image in the folder `making`, which contains its empty root, and returns the result."""
    made, limits = Path(making), BuildLimits(**task["limits"])
    sys.path += [place for place in task["search_path"] if place not in sys.path]
    with LogWriter(Path(task["log"])) as log:

        def say(text: str) -> None:
            log.write(f"{text}\n".encode())

        try:
            image, size_bytes = build_image(
                Path(task["context"]),
                task["dockerfile"],
                task["arguments"],
                interpreter=Interpreter.of(task["interpreter"]),
                root=made / ROOT,
                size_bytes=limits.size_bytes,
                say=say,
                packages=Environments(task, made, say),
            )
        except DockerfileError as error:
            say(str(error))
            return {"end": End.EXITED, "exit_code": 1, "detail": f"{error.where}\n{error.reason}"}
        except IndexUnreachableError as error:
            say(f"pip could not reach an index of packages, where it looked for {error}")
            return {"end": End.INDEX_UNREACHABLE, "exit_code": 1, "detail": str(error)}
        except EnvironmentTooLargeError as error:
            say(f"the packages exceed the build's limit of {error}")
            if str(error) == "memory":
                return {"end": End.MEMORY, "exit_code": None, "detail": "RUN pip install"}
            return {"end": End.IMAGE_SIZE, "exit_code": None, "detail": str(limits.size_bytes)}
        except ImageTooLargeError as error:
            say(f"the image would be {error.size_bytes:,} bytes; at most {limits.size_bytes:,} are allowed")
            return {"end": End.IMAGE_SIZE, "exit_code": None, "detail": str(error.size_bytes)}
        except MemoryError:
            say("the build exceeded its memory limit")
            return {"end": End.MEMORY, "exit_code": None, "detail": task["dockerfile"]}
        try:
            store_image(made, image, size_bytes, Path(task["images"]) / task["name"])
        except UnfitWordError as error:
            return {"end": End.EXITED, "exit_code": 1, "detail": f"{task['dockerfile']}\n{error.reason}"}
    return {"end": End.EXITED, "exit_code": 0, "image": task["name"]}

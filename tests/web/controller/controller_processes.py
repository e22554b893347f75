"""Real controllers in processes of their own, one after the other, each of which dies when the test says."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from palio.core.attempt.states import ENDS
from palio.web.controller import moves, process, worker
from palio.web.controller.loop import Controller
from palio.web.models import Attempt, ControllerBeat
from palio.web.verbs import events

SECONDS = 40.0  # how long anything may take

Moment = Callable[[], None]


def begin_life(moment: Moment | None = None, controller: Any = Controller, **configured: Any) -> int:
    """The process id of a controller, forked from here, where everything it needs is imported already."""
    connections.close_all()
    child = os.fork()
    if child:
        return child
    try:
        settings.CONFIGURATION = replace(settings.CONFIGURATION, **configured)
        if moment is not None:
            moment()
        process.run(controller)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a child must not return
        traceback.print_exc()
    finally:
        os._exit(1)


def wait_for_death(child: int) -> int:
    """What its process returned; minus a signal's number where that ended it."""
    deadline = time.monotonic() + SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"it still lives; {list(Attempt.objects.values_list('identity', 'state'))}")
        time.sleep(0.01)


def kill(child: int, number: signal.Signals = signal.SIGKILL) -> int:
    os.kill(child, number)
    return wait_for_death(child)


def live_until(reached: Callable[[], bool], **configured: Any) -> None:
    """A life that nothing happens in, until `reached`; it then ends in order."""
    child = begin_life(**configured)
    wait_until(lambda: is_beating(child) and reached(), child)
    assert kill(child, signal.SIGTERM) == 0


def wait_until(reached: Callable[[], bool], child: int | None = None) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert child is None or os.waitpid(child, os.WNOHANG) == (0, 0), "the controller has died"
        assert time.monotonic() < deadline, list(Attempt.objects.values_list("identity", "state", "failure_code"))
        time.sleep(0.05)


def is_beating(child: int) -> bool:
    return ControllerBeat.objects.filter(process__endswith=f":{child}").exists()


def all_have_ended() -> bool:
    return not Attempt.objects.exclude(state__in=[*ENDS]).exists()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_move(identity: str, move: str, when: str, number: int = 1) -> Moment:
    """Before or after the `number`th commit of this move of the attempt, or inside of its transaction."""

    def install() -> None:
        made, record, count, inside = getattr(moves, move), events.record, 0, False

        def recording(kind: str, **more: Any) -> None:
            record(kind, **more)
            if inside and when == "inside":
                die()

        def moving(moved: str, *arguments: Any, **more: Any) -> Any:
            nonlocal count, inside
            count += moved == identity
            is_due = moved == identity and count == number
            if is_due and when == "before":
                die()
            inside = is_due
            result = made(moved, *arguments, **more)
            inside = False
            if is_due and when == "after":
                die()
            return result

        events.record = recording
        setattr(moves, move, moving)

    return install


def at_note(identity: str, note: str, number: int) -> Moment:
    """When what the engine has just done for the `number`th time is to be written down: `note_start`, `note_end`."""
    return lambda: _in_workers(f"at_note({identity!r}, {note!r}, {number})")


def at_verdict(identity: str) -> Moment:
    """When it is on disk, and nothing else has been done."""
    return lambda: _in_workers(f"at_verdict({identity!r})")


def _in_workers(call: str) -> None:
    worker.PROGRAM = f"""
import json, sys
sys.path[:] = json.loads(sys.argv[1])
sys.path.insert(0, {str(Path.cwd())!r})
from tests.web.controller.kill_points import at_note, at_verdict
{call}
from palio.web.controller.worker_process import main
main()
"""

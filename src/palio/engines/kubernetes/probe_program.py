"""The program of the gate and of its counterparts: it runs in a pod, with nothing but Python's standard library.

    gate TARGET...     exits with 0 once no target is reached, with REACHED if one still is after PATIENCE_S
    claim FILE TARGET...  as `gate`, for the one pod that may run a job: exits with NOT_CLAIMED for any other
    reach TARGET...    exits with 0 once every target has been reached for STEADY_S
    pids MOST          how many processes it may start, up to MOST

A target is NAME,PROTOCOL,HOST,PORT; a host that begins with `$` is a variable of the environment, and is left out if
that is not set. A refused connection is one that was not blocked. The result is one JSON object, in the pod's
termination message. Policies can take effect seconds after a pod starts, so the gate tries several times, and wants
CLEAR rounds in a row in which nothing was reached.

The first pod that creates FILE has the claim, and writes its UID (PALIO_POD) to it. Kubernetes runs the containers of a
pod again if it has lost their status, so the gate of one pod may start twice, but lets its program start only once.
"""

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress

ANSWER_S = 1.0  # for one target; all are tried at once
PATIENCE_S = 20.0
CLEAR = 2
STEADY_S = 5.0
REACHED, NOT_CLAIMED = 3, 4
STARTED = " started"  # follows the UID in a claim whose program may have started
MESSAGE = "/dev/termination-log"
# A question for the name servers of the root.
DNS_QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
STACK_BYTES = 64 * 1024


def is_reached(protocol: str, host: str, port: int) -> bool:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, kind) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect((host, port))
            if protocol == "udp":
                connection.send(DNS_QUERY)
                connection.recv(512)
            return True
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    except OSError:
        return False


def read_targets(arguments: list[str]) -> list[tuple[str, str, str, int]]:
    found = []
    for argument in arguments:
        name, protocol, host, port = argument.split(",")
        host = os.environ.get(host[1:], "") if host.startswith("$") else host
        if name == "dns" and host.count(".") == 3:  # by convention the tenth address of the services' range
            host = host.rpartition(".")[0] + ".10"
        if host:
            found.append((name, protocol, host, int(port)))
    return found


def reached(targets: list[tuple[str, str, str, int]]) -> list[str]:
    """Which of them are reached, each as `NAME (HOST:PORT)`."""
    answers = [False] * len(targets)

    def attempt(index: int) -> None:
        answers[index] = is_reached(*targets[index][1:])

    threads = [threading.Thread(target=attempt, args=(index,)) for index in range(len(targets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [f"{name} ({host}:{port})" for (name, _, host, port), answer in zip(targets, answers, strict=True) if answer]


def gate(targets: list[tuple[str, str, str, int]]) -> int:
    begin, clear, found = time.monotonic(), 0, []
    while clear < CLEAR:
        found = reached(targets)
        clear = 0 if found else clear + 1
        if found and time.monotonic() - begin > PATIENCE_S:
            break
    say({"reached": found, "tried": [name for name, *_ in targets], "seconds": round(time.monotonic() - begin, 1)})
    return REACHED if found else 0


def claim(file: str, targets: list[tuple[str, str, str, int]]) -> int:
    try:
        if why := why_not_claimed(file, os.environ["PALIO_POD"]):
            say({"claimed": why})
            return NOT_CLAIMED
        if code := gate(targets):
            return code
        with open(file, "a") as held:  # noqa: PTH123
            held.write(STARTED)
            held.flush()
            os.fsync(held.fileno())
    except OSError as error:  # without a claim, no program
        say({"claimed": str(error)})
        return NOT_CLAIMED
    return 0


def why_not_claimed(file: str, pod: str) -> str:
    """Empty if this pod has the claim, and its program has not started."""
    try:
        with open(file, "x") as made:  # noqa: PTH123
            made.write(pod)
            made.flush()
            os.fsync(made.fileno())
    except FileExistsError:
        with open(file) as made:  # noqa: PTH123
            holder, started, _ = made.read().partition(STARTED)
        if holder != pod:
            return f"another pod of this job was first ({holder or 'unknown'})"
        return "it may have started before in the same pod" if started else ""
    return ""


def reach(targets: list[tuple[str, str, str, int]]) -> int:
    begin, since = time.monotonic(), None
    while True:
        found, now = reached(targets), time.monotonic()
        since = (since or now) if len(found) == len(targets) else None
        if now - begin > PATIENCE_S or (since is not None and now - since > STEADY_S):
            break
        time.sleep(0.5)
    say({"reached": found, "tried": [name for name, *_ in targets]})
    return 0 if len(found) == len(targets) else 1


def pids(most: int) -> int:
    """Threads count as processes, and need less memory."""
    threading.stack_size(STACK_BYTES)
    stop, count = threading.Event(), 1
    try:
        while count < most:
            threading.Thread(target=stop.wait, daemon=True).start()
            count += 1
    except RuntimeError:  # cannot start a new thread
        pass
    stop.set()
    say({"processes": count, "limited": count < most})
    return 0


def say(result: dict[str, object]) -> None:
    with suppress(OSError), open(MESSAGE, "w") as file:  # noqa: PTH123 - a program of its own
        json.dump(result, file)


def main(arguments: list[str]) -> int:
    mode, *rest = arguments
    if mode == "pids":
        return pids(int(rest[0]))
    if mode == "claim":
        return claim(rest[0], read_targets(rest[1:]))
    return {"gate": gate, "reach": reach}[mode](read_targets(rest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The first program in a sandbox, which becomes the job's program.

It is the only way for a Dockerfile's content (command, working directory, environment) to enter the sandbox. None of it
is ever an argument of bubblewrap, nor in the environment of a process outside, whose loader would obey it. It waits for
its supervisor first, so that what a killed supervisor leaves behind never becomes a job's program.
"""

import json
from collections.abc import Mapping, Sequence
from socket import socket as Socket  # noqa: N812

from palio.core.files.collect import printable
from palio.core.plain_words import PlainName, PlainWord

GO = b"."

# Run by the image's interpreter, with a socket to the supervisor and a file with the job's description. Resets signals
# that Python ignores, because a program would inherit that.
_CODE = """
import _signal, json, os, sys
for number in (_signal.SIGPIPE, _signal.SIGXFSZ): _signal.signal(number, _signal.SIG_DFL)
socket, file = map(int, sys.argv[1:])
os.set_inheritable(socket, False)
with open(file, "rb") as described: job = json.load(described)
if not os.read(socket, 1): os._exit(1)
what = job["workdir"]
try:
    if job["make_workdir"]: os.makedirs(what, exist_ok=True)
    os.chdir(what)
    what = job["command"][0]
    os.execvpe(what, job["command"], job["environment"])
except (OSError, ValueError) as error:
    os.write(socket, f"{what}: {getattr(error, 'strerror', None) or error}"[:1000].encode(errors="replace"))
    os._exit(127)
"""


def inside_command(interpreter: str, socket: int, file: int) -> list[str]:
    """The command for bubblewrap, with the numbers of two inherited descriptors."""
    return [interpreter, "-I", "-S", "-X", "utf8", "-c", _CODE, str(socket), str(file)]


def failure(socket: Socket) -> str:
    """Why it did not become the job's program; empty if it did. Called after the sandbox exits."""
    socket.setblocking(False)
    try:
        return printable(socket.recv(4096).decode(errors="replace"))
    except OSError:
        return ""


def description(
    command: Sequence[PlainWord], workdir: PlainWord, environment: Mapping[PlainName, PlainWord], *, make_workdir: bool
) -> bytes:
    """The content of the description file."""
    return json.dumps(
        {"command": command, "workdir": workdir, "environment": environment, "make_workdir": make_workdir}
    ).encode()

"""Environments: Python packages that a Dockerfile installs with pip, on top of this machine's Python.

An environment is made once for what determines it: the requirements, the wheels, the interpreter and its packages, and
this rule. pip runs in a sandbox with a user of its own, without any file of the challenge but the named wheels, and
with this machine's network if the build may use one. It installs wheels only, so nothing of a package is executed, and
nothing in the lists that it gets names an address (core.dockerfile.requirements). The finished environment is linked
into images, so an image keeps its own.

Not covered: an index that this machine's configuration names and that serves wrong packages.
"""

import json
import os
import re
import resource
import select
import shutil
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from palio.core.dockerfile.read import DockerfileError, Instruction
from palio.core.dockerfile.requirements import Wanted
from palio.core.engine import BuildLimits, Limits
from palio.core.files.log import LogWriter
from palio.core.files.tree import TIME_NS
from palio.core.quantities import MIB
from palio.engines.bubblewrap import cgroup, users
from palio.engines.bubblewrap.interpreter import ENVIRONMENT as PLACE
from palio.engines.bubblewrap.interpreter import SYSTEM_FOLDERS, Interpreter
from palio.engines.bubblewrap.launch import Launch, LaunchError, launch, memory_file
from palio.engines.bubblewrap.packages import packages_digest, unsatisfied
from palio.engines.bubblewrap.pip_configuration import read_configuration
from palio.engines.bubblewrap.sources import OUTPUT, Operation
from palio.engines.bubblewrap.streams import Printed, Reports
from palio.engines.seccomp_filter import seccomp_filter

PREFIX, FILES = "environment-", "files"  # of its folder among the images
RULE = 1  # increase whenever the same requirements would be installed otherwise
_TASK = "/.pip"
_MOST_ENTRIES = 200_000
_MOST_PROCESSES = 256
_CHECK_S = 0.1
_OFFLINE = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|ProxyError|ConnectTimeout"
    r"|Network is unreachable|Connection refused|SSLError|Max retries exceeded"
)
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+")
_NONE_FITS = re.compile(r"No matching distribution found for (.+)")
_FULL = "No space left on device"

# Runs in the sandbox, in the new environment, in which no package is installed yet. Compiled files do not depend on
# times, which are made uniform afterwards.
_INSTALL = """
import compileall, json, os, py_compile, runpy, sys
task = json.load(open(sys.argv[1]))
os.environ.update(task["environment"])
sys.argv = ["pip", *task["arguments"]]
try:
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
    code = 0
except SystemExit as ended:
    code = ended.code
except BaseException as error:
    print(f"ERROR: {type(error).__name__}: {error}", flush=True)
    code = 1
if code in (0, None):
    compileall.compile_dir(task["packages"], quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
sys.stdout.flush()
os._exit(code if isinstance(code, int) else 1 if code else 0)
"""


class IndexUnreachableError(Exception):
    """No index of packages could be reached. The text is the requirement that was looked for."""


class EnvironmentTooLargeError(Exception):
    """The packages exceed the limits of the build; the text names the limit: size or memory."""


class Environments:
    """Makes and finds the environments of one build. `say` takes lines for its log."""

    def __init__(self, task: Mapping[str, Any], making: Path, say: Callable[[str], None]) -> None:
        self._task, self._making, self._say = task, making, say
        self._images = Path(task["images"])
        self._interpreter = Interpreter.of(task["interpreter"])
        self._folders: list[str] = task["package_folders"]
        self._limits = BuildLimits(**task["limits"])

    def packages(self) -> str:
        """The digest of the packages of this machine's Python, on which the image depends."""
        return packages_digest(self._folders)

    def install(self, wanted: Wanted, root: Path, instruction: Instruction) -> int:
        """Puts an environment with what is wanted into the image. Returns its size in bytes: 0 if none is needed.

        Raises DockerfileError, IndexUnreachableError or EnvironmentTooLargeError.
        """
        if not wanted.wheels and not wanted.options & {"--upgrade", "--force-reinstall", "--ignore-installed"}:
            missing = unsatisfied(wanted.lines, self._folders)
            if not missing:
                self._say("Every package that pip is to install is in this machine's Python already.")
                return 0
            self._say(f"Not in this machine's Python: {', '.join(missing)}")
        target = self._images / f"{PREFIX}{self._key(wanted)[:40]}"
        if (target / FILES).is_dir():
            self._say(f"Reusing an environment that was made before: {target.name.removeprefix(PREFIX)}")
            os.utime(target)
        else:
            self._make(wanted, target, instruction)
        _link(target / FILES, root / PLACE.lstrip("/"), instruction)
        return int(json.loads((target / "image.json").read_text())["size_bytes"])

    def _key(self, wanted: Wanted) -> str:
        """SHA-256 (hex) of what determines the environment."""
        files = {**wanted.links, **wanted.wheels}
        digests = []
        for name, path in sorted(files.items()):
            with path.open("rb") as file:
                digests.append([name, name in wanted.wheels, file_digest(file, "sha256").hexdigest()])
        made_of = [RULE, wanted.lines, wanted.constraints, sorted(wanted.options), digests]
        made_of += [asdict(self._interpreter), self.packages(), asdict(self._limits)]
        return sha256(json.dumps(made_of).encode()).hexdigest()

    def _make(self, wanted: Wanted, target: Path, instruction: Instruction) -> None:
        folder = self._making / "environment"
        (folder / FILES).mkdir(parents=True)
        begin = time.monotonic()
        size_bytes = _Pip(self._task, folder, self._limits, instruction).run(wanted, self._interpreter, self._folders)
        (folder / "image.json").write_text(json.dumps({"size_bytes": size_bytes}))
        (folder / "pip.log").unlink(missing_ok=True)
        shutil.rmtree(folder / "task", ignore_errors=True)
        for found in sorted(_installed(folder / FILES)):
            self._say(f"Installed {found}")
        self._say(f"Made an environment of {size_bytes / MIB:.0f} MiB in {time.monotonic() - begin:.0f} s")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(folder)  # another build was faster; its environment is the same


class _Pip:
    """One run of pip in a sandbox, whose output file system becomes the environment."""

    def __init__(self, task: Mapping[str, Any], folder: Path, limits: BuildLimits, instruction: Instruction) -> None:
        self._task, self._folder, self._limits, self._instruction = task, folder, limits, instruction

    def run(self, wanted: Wanted, interpreter: Interpreter, folders: Sequence[str]) -> int:
        configuration = read_configuration(interpreter.executable, self._task["pip_environment"])
        inside = self._write_task(wanted, configuration.environment, interpreter, folders)
        operations = self._operations(interpreter, configuration.places)
        user = users.take_user(Path(self._task["locks"]), self._task["users"], lambda: False)
        assert user is not None  # noqa: S101 - it waits
        name = self._task["group"]
        group = cgroup.Cgroup({}, 1)
        if name:
            (self._folder.parent.parent / "groups.json").write_text(json.dumps(list(map(str, cgroup.places(name)))))
            group = cgroup.make(name)
            group.limit(memory_bytes=self._limits.memory_bytes, pids=_MOST_PROCESSES, cpus=os.cpu_count() or 1)
        try:
            return self._launched(inside, operations, user, group)
        finally:
            group.remove()

    def _write_task(
        self, wanted: Wanted, environment: Mapping[str, str], interpreter: Interpreter, folders: Sequence[str]
    ) -> list[str]:
        """Writes what the sandbox reads; returns its command."""
        task = self._folder / "task"
        for kind, files in (("wheels", wanted.wheels), ("links", wanted.links)):
            (task / kind).mkdir(parents=True, mode=0o755)
            for name, path in files.items():
                shutil.copyfile(path, task / kind / name)
        lines = [*wanted.lines, *(f"{_TASK}/wheels/{name}" for name in sorted(wanted.wheels))]
        (task / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
        (task / "constraints.txt").write_text("".join(f"{line}\n" for line in wanted.constraints))
        arguments = ["install", "--only-binary", ":all:", "--no-compile", "--no-input", "--no-color", "--no-cache-dir"]
        arguments += ["--disable-pip-version-check", "--progress-bar", "off", "--no-warn-script-location"]
        arguments += ["--requirement", f"{_TASK}/requirements.txt", *sorted(wanted.options)]
        arguments += ["--constraint", f"{_TASK}/constraints.txt"] if wanted.constraints else []
        arguments += ["--find-links", f"{_TASK}/links"] if wanted.links else []
        version = ".".join(interpreter.version.split(".")[:2])
        packages = f"{PLACE}/lib/python{version}/site-packages"
        content = {
            "environment": {"HOME": "/tmp", "PIP_CONFIG_FILE": "/dev/null", **environment},  # noqa: S108 - inside
            "arguments": arguments,
            "packages": packages,
        }
        (task / "task.json").write_text(json.dumps(content))
        # The environment's own files, which its user gets a copy of.
        made = [
            ("pyvenv.cfg", f"home = {self._task['python_home']}\ninclude-system-site-packages = false\n"
                           f"version = {interpreter.version}\n"),
            (f"{packages.removeprefix(PLACE + '/')}/_machine.pth",
             f"import site; list(map(site.addsitedir, {list(folders)!r}))\n"),
        ]  # fmt: skip
        prepare = "import os, sys\n"
        for place, text in made:
            prepare += f"os.makedirs(os.path.dirname({PLACE!r} + '/' + {place!r}), exist_ok=True)\n"
            prepare += f"open({PLACE!r} + '/' + {place!r}, 'w').write({text!r})\n"
        prepare += f"os.makedirs({PLACE!r} + '/bin')\n"
        for link in ("python", "python3", f"python{version}"):
            prepare += f"os.symlink({interpreter.executable!r}, {PLACE!r} + '/bin/{link}')\n"
        prepare += f"open('/tmp/install.py', 'w').write({_INSTALL!r})\n"
        prepare += f"python = {PLACE!r} + '/bin/python'\n"
        prepare += f"os.execv(python, [python, '-I', '/tmp/install.py', '{_TASK}/task.json'])\n"
        (task / "prepare.py").write_text(prepare)
        for path in task.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return [interpreter.executable, "-I", "-S", f"{_TASK}/prepare.py"]

    def _operations(self, interpreter: Interpreter, places: Sequence[str]) -> list[Operation]:
        etc = ("resolv.conf", "nsswitch.conf", "ssl", "pki", "ca-certificates", "ld.so.cache", "hosts")
        memory = str(self._limits.memory_bytes)
        found: list[Operation] = [("--perms", "1777"), ("--size", memory), ("--tmpfs", "/tmp")]  # noqa: S108
        # Sorted, so that an outer place comes before those inside it.
        for path in sorted({*SYSTEM_FOLDERS, *interpreter.places, *places, *(f"/etc/{name}" for name in etc)}):
            if Path(path).is_symlink() and not path.startswith("/etc/"):
                found.append(("--symlink", str(Path(path).readlink()), path))
            elif Path(path).exists():
                found.append(("--ro-bind", path, path))
        found += [("--proc", "/proc"), ("--dev", "/dev"), ("--ro-bind", str(self._folder / "task"), _TASK)]
        return [*found, ("--bind", OUTPUT, PLACE), ("--remount-ro", "/")]

    def _launched(self, command: list[str], operations: list[Operation], user: int, group: cgroup.Cgroup) -> int:
        size_bytes = self._limits.size_bytes
        limits = Limits(
            time_s=self._limits.time_s,
            memory_bytes=self._limits.memory_bytes,
            cpus=1,
            output_bytes=min(size_bytes, self._limits.memory_bytes),
            output_files=_MOST_ENTRIES,
        )
        printed_out, printed = os.pipe()
        status_out, status = os.pipe()
        options = {"--json-status-fd": status}
        if (calls := seccomp_filter()) is not None:
            options["--seccomp"] = memory_file(calls)
        log = self._folder / "pip.log"
        what = Launch(
            self._task["bwrap"],
            operations,
            (),
            command,
            user,
            printed,
            limits,
            resources={resource.RLIMIT_CORE: 0},
            group=group,
            options=options,
            network=self._limits.network,
        )
        try:
            launched = launch(what)
        except LaunchError as error:
            raise OSError(str(error)) from error
        finally:
            for descriptor in (printed, *options.values()):
                os.close(descriptor)
        with LogWriter(log) as writer:
            output = Printed(printed_out, writer)
            self._follow(launched.guard, output)
            output.read_to_end()
        os.waitpid(launched.guard, 0)
        code, text = Reports(status_out).exit_code(), log.read_text(errors="replace")
        memory = group.out_of_memory() if "memory" in group.folders else False
        try:
            if memory or "MemoryError" in text:
                raise EnvironmentTooLargeError("memory")
            full = os.fstatvfs(launched.output)
            if _FULL in text or (code and (full.f_bavail == 0 or full.f_favail == 0)):
                raise EnvironmentTooLargeError("size")
            if code != 0:
                self._explain(text)
            return _copied(f"/proc/self/fd/{launched.output}", self._folder / FILES)
        finally:
            os.close(launched.output)

    def _follow(self, guard: int, printed: Printed) -> None:
        poll, ended = select.poll(), os.pidfd_open(guard)
        for descriptor in (ended, printed.descriptor):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll(1000 * _CHECK_S):
                if descriptor == ended:
                    os.close(ended)
                    return
                if not printed.read():
                    poll.unregister(descriptor)

    def _explain(self, text: str) -> None:
        """Raises why pip failed."""
        lines = [_ADDRESS.sub("an index", line) for line in text.splitlines()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        none = next((match[1] for line in errors if (match := _NONE_FITS.search(line))), "")
        if _OFFLINE.search(text) and (none or not errors):
            if self._limits.network:
                raise IndexUnreachableError(none or "a package")
            raise DockerfileError(
                f"pip looked for {none or 'a package'}, but builds of this challenge have no network "
                "(palio.limits.build.network)",
                self._instruction,
            )
        if none:
            version = self._task["interpreter"]["version"]
            network = "" if self._limits.network else ", and builds of this challenge have no network"
            raise DockerfileError(
                f"pip found no wheel of {none} for Python {version} in the indexes of this machine{network}. Check its "
                f"name and version (`pip index versions {none.split('=')[0].split('>')[0].split('<')[0]}`), or put a "
                "wheel into the context: COPY it and `RUN pip install` the file",
                self._instruction,
            )
        if any("conflicting dependencies" in line or "ResolutionImpossible" in line for line in lines):
            raise DockerfileError(
                f"its requirements contradict each other: {' '.join(errors[:1])[:400]}. Loosen a version",
                self._instruction,
            )
        reason = (errors or [line for line in lines if line.strip()] or ["pip ended without a message"])[-1]
        raise DockerfileError(f"pip failed: {reason.strip()[:400]}", self._instruction)


def _copied(source: str, target: Path) -> int:
    """Copies folders, regular files and the links of the environment's own. Returns the size in bytes."""
    size_bytes = 0
    for at, folders, files in os.walk(source, followlinks=False):
        below = Path(at).relative_to(source)
        for name in folders:
            (target / below / name).mkdir(mode=0o755)
        for name in files:
            path, copy = Path(at, name), target / below / name
            facts = path.lstat()
            if stat.S_ISLNK(facts.st_mode):
                if below == Path("bin") and name.startswith("python"):
                    copy.symlink_to(path.readlink())
            elif stat.S_ISREG(facts.st_mode):
                shutil.copyfile(path, copy, follow_symlinks=False)
                copy.chmod(0o755 if facts.st_mode & 0o111 else 0o644)
                os.utime(copy, ns=(TIME_NS, TIME_NS))
                size_bytes += facts.st_size
    return size_bytes


def _installed(files: Path) -> list[str]:
    names = (path.name.removesuffix(".dist-info") for path in files.glob("lib/*/site-packages/*.dist-info"))
    return [name.replace("-", " ", 1) for name in names]


def _link(files: Path, target: Path, instruction: Instruction) -> None:
    """Links the files into the image, where they may not be replaced by others."""
    if os.path.lexists(target):
        raise DockerfileError(
            f"the image has files at {PLACE}, where its packages are put; use another folder", instruction
        )
    shutil.copytree(files, target, symlinks=True, copy_function=_hard_link)


def _hard_link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # too many links, or a disk without them
        shutil.copyfile(source, target, follow_symlinks=False)
        shutil.copymode(source, target, follow_symlinks=False)

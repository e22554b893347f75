"""`palio doctor`: what this machine can run, and how to add what is missing."""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from palio.cli import rendering
from palio.core.errors import EXIT_CODES, Cause, PalioError
from palio.engines import ENGINES

FREE_GIB_WANTED = 10
REFERENCE_PACKAGES = ("torch", "monai", "sklearn")  # imported by the MedNIST programs
STORE_VARIABLES = ("PALIO_STORE_URL", "PALIO_STORE_URL_FILE", "PALIO_CONFIG")
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


@dataclass(frozen=True)
class Finding:
    """One check and its result. `next_step` is empty if nothing is missing."""

    subject: str
    fine: bool
    text: str
    next_step: str = ""


@click.command()
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(ENGINES),
    help="Engine to check; by default all that need no settings: docker and bubblewrap.",
)
@rendering.as_json_option
def doctor(engine_name: str | None, as_json: bool) -> int:
    """Check what this machine can run: engines, isolation, disk, memory and packages.

    For anything missing, prints the command that adds it. Also checks the file store of a server's settings, if they
    name one. Exits with 0 if at least one engine is available and the file store can be used, else with 12.
    """
    from palio.engines import AUTO, find_fault, open_engine

    findings = [_python(), _system(), _memory(), _disk(), *_packages(), *_proxy(), *(stores := _file_store())]
    isolation: dict[str, list[dict[str, str]]] = {}
    for name in [engine_name] if engine_name else AUTO:
        if fault := find_fault(name):
            findings.append(Finding(name, False, fault.reason, fault.next_step))
            continue
        try:
            engine, _ = open_engine(name)
        except PalioError as error:  # found only by trying
            findings.append(Finding(name, False, error.failure.message.rstrip("."), error.failure.next_step))
            continue
        findings.append(Finding(name, True, f"{engine.describe()} is available"))
        isolation[name] = [asdict(guarantee) for guarantee in engine.guarantees()]
    if as_json:
        rendering.echo_json({"findings": [asdict(finding) for finding in findings], "isolation": isolation})
    else:
        _show(findings, isolation, is_one=engine_name is not None)
    return 0 if isolation and all(store.fine for store in stores) else EXIT_CODES[Cause.PLATFORM]


def _show(findings: list[Finding], isolation: dict[str, list[dict[str, str]]], *, is_one: bool) -> None:
    for finding in findings:
        mark = click.style("ok     ", fg="green") if finding.fine else click.style("missing", fg="yellow")
        click.echo(f"{mark} {finding.subject:<11} {finding.text}")
        if finding.next_step:
            click.echo(f"{'':<20}{finding.next_step}")
    for name, guarantees in isolation.items():
        click.echo(f"\nIsolation on {name}:")
        rows = [(each["property"], each["enforcement"], each["detail"]) for each in guarantees]
        width = max(len(row[0]) for row in rows)
        for guarantee, enforcement, detail in rows:
            click.echo(f"  {guarantee:<{width}}  {enforcement:<23}  {detail}".rstrip())
    if not isolation:
        which = "This engine is not available" if is_one else "No engine is available, so nothing can run yet"
        click.echo(f"\n{which}. Follow {'the step' if is_one else 'one of the steps'} above.")
    elif len(isolation) == 1 and not is_one:
        click.echo("\nYou only need one engine.")


def _python() -> Finding:
    return Finding("Python", True, f"{platform.python_version()} at {sys.executable}")


def _system() -> Finding:
    text = f"{platform.system()} {platform.release()} on {platform.machine()}, {os.cpu_count()} CPUs"
    if "microsoft" in platform.release().lower():
        return Finding(
            "System",
            True,
            f"{text} (WSL)",
            "Keep challenges on the Linux file system; reading files below /mnt/c is slow.",
        )
    return Finding("System", True, text)


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding("Memory", True, f"{total / 1024**3:.1f} GiB")


def _disk() -> Finding:
    free_gib = shutil.disk_usage(Path.cwd()).free / 1024**3
    text = f"{free_gib:.0f} GiB free at {Path.cwd()}"
    if free_gib < FREE_GIB_WANTED:
        return Finding(
            "Disk",
            False,
            text,
            f"Free some space: images and runs need {FREE_GIB_WANTED} GiB. `docker system df` shows what Docker uses.",
        )
    return Finding("Disk", True, text)


def _packages() -> list[Finding]:
    missing = [name for name in REFERENCE_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        text = f"{', '.join(missing)} not installed; bubblewrap runs submissions on this Python"
        return [Finding("Packages", False, text, f"{sys.executable} -m pip install 'palio[mednist]'")]
    return [Finding("Packages", True, "PyTorch, MONAI and scikit-learn are installed, for submissions on bubblewrap")]


def _file_store() -> list[Finding]:
    """Of the server that is configured here. Only a server's process reads its settings."""
    if not any(os.environ.get(name) for name in STORE_VARIABLES) and not Path("palio.toml").exists():
        return []
    command = [sys.executable, "-P", "-m", "palio.web.serving", "check-store"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(ran.stdout)
    except ValueError:  # the settings are invalid
        lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        return [Finding("File store", False, lines[0], "Run `palio serve`, which lists what is wrong.")]
    return [Finding("File store", found["fine"], found["text"], found["next_step"])] if found else []


def _proxy() -> list[Finding]:
    proxies = sorted({os.environ[name] for name in PROXY_VARIABLES if os.environ.get(name)})
    if not proxies:
        return []
    return [
        Finding(
            "Proxy",
            True,
            "a proxy is configured for this user",
            "Docker has its own proxy settings: see https://docs.docker.com/engine/daemon/proxy.",
        )
    ]

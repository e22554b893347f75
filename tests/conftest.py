"""What a test may ask for: the real images, an engine. What this machine lacks is skipped and said;
with PALIO_TEST_ALL=1 (as in CI) it fails instead, so that nothing is skipped unnoticed.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from tests import docker_command

ROOT = Path(__file__).resolve().parent.parent
_DOCKER = "docker"
_LONGEST = (_DOCKER, "tests/web/test_on_postgresql.py", "tests/core/attempt/test_resume.py")
# The same examples in every run, however slow the machine; `pytest --hypothesis-profile=default` looks for others.
settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")
_CLEAN_UP_S = 60.0  # after the time limit of a test
NO_CLUSTER = "no cluster is named (PALIO_KUBERNETES_FOLDER)"
NO_AZURITE = "azurite is not installed (make azurite)"
NOTHING_MAY_BE_SKIPPED = os.environ.get("PALIO_TEST_ALL") == "1"


def lacking(what: str) -> NoReturn:
    """Ends the test: skipped, or failed where everything must run."""
    if NOTHING_MAY_BE_SKIPPED:
        pytest.fail(f"PALIO_TEST_ALL=1, and {what}", pytrace=False)
    pytest.skip(what)


def answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """With several processes (`-n 3 --dist loadgroup`): all tests with Docker in one of them, as they look for what is
    left on the engine, and of the others each file in one, for its fixtures. What takes longest begins first.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    yield
    first = {group: place for place, group in enumerate(_LONGEST)}
    items.sort(key=lambda item: first.get(_group(item), len(first)))


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(ROOT).as_posix()
    # Attacks on every engine look for layers, networks and changed images of Docker's afterwards.
    return _DOCKER if item.get_closest_marker("docker") or file == "tests/submissions/test_hostile.py" else file


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """pytest-timeout interrupts a test once. If the test's clean-up hangs too, interrupt that as well."""
    marker, option = item.get_closest_marker("timeout"), item.config.getoption("timeout")
    limit_s = float(marker.args[0] if marker else item.config.getini("timeout") if option is None else option)
    over = threading.Event()

    def interrupt() -> None:
        wait_s = limit_s + _CLEAN_UP_S
        while not over.wait(wait_s):
            wait_s = _CLEAN_UP_S
            if callable(signal.getsignal(signal.SIGALRM)):  # by pytest-timeout
                signal.pthread_kill(main, signal.SIGALRM)

    main = threading.get_ident()
    if limit_s:
        threading.Thread(target=interrupt, daemon=True).start()
    try:
        return (yield)
    finally:
        over.set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With PALIO_TEST_ALL=1, whatever else skips a test fails it too; but not where it runs on the other database."""
    report = yield
    elsewhere = report.skipped and any(
        where in str(report.longrepr) for where in ("PostgreSQL", NO_CLUSTER, NO_AZURITE, "moto accepts")
    )
    if NOTHING_MAY_BE_SKIPPED and report.skipped and not hasattr(report, "wasxfail") and not elsewhere:
        report.outcome, report.longrepr = "failed", f"PALIO_TEST_ALL=1, and it was skipped: {report.longrepr}"
    return report


_SECONDS: dict[str, list[float]] = {}  # by part of the tests, of each step of each test


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """With several processes, called in the one that starts them, which then knows the time of all."""
    _SECONDS.setdefault(_part(report), []).append(report.duration)


def _part(report: pytest.TestReport) -> str:
    """`core`, `web/controller`, `engines, docker`, ...: the folder, and the engine that is needed."""
    *folders, _ = report.nodeid.partition("::")[0].split("/")[1:]
    engines = [engine for engine in ("docker", "bubblewrap") if engine in report.keywords]
    return ", ".join(["/".join(folders[: 1 + (folders[:1] == ["web"])]) or "tests", *engines])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.getoption("durations") is None:
        return
    terminalreporter.section("seconds by part")
    for part, seconds in sorted(_SECONDS.items(), key=lambda each: -sum(each[1])):
        terminalreporter.line(f"{sum(seconds):8.1f}s  {part}")
    terminalreporter.line(f"{sum(map(sum, _SECONDS.values())):8.1f}s  all, in all processes together")


@cache
def bubblewrap_works() -> bool:
    # --unshare-all needs user namespaces, which some kernels refuse
    return answers("bwrap", "--ro-bind", "/", "/", "--unshare-all", "true")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture, as those of a module come before those of a test and may need the engine too."""
    if item.get_closest_marker("kubernetes") and not os.environ.get("PALIO_KUBERNETES_FOLDER"):
        pytest.skip(NO_CLUSTER)  # even with PALIO_TEST_ALL=1: a cluster is `make test-kubernetes`
    if item.get_closest_marker("docker") and (reason := docker_command.fault()):
        lacking(f"no Docker engine can be used: {reason}")
    if item.get_closest_marker("bubblewrap") and not bubblewrap_works():
        lacking("bubblewrap cannot make a sandbox here")


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("_no_images_left")


@pytest.fixture(scope="session")
def mednist() -> Path:
    """The real images: training-data/, validation-data/, testing-data/ and the three *_solution.csv files."""
    folder = os.environ.get("PALIO_MEDNIST")
    if folder and (Path(folder) / "testing_solution.csv").is_file():
        return Path(folder)
    lacking("PALIO_MEDNIST names no folder that holds the MedNIST images")
    raise AssertionError


@pytest.fixture(scope="session", autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests sign with a key of their own, and leave the user's alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALIO_HOME", str(tmp_path_factory.mktemp("palio-home")))
        yield


@pytest.fixture(scope="session")
def _no_images_left() -> Iterator[None]:
    """Removes the images that the tests' submissions were built into. For tests with Docker alone: tests that run
    beside them, as those on PostgreSQL may, would remove what is in use.
    """
    before = built_images()
    yield
    docker_command.remove_images(*(built_images() - before))


def built_images() -> set[str]:
    return set(docker_command.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "palio-build"))

"""`palio serve` as its operator meets it: real processes, a real port, a data folder that was not there."""

import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.serving import LIMIT_PSS_MIB, memory_mib
from tests.bundles import YAML, write_bundle
from tests.conftest import lacking
from tests.web.serving.running import SQLITE_ONLY, Browser, Running, environment, is_running, palio, running

from palio.data.getting import find_challenge
from palio.data.shipped import copy_challenge

PASSWORD = "a-long-enough-password"  # noqa: S105


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> object:
    """One for the tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("platform") / "data") as started:
        yield started


def test_first_start_output(platform: Running) -> None:
    platform.wait_for("its last word", lambda: "Press Ctrl-C to stop." in platform.said)
    said = platform.said
    assert f"address     {platform.address}\n" in said
    assert f"data        {platform.data} (" in said
    assert "engine      " in said
    assert platform.link() is not None


@SQLITE_ONLY
def test_first_start_file_permissions(platform: Running) -> None:
    assert stat.S_IMODE(platform.data.stat().st_mode) == 0o700
    for key in ("session-secret", "receipt-key.pem"):
        assert stat.S_IMODE((platform.data / "keys" / key).stat().st_mode) == 0o600
    assert (platform.data / "palio.sqlite3").is_file()
    assert (platform.data / "static" / "staticfiles.json").is_file()


def test_pages_and_static_files_cached(platform: Running) -> None:
    status, page = platform.ask("/")
    assert status == 200
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert platform.ask(style)[0] == 200
    with urllib.request.urlopen(f"{platform.address}{style}") as answer:  # noqa: S310 - our own
        assert "immutable" in answer.headers["Cache-Control"]


def test_memory_within_limit(platform: Running) -> None:
    platform.wait_for("the controller", lambda: (platform.health() or {}).get("controller") == "up")
    pss_mib, _ = memory_mib(list(platform.tree()))
    assert pss_mib < LIMIT_PSS_MIB


def test_second_platform_refused(platform: Running) -> None:
    result = palio("serve", "--data", platform.data, "--port", 1 + platform.port)
    assert result.returncode == 12
    assert f"another `palio serve` already runs on it, as process {platform.process.pid}." in result.stderr
    assert "(data-in-use)" in result.stderr


@SQLITE_ONLY
def test_second_controller_refused(platform: Running) -> None:
    result = palio("controller", "--data", platform.data)
    assert result.returncode == 12
    said = (
        f"another controller already runs on it, as process {platform.process.pid}, and with SQLite there can only be"
    )
    assert said in result.stderr
    assert "(controllers-need-postgresql)" in result.stderr


def test_health_command(platform: Running) -> None:
    given = environment(PALIO_PORT=str(platform.port), PALIO_DATA=str(platform.data))
    command = [sys.executable, "-m", "palio.web.serving", "health"]
    result = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    assert '"pages": "up"' in result.stdout
    down = subprocess.run(command, env=given | {"PALIO_PORT": "1"}, capture_output=True, text=True, check=False)
    assert (down.returncode, '"pages": "down"' in down.stdout) == (12, True)


def test_unknown_host_refused(platform: Running) -> None:
    with closing(socket.create_connection(("127.0.0.1", platform.port))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_admin_link_works_once(tmp_path: Path) -> None:
    with running(tmp_path / "data") as started:
        first = started.link()
        assert started.end() == 0
    with running(tmp_path / "data") as started:
        link = started.link()
        assert first
        assert link, "nobody was in yet, so it is printed again"
        browser = Browser()
        where, page = browser.get(link)
        where, page = browser.post(where, page, password1=PASSWORD, password2=PASSWORD)
        assert "admin" in browser.get(started.address)[1]
        for used in (link, first.replace(first.split("/")[2], f"127.0.0.1:{started.port}")):
            assert "password1" not in Browser().get(used)[1]
        again = palio("admin-link", "--data", started.data, PALIO_PORT=str(started.port))
        assert again.returncode == 0
        other = Browser()
        where, page = other.get(again.stdout.splitlines()[1])
        other.post(where, page, password1="another-long-password", password2="another-long-password")
        assert "admin" in other.get(started.address)[1]
        started.end()
    with running(tmp_path / "data") as started:
        assert started.link() is None
    unknown = palio("admin-link", "nobody", "--data", tmp_path / "data")
    assert (unknown.returncode, "There is no account named nobody." in unknown.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_terminate_ends_all_processes(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path / "data") as started:
        family = started.tree()
        assert len(family) >= 3
        begin = time.monotonic()
        started.process.send_signal(number)
        assert started.process.wait(20) == 0
        assert time.monotonic() - begin < 12
        assert [process for process in family if is_running(process)] == []
        assert "none of its processes are running" in started.said


def test_killed_supervisor_ends_children(tmp_path: Path) -> None:
    with running(tmp_path / "data") as started:
        family = started.tree()
        started.process.kill()
        started.process.wait()
        with running(tmp_path / "data") as successor:
            assert successor.health()
        assert [process for process in family if is_running(process)] == []


def children(started: Running) -> dict[str, int]:
    """The process that answers, and the controller: started in this order."""
    below = sorted(child for child, parent in started.tree().items() if parent == started.process.pid)
    names = {
        child: "controller" if f"Controller running as process {child}" in started.said else "pages" for child in below
    }
    return {name: child for child, name in names.items()}


def test_killed_children_restarted(tmp_path: Path) -> None:
    with running(tmp_path / "data") as started:
        started.wait_for("its last word", lambda: "Press Ctrl-C to stop." in started.said)
        for victim in ("pages", "controller"):
            started.wait_for("both", lambda: children(started).keys() == {"pages", "controller"})
            old = children(started)[victim]
            os.kill(old, signal.SIGKILL)
            started.wait_for(
                f"another {victim}",
                lambda victim=victim, old=old: children(started).get(victim, old) != old and started.health(),
            )
        assert started.said.count("was killed by SIGKILL; restarting it in 0.2 s") == 2


def test_several_processes_one_address(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--pages-only", PALIO_WORKERS="3") as started:
        started.wait_for(
            "three processes", lambda: "Press Ctrl-C to stop." in started.said and len(started.tree()) == 4
        )
        family = started.tree()
        for victim in [child for child, parent in family.items() if parent == started.process.pid][:2]:
            os.kill(victim, signal.SIGKILL)
            assert [started.ask("/health")[0] for _ in range(5)] == [200] * 5
        started.wait_for("all of them", lambda: len(started.tree()) == 4)


def test_port_taken(tmp_path: Path) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = palio("serve", "--data", tmp_path / "data", "--port", port)
    assert result.returncode == 12
    assert f"The platform cannot listen on 127.0.0.1:{port}: address already in use." in result.stderr
    assert "take another port: palio serve --port " in result.stderr
    assert "Traceback" not in result.stderr


def test_host_not_of_this_machine(tmp_path: Path) -> None:
    result = palio("serve", "--data", tmp_path / "data", "--host", "nowhere.invalid", **exposed("https://a.example"))
    assert (result.returncode, "Name an address of this machine with --host." in result.stderr) == (12, True)


def exposed(url: str) -> dict[str, str]:
    return {
        "PALIO_URL": url,
        "PALIO_SECRET": "quite secret, " * 5,
        "PALIO_SECURE_COOKIES": "1",
        "PALIO_TRUST_PROXY": "1",
    }


def test_public_host_requirements(tmp_path: Path) -> None:
    result = palio("serve", "--data", tmp_path / "data", "--host", "0.0.0.0")  # noqa: S104
    assert result.returncode == 12
    for missing in ("secret:", "url:", "secure_cookies:", "trust_proxy:"):
        assert f"  | {missing}" in result.stderr
    assert "(serving-unsafe)" in result.stderr
    assert not (tmp_path / "data").exists()


def test_proxy_tls_only(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--host", "0.0.0.0", **exposed("https://palio.example.org")) as started:  # noqa: S104
        assert started.ask("/") == (301, "https://palio.example.org/")
        assert started.ask("/", **{"X-Forwarded-Proto": "https"})[0] == 200
        assert "address     https://palio.example.org\n" in started.said


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_disk_full(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=8m", "palio-test", str(small)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        lacking("this user cannot mount a file system")
    try:
        result = palio("serve", "--data", small / "data")
        assert (result.returncode, "(disk-full)" in result.stderr) == (12, True)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_data_folder_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = palio("serve", "--data", tmp_path / "file" / "data")
    assert (result.returncode, "(target-unwritable)" in result.stderr) == (12, True)


@SQLITE_ONLY
def test_database_newer_version(tmp_path: Path) -> None:
    with running(tmp_path / "data") as started:
        pass
    with closing(sqlite3.connect(started.data / "palio.sqlite3")) as database, database:
        database.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('palio', '0999_later', 0)")
    result = palio("serve", "--data", started.data)
    assert result.returncode == 12
    assert "  | unknown migration: palio.0999_later" in result.stderr
    assert "(database-newer)" in result.stderr


@SQLITE_ONLY
def test_database_invalid(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "palio.sqlite3").write_bytes(b"This is no database at all. " * 100)
    result = palio("serve", "--data", tmp_path / "data")
    assert (result.returncode, "(database-unusable)" in result.stderr) == (12, True)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("after_s", [0.4, 1.0, 1.6, 2.2])
def test_first_start_killed_resumes(tmp_path: Path, after_s: float) -> None:
    killed = Running(tmp_path / "data", "--pages-only")
    time.sleep(after_s)
    killed.process.kill()
    killed.process.wait()
    with running(tmp_path / "data", "--pages-only") as started:
        assert started.link() is not None
        assert started.ask("/accounts/login/")[0] == 200


def test_admin_link_without_platform(tmp_path: Path) -> None:
    result = palio("admin-link", "--data", tmp_path / "data")
    assert (result.returncode, "is not the data folder of a platform" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_request_log_without_keys(tmp_path: Path) -> None:
    key = "0123456789abcdef" * 3
    with running(tmp_path / "data", "--pages-only", PALIO_REQUEST_LOG="true") as started:
        started.ask(f"/nothing/{key}/?token={key}")
        started.wait_for("the line", lambda: "GET /nothing/0123…/ 404 " in started.said)
        assert key not in started.said


def test_configuration_problems_listed(tmp_path: Path) -> None:
    result = palio("serve", "--data", tmp_path / "data", PALIO_WORKERS="none", PALIO_URL="x")
    assert (result.returncode, result.stderr.count("  | PALIO_")) == (12, 2)


def test_controller_and_pages_separate(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--pages-only") as pages:
        with running(tmp_path / "data", command="controller") as controller:
            controller.wait_for("its word", lambda: "controller only" in controller.said)
            controller.wait_for("its process", lambda: len(controller.tree()) >= 2)
            assert controller.end() == 0
        assert pages.health()


def test_with_mednist_published_once(tmp_path: Path, mednist: Path) -> None:
    given = {"PALIO_MEDNIST": str(mednist)}
    with running(tmp_path / "data", "--with", "mednist", **given) as started:
        assert "challenge   mednist published, with the images " in started.said
        assert "MedNIST" in started.ask("/")[1]
        assert started.end() == 0
    assert [path for path in started.data.iterdir() if path.name.startswith(".")] == []
    with running(tmp_path / "data", "--with", "mednist", **given) as again:
        assert "challenge   mednist already published" in again.said
        assert "MedNIST" in again.ask("/")[1]


def test_with_folder_republished_when_changed(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "vowels")
    with running(tmp_path / "data", "--with", str(bundle)) as started:
        assert "challenge   vowels published, version 1" in started.said
        assert started.end() == 0
    with running(tmp_path / "data", "--with", str(bundle)) as again:
        assert f"challenge   vowels already published, same as in {bundle}" in again.said
        assert again.end() == 0
    (bundle / "overview.md").write_text("Which of them, now?")
    with running(tmp_path / "data", "--with", str(bundle)) as changed:
        assert "challenge   vowels published, version 2" in changed.said


def test_with_several_challenges(tmp_path: Path) -> None:
    vowels = write_bundle(tmp_path / "vowels")
    letters = write_bundle(tmp_path / "letters", yaml=YAML.replace("title: Vowels", "title: Letters"))
    with running(tmp_path / "data", "--pages-only", "--with", vowels, "--with", letters) as started:
        assert "challenge   vowels published, version 1" in started.said
        assert "challenge   letters published, version 1" in started.said


def test_with_mednist_images_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = find_challenge(Path.cwd())
    assert shipped is not None
    copy_challenge(shipped, tmp_path / "challenges" / "mednist")
    monkeypatch.chdir(tmp_path)  # from where that one is found first
    result = palio("serve", "--data", tmp_path / "data", "--with", "mednist")
    assert (result.returncode, "(data-missing)" in result.stderr) == (11, True)
    assert "`palio data get mednist`" in result.stderr

"""/metrics and logs of a running platform, as Prometheus and a log collector meet them."""

import json
from pathlib import Path

import pytest
from tests.web.serving.running import Running, palio, running
from tests.web.serving.test_serve import exposed

TOKEN = "unguessable-" * 5
QUIET = {"PALIO_ENGINE": "bubblewrap", "PALIO_LOG_FORMAT": "json"}


def counters(text: str) -> list[str]:
    return [line for line in text.splitlines() if "_total" in line or "_bucket" in line]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running(tmp_path_factory.mktemp("metrics") / "data", PALIO_WORKERS="2", **QUIET) as started:
        yield started


def test_programs_of_this_machine_read_the_metrics(platform: Running) -> None:
    platform.wait_for("a tick", lambda: "palio_controller_up 1.0" in platform.ask("/metrics")[1])
    status, text = platform.ask("/metrics", Host=f"localhost.localdomain:{platform.port}")
    assert (status, "palio_queue_length 0.0" in text) == (200, True)


def test_processes_agree(platform: Running) -> None:
    found = {tuple(counters(platform.ask("/metrics")[1])) for _ in range(12)}
    assert len(found) == 1
    assert len(found.pop()) > 60


def test_what_a_proxy_passes_on_is_refused(platform: Running) -> None:
    status, text = platform.ask("/metrics", **{"X-Forwarded-For": "127.0.0.1"})
    assert (status, json.loads(text)["code"]) == (403, "metrics-not-local")


def test_every_line_of_output_is_an_object(platform: Running) -> None:
    for words in ("Press Ctrl-C to stop.", "Controller running as process "):
        platform.wait_for(words, lambda words=words: words in platform.said)
    lines = [json.loads(line) for line in platform.said.splitlines()]
    assert {"time", "level", "logger", "process", "message"} <= set.intersection(*(set(line) for line in lines))
    assert platform.link() is not None


def test_requests_are_logged_with_their_parts(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--pages-only", PALIO_REQUEST_LOG="true", **QUIET) as started:
        started.ask("/nothing/")
        started.wait_for("the line", lambda: "/nothing/" in started.said)
        (line,) = [json.loads(line) for line in started.said.splitlines() if "/nothing/" in line]
        assert line.pop("duration_ms") >= 0
        fields = {"client": "127.0.0.1", "method": "GET", "path": "/nothing/", "status": 404}
        assert fields.items() <= line.items()


def test_public_server_answers_prometheus_at_any_address_with_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    public = exposed("https://palio.example.org") | {"PALIO_METRICS_TOKEN_FILE": str(tmp_path / "token")}
    with running(tmp_path / "data", "--pages-only", "--host", "0.0.0.0", **public) as started:  # noqa: S104
        here = {"Host": f"10.0.0.7:{started.port}"}
        refused = started.ask("/metrics", **here)
        assert (refused[0], json.loads(refused[1])["code"]) == (401, "metrics-token-refused")
        assert started.ask("/metrics", **here, Authorization=f"Bearer {TOKEN}")[0] == 200
        proxied = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
        assert started.ask("/metrics", **proxied, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert started.ask("/", **here)[0] == 400  # only /metrics is served under other names


def test_short_token_is_refused_at_the_start(tmp_path: Path) -> None:
    result = palio("serve", "--data", tmp_path / "data", PALIO_METRICS_TOKEN="short", PALIO_LOG_FORMAT="xml")
    assert result.returncode == 12
    assert "PALIO_METRICS_TOKEN: the value is not allowed. Use at least 50 random characters" in result.stderr
    assert "PALIO_LOG_FORMAT: 'xml' is not allowed. Use `text` or `json`" in result.stderr
    assert "short" not in result.stderr

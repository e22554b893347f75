"""`palio disqualify`, `palio announce` and `palio message` against a platform that runs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web.full_challenge import Full, make_full
from tests.web.world import make_world

from palio.cli import main
from palio.web.verbs.tokens import make_token

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def full(transactional_db: None, small_bundle: Path, tmp_path: Path) -> Full:
    return make_full(make_world(small_bundle), tmp_path / "full")


@pytest.fixture(autouse=True)
def _alice_is_logged_in(full: Full, live_server: "LiveServer", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_SERVER", live_server.url)
    monkeypatch.setenv("PALIO_TOKEN", make_token(full.world.alice, "test", ["read", "organize"], days=1)[1])


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(arguments)
    out = capsys.readouterr()
    return code, out.out or out.err


def test_disqualify_and_reinstate(full: Full, capsys: pytest.CaptureFixture[str]) -> None:
    best = full.best.pk
    assert said(capsys, "disqualify", best, "--reason", "It used the labels.") == (
        0,
        f"Submission {best} of Blobs to “Final” is disqualified.\n",
    )
    full.best.refresh_from_db()
    assert full.best.disqualified == "It used the labels."
    code, out = said(capsys, "disqualify", best, "--undo", "--json")
    told = json.loads(out)
    assert (code, told["id"], told["disqualified"]) == (0, best, "")
    full.best.refresh_from_db()
    assert full.best.disqualified == ""


def test_disqualify_refused(full: Full, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    best = full.best.pk
    for wrong in ((), ("--undo", "--reason", "x")):
        code, out = said(capsys, "disqualify", best, *wrong)
        assert (code, "--reason TEXT, or reinstate the submission with --undo" in out) == (2, True)
    assert (
        json.loads(said(capsys, "disqualify", best, "--reason", " ", "--json")[1])["failure"]["code"]
        == "reason-missing"
    )
    long = said(capsys, "disqualify", best, "--reason", "x" * 501, "--json")
    assert json.loads(long[1])["failure"]["code"] == "reason-too-long"
    monkeypatch.setenv("PALIO_TOKEN", make_token(full.world.bob, "test", ["read", "organize"], days=1)[1])
    denied = said(capsys, "disqualify", best, "--reason", "x", "--json")
    assert json.loads(denied[1])["failure"]["code"] == "not-found"
    full.best.refresh_from_db()
    assert full.best.disqualified == ""


def test_announce(full: Full, capsys: pytest.CaptureFixture[str], live_server: "LiveServer", tmp_path: Path) -> None:
    address = f"{live_server.url}/c/mednist/announcements/"
    assert said(capsys, "announce", "mednist", "--title", "Hello", "--text", "**All**") == (
        0,
        f"Posted “Hello”.\n{address}\n",
    )
    (tmp_path / "news.md").write_text("\ufeff# Größe\n")
    code, out = said(capsys, "announce", "mednist", "--title", "News", "--file", str(tmp_path / "news.md"), "--json")
    told = json.loads(out)
    assert (code, told["title"], told["text"], told["author"], told["url"]) == (0, "News", "# Größe", "alice", address)
    posted = full.world.challenge.announcements.order_by("created").values_list("title", "text")
    assert [*posted] == [("Hello", "**All**"), ("News", "# Größe")]


def test_announce_refused(full: Full, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes("Größe".encode("latin-1"))
    (tmp_path / "long.md").write_bytes(b"x" * 200_001)
    for wrong, why in (
        ((), "either --text or --file"),
        (("--text", "x", "--file", str(tmp_path / "long.md")), "either --text or --file"),
        (("--file", str(tmp_path / "latin.md")), "is not UTF-8 text"),
        (("--file", str(tmp_path / "long.md")), "is larger than 200 kB"),
    ):
        code, out = said(capsys, "announce", "mednist", "--title", "Hello", *wrong)
        assert (code, why in " ".join(out.split())) == (2, True)
    empty = said(capsys, "announce", "mednist", "--title", " ", "--text", "x", "--json")
    assert json.loads(empty[1])["failure"]["code"] == "announcement-incomplete"
    assert not full.world.challenge.announcements.exists()


def test_message(full: Full, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--title", "Hello", "--text", "**All**")
    preview = said(capsys, "message", "mednist", "--to", "all", *given, "--preview")
    assert preview == (0, "3 participants would get “Hello”, 0 of them by e-mail too.\n")
    assert not full.world.challenge.messages.exists()
    sent = said(capsys, "message", "mednist", "--to", "team", "Blobs", *given, "--yes")
    assert sent == (0, "Sent “Hello” to 2 participants.\n")
    code, out = said(capsys, "message", "mednist", "--to", "team", "Blobs", *given, "--yes", "--json")
    told = json.loads(out)
    assert (code, told["to"], told["team"], told["receivers"], told["text"]) == (0, "team", "Blobs", 2, "**All**")
    assert full.world.challenge.messages.count() == 2


def test_message_refused(full: Full, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, why in (
        (("--to", "all", "Blobs", "--text", "x"), "Name a team with --to team NAME"),
        (("--to", "team", "--text", "x"), "Name a team with --to team NAME"),
        (("--to", "all"), "either --text or --file"),
        (("--to", "friends", "--text", "x"), "'all', 'team', 'not-submitted'"),
    ):
        code, out = said(capsys, "message", "mednist", "--title", "Hello", *wrong)
        assert (code, why in " ".join(out.split())) == (2, True)
    nobody = said(
        capsys, "message", "mednist", "--to", "team", "Nobody", "--title", "x", "--text", "x", "--yes", "--json"
    )
    assert json.loads(nobody[1])["failure"]["code"] == "message-team-unknown"
    assert not full.world.challenge.messages.exists()

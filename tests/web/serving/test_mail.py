"""Mail, through a mail server of the test's own: a new account's address is confirmed, and a forgotten password is set
anew, each by a link that leads to the address that people open.
"""

import email
import re
import socketserver
import threading
from collections.abc import Iterator
from email.message import Message
from email.policy import default
from pathlib import Path

import pytest
from tests.web.serving.running import Browser, running

PASSWORD, OTHER = "bobs-long-password", "bobs-other-password"


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail (RFC 5321, as little of it as a client needs) and keeps it in `mails`. `refused` are the replies for
    recipients that it does not accept."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[Message] = []
        self.refused: dict[str, str] = {}
        self.arrived = threading.Condition()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def wait_for(self, count: int) -> Message:
        """The last of so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.mails) >= count, 30), f"{len(self.mails)} of {count} mails"
        return self.mails[-1]


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        for line in self.rfile:
            command = line.strip().upper()
            if command == b"QUIT":
                self._say("221 bye")
                return
            recipient = command.removeprefix(b"RCPT TO:").strip(b"<>").decode().lower()
            if recipient in self.server.refused:
                self._say(self.server.refused[recipient])
                continue
            if command == b"DATA":
                self._say("354 go on")
                self._keep()
            self._say("250 fine")

    def _keep(self) -> None:
        lines = iter(self.rfile.readline, b".\r\n")
        mail = email.message_from_bytes(b"".join(line.removeprefix(b".") for line in lines), policy=default)
        with self.server.arrived:
            self.server.mails.append(mail)
            self.server.arrived.notify_all()

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def heads(mail: Message) -> tuple[str, str, str]:
    return str(mail["From"]), str(mail["To"]), str(mail["Subject"])


def link(mail: Message) -> str:
    found = re.search(r"http\S+", str(mail.get_payload()))
    assert found, mail
    return found[0]


def test_mail_confirmation_and_password_reset(tmp_path: Path, mail_server: MailServer) -> None:
    given = {"PALIO_MAIL_URL": mail_server.url, "PALIO_MAIL_FROM": "Palio <palio@example.org>"}
    with running(tmp_path / "data", "--pages-only", **given) as platform:
        bob = Browser()
        form = f"{platform.address}/accounts/signup/"
        bob.post(form, bob.get(form)[1], username="bob", email="bob@example.org", password1=PASSWORD)
        confirms = mail_server.wait_for(1)
        assert heads(confirms) == (
            "Palio <palio@example.org>",
            "bob@example.org",
            "[Palio] Please Confirm Your Email Address",
        )
        assert link(confirms).startswith(f"{platform.address}/accounts/confirm-email/")
        where, page = bob.get(link(confirms))
        bob.post(where, page)
        assert ">verified<" in bob.get(f"{platform.address}/accounts/email/")[1]

        stranger = Browser()
        form = f"{platform.address}/accounts/password/reset/"
        stranger.post(form, stranger.get(form)[1], email="bob@example.org")
        resets = mail_server.wait_for(2)
        assert heads(resets) == ("Palio <palio@example.org>", "bob@example.org", "[Palio] Password Reset Email")
        assert link(resets).startswith(f"{platform.address}/accounts/password/reset/key/")
        where, page = stranger.get(link(resets))
        _, page = stranger.post(where, page, password1=OTHER, password2=OTHER)
        assert ">bob</a>" in page  # and is signed in
        assert "This link has expired" in Browser().get(link(resets))[1]

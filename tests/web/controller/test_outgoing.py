"""Mail and occasions: what is sent when, what is retried, and that a crash sends nothing twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone
from tests.bundles import YAML, write_bundle
from tests.web.scored_submissions import publish
from tests.web.serving.test_mail import MailServer, heads, mail_server
from tests.web.verbs.test_notifications import confirm, mail
from tests.web.world import World

from palio.web.controller import outgoing
from palio.web.controller.mail import send_mail
from palio.web.controller.occasions import look_at_time
from palio.web.controller.outgoing import Periodic
from palio.web.models import Mail, Notification
from palio.web.verbs import unsubscribing
from palio.web.verbs.notifications import write_mail

__all__ = ["mail", "mail_server"]
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def server(world: World, mail: None, mail_server: MailServer, settings: Any) -> MailServer:
    """Takes the platform's mail; bob and bea have an address, and a mail each."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = SMTP, "127.0.0.1"
    settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = mail_server.server_address[1], 5
    settings.DEFAULT_FROM_EMAIL = "palio@example.org"
    for user in (world.bob, world.bea):
        confirm(user)
    write_mail("x", "Hello", "All", [world.bob.pk, world.bea.pk])
    return mail_server


def states() -> list[str]:
    return list(Mail.objects.order_by("user__username").values_list("state", flat=True))


def test_mail_sent_once(server: MailServer) -> None:
    send_mail()
    send_mail()
    assert sorted(heads(each) for each in server.mails) == [
        ("palio@example.org", "bea@example.org", "[Palio] Hello"),
        ("palio@example.org", "bob@example.org", "[Palio] Hello"),
    ]
    assert server.mails[0]["Auto-Submitted"] == "auto-generated"
    assert states() == ["sent", "sent"]


def test_mail_unsubscribe_headers(world: World, server: MailServer, settings: Any) -> None:
    """A mail without a kind has none. RFC 8058 allows one click only at an https address."""
    Mail.objects.filter(user=world.bea).update(kind="scored")
    write_mail("y", "Hello", "All", [world.bea.pk], kind="digest")
    send_mail()
    to_bob = next(each for each in server.mails if each["To"] == "bob@example.org")
    assert (to_bob["List-Unsubscribe"], to_bob["List-Unsubscribe-Post"]) == (None, None)
    to_bea = [each for each in server.mails if each["To"] == "bea@example.org"]
    for each, kind in zip(to_bea, ("scored", "digest"), strict=True):
        assert each["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = str(each["List-Unsubscribe"]).strip()  # a long header is folded
        path = link.removeprefix("<https://palio.example.org/unsubscribe/").removesuffix("/>")
        assert unsubscribing.read_link(path) == unsubscribing.Subscription(world.bea, kind)
        assert f"Unsubscribe from e-mails of this kind: {link.strip('<>')}" in str(each.get_payload())
    settings.CONFIGURATION = replace(settings.CONFIGURATION, url="http://127.0.0.1:8000")
    write_mail("z", "Hello", "All", [world.bea.pk], kind="scored")
    send_mail()
    assert str(server.mails[-1]["List-Unsubscribe"]).strip().startswith("<http://127.0.0.1:8000/unsubscribe/")
    assert server.mails[-1]["List-Unsubscribe-Post"] is None


def test_mail_not_repeated_after_crash(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed after the server has taken the first mail and before that is noted."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("palio.web.controller.mail.note_sent", die)
        with pytest.raises(KeyboardInterrupt):
            send_mail()
    assert len(server.mails) == 1
    send_mail()  # by the next controller, before and after the lease has expired
    assert len(server.mails) == 2
    Mail.objects.exclude(leased_until=None).update(leased_until=timezone.now() - timedelta(seconds=1))
    send_mail()
    assert len(server.mails) == 2
    assert sorted(states()) == ["failed", "sent"]
    assert "may have arrived" in Mail.objects.get(state="failed").error


def test_mail_waits_for_unreachable_server(server: MailServer, settings: Any) -> None:
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert send_mail() == 60.0
    assert list(Mail.objects.values_list("state", "failures")) == [("waiting", 0)] * 2
    settings.EMAIL_PORT = port
    send_mail()
    assert states() == ["sent", "sent"]


@pytest.mark.parametrize(("code", "state"), [(550, "failed"), (450, "waiting")])
def test_mail_refused_address(server: MailServer, code: int, state: str) -> None:
    server.refused["bea@example.org"] = f"{code} no"
    send_mail()
    assert states() == [state, "sent"]
    row = Mail.objects.get(user__username="bea")
    assert row.failures == 1
    assert (row.due > timezone.now() + timedelta(seconds=50)) == (state == "waiting")


def test_mail_given_up_after_three_days(server: MailServer, settings: Any) -> None:
    settings.EMAIL_PORT = 1
    Mail.objects.update(created=timezone.now() - timedelta(days=3, minutes=1))
    send_mail()
    assert states() == ["failed", "failed"]


def test_mail_without_address(server: MailServer, world: World) -> None:
    EmailAddress.objects.filter(user=world.bob).delete()
    send_mail()
    assert states() == ["sent", "failed"]
    assert len(server.mails) == 1


def test_pauses_grow() -> None:
    assert [outgoing.pause_after(failures) for failures in (0, 1, 2, 9, 99)] == [
        timedelta(minutes=1),
        timedelta(minutes=4),
        timedelta(minutes=16),
        timedelta(hours=6),
        timedelta(hours=6),
    ]


def test_message_taken_by_one(server: MailServer) -> None:
    row = Mail.objects.all()[0]
    assert outgoing.take(row)
    assert not outgoing.take(Mail.objects.get(pk=row.pk))
    assert row not in outgoing.due(Mail, 10)


def test_deadline_within_a_day(world: World, tmp_path: Any) -> None:
    for hours in (25, 23):
        end = timezone.now() + timedelta(hours=hours)
        yaml = YAML.replace("    tasks: [0]\n", f"    end: {end:%Y-%m-%d %H:%M} UTC\n    tasks: [0]\n", 1)
        publish(world.challenge, write_bundle(tmp_path / str(hours), yaml=yaml))
        look_at_time()
        look_at_time()
        assert Notification.objects.filter(kind="deadline").count() == (0 if hours > 24 else 3)


def test_periodic_survives_errors(caplog: pytest.LogCaptureFixture) -> None:
    def job() -> float:
        raise OSError("no room")

    periodic = Periodic(job, start=lambda run: run())
    periodic._next = 0.0
    periodic.look()
    periodic.look()  # not yet again
    assert caplog.text.count("no room") == 1

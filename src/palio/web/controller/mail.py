"""Sends mail: at most once to each person, also if a controller dies while it does.

While the mail server is unreachable, nothing is taken, so that an outage gives up no mail before its three days are
over. Not covered: a server that accepts a mail and loses the connection before it says so gets it again.
"""

import logging
import smtplib

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from palio.web.controller.outgoing import GIVEN_UP, due, interrupted, note_failure, note_sent, take
from palio.web.models import Mail
from palio.web.verbs import unsubscribing
from palio.web.verbs.notifications import addresses

AT_A_TIME = 200  # in one connection
LOOK_S, UNREACHABLE_S = 5.0, 60.0
_INTERRUPTED = "The controller stopped while it was sent. It may have arrived, so it is not sent again."

log = logging.getLogger("palio.controller")


def send_mail() -> float:
    """Send what is due; returns how many seconds to wait for the next time."""
    for mail in interrupted(Mail):
        note_failure(mail, _INTERRUPTED, is_final=True)
    for mail in Mail.objects.filter(state=Mail.State.WAITING, created__lt=timezone.now() - GIVEN_UP):
        if take(mail):
            note_failure(mail, mail.error or "It could not be sent for three days.", is_final=True)
    if not settings.CONFIGURATION.mail_url:
        return UNREACHABLE_S
    waiting = [*due(Mail, AT_A_TIME).select_related("user")]
    if not waiting:
        return LOOK_S
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        log.error("The mail server is unreachable; %d mails wait: %s", len(waiting), error)
        return UNREACHABLE_S
    try:
        for mail in waiting:
            if take(mail) and not _send(mail, connection):
                return UNREACHABLE_S
    finally:
        connection.close()
    return LOOK_S if len(waiting) < AT_A_TIME else 0.0


def _send(mail: Mail, connection: BaseEmailBackend) -> bool:
    """False if the connection is of no more use."""
    address = addresses().filter(user=mail.user_id, user__is_active=True).values_list("email", flat=True).first()
    if address is None:
        note_failure(mail, "The person has no confirmed e-mail address any more.", is_final=True)
        return True
    headers, text = {"Auto-Submitted": "auto-generated", "Message-ID": f"<{mail.pk}@palio>"}, mail.text
    if mail.kind:
        link = unsubscribing.address(mail.user_id, mail.kind)
        text = f"{text.rstrip()}\nUnsubscribe from e-mails of this kind: {link}\n"
        headers["List-Unsubscribe"] = f"<{link}>"
        if link.startswith("https://"):  # RFC 8058 allows no other
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    subject = f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{mail.subject}"
    message = EmailMessage(subject, text, to=[address], connection=connection, headers=headers)
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as refused:
        codes = [code for code, _ in refused.recipients.values()]
        note_failure(mail, f"The mail server refused the address ({codes[0]}).", is_final=codes[0] >= 500)
        return True
    except (OSError, smtplib.SMTPException) as error:
        note_failure(mail, f"The mail server did not take it: {type(error).__name__}.")
        log.error("A mail could not be sent; it is tried again later: %s", error)
        return False
    note_sent(mail)
    return True

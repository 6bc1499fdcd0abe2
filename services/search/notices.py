"""Wiring of the notices that the system sends to recipients."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.common.clock import Clock
from services.common.config import ConfigError
from services.search.acts import Acts
from services.search.config import SearchSettings
from services.search.events import AttemptEvents
from services.search.mail import Relay, SmtpMailer
from services.search.notifier import Notifier
from services.search.store_notices import NoticeStore

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub


def open_notifier(
    settings: SearchSettings, store: NoticeStore, audit: AuthorizationServiceAsyncStub, clock: Clock
) -> Notifier | None:
    """What sends notices; None when no mail server is named, and people tell recipients.

    Raises:
        ConfigError: The mail server's authority or the password cannot be read.
    """
    if not settings.smtp_target:
        return None
    try:
        mailer = SmtpMailer(_relay(settings), clock)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"PW_SMTP_CA or PW_SMTP_PASSWORD_FILE cannot be used ({type(error).__name__})"
        ) from None
    acts = Acts(audit, settings.audit_timeout_seconds)
    events = AttemptEvents(audit, settings.audit_timeout_seconds)
    first_wait = timedelta(seconds=settings.notice_first_wait_seconds)
    return Notifier(store, (acts, events), mailer, clock, first_wait)


def _relay(settings: SearchSettings) -> Relay:
    host, _, port = settings.smtp_target.rpartition(":")
    file = settings.smtp_password_file
    return Relay(
        host=host.strip("[]"),
        port=int(port),
        sender=settings.smtp_from,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=file.read_text(encoding="utf-8").strip() if file else "",
        ca_file=settings.smtp_ca,
    )

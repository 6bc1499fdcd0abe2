"""A mail server that takes letters over SMTP with TLS, and behaves as a test says."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from services.dev.pki import IssuedCertificate

USER, PASSWORD = "notices", "only-for-this-test"


@dataclass
class Post:
    """What a server got, and what it answers from now on; `hanging` is set once it lets a letter wait."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    to_recipient: str = "250 OK"
    to_letter: str = "250 OK"
    hangs: bool = False
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def attachment(self, name: str, letter: int = -1) -> bytes:
        """An attachment of a letter."""
        for part in self.letters[letter].iter_attachments():
            if part.get_filename() == name:
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                return content
        raise AssertionError(f"the letter has no {name}")

    def notice(self, letter: int = -1) -> dict[str, Any]:
        """The notice of a letter."""
        found: dict[str, Any] = json.loads(self.attachment("notice.json", letter))
        return found

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """See aiosmtpd."""
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """See aiosmtpd."""
        if self.hangs:
            self.hanging.set()
            await asyncio.sleep(3600)
        if self.to_letter.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.letters.append(message)
            self.recipients += envelope.rcpt_tos
        return self.to_letter


@asynccontextmanager
async def mail_server(
    certificate: IssuedCertificate, *, tls: bool = False, plain: bool = False, host: str | None = None
) -> AsyncIterator[Post]:
    """A server until the block ends; it demands STARTTLS, begins with TLS (`tls`), or has none (`plain`)."""
    post = Post()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)

    def check(_: SMTP, __: Session, ___: Envelope, ____: str, given: Any) -> AuthResult:
        right = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=given == right, handled=False)

    def connection() -> SMTP:
        return SMTP(
            post,
            tls_context=None if plain or tls else context,
            require_starttls=not (plain or tls),
            authenticator=check,
            auth_require_tls=not tls,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, host or "127.0.0.1", 0, ssl=context if tls else None)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()

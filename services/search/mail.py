"""Letters over SMTP, never without TLS (RFC 5321, RFC 3207, RFC 8314)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

import aiosmtplib

from services.common.clock import Clock

# Replies about mailbox or message, which another try gets again (RFC 5321, 4.2.2). Others of 500
# and more are about how we speak, and somebody can put that right.
_FOR_GOOD: Final = range(550, 560)
LONGEST_SECONDS: Final = 120.0
"""Most time that a letter takes."""


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server that takes our letters.

    Attributes:
        tls: `starttls` asks for TLS after the greeting and goes away without it, `tls` begins with it.
        ca_file: Whose certificates count; None takes those of the operating system.
    """

    host: str
    port: int
    sender: str
    tls: Literal["starttls", "tls"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout_seconds: float = 30


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent to whom; `attachments` are names and contents, all of them JSON."""

    message_id: str
    address: str = field(repr=False)
    subject: str
    text: str
    attachments: Sequence[tuple[str, bytes]]


class LetterError(Exception):
    """The letter was not taken; the text is for people and names no address.

    `for_good` is true when another try would end the same way.
    """

    def __init__(self, problem: str, *, for_good: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.for_good = for_good


class _Client(aiosmtplib.SMTP):
    """A connection that is left at once by who has no time left; the library would wait for a farewell."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self.close()
        else:
            await super().__aexit__(kind, error, trace)


class SmtpMailer:
    """Hands letters to a relay, one connection each."""

    def __init__(self, relay: Relay, clock: Clock) -> None:
        """
        Raises:
            OSError: `ca_file` cannot be read or has no certificate.
        """
        self._relay = relay
        self._clock = clock
        self._context = ssl.create_default_context(cafile=str(relay.ca_file) if relay.ca_file else None)

    async def send(self, letter: Letter) -> None:
        """Returns when the relay has taken the letter over.

        Raises:
            LetterError: It has not.
        """
        relay = self._relay
        try:
            # The relay's patience is for each of a dozen answers; this one is for all of them.
            async with asyncio.timeout(LONGEST_SECONDS), self._client() as client:
                await client.send_message(
                    self._message(letter), sender=relay.sender, recipients=[letter.address]
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _of_code(error.recipients[0].code, "refused the recipient") from error
        except aiosmtplib.SMTPSenderRefused as error:
            raise LetterError(f"the relay refused our address ({error.code})", for_good=False) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _of_code(error.code, "refused the letter") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise LetterError(
                f"the relay did not take it ({type(error).__name__})", for_good=False
            ) from error

    def _client(self) -> _Client:
        relay = self._relay
        return _Client(
            hostname=relay.host,
            port=relay.port,
            use_tls=relay.tls == "tls",
            start_tls=relay.tls == "starttls",
            tls_context=self._context,
            username=relay.user or None,
            password=relay.password or None,
            timeout=relay.timeout_seconds,
        )

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self._relay.sender, letter.address
        message["Subject"] = letter.subject
        message["Date"] = self._clock.now()
        # The same in every attempt: a mail system that got it twice can tell.
        message["Message-ID"] = letter.message_id
        # RFC 3834: nobody's absence assistant is to answer.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        for name, content in letter.attachments:
            message.add_attachment(content, maintype="application", subtype="json", filename=name)
        return message


def _of_code(code: int, what: str) -> LetterError:
    return LetterError(f"the mail system {what} ({code})", for_good=code in _FOR_GOOD)

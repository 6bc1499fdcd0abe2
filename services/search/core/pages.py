"""Page tokens: where the next page begins, sealed and bound to one person and one question."""

from __future__ import annotations

import binascii
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass
from typing import Final

from services.common.keyring import every

_MAC_BYTES: Final = 32
_LONGEST_TOKEN: Final = 2048


class PageTokenError(ValueError):
    """The token is not one of ours, or belongs to another question."""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """What was asked. Every page of an answer repeats it; page_size may change (AIP-158).

    `arguments` are those of the question but for the position. Times are microseconds since the epoch, None
    where the caller left them out.
    """

    kind: str
    arguments: tuple[tuple[str, str], ...]
    from_us: int | None
    to_us: int | None


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where a page begins: just before (older than) one read, in the window that the first page was given."""

    account_id: str
    first_authorization_id: str
    from_us: int
    to_us: int
    before_us: int
    before_read_id: str


def seal(key: bytes, question: AskedQuestion, position: PagePosition) -> str:
    """The token for `position` in the answer to `question`; URL-safe text without padding.

    It holds nothing that its holder has not seen in the answer. The MAC keeps it from being changed.
    """
    body = json.dumps(asdict(position), sort_keys=True, separators=(",", ":")).encode()
    return urlsafe_b64encode(_mac(key, question, body) + body).rstrip(b"=").decode()


def open_token(key: bytes, question: AskedQuestion, token: str) -> PagePosition:
    """The position that `token` holds.

    Raises:
        PageTokenError: It was changed, made with another key, or belongs to another question.
    """
    if len(token) > _LONGEST_TOKEN:
        raise PageTokenError("too long")
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise PageTokenError("not base64") from error
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not any(hmac.compare_digest(mac, _mac(one, question, body)) for one in every(key)):
        raise PageTokenError("wrong seal")
    return PagePosition(**json.loads(body))


def _mac(key: bytes, question: AskedQuestion, body: bytes) -> bytes:
    # JSON of a fixed shape: no argument or time can be read as the neighbouring field.
    asked = json.dumps([question.kind, question.arguments, question.from_us, question.to_us]).encode()
    return hmac.digest(key, b"platewarden.search.page/v2\n" + asked + b"\n" + body, "sha256")

"""Permits: what audit signs and the archive's own functions check before they answer (ADR-0003).

`v1|permit id|account id|kind|question digest|agencies|groups|from_us|to_us|expires_us|MAC`: digest and MAC in
hexadecimal, agencies and groups joined by commas, MAC = HMAC-SHA256(key, everything before its bar).
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.common.canonical import to_microseconds

_ORI = re.compile(r"[A-Z0-9]{9}")
_GROUP = re.compile(r"[a-z0-9-]{1,63}")
_KIND = re.compile(r"[a-z]{1,20}")
_ACTION = re.compile(r"[a-z_]{1,30}\.[a-z_]{1,30}")
_DIGEST_BYTES = 32
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to put one question once.

    Attributes:
        question_digest: `canonical.question_digest` of the question after audit's clamping, 32 bytes.
        agency_oris: Agencies whose reads may be answered, each of nine characters A-Z and 0-9; at least one.
        sensor_groups: Groups whose reads may be answered; empty means all groups of those agencies.
        from_time: Reads captured before this moment are not answered.
        to_time: Nor are those captured at this moment or later.
    """

    permit_id: UUID
    account_id: UUID
    kind: str
    question_digest: bytes
    agency_oris: tuple[str, ...]
    sensor_groups: tuple[str, ...]
    from_time: datetime
    to_time: datetime
    expires_at: datetime


def permit_text(permit: Permit, key: bytes) -> str:
    """`permit`, signed with `key`. It is a secret until used: never log it.

    Args:
        permit: What is allowed.
        key: 32 bytes, shared by audit and the archive's migration alone.

    Raises:
        ValueError: A field cannot stand between bars and commas, or a length is wrong.
    """
    _check(permit, key)
    body = "|".join(
        (
            "v1",
            str(permit.permit_id),
            str(permit.account_id),
            permit.kind,
            permit.question_digest.hex(),
            ",".join(permit.agency_oris),
            ",".join(permit.sensor_groups),
            str(to_microseconds(permit.from_time)),
            str(to_microseconds(permit.to_time)),
            str(to_microseconds(permit.expires_at)),
        )
    )
    return signed(body, key)


@dataclass(frozen=True, slots=True)
class SignedAct:
    """An act that audit allowed, for a database that checks such acts by itself.

    Attributes:
        intent_id: Of its log entry.
        digest: `canonical.act_digest` of what is done, 32 bytes.
        agency_ori: Of who does it.
    """

    intent_id: UUID
    action: str
    account_id: UUID
    agency_ori: str
    digest: bytes
    expires_at: datetime


def act_text(act: SignedAct, key: bytes) -> str:
    """`act/v1|intent id|action|account id|agency|digest|expires_us|MAC`. A secret until used: never log it.

    Raises:
        ValueError: A field cannot stand between bars, or a length is wrong.
    """
    if len(key) != _KEY_BYTES or len(act.digest) != _DIGEST_BYTES:
        raise ValueError("permit key and digest have 32 bytes each")
    if not _ORI.fullmatch(act.agency_ori) or not _ACTION.fullmatch(act.action):
        raise ValueError("a signed act has an agency of nine characters and an action")
    expires_us = str(to_microseconds(act.expires_at))
    named = (str(act.intent_id), act.action, str(act.account_id), act.agency_ori, act.digest.hex())
    return signed("|".join(("act/v1", *named, expires_us)), key)


def signed(body: str, key: bytes) -> str:
    """`body`, a bar, and its MAC in hexadecimal, as the archive checks it; `body` is ASCII."""
    return f"{body}|{hmac.digest(key, body.encode('ascii'), 'sha256').hex()}"


def _check(permit: Permit, key: bytes) -> None:
    # No value is quoted: the text of an exception can end in a log.
    if len(key) != _KEY_BYTES or len(permit.question_digest) != _DIGEST_BYTES:
        raise ValueError("permit key and question digest have 32 bytes each")
    if not permit.agency_oris or not all(_ORI.fullmatch(ori) for ori in permit.agency_oris):
        raise ValueError("a permit names at least one agency, each by an ORI of nine characters")
    if not all(_GROUP.fullmatch(group) for group in permit.sensor_groups):
        raise ValueError("a sensor group has 1 to 63 characters a-z, 0-9 and -")
    if not _KIND.fullmatch(permit.kind):
        raise ValueError("the kind of a question is a word")

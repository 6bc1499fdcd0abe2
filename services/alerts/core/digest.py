"""Digest of a hit for the tamper-evident log: a hit that was changed no longer fits its entry."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime


def hit_digest(values: Iterable[object]) -> str:
    """SHA-256, in hexadecimal, of the columns of a hit in the order in which the store names them.

    Each value is written as `byte length:text`, so that no two rows write the same text; times are RFC 3339
    in UTC with microseconds.
    """
    digest = hashlib.sha256()
    for value in values:
        text = _text(value).encode()
        digest.update(b"%d:" % len(text) + text)
    return digest.hexdigest()


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, list | tuple):
        return ",".join(_text(item) for item in value)
    return str(value)

"""How a camera shows that it is the sensor it says it is: a secret of its own, as it is or as a signature."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

SHORTEST_SECRET: Final = 32
"""Characters of a secret."""
_BEARER: Final = re.compile(r"bearer +(\S{1,512})", re.IGNORECASE)
_BASIC: Final = re.compile(r"basic +([A-Za-z0-9+/=]{1,1024})", re.IGNORECASE)
_SIGNATURE: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def shows_secret(authorization: str, sensor_id: str, secrets: Sequence[bytes]) -> bool:
    """Whether the header is `Bearer <secret>`, or `Basic` of sensor id and secret (RFC 6750, RFC 7617).

    Args:
        authorization: The Authorization header; empty when there is none.
        sensor_id: The sensor that the request is said to come from.
        secrets: The sensor's secrets; two while they change, none when it is no sensor of ours.
    """
    if bearer := _BEARER.fullmatch(authorization):
        return _is_one_of(bearer[1].encode(), secrets)
    if basic := _BASIC.fullmatch(authorization):
        try:
            name, _, password = base64.b64decode(basic[1], validate=True).partition(b":")
        except binascii.Error:
            return False
        return name == sensor_id.encode() and _is_one_of(password, secrets)
    return False


def signature_holds(
    header: str, body: bytes, secrets: Sequence[bytes], now: datetime, window: timedelta
) -> bool:
    """Whether the header is `t=<seconds since 1970>,v1=<hex>` for this body, within `window` of now.

    The signature is HMAC-SHA256 with the sensor's secret over the digits of the time, a full stop and the
    body: neither can be changed, and a message that was listened in on is worth nothing after the window.
    """
    match = _SIGNATURE.fullmatch(header)
    if match is None or abs(now.timestamp() - int(match[1])) > window.total_seconds():
        return False
    signed = match[1].encode() + b"." + body
    made = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in secrets]
    return _is_one_of(match[2].encode(), made)


def _is_one_of(shown: bytes, secrets: Sequence[bytes]) -> bool:
    # All are compared, each in constant time.
    return any([hmac.compare_digest(shown, secret) for secret in secrets])

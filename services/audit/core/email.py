"""Whether an e-mail address belongs to a registered government domain (ENF-051 III.B.3.j)."""

from __future__ import annotations

import re
from collections.abc import Collection

_LOCAL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MOST_CHARACTERS = 254
_FEWEST_LABELS = 2


def is_domain(text: str) -> bool:
    """True for a lower case DNS name of two labels or more.

    Punycode is refused as well as non-ASCII: a look-alike name is one or the other.
    """
    labels = text.split(".")
    plain = all(_LABEL.fullmatch(label) and not label.startswith("xn--") for label in labels)
    return len(text) <= _MOST_CHARACTERS and len(labels) >= _FEWEST_LABELS and plain


def is_government_address(address: str, domains: Collection[str]) -> bool:
    """True when the address's domain is one of `domains` or lies below one, at the border of a label."""
    local, at, domain = address.rpartition("@")
    domain = domain.lower()
    if not at or not _LOCAL.fullmatch(local) or not is_domain(domain):
        return False
    return any(domain == one or domain.endswith(f".{one}") for one in domains)

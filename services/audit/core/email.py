"""Whether an e-mail address belongs to a registered government domain (ENF-051 III.B.3.j)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.audit.core.entry import rfc3339

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


@dataclass(frozen=True, slots=True)
class EmailPack:
    """Suffixes under which a domain is a government's, and domains that were checked by hand."""

    suffixes: frozenset[str]
    checked: frozenset[str]

    def is_government(self, domain: str) -> bool:
        """True for a domain below a suffix, at the border of a label, and for one that was checked."""
        below = any(domain.endswith(f".{one}") for one in self.suffixes)
        return is_domain(domain) and (below or domain in self.checked)


@dataclass(frozen=True, slots=True)
class EmailException:
    """A written approval of an address that is of no domain of the agency; it counts up to `valid_until`."""

    approver: str
    document_sha256: bytes
    reason: str
    valid_until: datetime


LONGEST_EXCEPTION = timedelta(days=366)
"""How long an approval counts at most."""


def exception_details(one: EmailException | None) -> dict[str, str]:
    """What the log says of the approval; nothing of none."""
    if one is None:
        return {}
    return {
        "exception_approver": one.approver,
        "exception_document_sha256": one.document_sha256.hex(),
        "exception_reason": one.reason,
        "exception_until": rfc3339(one.valid_until),
    }


def is_address(address: str) -> bool:
    """True for an address of any domain that is no look-alike."""
    local, at, domain = address.rpartition("@")
    return bool(at and _LOCAL.fullmatch(local) and is_domain(domain.lower()))


def is_government_address(address: str, domains: Collection[str]) -> bool:
    """True when the address's domain is one of `domains` or lies below one, at the border of a label."""
    local, at, domain = address.rpartition("@")
    domain = domain.lower()
    if not at or not _LOCAL.fullmatch(local) or not is_domain(domain):
        return False
    return any(domain == one or domain.endswith(f".{one}") for one in domains)

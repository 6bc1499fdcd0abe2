"""Where a webhook may post to: https, and no network that is not the world's."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

LONGEST_URL = 500
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# Translated to the IPv4 address in its last 32 bits (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_BITS = 0xFFFFFFFF
# Each part of a name: letters, digits and dashes. What the resolver would take for a number is none.
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_LONGEST_NAME = 253


class TargetError(ValueError):
    """The address of a webhook is not one; the text says what it must be and repeats nothing of it."""


def check_url(url: str) -> None:
    """Returns when `url` is one that a webhook may have, as far as can be seen without asking for addresses.

    Raises:
        TargetError: It is not.
    """
    if not 1 <= len(url) <= LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise TargetError(
            f"must be an https address of at most {LONGEST_URL} ASCII characters without blanks"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise TargetError("must be an https address") from None
    if parts.scheme != "https":
        raise TargetError("must begin with https://")
    if "@" in parts.netloc or parts.fragment or "\\" in url:
        raise TargetError("must have no user, password, fragment or backslash")
    if port == 0 or not (_is_name(host) or _literal(host)):
        raise TargetError("must name a host, and a port from 1 to 65535 or none")


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR form, separated by commas. Raises ValueError for what is none."""
    return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())


def may_call(address: str, allowed: Sequence[Network]) -> bool:
    """Whether a connection may be made to `address`: it is the world's, or in one of `allowed`.

    An IPv6 address that leads to an IPv4 address inside it must satisfy for both.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(one) or _lies_in(one, allowed) for one in _meant(found))


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    # 127.1 and 0x7f.1 are numbers to the resolver, though no addresses as they are written.
    numeric = labels[-1].isdigit() or labels[-1].lower().startswith("0x")
    return len(host) <= _LONGEST_NAME and not numeric and all(map(_LABEL.fullmatch, labels))


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _meant(address: Address) -> tuple[Address, ...]:
    """What a connection to `address` reaches."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(int(address) & _IPV4_BITS),)
    return (address,) if address.sixtofour is None else (address, address.sixtofour)


def _is_public(address: Address) -> bool:
    # is_global is true for multicast and for what was once local to a site.
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    once_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (special or once_local)


def _lies_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)

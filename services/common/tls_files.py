"""Certificate and key in files that are renewed while the process runs: the newest pair that fits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

log = structlog.get_logger()

# What a file is known by: renewing writes another file, or the same one later.
_Stamp = tuple[int, int, int]
_NEVER: Final[Sequence[_Stamp]] = ()
_LOOK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A certificate chain, the private key that fits it, and the authorities to trust; all PEM."""

    chain: bytes
    key: bytes = field(repr=False)
    roots: bytes = b""


class TlsFiles:
    """The files of one identity. Not safe for several threads at once, and harmless if that happens.

    Whoever renews writes three files one after the other, or swaps a folder: in between they may not fit. So
    a pair counts once it fits; until then, and when what was written is no certificate, the one before stays.
    """

    def __init__(
        self, cert: Path, key: Path, roots: Sequence[Path], check: Callable[[], object] = lambda: None
    ) -> None:
        """Reads the files. `check` raises ValueError while what the files hold may not be trusted.

        Raises:
            OSError, ValueError: They cannot be read, or do not fit.
        """
        self._cert, self._key, self._roots = cert, key, tuple(roots)
        self._check = check
        self._seen = self._stamps()
        self._pair = self._read()

    @property
    def pair(self) -> TlsPair:
        """The pair that counted when it was last looked."""
        return self._pair

    def renewed(self) -> TlsPair | None:
        """The new pair, if the files hold another one than when it was last looked; else None."""
        try:
            stamps = self._stamps()
            if stamps == self._seen:
                return None
            read = self._read()
        except (OSError, ValueError) as error:
            if self._seen != _NEVER:
                # Said once; it is looked again at each connection until the files fit.
                log.warning("certificate_not_renewed", error=type(error).__name__)
                self._seen = _NEVER
            return None
        self._seen = stamps
        if read == self._pair:
            return None
        self._pair = read
        log.info("certificate_renewed")
        return read

    def _stamps(self) -> Sequence[_Stamp]:
        found = [file.stat() for file in (self._cert, self._key, *self._roots)]
        return [(one.st_ino, one.st_mtime_ns, one.st_size) for one in found]

    def _read(self) -> TlsPair:
        chain, key = self._cert.read_bytes(), self._key.read_bytes()
        roots = b"\n".join(file.read_bytes() for file in self._roots)
        _require_fit(chain, key, roots)
        self._check()
        return TlsPair(chain, key, roots)


async def keep_renewed(
    context: ssl.SSLContext, cert: Path, key: Path, every_seconds: float = _LOOK_SECONDS
) -> None:
    """Has a server's context show the newest pair to whoever connects, until cancelled."""
    files = TlsFiles(cert, key, [])
    while True:
        await asyncio.sleep(every_seconds)
        if files.renewed() is not None:
            try:
                context.load_cert_chain(cert, key)
            except (OSError, ssl.SSLError) as error:
                log.warning("certificate_not_renewed", error=type(error).__name__)


def _require_fit(chain: bytes, key: bytes, roots: bytes) -> None:
    """Returns when `key` is that of the first certificate of `chain`, and `roots` are certificates.

    Raises:
        ValueError: They are not.
    """
    try:
        (leaf, *_) = x509.load_pem_x509_certificates(chain)
        fits = load_pem_private_key(key, None).public_key() == leaf.public_key()
        if roots:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=roots.decode("ascii"))
    except (TypeError, ssl.SSLError) as error:
        raise ValueError("no certificate and key") from error
    if not fits:
        raise ValueError("the key is not that of the certificate")

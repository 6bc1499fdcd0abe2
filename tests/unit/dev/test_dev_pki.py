from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from services.dev import pki
from services.dev.pki import DevelopmentAuthority


def names(file: Path, kind: type[x509.GeneralName]) -> list[object]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(found.get_values_for_type(kind))


def test_a_service_is_named_by_uri_and_reached_by_its_dns_names(tmp_path: Path) -> None:
    files = DevelopmentAuthority(tmp_path / "pki").service("audit")

    assert names(files.cert_file, x509.UniformResourceIdentifier) == ["spiffe://platewarden/service/audit"]
    assert names(files.cert_file, x509.DNSName) == ["audit", "audit.platewarden", "localhost"]
    assert [str(address) for address in names(files.cert_file, x509.IPAddress)] == ["127.0.0.1"]


def test_a_sensor_certificate_cannot_serve(tmp_path: Path) -> None:
    files = DevelopmentAuthority(tmp_path / "pki").sensor("cam-1")

    certificate = x509.load_pem_x509_certificate(files.cert_file.read_bytes())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert names(files.cert_file, x509.UniformResourceIdentifier) == ["spiffe://platewarden/sensor/cam-1"]


def test_keys_and_folder_are_closed_to_others(tmp_path: Path) -> None:
    authority = DevelopmentAuthority(tmp_path / "pki")
    files = authority.agency("ILISP0000")

    modes = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in (files.key_file, tmp_path / "pki", tmp_path / "pki" / "ca-key.pem")
    }

    assert set(modes.values()) == {0o600, 0o700}


def test_certificates_are_used_again_and_renewed_before_they_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = DevelopmentAuthority(tmp_path).service("audit").cert_file.read_bytes()
    assert DevelopmentAuthority(tmp_path).service("audit").cert_file.read_bytes() == first

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=61)

    monkeypatch.setattr(pki, "datetime", Later)

    assert DevelopmentAuthority(tmp_path).service("audit").cert_file.read_bytes() != first


def test_a_leaf_of_an_authority_that_was_replaced_is_made_anew(tmp_path: Path) -> None:
    old = DevelopmentAuthority(tmp_path).service("audit").cert_file.read_bytes()
    (tmp_path / "ca.pem").unlink()

    assert DevelopmentAuthority(tmp_path).service("audit").cert_file.read_bytes() != old


def test_two_sides_shake_hands(tmp_path: Path) -> None:
    authority = DevelopmentAuthority(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mine = authority.server("search")
    server.load_cert_chain(mine.cert_file, mine.key_file)
    server.load_verify_locations(mine.ca_file)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(authority.ca_file))
    sensor = authority.sensor("cam-1")
    client.load_cert_chain(sensor.cert_file, sensor.key_file)
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    one = client.wrap_bio(client_in, client_out, server_hostname="search.platewarden")
    other = server.wrap_bio(server_in, server_out, server_side=True)

    for _ in range(4):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            finally:
                server_in.write(client_out.read())
                client_in.write(server_out.read())

    peer = other.getpeercert()
    assert peer is not None
    assert ("URI", "spiffe://platewarden/sensor/cam-1") in peer["subjectAltName"]


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "ü", ".hidden"])
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        DevelopmentAuthority(tmp_path).service(name)

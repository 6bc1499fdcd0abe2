"""Certificates are renewed on disk while server and clients run: nothing is restarted and no call fails."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.audit.sensor_authority import SensorAuthority, Term
from services.common.client import ClientTls, service_channel
from services.common.config import ServiceSettings
from services.common.identity import Context
from services.common.sensor_ca import read_sensor_cas
from services.common.server import Server, ServerBuilder, stopping_of
from services.common.tls_files import TlsFiles, keep_renewed
from services.dev.pki import DevelopmentAuthority
from tests.support.shapes import SERVICE, Shapes, add_shapes, running

_METHOD = f"/{SERVICE}/UnaryUnary"


class Files:
    """Certificate, key and authority of one identity, as a renewer replaces them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.cert, self.key, self.ca = folder / "tls.crt", folder / "tls.key", folder / "ca.crt"

    def take(self, authority: DevelopmentAuthority, name: str) -> None:
        """The newest certificate of `name`; what is trusted stays, where something is."""
        issued = authority.service(name)
        if not self.ca.exists():
            self.ca.write_bytes(issued.ca_file.read_bytes())
        self.cert.write_bytes(issued.cert_file.read_bytes())
        self.key.write_bytes(issued.key_file.read_bytes())

    def trust(self, *authorities: DevelopmentAuthority) -> None:
        """Only certificates of these authorities are good from now on."""
        self.ca.write_bytes(b"".join(one.ca_file.read_bytes() for one in authorities))


@pytest.fixture
def authorities(tmp_path: Path) -> tuple[DevelopmentAuthority, DevelopmentAuthority]:
    return DevelopmentAuthority(tmp_path / "old"), DevelopmentAuthority(tmp_path / "new")


@pytest.fixture
def server_files(tmp_path: Path, authorities) -> Files:
    files = Files(tmp_path / "server")
    files.take(authorities[0], "audit")
    return files


@pytest.fixture
def client_files(tmp_path: Path, authorities) -> Files:
    files = Files(tmp_path / "client")
    files.take(authorities[0], "search")
    return files


async def _peer_serial(_request: bytes, context: Context) -> bytes:
    pem = context.auth_context()["x509_pem_cert"][0]
    return str(x509.load_pem_x509_certificate(pem).serial_number).encode()


async def _until_stopping(_request: bytes, context: Context) -> AsyncIterator[bytes]:
    yield b"open"
    await asyncio.wait([asyncio.create_task(stopping_of(context).wait())], timeout=4)
    yield b"still"


def _serial(files: Files) -> bytes:
    return str(x509.load_pem_x509_certificate(files.cert.read_bytes()).serial_number).encode()


def _builder(files: Files, **values: Any) -> ServerBuilder:
    settings = ServiceSettings(
        listen="127.0.0.1:0", tls_cert=files.cert, tls_key=files.key, tls_ca=files.ca, **values
    )
    return ServerBuilder(settings, name="audit").add(
        SERVICE, add_shapes, Shapes(_peer_serial, _until_stopping)
    )


def _channel(server: Server, files: Files) -> grpc.aio.Channel:
    tls = ClientTls(certificate=files.cert, key=files.key, ca=files.ca)
    return service_channel(f"127.0.0.1:{server.port}", tls, server_name="audit")


def _renew(files: Files, authority: DevelopmentAuthority, name: str) -> None:
    """A new certificate of the same authority, whatever life the old one has left."""
    authority.service(name).cert_file.unlink()
    files.take(authority, name)


async def _eventually(call: Any, wanted: bytes) -> None:
    async with asyncio.timeout(60):
        while (await call(b"x", timeout=5)) != wanted:  # noqa: ASYNC110 - a call is the only way to look
            await asyncio.sleep(0.1)


@pytest.mark.clause("III.B.3.d")
async def test_a_client_comes_with_its_renewed_certificate_while_no_call_fails_and_streams_stay_open(
    authorities, server_files: Files, client_files: Files
) -> None:
    async with running(_builder(server_files)) as server, _channel(server, client_files) as channel:
        call = channel.unary_unary(_METHOD)
        assert await call(b"x", timeout=5) == _serial(client_files)
        stream = channel.unary_stream(f"/{SERVICE}/UnaryStream")(b"x")
        assert await stream.read() == b"open"

        _renew(client_files, authorities[0], "search")
        await _eventually(call, _serial(client_files))

        assert await stream.read() == b"still"


@pytest.mark.clause("III.B.3.d")
async def test_a_server_shows_its_renewed_certificate_to_whoever_connects_anew(
    authorities, server_files: Files, client_files: Files
) -> None:
    async with running(_builder(server_files)) as server:
        async with _channel(server, client_files) as before:
            assert await before.unary_unary(_METHOD)(b"x", timeout=5)
            _renew(server_files, authorities[0], "audit")
            assert await before.unary_unary(_METHOD)(b"x", timeout=5)

        assert await _shown(server) == _serial(server_files)


@pytest.mark.clause("III.B.3.d")
async def test_a_web_server_shows_its_renewed_certificate_too(authorities, server_files: Files) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server_files.cert, server_files.key)
    renewing = asyncio.create_task(keep_renewed(context, server_files.cert, server_files.key, 0.05))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        before = await _shown_at(port)
        _renew(server_files, authorities[0], "audit")
        async with asyncio.timeout(60):
            while await _shown_at(port) == before:  # noqa: ASYNC110 - only a connection shows it
                await asyncio.sleep(0.05)

        assert await _shown_at(port) == _serial(server_files)
    finally:
        renewing.cancel()
        server.close()


async def _shown(server: Server) -> bytes:
    return await _shown_at(server.port)


async def _shown_at(port: int) -> bytes:
    """Serial number of the certificate that the server shows."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_any_server(), server_hostname="audit")
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return str(x509.load_der_x509_certificate(shown).serial_number).encode()


def _any_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


@pytest.mark.clause("III.B.3.d")
async def test_the_authority_itself_is_changed_step_by_step_and_no_call_fails(
    authorities, server_files: Files, client_files: Files
) -> None:
    old, new = authorities
    failed: list[grpc.aio.AioRpcError] = []
    # Connections are short, so that each step meets new ones.
    async with running(_builder(server_files, max_connection_age_seconds=1)) as server:
        async with _channel(server, client_files) as channel:
            ending = asyncio.Event()
            calling = asyncio.create_task(_call_on(channel, ending, failed))
            for files in (server_files, client_files):
                files.trust(old, new)
            await asyncio.sleep(1.5)
            for files, name in ((server_files, "audit"), (client_files, "search")):
                files.take(new, name)
            await asyncio.sleep(2.5)
            for files in (server_files, client_files):
                files.trust(new)
            await asyncio.sleep(2.5)
            ending.set()
            assert await calling > 20
        assert not failed

        strange = Files(client_files.cert.parent.parent / "strange")
        strange.take(old, "search")
        strange.trust(new)
        async with _channel(server, strange) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(_METHOD)(b"x", timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def _call_on(channel: grpc.aio.Channel, ending: asyncio.Event, failed: list[Any]) -> int:
    call, calls = channel.unary_unary(_METHOD), 0
    while not ending.is_set():
        try:
            await call(b"x", timeout=5)
        except grpc.aio.AioRpcError as error:
            failed.append(error)
        calls += 1
        await asyncio.sleep(0.05)
    return calls


@pytest.mark.parametrize("broken", ["half", "other key", "gone"])
async def test_files_that_do_not_fit_leave_the_pair_before_and_count_once_they_fit(
    authorities, server_files: Files, broken: str
) -> None:
    files = TlsFiles(server_files.cert, server_files.key, [server_files.ca])
    before = files.pair
    kept = server_files.key.read_bytes()
    if broken == "half":
        server_files.cert.write_bytes(before.chain[:200])
    elif broken == "other key":
        server_files.key.write_bytes(authorities[0].service("ocr").key_file.read_bytes())
    else:
        server_files.cert.unlink()

    assert files.renewed() is None
    assert files.pair == before

    server_files.key.write_bytes(kept)
    _renew(server_files, authorities[0], "audit")
    renewed = files.renewed()
    assert renewed is not None
    assert renewed.chain == server_files.cert.read_bytes() != before.chain


async def test_a_folder_that_is_swapped_as_a_whole_counts_too(authorities, tmp_path: Path) -> None:
    """As Kubernetes renews the files of a secret: a link to a new folder."""
    first, second = Files(tmp_path / "1"), Files(tmp_path / "2")
    first.take(authorities[0], "audit")
    shutil.copy2(first.ca, second.ca)
    second.take(authorities[1], "audit")
    link = tmp_path / "tls"
    link.symlink_to(tmp_path / "1")
    files = TlsFiles(link / "tls.crt", link / "tls.key", [link / "ca.crt"])

    (tmp_path / "next").symlink_to(tmp_path / "2")
    (tmp_path / "next").replace(link)

    renewed = files.renewed()
    assert renewed is not None
    assert renewed.chain == second.cert.read_bytes()
    assert files.renewed() is None
    leaf = x509.load_pem_x509_certificate(renewed.chain)
    assert leaf.not_valid_after_utc > datetime.now(UTC)


@pytest.mark.clause("III.B.3.h")
async def test_an_authority_of_sensors_that_could_make_anything_else_is_not_taken_while_running_either(
    authorities, server_files: Files, client_files: Files, tmp_path: Path
) -> None:
    old, strange = authorities
    trusted = tmp_path / "sensors.pem"
    trusted.write_bytes(old.sensor_ca_file.read_bytes())
    thief = Files(tmp_path / "thief")
    thief.take(strange, "search")
    thief.trust(old)
    async with running(_builder(server_files, sensor_ca=trusted)) as server:
        trusted.write_bytes(old.sensor_ca_file.read_bytes() + strange.ca_file.read_bytes())

        async with _channel(server, thief) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(_METHOD)(b"x", timeout=5)

        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        async with _channel(server, client_files) as channel:
            assert await channel.unary_unary(_METHOD)(b"x", timeout=5) == _serial(client_files)


def _sensor_of(authority: DevelopmentAuthority, files: Files, trusted: DevelopmentAuthority) -> None:
    """A sensor's certificate as audit signs it, by the sensors' authority of `authority`."""
    certificates = read_sensor_cas(authority.sensor_ca_file)
    signing = serialization.load_pem_private_key(authority.sensor_ca_key_file.read_bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    term = Term(str(uuid4()), "bridge-1", now - timedelta(minutes=1), now + timedelta(hours=1))
    made = SensorAuthority(certificates[0], signing).sign(key.public_key(), term)
    files.trust(trusted)
    files.cert.write_text(made.pem, encoding="ascii")
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.mark.clause("III.B.3.h")
async def test_one_authority_of_sensors_takes_the_others_place_while_sensors_send(
    authorities, server_files: Files, tmp_path: Path
) -> None:
    old, new = authorities
    trusted = tmp_path / "sensors.pem"
    sensors = {one: Files(tmp_path / f"sensor-{number}") for number, one in enumerate(authorities)}
    for authority, files in sensors.items():
        _sensor_of(authority, files, old)
    trusted.write_bytes(old.sensor_ca_file.read_bytes())

    async def let_in(authority: DevelopmentAuthority) -> bool:
        async with _channel(server, sensors[authority]) as channel:
            try:
                return bool(await channel.unary_unary(_METHOD)(b"x", timeout=5))
            except grpc.aio.AioRpcError:
                return False

    async with running(_builder(server_files, sensor_ca=trusted)) as server:
        assert [await let_in(old), await let_in(new)] == [True, False]
        trusted.write_bytes(old.sensor_ca_file.read_bytes() + new.sensor_ca_file.read_bytes())
        assert [await let_in(old), await let_in(new)] == [True, True]
        trusted.write_bytes(new.sensor_ca_file.read_bytes())
        assert [await let_in(old), await let_in(new)] == [False, True]

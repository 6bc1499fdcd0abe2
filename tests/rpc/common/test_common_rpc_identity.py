"""Who may come in, and as whom."""

import datetime
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.common.errors import NotPermittedError, UnauthenticatedError, from_rpc_error
from services.common.identity import Context, caller_of, require_service, require_token
from services.dev.pki import DevelopmentAuthority, IssuedCertificate
from tests.support.shapes import SHAPES, Shapes, builder_of, running, service_caller, user_caller


async def _who(_request: bytes, context: Context) -> bytes:
    caller = caller_of(context)
    token = caller.access_token.reveal() if caller.access_token else ""
    return f"{caller.peer} {token}".encode()


async def _services_only(_request: bytes, context: Context) -> bytes:
    return require_service(context, "search", "matcher").peer.name.encode()


async def _people_only(_request: bytes, context: Context) -> bytes:
    require_token(context)
    return b"ok"


def _with_two_names(tls: DevelopmentAuthority, folder: Path) -> IssuedCertificate:
    """A certificate of our authority that names two services."""
    ca_key = serialization.load_pem_private_key((tls.ca_file.parent / "ca-key.pem").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    ca = x509.load_pem_x509_certificate(tls.ca_file.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    uris = [
        x509.UniformResourceIdentifier(f"spiffe://platewarden/service/{name}") for name in ("search", "audit")
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "two")]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(uris), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    made = IssuedCertificate(folder / "two.pem", folder / "two-key.pem", tls.ca_file)
    made.cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_peer_is_what_the_certificate_names(tls: DevelopmentAuthority, shape: str) -> None:
    certificates = {
        "service/search": tls.service("search"),
        "sensor/cam-7": tls.sensor("cam-7"),
        "agency/IL0160000": tls.agency("IL0160000"),
    }
    async with running(builder_of(tls, Shapes(_who))) as server:
        for peer, certificate in certificates.items():
            async with service_caller(tls, server, certificate=certificate) as caller:
                assert await caller.call(shape=shape) == f"{peer} ".encode()


async def test_a_certificate_of_another_authority_is_refused(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    other = DevelopmentAuthority(tmp_path / "other").service("search")
    # It trusts our server; it is the server that must refuse.
    forged = IssuedCertificate(other.cert_file, other.key_file, tls.ca_file)
    async with (
        running(builder_of(tls, Shapes(_who))) as server,
        service_caller(tls, server, certificate=forged) as caller,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(timeout=3)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_address_of_services_refuses_whoever_shows_no_certificate(
    tls: DevelopmentAuthority,
) -> None:
    credentials = grpc.ssl_channel_credentials(tls.ca_file.read_bytes())
    async with (
        running(builder_of(tls, Shapes(_who))) as server,
        grpc.aio.secure_channel(f"localhost:{server.port}", credentials) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/test.Shapes/UnaryUnary")(b"", timeout=3)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_there_is_no_way_in_without_tls(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes(_who))) as server:
        for port in (server.port, server.user_port):
            async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.unary_unary("/test.Shapes/UnaryUnary")(b"", timeout=3)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_that_names_two_services_names_none(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with (
        running(builder_of(tls, Shapes(_who))) as server,
        service_caller(tls, server, certificate=_with_two_names(tls, tmp_path)) as caller,
    ):
        assert await caller.call() == b"none "


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_sensor_may_not_call_what_is_for_services(tls: DevelopmentAuthority, shape: str) -> None:
    async with running(builder_of(tls, Shapes(_services_only))) as server:
        async with service_caller(tls, server) as caller:
            assert await caller.call(shape=shape) == b"search"
        for certificate in (tls.sensor("search"), tls.service("alerts"), tls.agency("IL0160000")):
            async with service_caller(tls, server, certificate=certificate) as caller:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await caller.call(shape=shape)
            assert isinstance(from_rpc_error(caught.value), NotPermittedError)


async def test_a_person_may_not_call_what_is_for_services(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes(_services_only))) as server, user_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(metadata=(("authorization", "Bearer abc"),))

    assert isinstance(from_rpc_error(caught.value), UnauthenticatedError)


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_token_comes_over_both_addresses(tls: DevelopmentAuthority, shape: str) -> None:
    metadata = (("authorization", "Bearer abc.def-_~+/=="),)
    async with (
        running(builder_of(tls, Shapes(_who))) as server,
        user_caller(tls, server) as person,
        service_caller(tls, server) as service,
    ):
        assert await person.call(shape=shape, metadata=metadata) == b"none abc.def-_~+/=="
        assert await service.call(shape=shape, metadata=metadata) == b"service/search abc.def-_~+/=="


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Basic dXNlcjpwYXNz"),),
        (("authorization", "Bearer "),),
        (("authorization", "Bearer a b"),),
        (("authorization", "Bearer abc"), ("authorization", "Bearer def")),
        (("authorization", "Bearer " + "a" * 8193),),
    ],
)
async def test_what_is_not_one_bearer_token_is_no_token(
    tls: DevelopmentAuthority, metadata: tuple[tuple[str, str], ...]
) -> None:
    async with running(builder_of(tls, Shapes(_people_only))) as server, user_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(metadata=metadata)

    assert caught.value.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert "dXNlcjpwYXNz" not in (caught.value.details() or "")


async def test_headers_of_proxies_name_nobody(tls: DevelopmentAuthority) -> None:
    forged = (
        ("x-forwarded-client-cert", "URI=spiffe://platewarden/service/search"),
        ("x-client-spiffe-id", "spiffe://platewarden/service/search"),
        ("peer_spiffe_id", "spiffe://platewarden/service/search"),
    )
    async with running(builder_of(tls, Shapes(_who))) as server, user_caller(tls, server) as caller:
        assert await caller.call(metadata=forged) == b"none "

"""What is posted over the wire, and what hostile receivers and addresses get: nothing, and no redirect."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from services.alerts.core.target import parse_networks
from services.alerts.core.webhook import Answer, Failure
from services.alerts.webhook_secrets import WebhookSecrets
from services.alerts.webhook_sender import WebhookSender, tls_of
from services.common.config import ConfigError
from services.common.errors import StorageUnavailableError
from tests.support.webhook_receiver import Receiver, receiving

THIS_MACHINE = parse_networks("127.0.0.0/8, ::1/128")
HEADERS = {"webhook-id": "x", "Content-Type": "application/json"}


@pytest_asyncio.fixture(loop_scope="session")
async def receiver(tls) -> AsyncIterator[Receiver]:
    async with receiving(tls) as made:
        yield made


async def post(tls, url: str, *, allowed=THIS_MACHINE, seconds: float = 2) -> Answer:
    sender = WebhookSender(allowed, tls_of(tls.ca_file), seconds)
    try:
        return await sender.post(url, HEADERS, b"{}")
    finally:
        await sender.close()


async def test_a_post_arrives_as_it_was_given(tls, receiver: Receiver) -> None:
    answer = await post(tls, receiver.url)
    (got,) = receiver.got

    assert answer == Answer(Failure.NONE, 200)
    assert (got.body, got.headers["webhook-id"]) == (b"{}", "x")
    assert "cookie" not in got.headers


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_an_address_that_may_not_be_called_is_not_called_by_name_or_number(
    tls, receiver: Receiver, host: str
) -> None:
    answer = await post(tls, receiver.url.replace("localhost", host), allowed=())

    assert answer.failure is Failure.FORBIDDEN_ADDRESS
    assert receiver.got == []


async def test_a_name_that_resolves_to_something_else_the_second_time_is_no_way_round(
    tls, receiver: Receiver, monkeypatch
) -> None:
    # What the name server says at the moment of the connection counts, whatever it said before.
    answers = iter(["8.8.8.8", "127.0.0.1"])
    loop = asyncio.get_running_loop()

    async def rebinding(host, port, **_kwargs):
        found = (next(answers), port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", found)]

    await rebinding("cad.example.gov", receiver.port)
    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    answer = await post(tls, f"https://cad.example.gov:{receiver.port}/", allowed=())

    assert answer.failure is Failure.FORBIDDEN_ADDRESS
    assert receiver.got == []


async def test_a_certificate_for_another_name_is_refused_before_anything_is_said(
    tls, receiver: Receiver, monkeypatch
) -> None:
    loop = asyncio.get_running_loop()

    async def here(_host, port, **_kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", here)
    answer = await post(tls, f"https://cad.example.gov:{receiver.port}/")

    assert answer.failure is Failure.TLS
    assert receiver.got == []


async def test_a_certificate_of_an_authority_that_is_not_believed_is_refused(tls, receiver: Receiver) -> None:
    sender = WebhookSender(THIS_MACHINE, ssl.create_default_context(), 2)
    answer = await sender.post(receiver.url, HEADERS, b"{}")
    await sender.close()

    assert answer.failure is Failure.TLS
    assert receiver.got == []


async def test_a_receiver_that_does_not_answer_in_time_has_not_taken_it(tls, receiver: Receiver) -> None:
    receiver.delay = 5

    answer = await post(tls, receiver.url, seconds=0.5)

    assert answer == Answer(Failure.UNREACHABLE)


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"HTTP/1.1 200",
        b"220 mail.example.gov ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 999999 ?\r\n\r\n",
    ],
    ids=["silence", "half", "smtp", "long", "odd"],
)
async def test_what_does_not_speak_http_is_unreachable(tls, words: bytes) -> None:
    files = tls.server("receiver")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert_file, files.key_file)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(words)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    answer = await post(tls, f"https://localhost:{port}/")
    server.close()

    assert answer.failure is Failure.UNREACHABLE


async def test_nothing_that_listens_is_unreachable(tls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert (await post(tls, f"https://localhost:{port}/")).failure is Failure.UNREACHABLE


def test_a_file_without_certificates_stops_the_start(tmp_path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")

    with pytest.raises(ConfigError, match="PW_WEBHOOK_CA_FILE"):
        tls_of(tmp_path / "ca.pem")


def test_a_sealed_secret_opens_for_its_webhook_and_under_its_key_alone() -> None:
    mine, secrets = uuid4(), WebhookSecrets(b"k" * 32)
    sealed = secrets.new(mine)

    assert len(secrets.open(mine, sealed)) == 32
    assert secrets.open(mine, sealed) not in sealed
    for webhook_id, key in ((uuid4(), b"k" * 32), (mine, b"l" * 32)):
        with pytest.raises(StorageUnavailableError):
            WebhookSecrets(key).open(webhook_id, sealed)
    with pytest.raises(StorageUnavailableError):
        secrets.open(mine, b"")

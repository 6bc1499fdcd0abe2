"""What `capture --from` sends of a file, and whose secret it shows."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from services.cli.locate import CommandError, Connection
from services.cli.output import Output
from services.cli.push import _messages, _picture_beside, push, secret_of
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places
from services.ocr.core.pushed.credentials import signature_holds


def connection(data_dir: Path | None) -> Connection:
    return Connection({"receiver": "127.0.0.1:1"}, Path("ca.pem"), data_dir)


@pytest.mark.parametrize(
    "text",
    ['{"n": 1}\n\n{"n": 2}\n', '[{"n": 1}, {"n": 2}]', '\ufeff{"n": 1}\n{"n": 2}'],
    ids=["lines", "list", "with a byte order mark"],
)
def test_a_file_holds_one_message_a_line_or_a_list_of_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)

    assert list(_messages(tmp_path / "a.json")) == [{"n": 1}, {"n": 2}]


def test_a_file_of_many_lines_may_be_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"n": 1}, indent=1))

    assert list(_messages(tmp_path / "a.json")) == [{"n": 1}]


@pytest.mark.parametrize("content", [b"no json", b"7", b"[7]", b"\xff\xfe", b"[" * 100_000])
def test_a_file_of_anything_else_is_an_error_of_the_command(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)

    with pytest.raises(CommandError):
        list(_messages(tmp_path / "a.json"))


@pytest.mark.parametrize(
    ("message", "picture"),
    [
        ({"data": {"filename": "a.jpg"}}, b"picture"),
        ({"data": {"filename": "folder/a.jpg"}}, b"picture"),
        ({"data": {"filename": "../outside.jpg"}}, b""),
        ({"data": {"filename": "b.jpg"}}, b""),
        ({"data": {"filename": ""}}, b""),
        ({"data": {"filename": 7}}, b""),
        ({"data": 7}, b""),
        ({}, b""),
    ],
)
def test_the_picture_of_a_message_is_the_one_of_that_name_beside_the_file(
    tmp_path: Path, message: dict[str, Any], picture: bytes
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "outside.jpg").write_bytes(b"outside")
    (tmp_path / "in" / "a.jpg").write_bytes(b"picture")
    (tmp_path / "in" / "push.json").write_text("{}")

    assert _picture_beside(tmp_path / "in" / "push.json", message) == picture


def test_a_stack_of_this_machine_gets_a_secret_that_stays_and_is_closed_to_others(tmp_path: Path) -> None:
    Places(tmp_path).make()

    first = secret_of(connection(tmp_path), "cam-1", None)

    assert len(first) >= 32
    assert secret_of(connection(tmp_path), "cam-1", None) == first
    assert secret_of(connection(tmp_path), "cam-2", None) != first
    assert (Places(tmp_path).sensor_secrets / "cam-1").stat().st_mode & 0o777 == 0o600


def test_elsewhere_the_secret_must_be_named_and_not_be_empty(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")

    with pytest.raises(CommandError, match="--secret"):
        secret_of(connection(None), "cam-1", None)
    with pytest.raises(CommandError, match="holds no secret"):
        secret_of(connection(None), "cam-1", tmp_path / "secret")


async def test_an_unknown_layout_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there are rekor, plate-recognizer, flock"):
        await push(connection(None), "other", "cam-1", tmp_path, b"", None)  # type: ignore[arg-type]


async def test_a_message_is_signed_with_the_secret_and_sent_again_until_there_is_room(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text('{"n": 1}')
    came: list[tuple[str, str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((request.path, request.headers["Platewarden-Signature"], await request.read()))
        return web.json_response({}, status=503 if len(came) == 1 else 200)

    async with asyncio.timeout(60):
        runner, target = await _receiver(tls, take)
        try:
            known = Connection({"receiver": target}, tls.ca_file, None)
            await push(known, "rekor", "cam-1", tmp_path / "a.json", b"secret", Output(as_json=True))
        finally:
            await runner.cleanup()

    assert [path for path, _, _ in came] == ["/v1/rekor/cam-1"] * 2
    for _, signature, body in came:
        assert json.loads(body) == {"n": 1}
        assert signature_holds(signature, body, [b"secret"], datetime.now(UTC), timedelta(minutes=5))


async def _receiver(tls: DevelopmentAuthority, take: Any) -> tuple[web.AppRunner, str]:
    """A server with the receiver's certificate, and where it is."""
    application = web.Application()
    application.router.add_post("/v1/{layout}/{sensor}", take)
    certificate = tls.server("receiver")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    return runner, f"127.0.0.1:{runner.addresses[0][1]}"

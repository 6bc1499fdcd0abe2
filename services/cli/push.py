"""`platewarden capture --from`: sends messages of cameras that push, from a file, as the camera would."""

import asyncio
import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from services.cli.locate import CommandError, Connection
from services.cli.output import Output
from services.cli.session import PATIENCE_SECONDS
from services.dev.files import write_secret
from services.dev.places import Places

LAYOUTS = ("rekor", "plate-recognizer", "flock")
_PAUSE_SECONDS = 0.5
_ANSWER_SECONDS = 60.0
_AGAIN = 503
_NO_PLATE = 204
_STORED = 200
_JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """Status of the receiver's answer, and what it says."""

    status: int
    said: dict[str, Any]


def secret_of(connection: Connection, sensor_id: str, file: Path | None) -> bytes:
    """The sensor's secret: from `file`, else the one of the stack of this machine, made at its first use.

    Raises:
        CommandError: There is neither.
    """
    if file is None:
        if connection.data_dir is None:
            raise CommandError("name the file with the sensor's secret with --secret")
        file = Places(connection.data_dir).sensor_secrets / sensor_id
        write_secret(file, lambda: secrets.token_urlsafe(32).encode())
    lines = file.read_bytes().split()
    if not lines:
        msg = f"{file} holds no secret"
        raise CommandError(msg)
    return lines[0]


async def push(
    connection: Connection, layout: str, sensor_id: str, file: Path, secret: bytes, output: Output
) -> None:
    """Sends each message of `file` and prints what became of it.

    Raises:
        CommandError: There is no such layout, the file is not JSON, or a message was not stored.
    """
    if layout not in LAYOUTS:
        msg = f"there is no layout '{layout}'; there are {', '.join(LAYOUTS)}"
        raise CommandError(msg)
    sender = _Sender(connection, f"/v1/{layout}/{sensor_id}", secret)
    failed = 0
    for number, message in enumerate(_messages(file), start=1):
        picture = _picture_beside(file, message) if layout == "plate-recognizer" else b""
        answer = await _until_answered(sender, message, picture, output)
        _show(output, file.name, number, answer)
        failed += answer.status not in (_STORED, _NO_PLATE)
    if failed:
        msg = f"{failed} message(s) were not stored"
        raise CommandError(msg)


class _Sender:
    """Sends messages over HTTPS, signed where they are JSON alone."""

    def __init__(self, connection: Connection, path: str, secret: bytes) -> None:
        self._target = connection.target("receiver")
        self._tls = ssl.create_default_context(cafile=str(connection.ca_file))
        self._path = path
        self._secret = secret

    def send(self, message: dict[str, Any], picture: bytes) -> Answer:
        body = json.dumps(message).encode()
        if picture:
            body, media_type = _form(body, picture)
            headers = {"Authorization": f"Bearer {self._secret.decode()}", "Content-Type": media_type}
        else:
            headers = {"Platewarden-Signature": self._signature(body), "Content-Type": _JSON}
        host, _, port = self._target.rpartition(":")
        link = http.client.HTTPSConnection(
            host.strip("[]"), int(port), context=self._tls, timeout=_ANSWER_SECONDS
        )
        try:
            link.request("POST", self._path, body, headers)
            response = link.getresponse()
            text = response.read()
        finally:
            link.close()
        try:
            said = json.loads(text) if text else {}
        except ValueError:
            said = {}
        return Answer(response.status, said if isinstance(said, dict) else {})

    def _signature(self, body: bytes) -> str:
        now = str(int(time.time()))
        made = hmac.new(self._secret, now.encode() + b"." + body, hashlib.sha256).hexdigest()
        return f"t={now},v1={made}"


async def _until_answered(sender: _Sender, message: dict[str, Any], picture: bytes, output: Output) -> Answer:
    """The receiver's final answer; until it gives one, or is away for too long, the message is sent again."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = await asyncio.to_thread(sender.send, message, picture)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLCertVerificationError) or time.monotonic() > give_up:
                raise CommandError(
                    "the receiver cannot be reached, or is not the one that it should be"
                ) from None
        else:
            if answer.status != _AGAIN or time.monotonic() > give_up:
                return answer
        output.note("The receiver cannot take the message just now; sending it again")
        await asyncio.sleep(_PAUSE_SECONDS)


def _messages(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON file: one, a list of them, or one a line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        try:
            value = json.loads(text)
        except ValueError:
            value = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        msg = f"{file} is neither JSON nor JSON Lines"
        raise CommandError(msg) from None
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            msg = f"{file} holds something other than objects"
            raise CommandError(msg)
        yield one


def _picture_beside(file: Path, message: dict[str, Any]) -> bytes:
    """The picture that the message names, from the folder of the file; empty when it is not there."""
    data = message.get("data")
    name = data.get("filename") if isinstance(data, dict) else None
    picture = file.parent / Path(name).name if isinstance(name, str) and name else file
    return picture.read_bytes() if picture != file and picture.is_file() else b""


def _form(body: bytes, picture: bytes) -> tuple[bytes, str]:
    """A multipart form with the parts `json` and `upload`, and its media type."""
    mark = secrets.token_hex(16)
    part = '--{}\r\nContent-Disposition: form-data; name="{}"{}\r\nContent-Type: {}\r\n\r\n'
    head = part.format(mark, "json", "", _JSON).encode()
    next_head = part.format(mark, "upload", '; filename="picture"', "application/octet-stream").encode()
    form = b"".join((head, body, b"\r\n", next_head, picture, f"\r\n--{mark}--\r\n".encode()))
    return form, f"multipart/form-data; boundary={mark}"


def _show(output: Output, file: str, number: int, answer: Answer) -> None:
    if output.as_json:
        output.json_line({"file": file, "message": number, "http_status": answer.status, **answer.said})
        return
    name = escape(f"{file}#{number}")
    if answer.status == _NO_PLATE:
        output.console.print(f"  {name}: no plate in it, nothing stored")
    for read in answer.said.get("reads", ()):
        output.console.print(
            f"  {name}: {read['read_id']}  {read['status'].lower()}  {escape(read['reason'])}"
        )
    if "error" in answer.said:
        fields = "; ".join(f"{field} {text}" for field, text in answer.said.get("fields", {}).items())
        output.console.print(f"  {name}: [red]{escape(answer.said['error'])}[/] {escape(fields)}")

"""The HTTPS address for cameras that push: who sends, how much, what it is, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import grpc
import structlog
from aiohttp import BodyPartReader, MultipartReader, hdrs, web

from alpr.type.v1 import read_pb2
from services.common import tracing
from services.common.clock import Clock
from services.common.errors import (
    AlprError,
    FieldViolation,
    InternalError,
    InvalidFieldError,
    UnauthenticatedError,
)
from services.ocr.core.pushed.credentials import shows_secret, signature_holds
from services.ocr.core.pushed.flock import parse_flock
from services.ocr.core.pushed.model import PushedRead, PushError
from services.ocr.core.pushed.plate_recognizer import parse_plate_recognizer
from services.ocr.core.pushed.rekor import parse_rekor
from services.ocr.errors import OverloadedError, may_pass
from services.ocr.metrics import PUSHES
from services.ocr.receiver.fetch import PictureFetcher
from services.ocr.receiver.intake import PushedOutcome, PushIntake
from services.ocr.receiver.sensor_secrets import SensorSecrets

log = structlog.get_logger()

SIGNATURE_HEADER: Final = "Platewarden-Signature"
LAYOUTS: Final[Mapping[str, Callable[[bytes, bytes], tuple[PushedRead, ...]]]] = MappingProxyType(
    {
        "rekor": lambda body, _: parse_rekor(body),
        "plate-recognizer": parse_plate_recognizer,
        "flock": lambda body, _: parse_flock(body),
    }
)
# A body that takes longer is of nobody who means to send it.
_BODY_SECONDS: Final = 20.0
_CHUNK: Final = 1 << 16
_ON_DISK: Final = frozenset({read_pb2.READ_STATUS_STORED, read_pb2.READ_STATUS_DUPLICATE})
_HTTP: Final[Mapping[grpc.StatusCode, int]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: 400,
        grpc.StatusCode.UNAUTHENTICATED: 401,
        grpc.StatusCode.PERMISSION_DENIED: 403,
        grpc.StatusCode.NOT_FOUND: 404,
    }
)
_AGAIN: Final = 503
_FAILED: Final = 500
_NOT_ALL_STORED: Final = 422


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken.

    Attributes:
        body_bytes: Largest message, its pictures included.
        in_flight: Messages at the same time.
        replay: A signature counts this long before and after it was made.
    """

    body_bytes: int
    in_flight: int
    replay: timedelta


class Receiver:
    """Takes `POST /v1/<layout>/<sensor id>`.

    It answers 200 only when every read of the message is on disk and compared; 204 when the message holds no
    plate; 422 when a read is final but not stored, with the reason of each. After 503, or no answer, the
    sender sends the message again, which is safe.
    """

    def __init__(
        self,
        intake: PushIntake,
        secrets: SensorSecrets,
        fetcher: PictureFetcher,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._intake = intake
        self._secrets = secrets
        self._fetcher = fetcher
        self._clock = clock
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.in_flight)

    def application(self) -> web.Application:
        """The pages."""
        made = web.Application(client_max_size=self._limits.body_bytes)
        made.router.add_post("/v1/{layout}/{sensor_id}", self._answer)
        return made

    async def _answer(self, request: web.Request) -> web.Response:
        layout, sensor_id = request.match_info["layout"], request.match_info["sensor_id"]
        if layout not in LAYOUTS:
            return _response(404, {"error": f"there is no such layout; there are {', '.join(LAYOUTS)}"})
        try:
            answer = _answer_of(await self._take(request, layout, sensor_id))
        except web.HTTPRequestEntityTooLarge:
            answer = _response(413, {"error": f"a message has at most {self._limits.body_bytes} bytes"})
        except AlprError as error:
            answer = _refusal(error)
        except Exception:
            log.exception("push_failed", layout=layout)
            answer = _refusal(InternalError("the read could not be taken for a reason of ours"))
        PUSHES.labels(layout, str(answer.status)).inc()
        return answer

    async def _take(self, request: web.Request, layout: str, sensor_id: str) -> tuple[PushedOutcome, ...]:
        secrets = self._secrets.of(sensor_id)
        signature = request.headers.get(SIGNATURE_HEADER, "")
        authorization = request.headers.get(hdrs.AUTHORIZATION, "")
        # Of who shows no secret nothing is read; what is signed must be read to be checked.
        if not secrets or not (signature or shows_secret(authorization, sensor_id, secrets)):
            raise _unknown()
        if self._slots.locked():
            raise OverloadedError("too many messages at once; send it again")
        async with self._slots:
            body, picture = await self._received(request)
            now, replay = self._clock.now(), self._limits.replay
            # A signature says nothing of a picture that came beside the JSON.
            if signature and (picture or not signature_holds(signature, body, secrets, now, replay)):
                raise _unknown()
            reads = _parsed(layout, body, picture)
            sensors = self._intake.admit(reads, sensor_id, signed=bool(signature))
            fetched = await self._with_pictures(reads)
            with tracing.beginning("ocr.push", reads=len(fetched)):
                return await self._intake.take(fetched, sensors) if fetched else ()

    async def _received(self, request: web.Request) -> tuple[bytes, bytes]:
        """The JSON and the picture that came beside it, empty when none did."""
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                if request.content_type != "multipart/form-data":
                    return await request.read(), b""
                return await _parts(await request.multipart(), self._limits.body_bytes)
        except TimeoutError:
            raise InvalidFieldError("the message took too long to come") from None
        except (ValueError, AssertionError):
            raise InvalidFieldError("the message is no multipart form with a part `json`") from None

    async def _with_pictures(self, reads: Sequence[PushedRead]) -> tuple[PushedRead, ...]:
        return tuple(
            [
                replace(read, picture=await self._fetcher.fetch(read.picture_url))
                if read.picture_url and not read.picture
                else read
                for read in reads
            ]
        )


async def _parts(reader: MultipartReader, most: int) -> tuple[bytes, bytes]:
    """The parts `json` and `upload`. Raises HTTPRequestEntityTooLarge for more than `most` bytes in all."""
    parts = {"json": b"", "upload": b""}
    left = most
    async for part in reader:
        if not isinstance(part, BodyPartReader):
            raise InvalidFieldError("a form within a form is not taken")
        taken = bytearray()
        while chunk := await part.read_chunk(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise web.HTTPRequestEntityTooLarge(most, most - left)
            taken += chunk
        if part.name in parts:
            parts[part.name] = bytes(taken)
    return parts["json"], parts["upload"]


def _parsed(layout: str, body: bytes, picture: bytes) -> tuple[PushedRead, ...]:
    try:
        return LAYOUTS[layout](body, picture)
    except PushError as error:
        wrong = [FieldViolation(error.field, error.problem)]
        raise InvalidFieldError("the message is not of its layout", violations=wrong) from None


def _unknown() -> UnauthenticatedError:
    # The same for a sensor that is not ours, one without a secret, and a wrong secret.
    return UnauthenticatedError("the sensor did not show its secret, or a signature that holds")


def _answer_of(outcomes: Sequence[PushedOutcome]) -> web.Response:
    if not outcomes:
        return web.Response(status=204)
    reads = [
        {
            "read_id": str(one.read_id),
            "status": read_pb2.ReadStatus.Name(one.outcome.status).removeprefix("READ_STATUS_"),
            "reason": one.outcome.reason,
        }
        for one in outcomes
    ]
    all_stored = all(one.outcome.status in _ON_DISK for one in outcomes)
    return _response(200 if all_stored else _NOT_ALL_STORED, {"reads": reads})


def _refusal(error: AlprError) -> web.Response:
    status = _AGAIN if may_pass(error) else _HTTP.get(error.code, _FAILED)
    said: dict[str, Any] = {"error": error.message}
    if error.violations:
        said["fields"] = {one.field: one.description for one in error.violations}
    answer = _response(status, said)
    if status == _AGAIN:
        answer.headers[hdrs.RETRY_AFTER] = "1"
    elif status == _HTTP[grpc.StatusCode.UNAUTHENTICATED]:
        answer.headers[hdrs.WWW_AUTHENTICATE] = 'Bearer, Basic realm="sensor"'
    return answer


def _response(status: int, said: Mapping[str, Any]) -> web.Response:
    return web.json_response(said, status=status, headers={hdrs.CACHE_CONTROL: "no-store"})

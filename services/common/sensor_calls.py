"""Calls of sensors: with a certificate that is on record, for as long as it is (ENF-051 III.B.3.h)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from services.common.errors import AlprError, NotPermittedError, UnauthenticatedError
from services.common.identity import NOBODY, Context, PeerKind, certificate_of, peer_of
from services.common.sensors import SensorRegistry

_Answer = TypeVar("_Answer")


def require_sensor(context: Context, registry: SensorRegistry) -> str:
    """The id of the sensor that calls.

    Raises:
        UnauthenticatedError: The call came without a certificate that names anything.
        NotPermittedError: The certificate is no sensor's.
        CertificateNotValidError: It is not on record, was revoked, or has ended.
        SensorsUnknownError: Audit was not heard for 15 seconds; try again.
    """
    peer = peer_of(context)
    if peer == NOBODY:
        raise UnauthenticatedError("this call needs a sensor's client certificate")
    if peer.kind is not PeerKind.SENSOR:
        raise NotPermittedError("this call is for sensors only")
    registry.require_certificate(peer.name, certificate_of(context))
    return peer.name


async def while_certified(
    answers: AsyncIterator[_Answer], context: Context, registry: SensorRegistry
) -> AsyncGenerator[_Answer]:
    """The answers of a sensor's stream while its certificate is good; `answers` is left to be closed.

    Raises:
        CertificateNotValidError: It was revoked or has ended, whether or not anything is sent just then.
    """
    refused = asyncio.create_task(registry.until_refused(peer_of(context).name, certificate_of(context)))
    try:
        while (coming := await _before(refused, answers)) is not None:
            yield coming
    finally:
        refused.cancel()


async def _before(refused: asyncio.Task[AlprError], answers: AsyncIterator[_Answer]) -> _Answer | None:
    """The next answer, None after the last. Raises what `refused` gives as soon as it does."""
    coming = asyncio.ensure_future(_next(answers))
    try:
        await asyncio.wait({coming, refused}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not coming.done():
            coming.cancel()
            await asyncio.wait({coming})
    if refused.done():
        raise refused.result()
    return coming.result()


async def _next(answers: AsyncIterator[_Answer]) -> _Answer | None:
    return await anext(answers, None)

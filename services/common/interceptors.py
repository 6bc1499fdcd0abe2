"""What happens round every call: request id, deadline, errors, log, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Final, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from services.common import metrics, tracing
from services.common.errors import (
    REQUEST_ID,
    AlprError,
    DeadlineError,
    InvalidFieldError,
    internal_error,
    to_status,
)
from services.common.identity import Context, Peer, PeerKind, peer_of
from services.common.stopping import Stopping, stopping_in_calls

log = structlog.get_logger()

_HEADER: Final = "x-request-id"
_PROBES: Final = "/grpc.health."
# A UUID only: any other text of the caller's could be a plate, and it goes to the log.
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
# Open for as long as somebody listens: what goes through them has spans of its own (services.common.tracing).
_STREAMS_FOR_LONG: Final = re.compile(r"/(Watch|Subscribe|SubmitReads$|RecognizeStream$|EscortVendor$)")
# Less is not enough to answer and be heard; the work would be for nobody.
_LEAST_SECONDS: Final = 0.020
_UNTRACED: Final = contextlib.nullcontext(tracing.CallSpan(None))
_MAKERS: Final = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}

# In quotes: generic for type checkers only.
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_Behaviour: TypeAlias = Callable[[Any, Context], Awaitable[Any]]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of all four shapes.

    Args:
        stopping: What `stopping_of` gives inside of a call.
        max_call_seconds: Longest time of a unary call; streams have none.
    """

    def __init__(self, stopping: Stopping, max_call_seconds: float) -> None:
        self._stopping = stopping
        self._max_call_seconds = max_call_seconds
        self._wrapped: dict[str, _Handler] = {}
        self.begun = 0
        """How many calls have come, without probes."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """The handler of the method, wrapped; None for a method that there is not."""
        method = str(handler_call_details.method)
        self.begun += not method.startswith(_PROBES)
        if method not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped[method]

    def _wrap(self, method: str, handler: _Handler) -> _Handler:
        shape = (handler.request_streaming, handler.response_streaming)
        behaviour = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        seconds = None if any(shape) else self._max_call_seconds
        wrapped = _Method(method, _as_coroutine(behaviour), self._stopping, seconds)
        run: _Behaviour = wrapped.run
        if not handler.request_streaming:
            run = _of_one(run, self._max_call_seconds)
        elif not handler.response_streaming:
            run = _of_pieces(run, self._max_call_seconds)
        serialize = _unless_encoded(handler.response_serializer)
        # To gRPC every request is a stream: see `_of_one`. On the wire there is no difference.
        make = _MAKERS[(True, handler.response_streaming)]
        return make(run, _typed(handler.request_deserializer), serialize)


def _of_one(run: _Behaviour, seconds: float) -> _Behaviour:
    """`run`, which takes one message, for a stream of them.

    gRPC waits for the only message of a call before the method begins, without end: whoever opens calls and
    sends nothing would take all the places that there are, and needs no token for it. What is wrong with the
    message is handed over in its place, and `_Method` raises it.
    """

    async def run_with_first(_requests: Any, context: Context) -> Any:
        return await run(await _message_of(context, seconds), context)

    return run_with_first


async def _message_of(context: Context, seconds: float) -> Any:
    """The only message of a call, or the error that it is."""
    try:
        message = await _next_of(context, seconds)
    except AlprError as error:
        return error
    return InvalidFieldError("the call came without a message") if message is grpc.aio.EOF else message


def _of_pieces(run: _Behaviour, seconds: float) -> _Behaviour:
    """`run`, which takes something in pieces and then answers; each has its time to come in."""

    async def pieces(context: Context) -> AsyncIterator[Any]:
        while (piece := await _next_of(context, seconds)) is not grpc.aio.EOF:
            yield piece

    async def run_with_pieces(_requests: Any, context: Context) -> Any:
        return await run(pieces(context), context)

    return run_with_pieces


async def _next_of(context: Context, seconds: float) -> Any:
    """The next message of the call, or EOF; DeadlineError when it does not come in time."""
    try:
        async with asyncio.timeout(seconds):
            return await context.read()
    except TimeoutError:
        raise DeadlineError("the call is open, and its next message did not come in time") from None


def _typed(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """`deserialize`, which for bytes that are no message raises InvalidFieldError."""
    if deserialize is None:
        return None

    def run(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            raise InvalidFieldError("the bytes sent are no message of this method") from None

    return run


def _unless_encoded(serialize: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    """`serialize` for a handler that may also answer with bytes: a message that it has encoded already."""
    if serialize is None:
        return None

    def run(answer: Any) -> bytes:
        return answer if isinstance(answer, bytes) else serialize(answer)

    return run


def _as_coroutine(behaviour: Any) -> _Behaviour:
    """`behaviour`, or for one that yields its answers a coroutine that writes them.

    gRPC would leave a generator that is cancelled between two answers to the garbage collector; here its
    `finally` runs at once.
    """
    if not inspect.isasyncgenfunction(behaviour):
        return behaviour  # type: ignore[no-any-return]

    async def write_all(request: Any, context: Context) -> None:
        async with contextlib.aclosing(behaviour(request, context)) as answers:
            async for answer in answers:
                try:
                    await context.write(answer)
                except grpc.aio.InternalError:
                    # So says a write to a client that is gone, before the cancellation gets here.
                    raise asyncio.CancelledError from None

    return write_all


class _Method:
    """One method, wrapped."""

    def __init__(self, method: str, behaviour: _Behaviour, stopping: Stopping, seconds: float | None) -> None:
        self._method = method
        self._behaviour = behaviour
        self._stopping = stopping
        self._seconds = seconds
        self._histogram = metrics.SECONDS.labels(method)
        self._under_way = metrics.UNDER_WAY.labels(method)
        self._is_traced = not method.startswith("/grpc.") and not _STREAMS_FOR_LONG.search(method)

    async def run(self, request: Any, context: Context) -> Any:
        """The answer of the method. Errors leave as google.rpc.Status."""
        started = time.perf_counter()
        self._under_way.inc()
        request_id = _request_id(context)
        peer = peer_of(context)
        code = grpc.StatusCode.OK
        with (
            structlog.contextvars.bound_contextvars(**{REQUEST_ID: request_id}),
            stopping_in_calls(self._stopping),
            self._traced(context, peer) as traced,
        ):
            if traced.trace_id:
                structlog.contextvars.bind_contextvars(trace_id=traced.trace_id)
            try:
                context.set_trailing_metadata(((_HEADER, request_id),))
                return await self._answer(request, context)
            except grpc.aio.AbortError:
                code = _code_of(context)
                raise
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:
                answer = self._alpr_error(error, request_id)
                code = answer.code
                await _abort(context, answer, request_id)
            finally:
                self._under_way.dec()
                traced.end(code)
                self._record(code, time.perf_counter() - started, peer)

    def _traced(self, context: Context, peer: Peer) -> AbstractContextManager[tracing.CallSpan]:
        if not (self._is_traced and tracing.is_on()):
            return _UNTRACED
        from_service = peer.kind is PeerKind.SERVICE
        return tracing.call(self._method, context.invocation_metadata() or (), from_service=from_service)

    async def _answer(self, request: Any, context: Context) -> Any:
        left = context.time_remaining()
        if left is not None and left < _LEAST_SECONDS:
            raise DeadlineError("less than 20 ms were left when the call came; nothing was done")
        if isinstance(request, AlprError):
            raise request
        if self._seconds is None:
            return await self._behaviour(request, context)
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await self._behaviour(request, context)
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineError("the call took longer than this service allows") from None

    def _alpr_error(self, error: Exception, request_id: str) -> AlprError:
        if isinstance(error, AlprError):
            return error
        log.error("call_failed", method=self._method, exc_info=error)
        return internal_error(request_id)

    def _record(self, code: grpc.StatusCode, seconds: float, peer: object) -> None:
        if code is grpc.StatusCode.CANCELLED:
            metrics.CANCELLED.labels(self._method).inc()
        else:
            metrics.HANDLED.labels(self._method, code.name).inc()
            self._histogram.observe(seconds)
        # Probes come every few seconds and say nothing.
        level = logging.DEBUG if self._method.startswith(_PROBES) else logging.INFO
        fields = {"code": code.name, "duration_ms": round(1000 * seconds, 1), "peer": str(peer)}
        log.log(level, "call", method=self._method, **fields)


async def _abort(context: Context, error: AlprError, request_id: str) -> None:
    status = rpc_status.to_status(to_status(error))
    trailers = (*(status.trailing_metadata or ()), (_HEADER, request_id))
    await context.abort(status.code, status.details or "", trailers)


def _request_id(context: Context) -> str:
    given = next((value for key, value in context.invocation_metadata() or () if key == _HEADER), "")
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def _code_of(context: Context) -> grpc.StatusCode:
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    return next((one for one in grpc.StatusCode if one.value[0] == code), grpc.StatusCode.UNKNOWN)

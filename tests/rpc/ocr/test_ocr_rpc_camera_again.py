"""A camera's frames when the stream ends under it."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceServicer, add_OcrServiceServicer_to_server
from services.cli.camera import Camera
from services.cli.frames import Picture


class _Ending(OcrServiceServicer):
    """Ends the first stream with a code, as the transport does, and answers every frame of the next."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.frames: list[list[str]] = []
        self._code = code

    async def RecognizeStream(  # noqa: N802 - the contract's name
        self, requests: AsyncIterator[pb.RecognizeStreamRequest], context: Any
    ) -> AsyncIterator[pb.RecognizeStreamResponse]:
        seen: list[str] = []
        self.frames.append(seen)
        async for request in requests:
            seen.append(request.frame.frame_id)
            if len(self.frames) == 1:
                await context.abort(self._code)
            yield pb.RecognizeStreamResponse(frame_id=request.frame.frame_id)


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,  # a service that ends says so
        grpc.StatusCode.CANCELLED,  # gRPC, of a stream that came as the service ended
        grpc.StatusCode.UNKNOWN,  # gRPC, of a process that was killed
        grpc.StatusCode.INTERNAL,
    ],
)
async def test_a_frame_whose_stream_ended_is_sent_again_on_the_next(code: grpc.StatusCode) -> None:
    service, server, waits = _Ending(code), grpc.aio.server(), []
    add_OcrServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            camera = Camera(channel, None, on_wait=waits.append)
            pictures = [Picture(name, b"picture", None) for name in ("one", "two")]
            answered = [frame.frame_id async for frame, _ in camera.send(pictures)]
    finally:
        await server.stop(0)

    assert answered == ["one", "two"]
    assert len(waits) == 1
    assert service.frames[0] == ["one"]
    assert service.frames[1] == ["one", "two"]

"""A camera that speaks RTSP (RFC 2326) over TCP and shows a video of its own, H.264 in RTP (RFC 6184)."""

from __future__ import annotations

import asyncio
import io
import re
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

_CLOCK: Final = 90_000
_MOST_PAYLOAD: Final = 1200
_TYPE: Final = 96
_FRAGMENT: Final = 28
_SDP: Final = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=road\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
)

Picture = npt.NDArray[np.uint8]


@dataclass
class RtspCamera:
    """What the camera does: frames a second, and after how many it hangs up, if it does."""

    frames: list[list[bytes]]
    rate: float
    hang_up_after: int | None = None
    port: int = 0
    asked: int = 0

    @property
    def address(self) -> str:
        return f"rtsp://officer:secret@127.0.0.1:{self.port}/lane-1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        playing: asyncio.Task[None] | None = None
        try:
            while request := await _request(reader):
                method, number = request
                if method == "PLAY":
                    self.asked += 1
                writer.write(_reply(method, number, self.address))
                if method == "PLAY":
                    playing = asyncio.create_task(self._play(writer))
                if method == "TEARDOWN":
                    break
        finally:
            if playing:
                playing.cancel()
            writer.close()

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        sequence, number = 0, 0
        with suppress(ConnectionError):
            while True:
                for units in self.frames:
                    if self.hang_up_after is not None and number >= self.hang_up_after:
                        self.hang_up_after = None
                        writer.close()
                        return
                    stamp = round(number * _CLOCK / self.rate)
                    for last, payload in _payloads(units):
                        head = struct.pack(">BBHII", 0x80, (last << 7) | _TYPE, sequence & 0xFFFF, stamp, 7)
                        packet = head + payload
                        writer.write(b"$\x00" + struct.pack(">H", len(packet)) + packet)
                        sequence += 1
                    await writer.drain()
                    number += 1
                    await asyncio.sleep(1 / self.rate)


@asynccontextmanager
async def rtsp_camera(
    pictures: list[Picture], rate: float = 25, hang_up_after: int | None = None
) -> AsyncIterator[RtspCamera]:
    """A camera that shows `pictures` over and over."""
    camera = RtspCamera(_encoded(pictures, round(rate)), rate, hang_up_after)
    server = await asyncio.start_server(camera.serve, "127.0.0.1", 0)
    camera.port = server.sockets[0].getsockname()[1]
    try:
        yield camera
    finally:
        server.close()


def video_file(pictures: list[Picture], rate: int = 25, suffix: str = "mp4") -> bytes:
    """A video file of `pictures`."""
    made = io.BytesIO()
    with av.open(made, "w", format=suffix) as container:
        for packet in _packets(container, pictures, rate):
            container.mux(packet)
    return made.getvalue()


def _encoded(pictures: list[Picture], rate: int) -> list[list[bytes]]:
    """The NAL units of each picture."""
    with av.open(io.BytesIO(), "w", format="h264") as container:
        frames = [bytes(packet) for packet in _packets(container, pictures, rate)]
    return [[unit for unit in re.split(b"\x00\x00\x00?\x01", frame) if unit] for frame in frames]


def _packets(container: Any, pictures: list[Picture], rate: int) -> Iterator[Any]:
    stream = container.add_stream("libx264", rate=rate)
    stream.height, stream.width = pictures[0].shape[:2]
    stream.pix_fmt = "yuv420p"
    # Every frame is a key frame with its headers, so that a client may come in anywhere.
    stream.options = {
        "tune": "zerolatency",
        "crf": "20",
        "g": "1",
        "preset": "ultrafast",
        "x264-params": "repeat-headers=1",
    }
    for picture in pictures:
        yield from stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24"))
    yield from stream.encode(None)


def _payloads(units: list[bytes]) -> Iterator[tuple[bool, bytes]]:
    """RTP payloads of a frame (RFC 6184, 5.6 and 5.8), and whether each is the frame's last."""
    for n, unit in enumerate(units):
        closes = n == len(units) - 1
        if len(unit) <= _MOST_PAYLOAD:
            yield closes, unit
            continue
        kind, body = unit[0], unit[1:]
        for at in range(0, len(body), _MOST_PAYLOAD):
            first, last = at == 0, at + _MOST_PAYLOAD >= len(body)
            header = bytes([(kind & 0xE0) | _FRAGMENT, (first << 7) | (last << 6) | (kind & 0x1F)])
            yield closes and last, header + body[at : at + _MOST_PAYLOAD]


async def _request(reader: asyncio.StreamReader) -> tuple[str, str] | None:
    """Method and number of the next request; what the client says over RTCP is passed over."""
    while True:
        begin = await reader.read(1)
        if begin != b"$":
            break
        _, size = struct.unpack(">BH", await reader.readexactly(3))
        await reader.readexactly(size)
    if not begin:
        return None
    try:
        text = (begin + await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    number = re.search(r"(?mi)^CSeq:\s*(\d+)", text)
    return text.split(" ", 1)[0], number[1] if number else "0"


def _reply(method: str, number: str, address: str) -> bytes:
    head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n"
    if method == "OPTIONS":
        head += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
    if method == "SETUP":
        head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
    if method == "DESCRIBE":
        head += (
            f"Content-Type: application/sdp\r\nContent-Base: {address}/\r\nContent-Length: {len(_SDP)}\r\n"
        )
        return (head + "\r\n" + _SDP).encode()
    return (head + "\r\n").encode()

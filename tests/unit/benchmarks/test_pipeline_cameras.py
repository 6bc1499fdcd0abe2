"""The benchmark's cameras put batches together from encoded parts: what they send is what a camera sends."""

from __future__ import annotations

import pickle
from pathlib import Path

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.type.v1 import read_pb2
from benchmarks._pipeline_cameras import Made, Order, _Maker, write_made
from services.common.wire import to_datetime
from services.matcher.wire_reads import parse_batch

_CROP = bytes(range(200))
_OVERVIEW = bytes(20_000)


def _reads(count: int) -> list[read_pb2.CapturedRead]:
    return [
        read_pb2.CapturedRead(
            read=read_pb2.Read(
                sensor_id="another-camera",
                sender_read_id="old",
                plate=f"AB{number:05d}",
                place=read_pb2.Place(latitude=41.9, longitude=-87.6, description="I-90"),
                image=read_pb2.ImageRef(
                    sha256=bytes(32), day="2020-01-01", media_type="image/jpeg", size_bytes=4
                ),
            ),
            crop_image=_CROP,
            overview_image=_OVERVIEW,
        )
        for number in range(count)
    ]


def _batch(folder: Path, size: int, listed_one_in: int = 0) -> tuple[pb.SubmitReadsRequest, int]:
    write_made(folder / "made", _reads(10), listed_one_in=5)
    made = pickle.loads((folder / "made").read_bytes())  # noqa: S301 - our own file
    assert isinstance(made, Made)
    maker = _Maker(made)
    maker.begin(Order(seconds=1.0, listed_one_in=listed_one_in))
    encoded, listed = maker.batch("bench-camera-0", 7, size)
    return pb.SubmitReadsRequest.FromString(encoded), listed


def test_a_batch_is_one_that_the_matcher_takes_with_every_read_complete(tmp_path: Path) -> None:
    request, _ = _batch(tmp_path, 20)

    now = to_datetime(request.reads[0].read.capture_time)
    submitted = parse_batch(request, now)

    assert request.batch_number == 7
    assert len(submitted) == 20
    assert all(one.complete and one.sensor_id == "bench-camera-0" for one in submitted)


def test_every_read_has_an_id_and_the_pictures_of_its_own(tmp_path: Path) -> None:
    request, _ = _batch(tmp_path, 20)

    assert len({one.read.read_id for one in request.reads}) == 20
    assert len({one.read.sender_read_id for one in request.reads}) == 20
    assert all((one.crop_image, one.overview_image) == (_CROP, _OVERVIEW) for one in request.reads)


def test_listed_plates_come_as_often_as_ordered_and_never_otherwise(tmp_path: Path) -> None:
    with_listed, listed = _batch(tmp_path, 20, listed_one_in=4)
    without, none = _batch(tmp_path, 20)

    on_list = {"AB00000", "AB00005"}
    assert listed == sum(one.read.plate in on_list for one in with_listed.reads) == 5
    assert none == sum(one.read.plate in on_list for one in without.reads) == 0

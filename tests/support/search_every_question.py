"""A sound request of every question that people can put to search, by the name of its RPC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from alpr.search.v1 import (
    analysis_service_pb2,
    area_pb2,
    dissemination_pb2,
    dissemination_service_pb2,
    export_service_pb2,
    motor_carrier_service_pb2,
    report_service_pb2,
    retention_service_pb2,
    search_service_pb2,
)
from services.common.wire import to_timestamp
from tests.support.search_kit import now, uuid7
from tests.support.search_world import question

_FILES = (
    analysis_service_pb2,
    dissemination_service_pb2,
    export_service_pb2,
    motor_carrier_service_pb2,
    report_service_pb2,
    retention_service_pb2,
    search_service_pb2,
)


def questions() -> Iterator[MethodDescriptor]:
    """Every RPC whose answer carries the receipt of a question."""
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                if _has(method.output_type, "question_receipt"):
                    yield method


def _has(message: Descriptor, name: str, depth: int = 2) -> bool:
    fields = message.fields
    return any(field.name == name for field in fields) or (
        depth > 0
        and any(
            _has(field.message_type, name, depth - 1)
            for field in fields
            if field.type == FieldDescriptor.TYPE_MESSAGE
        )
    )


def request(name: str) -> dict[str, Any]:
    """The fields of a sound request besides id and justification; KeyError for a question that has none."""
    read_id = str(uuid7(now() - timedelta(hours=1)))
    window = {"from": to_timestamp(now() - timedelta(days=1)), "to": to_timestamp(now())}
    scenes = [
        analysis_service_pb2.Scene(label=str(n), area=_area(n), **window)  # type: ignore[arg-type]
        for n in range(2)
    ]
    line = [
        area_pb2.MapPoint(latitude=41.9, longitude=-87.6),
        area_pb2.MapPoint(latitude=42, longitude=-87.8),
    ]
    recipient = dissemination_pb2.Recipient(kind=dissemination_pb2.RECIPIENT_KIND_OWN_USE)
    fields: dict[str, dict[str, Any]] = {
        "SearchReads": {"plate": "AB1234"},
        "GetRead": {"read_id": read_id},
        "GetReadImage": {"read_id": read_id},
        "FindStakeout": {"scenes": scenes},
        "FindConvoy": {"plate": "AB1234"},
        "GetPattern": {"plate": "AB1234"},
        "Summarize": {},
        "FindCorridor": {"line": line, **window},
        "CompareDataSet": {"kind": analysis_service_pb2.DATA_SET_KIND_PLATES},
        "SearchMotorCarrierReads": {"plate": "AB1234"},
        "GetMotorCarrierReadImage": {"read_id": read_id},
        "ExportReport": {
            "read_ids": [read_id],
            "format": report_service_pb2.REPORT_FORMAT_CSV,
            "recipient": recipient,
        },
        "ExportEvidence": {
            "read_id": read_id,
            "report_number": "26-1",
            "evidence_system": "dems",
            "evidence_item": "7",
        },
        "ExportReads": {},
        "GetEvidence": {"evidence_id": str(uuid4())},
        "ExportHeldReads": {"hold_id": str(uuid4())},
        "ListHeldReads": {"hold_id": str(uuid4())},
        "GetHeldReadImage": {"hold_id": str(uuid4()), "read_id": read_id},
    }
    return fields[name]


def _area(number: int) -> area_pb2.Area:
    return area_pb2.Area(sensors=area_pb2.SensorList(sensor_ids=[f"camera-{number}"]))


async def put(channel: grpc.aio.Channel, method: MethodDescriptor, metadata: Any, **more: Any) -> list[Any]:
    """The answer to a sound request of that RPC, in its parts."""
    common = {"request_id": str(uuid4()), "justification": question("X1").justification}
    fields = {**common, **request(method.name), **more}
    path = f"/{method.containing_service.full_name}/{method.name}"
    made, answer = _class(method.input_type), _class(method.output_type)
    serialize, parse = made.SerializeToString, answer.FromString
    if method.name == "CompareDataSet":
        parts = [made(header=_class(method.input_type.fields_by_name["header"].message_type)(**fields))]
        parts.append(made(chunk=b"plate\nAB1234\n"))
        call = channel.stream_unary(path, request_serializer=serialize, response_deserializer=parse)
        return [await call(iter(parts), metadata=metadata, timeout=60)]
    if method.server_streaming:
        stream = channel.unary_stream(path, request_serializer=serialize, response_deserializer=parse)
        return [part async for part in stream(made(**fields), metadata=metadata, timeout=60)]
    unary = channel.unary_unary(path, request_serializer=serialize, response_deserializer=parse)
    return [await unary(made(**fields), metadata=metadata, timeout=60)]


def _class(message: Descriptor) -> Any:
    return message_factory.GetMessageClass(message)

"""Reads and hits are about plates: the contracts have no place for a face, a person or an owner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor

from alpr.alerts.v1 import alert_service_pb2
from alpr.matcher.v1 import match_service_pb2
from alpr.ocr.v1 import ocr_service_pb2
from alpr.search.v1 import archive_service_pb2, search_service_pb2
from alpr.type.v1 import hit_pb2, read_pb2, sensor_pb2

# Whole words of names, so that `surface` or `driver_of` would be seen for what they are.
PERSONAL = {
    "biometric", "biometrics", "birth", "birthdate", "body", "citizen", "dob", "driver", "ethnicity", "eye",
    "eyes", "face", "faces", "facial", "gait", "gender", "hair", "holder", "human", "licensee", "occupant",
    "occupants", "owner", "owners", "passenger", "passengers", "pedestrian", "people", "person", "persons",
    "race", "registrant", "sex", "skin", "ssn", "suspect",
}  # fmt: skip
READ_ROAD = [
    ocr_service_pb2.DESCRIPTOR,
    match_service_pb2.DESCRIPTOR,
    archive_service_pb2.DESCRIPTOR,
    read_pb2.DESCRIPTOR,
    hit_pb2.DESCRIPTOR,
    sensor_pb2.DESCRIPTOR,
]


def _messages(file: FileDescriptor) -> Iterator[Descriptor]:
    waiting = list(file.message_types_by_name.values())
    while waiting:
        message = waiting.pop()
        yield message
        waiting += message.nested_types


def _names(file: FileDescriptor) -> Iterator[str]:
    for message in _messages(file):
        yield from (message.name, *(field.name for field in message.fields))
        yield from (value.name for enum in message.enum_types for value in enum.values)
    yield from (value.name for enum in file.enum_types_by_name.values() for value in enum.values)
    for service in file.services_by_name.values():
        yield from (service.name, *(method.name for method in service.methods))


def _words(name: str) -> set[str]:
    spaced = "".join(f"_{c}" if c.isupper() and not name.isupper() else c for c in name)
    return {word for word in spaced.lower().split("_") if word}


@pytest.mark.clause("IV.C.2", "II.B")
@pytest.mark.parametrize("file", READ_ROAD, ids=lambda file: str(file.name))
def test_contract_of_the_read_road_has_no_word_for_a_person(file: FileDescriptor) -> None:
    assert not {name for name in _names(file) if _words(name) & PERSONAL}


@pytest.mark.clause("IV.C.2")
def test_answer_to_an_officer_and_an_alert_carry_plates_and_vehicles_only() -> None:
    reached = set[str]()
    waiting = [
        search_service_pb2.DESCRIPTOR.message_types_by_name["FoundRead"],
        alert_service_pb2.DESCRIPTOR.message_types_by_name["SubscribeAlertsResponse"],
    ]
    while waiting:
        message = waiting.pop()
        if message.full_name in reached:
            continue
        reached.add(message.full_name)
        assert not {field.name for field in message.fields if _words(field.name) & PERSONAL}
        waiting += [field.message_type for field in message.fields if field.message_type]
    assert "alpr.type.v1.Read" in reached
    assert "alpr.type.v1.MatchedEntry" in reached


@pytest.mark.clause("II.J", "IV.C.1")
def test_read_has_image_time_place_and_plate_and_nothing_about_who_drives() -> None:
    names = {field.name for field in read_pb2.Read.DESCRIPTOR.fields}

    assert {"image", "capture_time", "place", "plate", "sensor_id", "lattice", "states"} <= names
    assert names <= {
        "read_id", "sensor_id", "capture_time", "receive_time", "place", "plate", "lattice", "states",
        "plate_box", "image", "model_version", "sender_read_id", "plate_corners", "plate_types", "passage",
        "vehicle",
    }  # fmt: skip
    # What the camera saw of the vehicle corroborates a hit (IV.C.2); it has no number that leads to an owner.
    assert {field.name for field in read_pb2.SeenVehicle.DESCRIPTOR.fields} == {"make", "color"}

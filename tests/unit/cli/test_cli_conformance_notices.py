"""No answer shows a plate, a place or a picture without saying what it is good for."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from alpr.type.v1 import notice_pb2, read_pb2, receipt_pb2, sensor_pb2
from services.cli.conformance import notices

STRING, BYTES, MESSAGE = Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_MESSAGE
NOTICE = ("notice", MESSAGE, ".alpr.type.v1.Notice")
PROOF = [
    ("question_receipt", MESSAGE, ".alpr.type.v1.AuditReceipt"),
    ("outcome_receipt", MESSAGE, ".alpr.type.v1.AuditReceipt"),
    ("searched_from", MESSAGE, ".google.protobuf.Timestamp"),
    ("searched_to", MESSAGE, ".google.protobuf.Timestamp"),
]


def contract(package: str, **messages: Iterable[tuple[object, ...]]) -> FileDescriptor:
    """A contract with these messages, and a service whose one RPC answers with `Answer`."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    pool = descriptor_pool.DescriptorPool()
    for one in (timestamp_pb2, notice_pb2, receipt_pb2, read_pb2, sensor_pb2):
        pool.AddSerializedFile(one.DESCRIPTOR.serialized_pb)
        file.dependency.append(one.DESCRIPTOR.name)
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, *rest) in enumerate(fields, start=1):
            message.field.add(
                name=field,
                number=number,
                type=kind,
                type_name=rest[0] if rest else None,
                label=Field.LABEL_REPEATED if "repeated" in rest else Field.LABEL_OPTIONAL,
            )
    service = file.service.add(name="Service")
    service.method.add(name="Ask", input_type=f".{package}.Answer", output_type=f".{package}.Answer")
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(file.name)


@pytest.mark.clause("III.B.3.r")
def test_no_answer_of_any_contract_lacks_its_notice_or_its_record() -> None:
    assert notices.shortcomings(notices.contracts()) == []


def test_the_contracts_that_are_looked_at_are_all() -> None:
    packages = {file.package for file in notices.contracts()}

    assert packages >= {f"alpr.{name}.v1" for name in ("alerts", "audit", "matcher", "ocr", "search", "type")}


def test_every_exception_is_an_rpc_that_is_there() -> None:
    there = {
        method.full_name
        for file in notices.contracts()
        for service in file.services_by_name.values()
        for method in service.methods
    }

    assert set(notices.BETWEEN_SERVICES) <= there


@pytest.mark.parametrize(
    "field",
    [
        ("plate", STRING),
        ("crop_image", BYTES),
        ("data", BYTES),
        ("read", MESSAGE, ".alpr.type.v1.Read"),
        ("reads", MESSAGE, ".alpr.type.v1.Read", "repeated"),
        ("place", MESSAGE, ".alpr.type.v1.Place"),
    ],
)
def test_what_shows_something_needs_a_notice(field: tuple[object, ...]) -> None:
    assert notices.shortcomings([contract("t", Answer=[field])])
    assert not notices.shortcomings([contract("t", Answer=[field, NOTICE])])


def test_a_notice_in_each_row_will_do_and_beside_the_rows_too() -> None:
    rows = ("rows", MESSAGE, ".t.Row", "repeated")

    bare = contract("t", Answer=[rows], Row=[("plate", STRING)])
    in_row = contract("t", Answer=[rows], Row=[("plate", STRING), NOTICE])
    beside = contract("t", Answer=[rows, NOTICE], Row=[("plate", STRING)])

    assert notices.shortcomings([bare]) == ["t.Service.Ask shows rows.plate without a notice"]
    assert not notices.shortcomings([in_row, beside])


def test_a_notice_of_another_row_does_not_count() -> None:
    answer = [("good", MESSAGE, ".t.Good"), ("bad", MESSAGE, ".t.Bad")]

    file = contract("t", Answer=answer, Good=[("plate", STRING), NOTICE], Bad=[("plate", STRING)])

    assert notices.shortcomings([file]) == ["t.Service.Ask shows bad.plate without a notice"]


def test_a_text_that_calls_itself_notice_is_none() -> None:
    assert notices.shortcomings([contract("t", Answer=[("plate", STRING), ("notice", STRING)])])


def test_where_a_camera_stands_is_no_read() -> None:
    assert not notices.shortcomings([contract("t", Answer=[("sensor", MESSAGE, ".alpr.type.v1.Sensor")])])


@pytest.mark.parametrize("missing", range(len(PROOF)))
def test_an_answer_of_search_says_how_it_is_recorded_and_where_it_looked(missing: int) -> None:
    proof = [one for number, one in enumerate(PROOF) if number != missing]

    file = contract("alpr.search.v1", Answer=[("plate", STRING), NOTICE, *proof])

    assert notices.shortcomings([file]) == [f"alpr.search.v1.Service.Ask lacks {PROOF[missing][0]}"]


def test_an_answer_of_counts_has_a_notice_too() -> None:
    assert notices.shortcomings([contract("t", Answer=[("count", Field.TYPE_INT64), *PROOF])]) == [
        "t.Service.Ask answers a question without a notice"
    ]


def test_messages_that_hold_themselves_come_to_an_end() -> None:
    tree = [("plate", STRING), ("children", MESSAGE, ".t.Tree", "repeated")]

    file = contract("t", Answer=[("root", MESSAGE, ".t.Tree")], Tree=tree)

    assert notices.shortcomings([file]) == ["t.Service.Ask shows root.plate without a notice"]

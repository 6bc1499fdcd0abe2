"""Whatever shows a read, a hit or a listed plate says that it is a lead only."""

import importlib
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, MethodDescriptor

import alpr

CARRIES = {
    "alpr.type.v1.Read",
    "alpr.search.v1.FoundRead",
    "alpr.alerts.v1.Alert",
    "alpr.matcher.v1.ListedEntry",
}
NOTICE = "alpr.type.v1.Notice"

# An answer to the matcher, which compares: it shows them to nobody.
EXCEPTIONS = {"alpr.search.v1.FindForLookBackResponse"}


def every_method() -> list[MethodDescriptor]:
    methods: list[MethodDescriptor] = []
    for root in map(Path, alpr.__path__):
        for stub in sorted(root.rglob("*_pb2.py")):
            module = importlib.import_module("alpr." + ".".join(stub.relative_to(root).with_suffix("").parts))
            for service in module.DESCRIPTOR.services_by_name.values():
                methods += service.methods
    return methods


def parts_of(message: Descriptor) -> set[str]:
    found: set[str] = set()
    waiting = [message]
    while waiting:
        here = waiting.pop()
        if here.full_name not in found:
            found.add(here.full_name)
            waiting += [field.message_type for field in here.fields if field.message_type]
    return found


@pytest.mark.clause("III.B.3.r", "II.A")
def test_every_answer_that_shows_a_read_or_an_alert_carries_the_notice() -> None:
    answers = {method.output_type.full_name: parts_of(method.output_type) for method in every_method()}

    showing = {name for name, parts in answers.items() if parts & CARRIES}
    lacking = {name for name in showing if NOTICE not in answers[name]}

    assert "alpr.search.v1.SearchReadsResponse" in showing
    assert "alpr.alerts.v1.SubscribeAlertsResponse" in showing
    assert "alpr.matcher.v1.DiffHotListVersionsResponse" in showing
    assert lacking == EXCEPTIONS


@pytest.mark.clause("III.B.3.r")
def test_the_notice_says_it_in_fields_and_in_words() -> None:
    notice = descriptor_pool.Default().FindMessageTypeByName(NOTICE)

    assert {"lead_only", "verification_state", "text"} <= set(notice.fields_by_name)

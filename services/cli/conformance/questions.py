"""Checks of governed search: what is refused, what is answered, what is on record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import grpc
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from alpr.audit.v1 import log_query_service_pb2 as own_pb
from alpr.audit.v1 import log_query_service_pb2_grpc as own_rpc
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1 import analysis_service_pb2_grpc as rpc
from alpr.type.v1.justification_pb2 import CaseNumberKind, Justification
from services.audit import verifier
from services.cli.conformance.asker import (
    Asker,
    Check,
    Checked,
    failed,
    for_a_person,
    method_of,
    methods,
    passed,
    said,
)
from services.cli.conformance.sound import sound
from services.cli.options import new_request_id
from services.common.errors import AlprError
from services.common.receipts import receipt_to_json
from services.common.wire import to_timestamp

_USER: Final = "user"
_SEARCH: Final = "SearchService.SearchReads"
# What says nothing or is forbidden, whoever asks.
_VAGUE: Final = ("investigation", "test", "patrol", "n/a")
_PROHIBITED: Final = ("immigration status of the registered keeper", "seeking an abortion in another state")
_REFUSED: Final = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED)
# They show nothing; and a member opens an alert that was sent to him by the hit's own authority.
_OTHERS: Final = re.compile(r"(PlaceHold|Record|Seal|GetAlert)")
_EXPORTS: Final = "Export"


def _questions() -> Iterator[MethodDescriptor]:
    """Every RPC of search and alerts that has to be justified and shows what is stored."""
    for name, method in methods().items():
        of_reads = name.split(".")[1] in {"search", "alerts"}
        if of_reads and not _OTHERS.match(method.name) and _is_justified(method.input_type):
            yield method


def _is_justified(message: Descriptor) -> bool:
    header = message.fields_by_name.get("header")
    part = None if header is None else header.message_type
    return any("justification" in one.fields_by_name for one in (message, part) if one is not None)


async def _refused(asker: Asker, method: MethodDescriptor, why: Justification) -> tuple[bool, str]:
    """Whether the user was refused for a question with that justification, and the line that says so."""
    request = sound(method, request_id=new_request_id(), justification=why)
    error = await asker.as_role(_USER, method, request)
    return error is not None and error.code in _REFUSED, said(method.full_name, error)


def _with(asker: Asker, **changed: Any) -> Justification:
    why = Justification()
    why.CopyFrom(asker.why)
    for name, value in changed.items():
        setattr(why, name, value)
    return why


async def _every_question(asker: Asker, wanted: Callable[[str], bool], **changed: Any) -> Checked:
    lines = []
    for method in filter(lambda one: wanted(one.name), _questions()):
        refused, line = await _refused(asker, method, _with(asker, **changed))
        if not refused:
            return failed("a question is let in without it", line)
        lines.append(line)
    # That it was refused for this very reason shows at the plate search, which is sound in all else.
    named = next(iter(changed))
    if not any(f"justification.{named}" in line for line in lines):
        return failed(f"no refusal names justification.{named}", *lines)
    return passed(f"{len(lines)} RPCs refuse a question without it", *lines)


async def _case_number(asker: Asker) -> Checked:
    return await _every_question(asker, lambda _: True, case_number="")


async def _export_case_number(asker: Asker) -> Checked:
    return await _every_question(asker, lambda name: name.startswith(_EXPORTS), case_number="")


async def _purpose(asker: Asker) -> Checked:
    return await _every_question(asker, lambda _: True, purpose="")


async def _kinds(asker: Asker) -> Checked:
    unknown = CaseNumberKind.CASE_NUMBER_KIND_UNSPECIFIED
    outside = CaseNumberKind.CASE_NUMBER_KIND_OUTSIDE_AGENCY
    return await _all_refused(
        asker,
        ("no kind of case number", _with(asker, case_number_kind=unknown)),
        ("a kind that there is not", _with(asker, case_number_kind=max(CaseNumberKind.values()) + 1)),
        (
            "an outside agency's case without its agency",
            _with(asker, case_number_kind=outside, outside_agency=""),
        ),
    )


async def _vague(asker: Asker) -> Checked:
    return await _all_refused(asker, *((f'the purpose "{one}"', _with(asker, purpose=one)) for one in _VAGUE))


async def _prohibited(asker: Asker) -> Checked:
    return await _all_refused(
        asker, *((f'the purpose "{one}"', _with(asker, purpose=one)) for one in _PROHIBITED)
    )


async def _offence(asker: Asker) -> Checked:
    return await _all_refused(
        asker,
        ("no offence code", _with(asker, offence_code="")),
        ("an offence code of no catalogue", _with(asker, offence_code="CURIOSITY")),
    )


async def _all_refused(asker: Asker, *tried: tuple[str, Justification]) -> Checked:
    method, lines = method_of(_SEARCH), []
    for what, why in tried:
        refused, line = await _refused(asker, method, why)
        if not refused:
            return failed(f"a plate search is let in with {what}", line)
        lines.append(f"{what}: {line}")
    return passed("a plate search with any of these is refused", *lines)


async def _summary(asker: Asker, start: datetime, end: datetime, *dimensions: Any) -> Any:
    request = pb.SummarizeRequest(
        request_id=new_request_id(), justification=asker.why, to=to_timestamp(end), dimensions=dimensions
    )
    getattr(request, "from").CopyFrom(to_timestamp(start))
    return await asker.answer(_USER, rpc.AnalysisServiceStub, "Summarize", request)


async def require_lawful(asker: Asker) -> None:
    """Returns when the run's own case number and purpose justify a question, or nobody lent a user's account.

    Raises:
        AlprError: They do not; the violations say what to change.
    """
    if _USER in asker.sessions:
        now = datetime.now(UTC)
        try:
            await _summary(asker, now - timedelta(minutes=1), now)
        except AlprError as error:
            if error.code is grpc.StatusCode.INVALID_ARGUMENT:
                raise


async def _answered(asker: Asker) -> Checked:
    now = datetime.now(UTC)
    answer = await _summary(asker, now - timedelta(hours=1), now)
    if not (answer.notice.lead_only and answer.notice.text):
        return failed("a lawful question is answered without the notice that it is a lead only")
    receipts = (answer.question_receipt, answer.outcome_receipt)
    if not all(one.entry_id and one.leaf and one.proof for one in receipts):
        return failed("a lawful question is answered without receipts of the log")
    places = [f"entry {one.entry_id} at {one.log_index} of the log" for one in receipts]
    if receipts[0].log_index >= receipts[1].log_index:
        return failed("the question does not precede its outcome in the log", *places)
    if not asker.key:
        return for_a_person("receipts came, and nobody gave the log's public key: --public-key", *places)
    for one in receipts:
        try:
            verifier.verify_receipt(json.dumps(receipt_to_json(one)), verifier.read_public_key(asker.key))
        except verifier.VerificationError as error:
            return failed("a receipt does not hold under the log's public key", *places, str(error))
    return passed(
        "a lawful question is answered as a lead, and was provably on record before its answer",
        *places,
    )


async def _on_record(asker: Asker) -> Checked:
    request = own_pb.ListOwnEntriesRequest(
        request_id=new_request_id(), to=to_timestamp(datetime.now(UTC)), page_size=100
    )
    getattr(request, "from").CopyFrom(to_timestamp(datetime.now(UTC) - timedelta(minutes=10)))
    answer = await asker.answer(_USER, own_rpc.LogQueryServiceStub, "ListOwnEntries", request)
    refused = sum("refused" in {field.value for field in one.fields} for one in answer.entries)
    if not refused:
        return failed(
            "the refused questions of this run do not stand in the log", f"{len(answer.entries)} own entries"
        )
    return passed(
        "what was refused stands in the log beside what was answered",
        f"{len(answer.entries)} entries of ten minutes under the user's account, {refused} of them refusals",
    )


async def _beyond_retention(asker: Asker) -> Checked:
    answer = await asker.answer(
        _USER, settings_rpc.SettingsServiceStub, "GetRetention", settings_pb.GetRetentionRequest()
    )
    days = answer.retention.days
    end = datetime.now(UTC) - timedelta(days=days + 1)
    try:
        found = await _summary(asker, end - timedelta(days=30), end)
    except AlprError as error:
        if error.code not in _REFUSED:
            raise
        return passed(
            f"a question about what is older than {days} days is refused",
            said("AnalysisService.Summarize", error),
        )
    if found.read_count:
        return failed(f"reads older than {days} days are reached", f"{found.read_count} reads")
    return passed(f"no read older than {days} days is reached", f"entry {found.question_receipt.entry_id}")


async def _reads_come(asker: Asker) -> Checked:
    now = datetime.now(UTC)
    by = (pb.SUMMARY_DIMENSION_SENSOR, pb.SUMMARY_DIMENSION_PROVENANCE)
    found = await _summary(asker, now - timedelta(days=1), now, *by)
    line = f"{found.read_count} reads of the last day, entry {found.question_receipt.entry_id}"
    if not found.read_count:
        return for_a_person("no read came within a day: send a picture of a known plate", line)
    kinds = sorted({row.values[1] for row in found.rows})
    return passed(
        "pictures become reads that are found, each labelled by where it comes from",
        line,
        f"provenance: {', '.join(kinds)}",
    )


async def _motor_carrier(asker: Asker) -> Checked:
    method = method_of("MotorCarrierService.SearchMotorCarrierReads")
    refused, line = await _refused(asker, method, asker.why)
    if not refused:
        return failed("a user of the general system reaches the Motor Carrier Safety data", line)
    return passed("a user of the general system does not reach the Motor Carrier Safety data", line)


CHECKS: Final = (
    Check("case number", ("IV.C.5", "IV.A.1", "IV.A.5"), (_USER,), _case_number),
    Check("kinds of case numbers", ("IV.C.5",), (_USER,), _kinds),
    Check("authorised purpose", ("IV.C.6", "IV.A.1", "IV.A.5"), (_USER,), _purpose),
    Check("vague purposes", ("IV.C.6", "III.D.3"), (_USER,), _vague),
    Check("offence codes", ("IV.C.6", "III.D.3"), (_USER,), _offence),
    Check("prohibited purposes", ("IV.A.1", "III.D.3", "IV.B.3"), (_USER,), _prohibited),
    Check("exports", ("III.B.3.m", "IV.B.2"), (_USER,), _export_case_number),
    Check("a lawful question", ("III.B.3.r", "IV.C.3", "IV.C.5", "IV.C.6", "IV.E.2"), (_USER,), _answered),
    Check("refusals on record", ("IV.E.2", "III.B.3.q"), (_USER,), _on_record),
    Check("older than retention", ("IV.E.1",), (_USER,), _beyond_retention),
    Check("reads come", ("II.B", "II.F", "II.J"), (_USER,), _reads_come),
    Check("Motor Carrier Safety apart", ("II.H", "III.E.5"), (_USER,), _motor_carrier),
)

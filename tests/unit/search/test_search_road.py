"""The question road by itself: which function may be named, and what is refused before rows are given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.canonical import ArchiveQuestion
from services.common.errors import StorageUnavailableError
from services.common.identity import AccessToken
from services.search.audit_gateway import Receipts
from services.search.core.answer import AnswerSummary, Authorization, FoundRead
from services.search.errors import BadPageTokenError, PermitRefusedError
from services.search.road import Put, QuestionRoad, RoadRequest

START, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
AUTHORIZATION = Authorization("authorization", "v1|permit", "account", START, END)
REQUEST = RoadRequest(
    request_id="request",
    token=AccessToken("token"),
    justification=Justification(),
    kind="summary",
    arguments=(("plate", "AB1234"),),
    from_time=None,
    to_time=None,
    page_size=10,
    first_authorization_id="",
    put=Put("find_summary", ("AB1234",)),
)


class RecordingAudit:
    """Allows everything and keeps what it is told."""

    def __init__(self) -> None:
        self.failed: list[Authorization] = []

    async def authorize(self, request: RoadRequest) -> Authorization:
        return AUTHORIZATION

    async def record_outcome(self, authorization: Authorization, answer: AnswerSummary) -> Receipts:
        return Receipts(AuditReceipt(), AuditReceipt())

    async def record_failure(self, authorization: Authorization) -> None:
        self.failed.append(authorization)


class OneAnswer:
    """An archive with one computed answer."""

    def __init__(self, text: str | None, promised: str) -> None:
        self.text = text
        self.summary = AnswerSummary(1, sha256(promised.encode()).digest(), has_more=False)
        self.asked: list[tuple[ArchiveQuestion, Put]] = []

    async def put(self, authorization: Authorization, question: ArchiveQuestion, put: Put) -> AnswerSummary:
        self.asked.append((question, put))
        return self.summary

    async def reads(self, authorization: Authorization, kind: str) -> list[FoundRead]:
        raise PermitRefusedError("ended")

    async def computed(self, authorization: Authorization, kind: str) -> str | None:
        return self.text


@pytest.mark.parametrize("function", ["", "warm_up", "find_x; DROP", "find_x(", 'find_"x', "find_", "Find_x"])
def test_only_a_plain_name_of_a_question_goes_into_a_statement(function: str) -> None:
    with pytest.raises(ValueError, match="find_"):
        Put(function, ())


async def test_the_archive_is_asked_with_the_window_that_audit_gave() -> None:
    archive = OneAnswer("{}", "{}")

    await QuestionRoad(RecordingAudit(), archive).ask(REQUEST)

    question = ArchiveQuestion("summary", START, END, 10, (("plate", "AB1234"),))
    assert archive.asked == [(question, REQUEST.put)]


async def test_a_computed_answer_is_the_json_value_that_was_recorded() -> None:
    road = QuestionRoad(RecordingAudit(), OneAnswer('{"a": [1]}', '{"a": [1]}'))

    assert await road.computed(await road.ask(REQUEST)) == {"a": [1]}


@pytest.mark.parametrize("text", [None, '{"a": [2]}', ""])
async def test_a_computed_answer_that_is_not_the_recorded_one_is_not_given(text: str | None) -> None:
    road = QuestionRoad(RecordingAudit(), OneAnswer(text, '{"a": [1]}'))
    answered = await road.ask(REQUEST)

    with pytest.raises(StorageUnavailableError):
        await road.computed(answered)


async def test_a_permit_that_ended_before_the_answer_was_taken_means_to_ask_again() -> None:
    road = QuestionRoad(RecordingAudit(), OneAnswer("{}", "{}"))
    answered = await road.ask(REQUEST)

    with pytest.raises(StorageUnavailableError, match="ask again"):
        await road.reads(answered)


async def test_a_page_token_of_another_account_is_refused_and_recorded_before_anything_is_put() -> None:
    audit, archive = RecordingAudit(), OneAnswer("{}", "{}")
    road = QuestionRoad(audit, archive)

    with pytest.raises(BadPageTokenError):
        await road.ask(replace(REQUEST, own_account_id="somebody else"))
    await road.close()

    assert audit.failed == [AUTHORIZATION]
    assert archive.asked == []

"""Analyses with the real audit service: every kind of question is authorized, recorded and proven."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from alpr.type.v1.justification_pb2 import Justification
from services.common.client import bearer
from services.common.errors import from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import ORI
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_analysis import asked, at, camera_point, circle, drive, scene
from tests.support.search_house import House, running_house

TARGET, FRIEND, ROAD = "E2E1001", "E2E2002", 3
TRAVELS = ((5, 9), (12, 20), (26, 4))


@dataclass
class Analyses:
    """An officer, an auditor, and three journeys of two plates."""

    house: House
    stub: Any
    officer: str
    auditor: str

    async def ask(self, name: str, request: Any, token: str = "") -> Any:
        metadata = (bearer(token or self.officer),)
        return await getattr(self.stub, name)(request, metadata=metadata, timeout=60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def analyses(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Analyses]:
    database = await migrated_database("audit", "search")
    async with running_house(database, tls, issuer, tmp_path_factory.mktemp("analyses")) as house:
        for day, hour in TRAVELS:
            await house.store(*drive(TARGET, at(day, hour), ROAD, range(4), agency=ORI))
            await house.store(*drive(FRIEND, at(day, hour, 0, 15), ROAD, range(4), agency=ORI))
        officer = await house.audit.person(audit_pb.ROLE_USER)
        auditor = await house.audit.person(audit_pb.ROLE_AUDITOR)
        yield Analyses(house, house.person(AnalysisServiceStub), officer.token(), auditor.token())


def windowed(request: Any, start: datetime, end: datetime) -> Any:
    getattr(request, "from").CopyFrom(to_timestamp(start))
    request.to.CopyFrom(to_timestamp(end))
    return request


def stakeout(**changes: Any) -> Any:
    scenes = [scene(at(day, hour), circle(ROAD, 0), label=f"day {day}") for day, hour in TRAVELS]
    return asked(pb.FindStakeoutRequest, scenes=scenes, min_scenes=3, **changes)


def corridor(**changes: Any) -> Any:
    day, hour = TRAVELS[0]
    line = [camera_point(ROAD, 0), camera_point(ROAD, 3)]
    request = asked(pb.FindCorridorRequest, line=line, **changes)
    return windowed(request, at(day, hour) - timedelta(hours=1), at(day, hour) + timedelta(hours=2))


def compare(**changes: Any) -> Iterator[pb.CompareDataSetRequest]:
    header = asked(pb.CompareDataSetHeader, kind=pb.DATA_SET_KIND_PLATES, **changes)
    yield pb.CompareDataSetRequest(header=header)
    yield pb.CompareDataSetRequest(chunk=f"plate\n{TARGET}\n{FRIEND}\nNOBODY1\n".encode())


QUESTIONS: dict[str, tuple[str, Callable[..., Any], Callable[[Any], int], int]] = {
    "convoy": (
        "FindConvoy",
        lambda **changes: asked(pb.FindConvoyRequest, plate=TARGET, **changes),
        lambda answer: len(answer.companions),
        1,
    ),
    "stakeout": ("FindStakeout", stakeout, lambda answer: len(answer.plates), 2),
    "pattern": (
        "GetPattern",
        lambda **changes: asked(pb.GetPatternRequest, plate=TARGET, **changes),
        lambda answer: len(answer.places),
        4,
    ),
    "summary": (
        "Summarize",
        lambda **changes: asked(
            pb.SummarizeRequest, dimensions=[pb.SUMMARY_DIMENSION_SENSOR], page_size=5_000, **changes
        ),
        lambda answer: len(answer.rows),
        4,
    ),
    "corridor": ("FindCorridor", corridor, lambda answer: len(answer.journeys), 2),
    "compare": ("CompareDataSet", compare, lambda answer: len(answer.plates), 2),
}


@pytest.mark.clause("IV.C.3", "IV.C.5", "IV.C.6", "IV.E.2")
@pytest.mark.parametrize("kind", QUESTIONS)
async def test_an_analysis_is_authorized_answered_and_proven(analyses: Analyses, kind: str) -> None:
    name, request, count, rows = QUESTIONS[kind]

    answer = await analyses.ask(name, request())

    assert count(answer) == rows
    question = {field.name: field.value for field in answer.question_receipt.fields}
    assert question["case_number"] == "26-0001"
    assert question["purpose"].startswith("homicide")
    assert f"kind:{len(kind)}:{kind}" in question["question"]
    outcome = {field.name: field.value for field in answer.outcome_receipt.fields}
    assert outcome["row_count"] == str(rows)
    assert answer.question_receipt.proof.startswith("c2sp.org/tlog-proof@v1")


@pytest.mark.clause("IV.E.2", "IV.C.5")
async def test_every_compared_plate_stands_in_the_log(analyses: Analyses) -> None:
    answer = await analyses.ask("CompareDataSet", compare())

    question = {field.name: field.value for field in answer.question_receipt.fields}["question"]
    assert f"{TARGET};{FRIEND};NOBODY1" in question


@pytest.mark.clause("IV.C.5", "IV.C.6", "IV.A.1")
@pytest.mark.parametrize("kind", QUESTIONS)
async def test_without_case_number_and_purpose_no_analysis_runs(analyses: Analyses, kind: str) -> None:
    name, request, _, _ = QUESTIONS[kind]
    message = request()
    if kind == "compare":
        header, *rest = message
        header.header.justification.CopyFrom(Justification())
        message = iter([header, *rest])
    else:
        message.justification.CopyFrom(Justification())

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await analyses.ask(name, message)

    refusal = from_rpc_error(error.value)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field.partition(".")[0] for one in refusal.violations} == {"justification"}


@pytest.mark.clause("III.B.3.l", "III.D.1")
@pytest.mark.parametrize("kind", QUESTIONS)
async def test_who_may_not_search_may_not_analyse_either(analyses: Analyses, kind: str) -> None:
    name, request, _, _ = QUESTIONS[kind]

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await analyses.ask(name, request(), token=analyses.auditor)

    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED

"""A running system is held against the directive; then somebody breaks it, and that is found."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import incident_service_pb2_grpc as incident_rpc
from alpr.type.v1.justification_pb2 import CASE_NUMBER_KIND_CAD, Justification
from services.cli.audit import verifier_key
from services.cli.conformance.command import CHECKS, conform
from services.cli.conformance.page import Result
from services.cli.conformance.verdicts import Finding, Verdict
from services.cli.conformance.verdicts import clauses as load
from services.cli.demo import cast
from services.cli.locate import locate, read_stack
from services.cli.options import new_request_id
from services.cli.session import Session
from services.cli.tokens import token_source
from services.cli.words import ROLE
from services.common.errors import AlprError
from tests.support.access_stack import running_world, things
from tests.support.ports import free_base_port

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
PURPOSE = "homicide investigation, victim's car seen leaving"
PEOPLE = {word: f"the-{word}" for word in ROLE.words} | {"statewide-coordinator": cast.COORDINATOR}
# What this system cannot show: nothing has left it, nobody was witness, no day was purged, no list is in use.
WITHOUT_HISTORY = {
    *("reads come", "the use banner", "the addendum", "Motor Carrier guidelines", "contracts", "the lease"),
    *("government requests", "the witness", "access between agencies", "purge certificates"),
    *("the directive", "hot lists", "Motor Carrier deployments", "what left", "evidence", "transparency"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """Data directory of a running system with people, a camera, lists and alerts."""
    made = tmp_path_factory.mktemp("conformance")
    async with running_world(made, free_base_port()) as world:
        facts = await things(world)
        await in_order(made, facts["incident_id"])
        yield made


async def in_order(folder: Path, incident_id: str) -> None:
    """Tells of the incident that was found out an hour ago, and ends it."""
    async with Session(locate(folder), token_source(folder, cast.COORDINATOR), on_wait=print) as session:
        stub = incident_rpc.IncidentServiceStub(session.channel("audit"))
        notice = incident_pb.IncidentNotice(
            recipient=incident_pb.INCIDENT_RECIPIENT_CJIS_COORDINATOR, name="C. Coordinator", way="telephone"
        )
        told = incident_pb.RecordIncidentNoticeRequest(
            request_id=new_request_id(), incident_id=incident_id, notice=notice
        )
        await session.call(stub.RecordIncidentNotice, told)
        ended = incident_pb.CloseIncidentRequest(
            request_id=new_request_id(), incident_id=incident_id, finding="an exercise"
        )
        await session.call(stub.CloseIncident, ended)


async def asked(folder: Path, *without: str, purpose: str = PURPOSE) -> Result:
    why = Justification(
        case_number_kind=CASE_NUMBER_KIND_CAD,
        case_number="2026-004711",
        purpose=purpose,
        offence_code="HOMICIDE",
    )
    sources = {role: token_source(folder, subject) for role, subject in PEOPLE.items() if role not in without}
    return await conform(folder, sources, why, verifier_key(folder), print)


def by_check(result: Result) -> dict[str, Finding]:
    return {one.check: one for judged in result.judged for one in judged.findings}


def failing(result: Result) -> set[str]:
    return {name for name, one in by_check(result).items() if one.verdict is Verdict.FAILED}


@pytest.mark.clause("III.B.3.q")
async def test_a_system_that_keeps_the_directive_passes_and_leaves_the_rest_to_a_person(
    folder: Path,
) -> None:
    result = await asked(folder)
    found = by_check(result)

    assert not failing(result), [found[name] for name in failing(result)]
    assert {name for name, one in found.items() if one.verdict is Verdict.NEEDS_PERSON} == WITHOUT_HISTORY
    assert set(found) == {one.name for one in CHECKS}
    bare = {name for name, one in found.items() if one.verdict is Verdict.PASSED and not one.evidence}
    assert bare == {"acts without outcome"}
    stands = {one.clause.id: one.verdict for one in result.judged}
    assert stands["IV.C.5"] is stands["IV.C.6"] is stands["III.B.3.g"] is stands["III.D.4"] is Verdict.PASSED


async def test_without_accounts_a_person_is_needed_for_all_that_they_would_have_asked(folder: Path) -> None:
    result = await asked(folder, *ROLE.words)
    found = by_check(result)

    for check in CHECKS:
        assert (found[check.name].verdict is Verdict.PASSED) is not bool(check.roles), check.name
    assert "--as user=" in found["case number"].sentence


async def test_a_purpose_that_justifies_nothing_ends_the_run_before_anything_is_asked(folder: Path) -> None:
    with pytest.raises(AlprError) as refused:
        await asked(folder, purpose="patrol")

    assert [one.field for one in refused.value.violations] == ["justification.purpose"]


@pytest.mark.clause("III.B.3.q")
@pytest.mark.parametrize(
    ("change", "back", "checks"),
    [
        (
            "UPDATE audit.appointment SET end_time = appoint_time + interval '1 us' WHERE end_time IS NULL",
            "UPDATE audit.appointment SET end_time = NULL WHERE end_time = appoint_time + interval '1 us'",
            {"units"},
        ),
        (
            "UPDATE audit.account SET badge_number = '7' WHERE state = 'ENABLED'",
            "UPDATE audit.account SET badge_number = subject",
            {"no shared accounts"},
        ),
        (
            "UPDATE audit.account SET unit = '' WHERE subject = 'the-user'",
            "UPDATE audit.account SET unit = 'Statewide' WHERE subject = 'the-user'",
            {"profiles"},
        ),
    ],
    ids=["a unit without coordinator", "a badge of many", "an account of no unit"],
)
async def test_what_somebody_changes_behind_the_services_is_found(
    folder: Path, change: str, back: str, checks: set[str]
) -> None:
    await behind_the_services(folder, change)
    try:
        result = await asked(folder)
    finally:
        await behind_the_services(folder, back)

    assert failing(result) == checks
    clauses = {one.clause.id for one in result.judged if one.verdict is Verdict.FAILED}
    assert clauses == {name for check in CHECKS if check.name in checks for name in check.clauses}


async def behind_the_services(folder: Path, statement: str) -> None:
    connection = await asyncpg.connect(read_stack(folder).admin_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_command_prints_clauses_and_policies_and_writes_a_page(
    folder: Path, tmp_path: Path
) -> None:
    lent = [word for role, subject in PEOPLE.items() for word in ("--as", f"{role}={subject}")]
    page = tmp_path / "conformance.html"
    justified = ["--case-kind", "cad", "--case", "2026-004711", "--purpose", PURPOSE, "--offence", "HOMICIDE"]
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("platewarden")), "conformance", "run", *justified, *lent),
        *("--data-dir", str(folder), "--html", str(page), "--json"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    out, _ = await process.communicate()
    documents = [json.loads(line) for line in out.splitlines()]

    assert process.returncode == 0
    clauses = {one["clause"]: one["verdict"] for one in documents if "clause" in one}
    assert len(clauses) == len(load())
    assert set(clauses.values()) == {"pass", "needs a person"}
    assert any(one.get("pack", "").startswith("CJIS") for one in documents)
    assert "<h2>Other policies</h2>" in page.read_text(encoding="utf-8")

"""Sign-ins: on record once, not too many, ended at once, and watched for taking turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1 import settings_service_pb2 as setting_pb
from alpr.audit.v1 import sign_in_service_pb2 as pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.audit.v1.sign_in_service_pb2_grpc import SignInServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.client import bearer
from services.common.errors import AlprError
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    Officer,
    RunningAudit,
    authorizations,
    plate_request,
    refused,
    request_id,
    running_audit,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.clause("III.B.3.k")


class Place:
    """Where an officer is signed in: one sign-in at the provider, on a device of its own."""

    def __init__(self, officer: Officer, *, age: int = 60) -> None:
        self.officer = officer
        self.claims = {"sid": str(uuid4()), "device": f"laptop-{uuid4().hex[:8]}"}
        self.claims |= {"auth_time": int(time.time()) - age}  # type: ignore[dict-item]

    def token(self) -> str:
        """A new token of this sign-in."""
        return self.officer.token(**self.claims)

    @property
    def metadata(self) -> tuple[tuple[str, str]]:
        return (bearer(self.token()),)

    async def call(self, audit: RunningAudit) -> account_pb.Account:
        """Looks at the officer's own account."""
        stub = audit.people(AccountServiceStub)
        return (await stub.GetAccount(account_pb.GetAccountRequest(), metadata=self.metadata)).account

    async def refusal(self, audit: RunningAudit) -> AlprError:
        return await refused(self.call(audit))

    async def sign_ins(self, audit: RunningAudit, account_id: str = "") -> list[pb.SignIn]:
        request = pb.ListSignInsRequest(account_id=account_id)
        answer = await audit.people(SignInServiceStub).ListSignIns(request, metadata=self.metadata)
        return list(answer.sign_ins)

    async def end(self, audit: RunningAudit, **fields: str) -> list[pb.SignIn]:
        request = pb.EndSignInsRequest(
            **{"request_id": request_id(), "reason": "laptop was stolen", **fields}
        )
        answer = await audit.people(SignInServiceStub).EndSignIns(request, metadata=self.metadata)
        return list(answer.sign_ins)

    async def own_id(self, audit: RunningAudit) -> str:
        return next(one.sign_in_id for one in await self.sign_ins(audit) if one.own)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(audit: RunningAudit) -> AsyncIterator[RunningAudit]:
    """A replica whose provider names devices."""
    settings = audit.settings.model_copy(update={"oidc_device_claim": "device"})
    async with running_audit(settings, audit.database, audit.tls, audit.issuer) as running:
        yield running


async def user(audit: RunningAudit, unit: str = "D1") -> Officer:
    return await audit.person(audit_pb.ROLE_USER, unit=unit)


async def entries(audit: RunningAudit, action: str, actor: str) -> list[dict[str, str]]:
    """The log's entries with that action by that account, oldest first."""
    rows = await fetch(
        audit.database.admin_url,
        "SELECT one.log_index, one.name, one.value FROM audit.log_field AS one"
        " JOIN audit.log_field AS action ON action.log_index = one.log_index AND action.name = 'action'"
        " JOIN audit.log_field AS actor ON actor.log_index = one.log_index AND actor.name = 'actor'"
        " WHERE action.value = $1 AND actor.value = $2 ORDER BY one.log_index",
        action,
        actor,
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["log_index"], {})[row["name"]] = row["value"]
    return list(found.values())


async def test_a_sign_in_is_one_entry_however_many_tokens_and_replicas_see_it(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    place = Place(officer)

    await asyncio.gather(*(place.call(house) for _ in range(5)))
    async with running_audit(house.settings, audit.database, audit.tls, audit.issuer) as other:
        await place.call(other)

    (entry,) = await entries(audit, "sign_in.begin", officer.account_id)
    assert entry["kind"] == "event"
    assert (entry["detail.device"], entry["detail.methods"]) == (place.claims["device"], "pwd,otp")
    assert entry["detail.auth_time"]
    assert entry["detail.token_id"]
    assert place.claims["sid"] not in str(entry)


async def test_a_sign_in_through_a_service_is_on_record_before_the_question_is(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)

    await authorizations(house).Authorize(plate_request(Place(officer).token()))

    (began,) = await entries(audit, "sign_in.begin", officer.account_id)
    (asked,) = await entries(audit, "question.reads", officer.account_id)
    assert began["service"] == "search"
    assert began["record_time"] <= asked["record_time"]


async def test_who_is_signed_in_too_often_is_refused_and_may_make_room(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    places = [Place(officer) for _ in range(4)]
    for place in places[:3]:
        await place.call(house)

    error = await places[3].refusal(house)
    shown = await places[3].sign_ins(house)
    left = await places[3].end(house, sign_in_id=await places[0].own_id(house))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert "too many sign-ins" in error.message
    assert error.metadata["clauses"] == "III.B.3.k"
    assert [one.open for one in shown] == [True, True, True]
    assert sorted(one.open for one in left) == [False, True, True]
    assert await places[3].call(house)
    assert (await places[0].refusal(house)).code is grpc.StatusCode.UNAUTHENTICATED
    assert await places[1].call(house)
    (refusal,) = [
        one
        for one in await entries(audit, "account.get", officer.account_id)
        if one.get("clauses") == "III.B.3.k" and one["result"] == "NOT_PERMITTED"
    ]
    assert refusal["kind"] == "refusal"


async def test_two_who_sign_in_at_the_same_moment_do_not_both_get_the_last_place(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    places = [Place(officer) for _ in range(8)]

    ended = await asyncio.gather(*(place.call(house) for place in places), return_exceptions=True)

    assert sum(not isinstance(one, BaseException) for one in ended) == 3


async def test_the_system_administrator_says_how_many_sign_ins_and_devices_there_may_be(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    first, second = Place(officer), Place(officer)
    same = Place(officer)
    same.claims["device"] = first.claims["device"]
    await first.call(house)
    await _set(house, "devices_at_once", 1)
    try:
        on_another = await second.refusal(house)
        assert await same.call(house)
        assert await first.call(house)
    finally:
        await _set(house, "devices_at_once", 3)

    assert "too many devices" in on_another.message
    assert await second.call(house)


async def _set(audit: RunningAudit, name: str, value: int) -> None:
    stub, metadata = audit.people(SettingsServiceStub), audit.bearer(ADMINISTRATOR)
    listed = await stub.ListSettings(setting_pb.ListSettingsRequest(), metadata=metadata)
    before = next(one.value for one in listed.settings if one.name == name)
    request = setting_pb.SetSettingRequest(
        request_id=request_id(), name=name, value=value, value_before=before, reason="a test"
    )
    await stub.SetSetting(request, metadata=metadata)


async def test_a_stolen_token_is_worth_nothing_once_its_sign_in_was_ended_in_every_replica(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    stolen, other = Place(officer), Place(officer)
    async with running_audit(house.settings, audit.database, audit.tls, audit.issuer) as replica:
        for place in (stolen, other):
            await place.call(house)
            await place.call(replica)

        await other.end(house, sign_in_id=await stolen.own_id(house))
        errors = [await stolen.refusal(house), await stolen.refusal(replica)]

        assert await other.call(replica)
    assert {one.code for one in errors} == {grpc.StatusCode.UNAUTHENTICATED}
    assert "was ended" in errors[0].message
    tried = [
        one for one in await entries(audit, "account.get", officer.account_id) if one["kind"] == "refusal"
    ]
    assert [one["result"] for one in tried] == ["UNAUTHENTICATED", "UNAUTHENTICATED"]


async def test_all_sign_ins_of_before_are_ended_also_those_never_seen_here(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    seen, unseen = Place(officer), Place(officer)
    await seen.call(house)

    await seen.end(house)

    assert [(await one.refusal(house)).code for one in (seen, unseen)] == [
        grpc.StatusCode.UNAUTHENTICATED
    ] * 2
    anew = Place(officer, age=0)
    assert await anew.call(house)
    (began, done) = await entries(audit, "sign_in.end", officer.account_id)
    assert (began["kind"], began["detail.sign_in"], began["detail.reason"]) == (
        *("intent", "all"),
        "laptop was stolen",
    )
    assert (done["kind"], done["result"]) == ("outcome", "DONE")


async def test_an_open_stream_ends_at_once_with_its_sign_in(audit: RunningAudit, house: RunningAudit) -> None:
    officer = await user(audit)
    place, other = Place(officer), Place(officer)
    await place.call(house)
    request = health_pb.WatchEntitlementsRequest(access_token=place.token(), action="alerts.subscribe")
    stream = house.service(HealthServiceStub, "alerts").WatchEntitlements(request)
    assert (await stream.read()).lease_until

    began = time.monotonic()
    await other.end(house, sign_in_id=await place.own_id(house))
    error = await refused(_read_to_the_end(stream))

    assert error.reason == ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED
    assert time.monotonic() - began < 10  # leases are renewed every 15 seconds; this one was not waited for


async def _read_to_the_end(stream: Any) -> None:
    """Past what was on its way when the sign-in ended: on a busy machine a lease was just renewed."""
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_an_ending_that_comes_again_is_the_same_one(audit: RunningAudit, house: RunningAudit) -> None:
    officer = await user(audit)
    place, other = Place(officer), Place(officer)
    await place.call(house)
    again = {"request_id": request_id(), "sign_in_id": await place.own_id(house)}

    for _ in range(2):
        await other.end(house, **again)

    kinds = [one["kind"] for one in await entries(audit, "sign_in.end", officer.account_id)]
    assert kinds == ["intent", "outcome"]


async def test_a_sign_in_of_somebody_else_cannot_be_ended_as_ones_own(
    audit: RunningAudit, house: RunningAudit
) -> None:
    victim, officer = Place(await user(audit)), Place(await user(audit))
    await victim.call(house)

    error = await refused(officer.end(house, sign_in_id=await victim.own_id(house)))

    assert error.code is grpc.StatusCode.NOT_FOUND
    assert await victim.call(house)


@pytest.mark.clause("III.C.2.a")
async def test_a_coordinator_ends_sign_ins_of_his_unit_only_and_an_auditor_looks_only(
    audit: RunningAudit, house: RunningAudit
) -> None:
    here, there = await user(audit), await user(audit, unit="D2")
    mine, others = Place(here), Place(there)
    head = Place(await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR, unit="D1"))
    auditor = Place(await audit.person(audit_pb.ROLE_AUDITOR, unit="HQ"))
    for place in (mine, others):
        await place.call(house)

    assert len(await auditor.sign_ins(house, here.account_id)) == 1
    refusals = [
        await refused(auditor.end(house, account_id=here.account_id)),
        await refused(head.end(house, account_id=there.account_id)),
        await refused(head.sign_ins(house, there.account_id)),
        await refused(others.sign_ins(house, here.account_id)),
        await refused(others.end(house, account_id=here.account_id)),
    ]
    await head.end(house, account_id=here.account_id)

    assert {one.code for one in refusals} == {grpc.StatusCode.PERMISSION_DENIED}
    assert (await mine.refusal(house)).code is grpc.StatusCode.UNAUTHENTICATED
    assert await others.call(house)


async def test_who_is_not_enabled_may_still_sign_out_everywhere(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER, enable=False)
    place = Place(officer)
    await place.call(house)

    await place.end(house)

    assert (await place.refusal(house)).code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"request_id": "1"}, "request_id"),
        ({"account_id": "me"}, "account_id"),
        ({"sign_in_id": "' OR 1=1"}, "sign_in_id"),
    ],
)
async def test_a_request_that_cannot_be_meant_is_refused_by_field(
    audit: RunningAudit, house: RunningAudit, fields: dict[str, Any], field: str
) -> None:
    error = await refused(Place(Officer(audit, COORDINATOR, "")).end(house, **fields))

    assert [one.field for one in error.violations] == [field]


async def test_devices_that_take_turns_are_an_event_once_a_day(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    first, second = Place(officer), Place(officer)

    for _ in range(6):
        await first.call(house)
        await second.call(house)

    (event,) = await entries(audit, "misuse.interleaved", officer.account_id)
    assert event["kind"] == "event"
    assert event["resource"] == officer.account_id
    assert event["detail.devices"].split(",") == sorted(str(one.claims["device"]) for one in (first, second))
    assert event["detail.changes"] == "4"


async def test_who_changes_the_device_or_leaves_a_board_open_elsewhere_is_not_noted(
    audit: RunningAudit, house: RunningAudit
) -> None:
    officer = await user(audit)
    car, desk = Place(officer), Place(officer)
    request = health_pb.WatchEntitlementsRequest(access_token=car.token(), action="alerts.subscribe")
    stream = house.service(HealthServiceStub, "alerts").WatchEntitlements(request)
    await stream.read()

    for turn in range(4):
        await desk.call(house)
        # Every change of an account makes the stream look again whether it may go on.
        await house.certify(officer.account_id, account_pb.CERTIFICATION_KIND_LEADS, timedelta(days=turn + 1))
        await stream.read()
    await car.call(house)
    stream.cancel()

    assert not await entries(audit, "misuse.interleaved", officer.account_id)

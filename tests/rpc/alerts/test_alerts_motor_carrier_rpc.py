"""Alerts of the Motor Carrier Safety system and all others never meet (ENF-051 II.H), in both directions."""

from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_search_service_pb2 as list_pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as list_rpc
from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, justification_pb2, notice_pb2, sensor_pb2
from services.alerts.core.model import Partition
from services.alerts.store_export import ExportStore
from services.common.client import bearer, user_channel
from services.common.errors import InvalidFieldError, NotFoundError, NotPermittedError
from services.common.pg import open_pool
from tests.support.alerts_kit import OWN, STRANGER
from tests.support.alerts_rig import AlertsRig, dot_entry, entry_message, hit_message, kind, reason, refused

GENERAL, MOTOR_CARRIER = sensor_pb2.PARTITION_GENERAL, sensor_pb2.PARTITION_MOTOR_CARRIER
SUSPENDED = hit_pb2.HOT_LIST_CATEGORY_SUSPENDED
AMBER = hit_pb2.HOT_LIST_CATEGORY_AMBER


@pytest_asyncio.fixture(loop_scope="session")
async def both_alerts(rig: AlertsRig) -> tuple[str, str]:
    """An alert of each data set, of the same plate, agency and moment: general, motor carrier."""
    general, motor_carrier = hit_message(entry_message(AMBER)), hit_message(dot_entry())
    motor_carrier.captured_read.read.plate = general.captured_read.read.plate
    first, second = await rig.raise_hits(general, motor_carrier)
    return first, second


def with_token(token: str) -> dict[str, object]:
    return {"metadata": (bearer(token),), "timeout": 10}


@pytest.mark.clause("II.H")
async def test_the_same_plate_in_both_data_sets_is_two_alerts(both_alerts: tuple[str, str]) -> None:
    assert both_alerts[0] != both_alerts[1]


@pytest.mark.clause("II.H", "III.E.5")
@pytest.mark.parametrize(("token", "partition"), [("cveo", GENERAL), ("officer", MOTOR_CARRIER)])
async def test_a_stream_of_the_other_data_set_is_refused(
    rig: AlertsRig, token: str, partition: sensor_pb2.Partition.ValueType
) -> None:
    error = await rig.subscribe(token, partition=partition).ended()

    assert reason(error) == kind(NotPermittedError)


@pytest.mark.clause("II.H", "III.E.5")
async def test_each_stream_has_the_alerts_of_its_own_data_set_and_no_other(rig: AlertsRig) -> None:
    streams = {
        (token, partition): await rig.subscribe(token, partition=partition).live()
        for token, partition in (
            ("officer", GENERAL),
            ("dispatch", GENERAL),
            ("both", GENERAL),
            ("both", MOTOR_CARRIER),
            ("cveo", MOTOR_CARRIER),
            ("cveo-supervisor", MOTOR_CARRIER),
        )
    }
    general, theirs, last_general, last_theirs = await rig.raise_hits(
        hit_message(entry_message(AMBER)),
        hit_message(dot_entry()),
        hit_message(entry_message(AMBER)),
        hit_message(dot_entry()),
    )
    for (_, partition), stream in streams.items():
        await stream.until(lambda s: len(s.alerts) >= 2)
        expected = [theirs, last_theirs] if partition == MOTOR_CARRIER else [general, last_general]
        assert [alert.alert_id for alert in stream.alerts] == expected
        await stream.close()


@pytest.mark.clause("II.H")
async def test_another_agencys_officer_of_that_system_gets_nothing_of_it(rig: AlertsRig) -> None:
    stream = await rig.subscribe("cveo-stranger", partition=MOTOR_CARRIER).live()

    own = hit_message(dot_entry(STRANGER), agency=STRANGER)
    _, theirs = await rig.raise_hits(hit_message(dot_entry()), own)
    await stream.until(lambda s: bool(s.alerts))

    assert [alert.alert_id for alert in stream.alerts] == [theirs]
    await stream.close()


@pytest.mark.clause("II.H", "III.E.5")
@pytest.mark.parametrize("token", ["officer", "dispatch", "neighbour", "cveo", "cveo-supervisor"])
async def test_an_alert_of_the_other_data_set_is_not_there_like_one_that_never_was(
    rig: AlertsRig, both_alerts: tuple[str, str], token: str
) -> None:
    closed = both_alerts[0] if token.startswith("cveo") else both_alerts[1]
    said = []
    for alert_id in (closed, str(uuid4())):
        ids = {"request_id": str(uuid4()), "alert_id": alert_id}
        verify = pb.VerifyAlertRequest(**ids, state=notice_pb2.VERIFICATION_STATE_VERIFYING)
        dispose = pb.DisposeAlertRequest(**ids, disposition=pb.DISPOSITION_NO_ACTION)
        for call, request in (
            (rig.person.GetAlert, pb.GetAlertRequest(**ids)),
            (rig.person.AcknowledgeAlert, pb.AcknowledgeAlertRequest(**ids)),
            (rig.person.VerifyAlert, verify),
            (rig.person.DisposeAlert, dispose),
        ):
            async with refused() as caught:
                await call(request, **with_token(token))
            said.append(
                (reason(caught[0]), caught[0].message, caught[0].metadata.get("resource") == alert_id)
            )

    assert len(set(said)) == 1
    assert said[0][0] == kind(NotFoundError)


@pytest.mark.clause("II.H", "III.D.4", "III.B.3.d")
async def test_its_own_officers_work_an_alert_under_actions_of_their_own(
    rig: AlertsRig, audit, both_alerts: tuple[str, str]
) -> None:
    ids = {"alert_id": both_alerts[1]}
    officer, supervisor = with_token("cveo"), with_token("cveo-supervisor")

    found = await rig.person.GetAlert(pb.GetAlertRequest(request_id=str(uuid4()), **ids), **officer)
    await rig.person.VerifyAlert(
        pb.VerifyAlertRequest(request_id=str(uuid4()), state=notice_pb2.VERIFICATION_STATE_VERIFYING, **ids),
        **officer,
    )
    done = await rig.person.DisposeAlert(
        pb.DisposeAlertRequest(request_id=str(uuid4()), disposition=pb.DISPOSITION_NO_ACTION, **ids),
        **supervisor,
    )

    assert found.alert.entries[0].source == hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT
    assert done.alert.disposition == pb.DISPOSITION_NO_ACTION
    actions = [intent.action for intent in audit.neighbour.intents]
    assert actions == ["mcs_alert.get", "mcs_alert.verify", "mcs_alert.dispose"]


@pytest.mark.clause("II.H", "III.E.5")
async def test_each_list_has_the_alerts_of_its_own_data_set_and_no_other(
    rig: AlertsRig, audit, both_alerts: tuple[str, str]
) -> None:
    channel = user_channel(f"127.0.0.1:{rig.server.user_port}", rig.settings.tls_ca)
    rig.channels.append(channel)
    stub = list_rpc.AlertSearchServiceStub(channel)
    why = justification_pb2.Justification(case_number="2026-000123", purpose="homicide investigation")

    async def listed(token: str, **fields: object) -> set[str]:
        request = list_pb.ListAlertsRequest(request_id=str(uuid4()), page_size=200, **fields)
        return {alert.alert_id for alert in (await stub.ListAlerts(request, **with_token(token))).alerts}

    general, theirs = both_alerts
    assert {general} == both_alerts_in(await listed("officer"), both_alerts)
    assert {theirs} == both_alerts_in(await listed("cveo", partition=MOTOR_CARRIER), both_alerts)
    assert {theirs} == both_alerts_in(
        await listed("cveo", partition=MOTOR_CARRIER, justification=why), both_alerts
    )
    assert audit.neighbour.intents[-1].action == "mcs_alert.list"
    assert audit.neighbour.questions[-1].question.alerts.partition == MOTOR_CARRIER


def both_alerts_in(found: set[str], both: tuple[str, str]) -> set[str]:
    return found & set(both)


@pytest.mark.clause("II.H")
async def test_each_export_of_alerts_has_those_of_its_own_data_set(
    database, both_alerts: tuple[str, str]
) -> None:
    pool = await open_pool(database.url("alerts_app"), application_name="alerts-test")

    for motor_carrier in (False, True):
        page = await ExportStore(pool).page(OWN, 0, None, 1000, motor_carrier=motor_carrier)
        exported = {str(one.alert["alert_id"]) for one in page.alerts}
        assert exported & set(both_alerts) == {both_alerts[motor_carrier]}
    await pool.close()


@pytest.mark.clause("II.H")
async def test_a_hit_of_both_data_sets_at_once_is_refused(rig: AlertsRig) -> None:
    async with refused() as caught:
        await rig.raise_hits(hit_message(entry_message(AMBER), dot_entry()))

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert [violation.field for violation in caught[0].violations] == ["hits[0].matches"]


async def test_the_service_calls_the_data_sets_as_the_contract_does() -> None:
    named = {name.removeprefix("PARTITION_"): number for name, number in sensor_pb2.Partition.items()}

    assert {one.name: int(one) for one in Partition} == {k: v for k, v in named.items() if v}

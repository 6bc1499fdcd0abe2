"""Checks of what runs: the log, the purge, sensors, models, hot lists, alerts, what left the system."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from alpr.alerts.v1 import alert_search_service_pb2 as alert_pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as alert_rpc
from alpr.alerts.v1 import alert_service_pb2 as disposition_pb
from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from alpr.alerts.v1 import asset_service_pb2_grpc as asset_rpc
from alpr.alerts.v1 import subscription_service_pb2 as subscription_pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as subscription_rpc
from alpr.audit.v1 import log_query_service_pb2 as query_pb
from alpr.audit.v1 import log_query_service_pb2_grpc as query_rpc
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1 import sensor_service_pb2_grpc as sensor_rpc
from alpr.matcher.v1 import hot_list_service_pb2 as list_pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as list_rpc
from alpr.ocr.v1 import ocr_service_pb2 as model_pb
from alpr.ocr.v1 import ocr_service_pb2_grpc as model_rpc
from alpr.search.v1 import dissemination_service_pb2 as register_pb
from alpr.search.v1 import dissemination_service_pb2_grpc as register_rpc
from alpr.search.v1 import report_service_pb2 as evidence_pb
from alpr.search.v1 import report_service_pb2_grpc as evidence_rpc
from alpr.search.v1 import retention_service_pb2 as purge_pb
from alpr.search.v1 import retention_service_pb2_grpc as purge_rpc
from alpr.search.v1 import sensor_health_service_pb2 as health_pb
from alpr.search.v1 import sensor_health_service_pb2_grpc as health_rpc
from alpr.type.v1 import hit_pb2, notice_pb2
from alpr.type.v1 import sensor_pb2 as thing_pb
from services.audit import verifier
from services.cli.audit import newest_checkpoint
from services.cli.conformance.asker import Asker, Check, Checked, failed, for_a_person, passed
from services.cli.log_query import proof_since
from services.cli.options import new_request_id
from services.common.tlog import Note
from services.common.wire import to_timestamp

_USER: Final = "user"
_HEAD: Final = "statewide-coordinator"
_AUDITOR: Final = "auditor"
_DISPATCH: Final = "telecom-center"
_UNFINISHED_AFTER: Final = timedelta(minutes=5)

_PROBED_WITHIN: Final = timedelta(days=2)
_MONTH: Final = timedelta(days=30)
_ENFORCED: Final = frozenset({disposition_pb.DISPOSITION_STOPPED, disposition_pb.DISPOSITION_ARREST})
_FLOOR: Final = frozenset(
    {
        hit_pb2.HOT_LIST_CATEGORY_FELONY,
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE,
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_PLATE,
        hit_pb2.HOT_LIST_CATEGORY_AMBER,
        hit_pb2.HOT_LIST_CATEGORY_SILVER,
    }
)


async def _log(asker: Asker) -> Checked:
    session = asker.sessions[_AUDITOR]
    first = Note.parse((await newest_checkpoint(session)).checkpoint)
    proof = await proof_since(session, first)
    lines = (f"{first.head.size} entries when it was looked at", f"origin {first.head.origin}")
    if not asker.key:
        return for_a_person("nobody gave the log's public key: --public-key", *lines)
    try:
        _, newest = verifier.check_consistency(json.dumps(proof), verifier.read_public_key(asker.key))
    except verifier.VerificationError as error:
        return failed("the log does not hold under its public key", *lines, str(error))
    return passed(
        "the log is signed and goes on from what it signed before",
        *lines,
        f"consistent with its {newest.size} entries",
    )


async def _witness(asker: Asker) -> Checked:
    witnessed = (await newest_checkpoint(asker.sessions[_AUDITOR])).witnessed
    if not witnessed:
        return for_a_person("no witness outside has signed a checkpoint: platewarden witness")
    notes = [Note.parse(one) for one in witnessed]
    return passed(
        "a witness outside of the database has signed", *(f"{one.head.size} entries" for one in notes)
    )


async def _unfinished(asker: Asker) -> Checked:
    now = datetime.now(UTC)
    request = query_pb.ListUnfinishedRequest(to=to_timestamp(now - _UNFINISHED_AFTER))
    getattr(request, "from").CopyFrom(to_timestamp(now - timedelta(days=7)))
    answer = await asker.answer(_AUDITOR, query_rpc.LogQueryServiceStub, "ListUnfinished", request)
    if answer.acts:
        kinds = Counter(one.action for one in answer.acts)
        return failed(
            "acts of this week have no outcome", *(f"{count} {action}" for action, count in kinds.items())
        )
    return passed("every act and question of this week has its outcome in the log")


async def _probe(asker: Asker) -> Checked:
    now = datetime.now(UTC)
    found: dict[str, Any] = {}
    for action in ("probe.differs", "probe.agrees"):
        request = query_pb.ListEntriesRequest(
            request_id=new_request_id(),
            justification=asker.why,
            action=action,
            to=to_timestamp(now),
            page_size=1,
        )
        getattr(request, "from").CopyFrom(to_timestamp(now - _PROBED_WITHIN))
        answer = await asker.answer(_AUDITOR, query_rpc.LogQueryServiceStub, "ListEntries", request)
        found[action] = answer.entries
    if found["probe.differs"]:
        return failed(
            "access between agencies differs from what was agreed on",
            *(f"entry at {one.log_index}" for one in found["probe.differs"]),
        )
    if not found["probe.agrees"]:
        return for_a_person("nobody has probed access between agencies for two days: platewarden probe run")
    return passed(
        "access between agencies is what was agreed on",
        *(f"entry at {one.log_index}" for one in found["probe.agrees"]),
    )


async def _purge(asker: Asker) -> Checked:
    request = purge_pb.CheckRetentionRequest(request_id=new_request_id())
    answer = await asker.answer(_AUDITOR, purge_rpc.RetentionServiceStub, "CheckRetention", request)
    wrong = {purge_pb.OLDER_REASON_OVERDUE, purge_pb.OLDER_REASON_UNKNOWN, purge_pb.OLDER_REASON_COPY}
    lines = [f"retention of {answer.retention_days} days, first day kept {answer.first_kept_day}"]
    lines += [f"{one.place}: {purge_pb.OlderReason.Name(one.reason)}" for one in answer.found]
    if any(one.reason in wrong for one in answer.found):
        return failed("data older than retention is still there", *lines)
    return passed("nothing older than retention is there but what a hold or evidence keeps", *lines)


async def _certificates(asker: Asker) -> Checked:
    stub = purge_rpc.RetentionServiceStub
    answer = await asker.answer(_AUDITOR, stub, "ListPurges", purge_pb.ListPurgesRequest())
    done = [one for one in answer.purges if one.done]
    bare = [one.purge_id for one in done if not one.certificate or not one.outcome_receipt.entry_id]
    if bare:
        return failed("purges have no certificate", *bare)
    if not done:
        return for_a_person(
            "no day has been purged yet: the first reads are younger than the retention period"
        )
    lines = (
        f"{len(done)} purges on the first page, the last of {done[0].day}",
        f"entry {done[0].outcome_receipt.entry_id}",
    )
    return passed("each purged day has its certificate in the log", *lines)


async def _sensors(asker: Asker) -> list[thing_pb.Sensor]:
    request = sensor_pb.ListSensorsRequest()
    found: list[thing_pb.Sensor] = await asker.pages(
        _AUDITOR, sensor_rpc.SensorServiceStub, "ListSensors", request, "sensors"
    )
    return found


async def _places(asker: Asker) -> Checked:
    approved = [one for one in await _sensors(asker) if one.status == thing_pb.DEPLOYMENT_STATUS_APPROVED]
    if not approved:
        return for_a_person("no sensor is approved yet")
    lacking = [one.sensor_id for one in approved if not _is_placed(one)]
    kinds = Counter(
        thing_pb.DeploymentType.Name(one.deployment_type).rpartition("_")[2].lower() for one in approved
    )
    lines = [f"{count} {kind}" for kind, count in kinds.items()]
    if lacking:
        return failed("approved sensors lack survey, vehicle or period", *lines, *lacking)
    return passed("every approved sensor has its survey, vehicle or period, and its approval", *lines)


def _is_placed(sensor: thing_pb.Sensor) -> bool:
    if not sensor.HasField("approved_from"):
        return False
    if sensor.deployment_type == thing_pb.DEPLOYMENT_TYPE_FIXED:
        return sensor.HasField("place")
    if sensor.deployment_type == thing_pb.DEPLOYMENT_TYPE_MOBILE:
        return bool(sensor.vehicle or sensor.unit)
    return bool(sensor.unit)


async def _motor_carrier_sensors(asker: Asker) -> Checked:
    own = [one for one in await _sensors(asker) if one.partition == thing_pb.PARTITION_MOTOR_CARRIER]
    if not own:
        return for_a_person("there is no Motor Carrier Safety sensor")
    states = Counter(thing_pb.DeploymentStatus.Name(one.status).rpartition("_")[2].lower() for one in own)
    return passed(
        "Motor Carrier Safety deployments are on record with their approval",
        *(f"{count} {state}" for state, count in states.items()),
    )


async def _monitored(asker: Asker) -> Checked:
    now = datetime.now(UTC)
    request = health_pb.CountActiveSensorsRequest(to=to_timestamp(now), partition=thing_pb.PARTITION_GENERAL)
    getattr(request, "from").CopyFrom(to_timestamp(now - timedelta(days=1)))
    stub = health_rpc.SensorHealthServiceStub
    count = await asker.answer(_HEAD, stub, "CountActiveSensors", request)
    open_request = health_pb.ListMaintenanceRequest(open_only=True, partition=thing_pb.PARTITION_GENERAL)
    notices = await asker.pages(_HEAD, stub, "ListMaintenance", open_request, "notices")
    kinds = Counter(
        health_pb.MaintenanceKind.Name(one.kind).removeprefix("MAINTENANCE_KIND_").lower() for one in notices
    )
    lines = [f"{count.active_count} of {count.approved_count} approved sensors were active within a day"]
    lines += [f"{number} notices open: {kind}" for kind, number in kinds.items()]
    if not count.approved_count:
        return for_a_person("no sensor is approved yet", *lines)
    return passed("sensors are counted and watched one by one", *lines)


async def _models(asker: Asker) -> Checked:
    answer = await asker.answer(_HEAD, model_rpc.OcrServiceStub, "ListModels", model_pb.ListModelsRequest())
    if not answer.models or not all(one.version and one.sha256 for one in answer.models):
        return failed("models have no version or no hash")
    return passed(
        "every model that reads has a version and a hash",
        *(f"{one.name} {one.version} {one.sha256.hex()[:16]}" for one in answer.models),
    )


async def _hot_lists(asker: Asker) -> Checked:
    stub = list_rpc.HotListServiceStub
    lists = await asker.pages(_USER, stub, "ListHotLists", list_pb.ListHotListsRequest(), "hot_lists")
    active = [one for one in lists if one.active_version]
    if not active:
        return for_a_person("no hot list is in use yet: platewarden hotlist upload")
    lines, wrong = [], []
    for one in active:
        request = list_pb.ListHotListVersionsRequest(hot_list_id=one.hot_list_id)
        versions = await asker.pages(_USER, stub, "ListHotListVersions", request, "versions")
        bare = [v for v in versions if not (v.account_id and v.attestation and v.sha256)]
        wrong += [f"list {one.hot_list_id}" for _ in bare]
        source = hit_pb2.HotListSource.Name(one.source).rpartition("_")[2]
        wrong += [] if one.source else [f"list {one.hot_list_id} has no source"]
        lines.append(
            f"list {one.hot_list_id}: {source}, version {one.active_version}, {one.entry_count} entries"
        )
    if wrong:
        return failed(
            "hot lists in use have no source, or versions without uploader, attestation and hash", *wrong
        )
    return passed(
        "every list in use has its source, and each version its uploader, attestation and hash", *lines
    )


async def _immigration(asker: Asker) -> Checked:
    stub = list_rpc.HotListServiceStub
    lists = await asker.pages(_USER, stub, "ListHotLists", list_pb.ListHotListsRequest(), "hot_lists")
    let_in = [one.hot_list_id for one in lists if one.immigration_file]
    if let_in:
        return for_a_person(
            "a list has NCIC's immigration file; whether the law allows it here is counsel's to say", *let_in
        )
    return passed("no list has NCIC's immigration file", f"{len(lists)} lists")


async def _alerts(asker: Asker) -> Checked:
    now = datetime.now(UTC)
    request = alert_pb.ListAlertsRequest(
        request_id=new_request_id(),
        justification=asker.why,
        partition=thing_pb.PARTITION_GENERAL,
        to=to_timestamp(now),
    )
    getattr(request, "from").CopyFrom(to_timestamp(now - _MONTH))
    answer = await asker.answer(_USER, alert_rpc.AlertSearchServiceStub, "ListAlerts", request)
    found = list(answer.alerts)
    if not found:
        return for_a_person("no alert was raised within a month")
    unmarked = [one.alert_id for one in found if not (one.notice.lead_only and one.notice.verification_state)]
    confirmed = notice_pb2.VERIFICATION_STATE_CONFIRMED
    enforced = [one for one in found if one.disposition in _ENFORCED]
    early = [one.alert_id for one in enforced if one.notice.verification_state != confirmed]
    lines = (f"{len(found)} alerts looked at, {len(enforced)} with enforcement",)
    if unmarked or early:
        return failed(
            "alerts have no verification state, or were enforced without a confirmation",
            *lines,
            *unmarked,
            *early,
        )
    return passed("alerts say that they are leads, and none was enforced without a confirmation", *lines)


async def _floor(asker: Asker) -> Checked:
    request = subscription_pb.ListSubscriptionsRequest(partition=thing_pb.PARTITION_GENERAL)
    answer = await asker.answer(_USER, subscription_rpc.SubscriptionServiceStub, "ListSubscriptions", request)
    names = sorted(
        hit_pb2.HotListCategory.Name(one).removeprefix("HOT_LIST_CATEGORY_").lower() for one in answer.floor
    )
    lines = (f"floor: {', '.join(names)}", f"{len(answer.subscriptions)} subscriptions of the user's own")
    narrow = [one.subscription_id for one in answer.subscriptions if not set(one.floor) >= _FLOOR]
    if narrow or not set(answer.floor) >= _FLOOR:
        return failed("subscriptions may leave out felony, stolen, AMBER or SILVER", *lines, *narrow)
    return passed("no subscription leaves out felony, stolen, AMBER or SILVER", *lines)


async def _assets(asker: Asker) -> Checked:
    answer = await asker.answer(
        _DISPATCH, asset_rpc.AssetServiceStub, "ListAssets", asset_pb.ListAssetsRequest()
    )
    if not answer.assets:
        return for_a_person("no patrol asset is registered: platewarden dispatch register")
    return passed("the centre has patrol assets to broadcast to", f"{len(answer.assets)} assets")


async def _register(asker: Asker) -> Checked:
    stub = register_rpc.DisseminationServiceStub
    request = register_pb.ListDisseminationsRequest(request_id=new_request_id())
    answer = await asker.answer(_AUDITOR, stub, "ListDisseminations", request)
    found = list(answer.disseminations)
    bare = [
        one.dissemination_id
        for one in found
        if not (one.recipient.kind and one.justification.case_number and one.sha256)
    ]
    if bare:
        return failed("what left the system stands there without recipient, case number or hash", *bare)
    if not found:
        return for_a_person("nothing has left the system yet")
    return passed(
        "what left the system is on record with recipient, case number and hash",
        f"{len(found)} on the first page",
    )


async def _evidence(asker: Asker) -> Checked:
    request = evidence_pb.ListEvidenceRequest(request_id=new_request_id())
    answer = await asker.answer(_AUDITOR, evidence_rpc.ReportServiceStub, "ListEvidence", request)
    bare = [one.evidence_id for one in answer.packages if not (one.manifest_sha256 and one.report_number)]
    if bare:
        return failed("evidence packages have no hash or no report number", *bare)
    if not answer.packages:
        return for_a_person("no evidence package has been made yet")
    return passed(
        "evidence packages have hash, report number and evidence item",
        f"{len(answer.packages)} on the first page",
    )


CHECKS: Final = (
    Check("the log", ("IV.E.2",), (_AUDITOR,), _log),
    Check("the witness", ("IV.E.2",), (_AUDITOR,), _witness),
    Check("acts without outcome", ("IV.E.2", "III.B.3.q"), (_AUDITOR,), _unfinished),
    Check("access between agencies", ("III.B.1", "III.B.3.f", "III.B.3.q"), (_AUDITOR,), _probe),
    Check("nothing too old", ("IV.E.1", "IV.E.1.a", "IV.E.3"), (_AUDITOR,), _purge),
    Check("purge certificates", ("IV.E.1", "IV.E.3", "III.B.3.n"), (_AUDITOR,), _certificates),
    Check("places of sensors", ("II.C", "II.G", "II.I", "III.B.3.e"), (_AUDITOR,), _places),
    Check("Motor Carrier deployments", ("III.E.1",), (_AUDITOR,), _motor_carrier_sensors),
    Check("sensors watched", ("III.B.2.c",), (_HEAD,), _monitored),
    Check("models", ("III.B.2.b",), (_HEAD,), _models),
    Check("hot lists", ("II.D", "II.E", "III.B.3.d", "III.B.3.h"), (_USER,), _hot_lists),
    Check("the immigration file", ("II.E", "IV.A.1"), (_USER,), _immigration),
    Check("alerts", ("II.A", "III.D.4", "IV.C.1", "IV.D.4"), (_USER,), _alerts),
    Check("the floor of subscriptions", ("IV.D.1", "IV.D.2"), (_USER,), _floor),
    Check("patrol assets", ("IV.D.3",), (_DISPATCH,), _assets),
    Check("what left", ("III.B.3.m", "III.B.3.n", "IV.B.1", "IV.B.2"), (_AUDITOR,), _register),
    Check("evidence", ("III.D.5",), (_AUDITOR,), _evidence),
)

"""What a request needs besides what is filled in by itself, for each RPC where that does not suffice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import random
from typing import Any
from uuid import uuid4

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from services.cli.conformance.requests import JUSTIFICATION
from services.common.wire import to_timestamp
from tests.support.search_every_question import request as question_fields

_QUESTIONS = (
    *("SearchReads", "FindStakeout", "FindConvoy", "GetPattern", "Summarize", "FindCorridor"),
    *("ExportReport", "ExportEvidence", "ExportReads"),
)

# What follows the first message of a stream.
FOLLOWS = {"CompareDataSet": {"chunk": b"plate\nAB1234\n"}}
_STATED = ("RecordDeletion", "RecordCorrection", "RecordTold")


def fields_for(name: str, facts: Mapping[str, str]) -> dict[str, Any]:
    """The fields of the RPC's request to set; None leaves one unset."""
    if name in _QUESTIONS:
        return {"due_to_delete": None, **question_fields(name)}
    mark = uuid4().hex[:8]
    every = {
        **{**_people(facts, mark), **_agencies(facts, mark), **_lists(facts, mark)},
        **{**_dispatch(mark), **_others(facts)},
    }
    return every.get(name, {})


def _ago(hours: float) -> Any:
    return to_timestamp(datetime.now(UTC) - timedelta(hours=hours))


def _people(facts: Mapping[str, str], mark: str) -> dict[str, dict[str, Any]]:
    account = {
        **{"subject": f"new-{mark}", "issuer": facts["issuer"], "full_name": "N. N.", "badge_number": mark},
        **{
            "email": f"new-{mark}@{facts['email_domain']}",
            "agency_ori": facts["agency_ori"],
            "unit": facts["unit"],
        },
    }
    decision = {"document_sha256": bytes(32), "reference": "letter of May", "valid_until": _ago(-24)}
    return {
        "CreateAccount": {"account": account, "email_exception": None},
        "GrantNonAgencyAccess": {"decision": decision},
        "GrantRole": {"role": audit_pb.ROLE_USER},
        "RevokeRole": {"role": audit_pb.ROLE_USER},
        "ExtendEmailException": {
            "email_exception": {
                **{"approver": "D", "document_sha256": bytes(32), "reason": "task force"},
                "valid_until": _ago(-24),
            }
        },
        "SubmitRoster": {"badge_numbers": ["1"], "sha256": bytes(32), "as_of_time": _ago(1)},
        "EndLeavers": {"leavers": 100_000},
        "RegisterUnit": {
            "unit": {"agency_ori": facts["agency_ori"], "code": f"D-{mark}", "name": "District", "kind": 1}
        },
        "OfferOffice": {
            "offer": {
                **{"successor_account_id": facts["vendor_id"], "official": "O", "document_sha256": bytes(32)},
            }
        },
        "AppointCoordinator": {
            **{"agency_ori": facts["agency_ori"], "code": facts["unit"]},
            "appointment": {
                **{"account_id": facts["vendor_id"], "commander": "C", "document_sha256": bytes(32)},
            },
        },
        "EndAppointment": {"agency_ori": facts["agency_ori"], "code": f"D-{mark}"},
        "PublishDocument": {
            "document": {
                **{
                    "kind": 1,
                    "version": mark,
                    "title": "ENF-051",
                    "text": "The directive.",
                    "sha256": bytes(32),
                },
                "effective_time": _ago(-24 * 30 - random() * 24),
            }
        },
        "EscortVendor": {
            **{"vendor_account_id": facts["vendor_id"], "scope": 1, "minutes": 10, "escort_id": None},
            "reason": "work order 4711",
        },
        "OpenIncident": {"kind": 1, "summary": "a laptop was stolen", "discover_time": _ago(1)},
        "RecordIncidentNotice": {"notice": {"recipient": 1, "name": "C", "way": "telephone"}},
        "CloseIncident": {"finding": "sessions were ended"},
        "RecordContract": {
            "contract": {
                **{"kind": 1, "party": "Motorola", "subject": "licences", "document_sha256": bytes(32)},
                **{"start_time": _ago(1), "end_time": _ago(-24), "warning_days": 90},
            }
        },
        "OpenReview": {"reason": "a complaint by telephone"},
        "CloseReview": {"finding": 1, "explanation": "a list of the task force"},
        "GetWeeklyPacket": {"unit": facts["unit"], "week": "2026-01-05"},
        "SignWeeklyPacket": {"unit": facts["unit"], "week": "2026-01-05", "sha256": bytes(32)},
        "RequestSupport": {"category": 1, "details": "a camera is out of focus"},
        "CloseSupport": {"resolution": "lens replaced"},
        "EndAccount": {"end_time": None, "reason": "goes on"},
        "ReviewAccount": {"finding": "still needed"},
        "UpdateProfile": {
            **{"full_name": "N. N.", "badge_number": "", "email": "", "unit": "", "email_exception": None},
            "reason": "the badge says so",
        },
        "EndSignIns": {"sign_in_id": str(uuid4()), "reason": "a token was stolen"},
        "ExplainPolicy": {"action": "question.reads", "role": 0},
        "Authorize": {},
    }


def _agencies(facts: Mapping[str, str], mark: str) -> dict[str, dict[str, Any]]:
    agency = {"ori": f"IL{mark[:7].upper()}", "name": "Another", "email_domains": [f"x{mark}.illinois.gov"]}
    agreement = {
        **{"provider_ori": facts["agency_ori"], "recipient_ori": facts["other_ori"], "data_classes": [1]},
        **{"document_sha256": bytes(32), "start_time": _ago(1), "end_time": _ago(-24)},
    }
    place = {"latitude": 41.9, "longitude": -87.6, "description": "bridge"}
    sensor = {
        **{"sensor_id": f"cam-{mark}", "agency_ori": facts["agency_ori"], "sensor_group": "bridge"},
        **{"deployment_type": 1, "place": place, "provenance": 1},
    }
    return {
        "RegisterAgency": {"agency": agency},
        "ProposeAgreement": {"agreement": agreement},
        "RegisterSensor": {"sensor": sensor},
        "ApproveDeployment": {"status": 2, "approved_until": None},
        # Nothing of it is signed or changed: the policies come before PEM, digests and escorts are looked at.
        "IssueSensorCertificate": {"certificate_request": "none"},
        "RecordSensorCertificate": {"certificate_pem": "none"},
        "RevokeSensorCertificate": {"sha256": bytes(32), "reason": "lost"},
        "ApprovePlacement": {"place": place, "start_time": _ago(0), "end_time": _ago(-24)},
        "EndPlacement": {"placement_id": str(uuid4())},
        "RecordSurvey": {
            **{"place": place, "work_time": _ago(1), "work_order": "4711", "escort_id": str(uuid4())}
        },
        "SetGroupLimit": {
            "limit": {
                **{"agency_ori": facts["agency_ori"], "sensor_group": "bridge"},
                "offence_codes": ["HOMICIDE"],
            }
        },
        "SetRetention": {"days": 60, "days_before": 90, "confirm_days": 60},
        "RecordGovernmentRequest": {
            "government_request": {
                **{"entity": "Highways", "entity_type": "department", "person": "P", "receive_time": _ago(1)},
                **{
                    "purpose": "repair of the bridge after a crash",
                    "document_sha256": sha256(mark.encode()).digest(),
                },
            }
        },
        "DecideGovernmentRequest": {"decision": 2, "valid_until": None},
        "RecordDeclaration": {
            "declaration": {
                **{"agency_ori": "WI0000001", "document_sha256": bytes(32), "signed_by": "A Sheriff"},
                **{"office": "Sheriff", "excluded_uses": ["IMMIGRATION_STATUS", "REPRODUCTIVE_HEALTH_CARE"]},
                **{"sign_time": _ago(3), "start_time": _ago(2), "end_time": _ago(-24)},
            }
        },
        "SetSetting": {"name": "account_review_days", "value": 180, "value_before": 365},
        "GetConsistencyProof": {"first_size": 1},
    }


def _lists(facts: Mapping[str, str], mark: str) -> dict[str, dict[str, Any]]:
    header = {
        **{"request_id": str(uuid4()), "hot_list_id": facts["hot_list_id"], "format": 1, "kind": 1},
        **{"sha256": bytes(32), "size_bytes": 1, "attestation": "checked by hand this morning"},
    }
    return {
        "UploadHotListVersion": {"header": header},
        "ApproveHotListVersion": {"version": 1},
        "ActivateHotListVersion": {"version": 1},
        "DiffHotListVersions": {"from_version": 1, "to_version": 2},
        "DeactivateHotList": {"reason": "not needed any longer"},
        "SetImmigrationFile": {"reason": "decision of the board"},
        "AddLocalEntry": {
            "pattern": "AB1234",
            "state": "IL",
            "plate_type": "",
            "sensor_id": "",
            "vehicle": None,
        },
        "CreateHotList": {"name": f"list {mark}"},
        "ActivateModel": {"version": "plates-2", "sensor_share": 1.0, "reason": "decision of the board"},
        "RollBackModel": {"reason": "decision of the board"},
    }


def _dispatch(mark: str) -> dict[str, dict[str, Any]]:
    position = {"latitude": 41.9, "longitude": -87.6, "position_time": _ago(0)}
    return {
        "DiscloseFields": {"fields": ["action"], "recipient": "State's Attorney"},
        "RedactField": {
            **{"field": "purpose", "legal_basis": "order of the court", "document_sha256": "0" * 64},
        },
        "RegisterAsset": {"call_sign": f"P-{mark}".upper()},
        "BoardAsset": {"asset_id": None, "call_sign": "P-1"},
        "ReportAssetPosition": {"position": position},
        "ProposeAssets": {"radius_metres": 0, "most": 0},
        "Broadcast": {"asset_ids": [str(uuid4())]},
        "AcknowledgeDelivery": {"stage": 2},
    }


def _others(facts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    mark = uuid4().hex[:8]
    recipient = {"kind": 2, "agency_ori": facts["other_ori"], "organisation": "Another", "person": "Det. A"}
    justification = dict(JUSTIFICATION)
    return {
        "VerifyAlert": {"state": 2, "check_id": None},
        "RegisterAsset": {"unit": facts["unit"], "call_sign": mark.upper()},
        "BoardAsset": {"call_sign": None},
        "Broadcast": {"asset_ids": [facts["asset_id"]]},
        "ReportAssetPosition": {"position": {"latitude": 41.9, "longitude": -87.6, "position_time": _ago(0)}},
        "CreateWebhook": {"name": mark, "url": "https://cad.example.gov/alerts", "filter": None},
        "CreateSubscription": {"name": mark, "filter": None},
        "UpdateSubscription": {"name": mark, "filter": None},
        "CompareDataSet": {
            "header": {
                **{"request_id": str(uuid4()), "justification": justification, "kind": 1},
                "time_zone": "America/Chicago",
            },
        },
        "RecordDissemination": {
            "recipient": {**recipient, "purpose": "homicide investigation in their county"},
            "due_to_delete": _ago(-24),
        },
        **{name: {"statement": "told by the records officer"} for name in _STATED},
        "PlaceHold": {"plates": ["AB1234"]},
    }

"""Enum values of the contracts as words for people: HOT_LIST_CATEGORY_STOLEN_VEHICLE is "stolen-vehicle"."""

from typing import Any

from alpr.alerts.v1 import alert_service_pb2, dispatch_service_pb2
from alpr.audit.v1 import (
    account_service_pb2,
    authorization_service_pb2,
    contract_service_pb2,
    document_service_pb2,
    escort_service_pb2,
    governance_service_pb2,
    incident_service_pb2,
    review_service_pb2,
    support_service_pb2,
    unit_service_pb2,
)
from alpr.matcher.v1 import (
    hot_list_service_pb2,
    local_list_service_pb2,
    scope_service_pb2,
    tuning_service_pb2,
)
from alpr.search.v1 import analysis_service_pb2, sensor_health_service_pb2
from alpr.type.v1 import hit_pb2, justification_pb2, notice_pb2, read_pb2, sensor_pb2
from services.cli.locate import CommandError


class Words:
    """The words of one enum."""

    def __init__(self, enum: Any, prefix: str, name: str) -> None:
        self._name = name
        self._numbers: dict[str, int] = {
            key.removeprefix(prefix).lower().replace("_", "-"): int(number)
            for key, number in enum.items()
            if number
        }
        self._words = {number: word for word, number in self._numbers.items()}

    @property
    def words(self) -> tuple[str, ...]:
        """All words, in the order of the contract."""
        return tuple(self._numbers)

    def number(self, word: str) -> Any:
        """The value that `word` names.

        Raises:
            CommandError: There is none; the text lists those there are.
        """
        if word not in self._numbers:
            msg = f"there is no {self._name} '{word}'; there are {', '.join(self._numbers)}"
            raise CommandError(msg)
        return self._numbers[word]

    def word(self, number: int) -> str:
        """The word for `number`, or "-" for none."""
        return self._words.get(number, "-")


CASE_KIND = Words(justification_pb2.CaseNumberKind, "CASE_NUMBER_KIND_", "case number kind")
CATEGORY = Words(hit_pb2.HotListCategory, "HOT_LIST_CATEGORY_", "category")
WARNING = Words(hit_pb2.HitWarning, "HIT_WARNING_", "warning")
MATCH_LABEL = Words(hit_pb2.MatchLabel, "MATCH_LABEL_", "label of matches")
SOURCE = Words(hit_pb2.HotListSource, "HOT_LIST_SOURCE_", "source")
FORMAT = Words(hot_list_service_pb2.HotListFormat, "HOT_LIST_FORMAT_", "format")
UPLOAD_KIND = Words(hot_list_service_pb2.UploadKind, "UPLOAD_KIND_", "kind of upload")
BUDGET = Words(tuning_service_pb2.BudgetKind, "BUDGET_KIND_", "budget")
LIST_OWNER = Words(local_list_service_pb2.LocalListOwnerKind, "LOCAL_LIST_OWNER_KIND_", "owner of lists")
ENTRY_STATE = Words(local_list_service_pb2.LocalEntryState, "LOCAL_ENTRY_STATE_", "state of entries")
VERIFICATION = Words(notice_pb2.VerificationState, "VERIFICATION_STATE_", "state of verification")
DELIVERY_KIND = Words(dispatch_service_pb2.DeliveryKind, "DELIVERY_KIND_", "kind of messages")
ESCALATION_KIND = Words(alert_service_pb2.EscalationKind, "ESCALATION_KIND_", "kind of escalations")
SEVERITY = Words(alert_service_pb2.Severity, "SEVERITY_", "severity")
DISPOSITION = Words(alert_service_pb2.Disposition, "DISPOSITION_", "disposition")
ROLE = Words(authorization_service_pb2.Role, "ROLE_", "role")
CERTIFICATION = Words(account_service_pb2.CertificationKind, "CERTIFICATION_KIND_", "certification")
ACCOUNT_STATE = Words(account_service_pb2.AccountState, "ACCOUNT_STATE_", "state of accounts")
DEPLOYMENT = Words(sensor_pb2.DeploymentType, "DEPLOYMENT_TYPE_", "deployment type")
DEPLOYMENT_STATUS = Words(sensor_pb2.DeploymentStatus, "DEPLOYMENT_STATUS_", "deployment status")
MAINTENANCE = Words(sensor_health_service_pb2.MaintenanceKind, "MAINTENANCE_KIND_", "kind of notice")
PARTITION = Words(sensor_pb2.Partition, "PARTITION_", "partition")
GROUP_MODE = Words(scope_service_pb2.GroupMode, "GROUP_MODE_", "mode")
DATA_CLASS = Words(governance_service_pb2.DataClass, "DATA_CLASS_", "class of data")
AGREEMENT_STATE = Words(governance_service_pb2.AgreementState, "AGREEMENT_STATE_", "state of agreements")
PROVENANCE = Words(sensor_pb2.Provenance, "PROVENANCE_", "provenance")
SUMMARY_DIMENSION = Words(analysis_service_pb2.SummaryDimension, "SUMMARY_DIMENSION_", "kind of counts")
CORRIDOR_DIRECTION = Words(analysis_service_pb2.CorridorDirection, "CORRIDOR_DIRECTION_", "direction")
DATA_SET = Words(analysis_service_pb2.DataSetKind, "DATA_SET_KIND_", "kind of rows")
READ_STATUS = Words(read_pb2.ReadStatus, "READ_STATUS_", "read status")
# What audit refuses in words that an officer can act on.
UNSPECIFIED_CASE = justification_pb2.CASE_NUMBER_KIND_UNSPECIFIED
DOCUMENT_KIND = Words(document_service_pb2.DocumentKind, "DOCUMENT_KIND_", "kind of document")
ESCORT_SCOPE = Words(escort_service_pb2.EscortScope, "ESCORT_SCOPE_", "scope of an escort")
MISUSE_RULE = Words(review_service_pb2.MisuseRule, "MISUSE_RULE_", "rule")
REVIEW_FINDING = Words(review_service_pb2.ReviewFinding, "REVIEW_FINDING_", "finding")
INCIDENT_KIND = Words(incident_service_pb2.IncidentKind, "INCIDENT_KIND_", "kind of incident")
INCIDENT_RECIPIENT = Words(incident_service_pb2.IncidentRecipient, "INCIDENT_RECIPIENT_", "recipient")
CONTRACT_KIND = Words(contract_service_pb2.ContractKind, "CONTRACT_KIND_", "kind of contract")
CONTRACT_STANDING = Words(contract_service_pb2.ContractStanding, "CONTRACT_STANDING_", "standing")
UNIT_KIND = Words(unit_service_pb2.UnitKind, "UNIT_KIND_", "kind of unit")
SUPPORT_CATEGORY = Words(support_service_pb2.SupportCategory, "SUPPORT_CATEGORY_", "category of support")

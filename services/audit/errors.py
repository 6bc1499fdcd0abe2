"""Errors of this service that the common ones do not name."""

from __future__ import annotations

import grpc

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import (
    AlprError,
    AlreadyExistsError,
    AuditUnavailableError,
    NotFoundError,
    NotPermittedError,
)


class CaseNumberRequiredError(AlprError):
    """No case number, or one that does not fit its kind (ENF-051 IV.C.5)."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED


class PurposeRequiredError(AlprError):
    """No authorized purpose, or one that does not state the criminal nexus (ENF-051 IV.C.6)."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_PURPOSE_REQUIRED


class EntitlementEndedError(NotPermittedError):
    """What allowed an open stream has ended: sign-in, account, training or certification (ENF-051 IV.A.4)."""

    reason = ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED


class RegistryMovedError(Exception):
    """What a decision rests on may have changed before it was recorded: it is taken anew. It never leaves."""


class LogClosedError(AuditUnavailableError):
    """The log lacks entries that it has signed: nothing is allowed until it is restored (ADR 0035)."""


class AgencyExistsError(AlreadyExistsError):
    """The agency is registered already."""


class AccountExistsError(AlreadyExistsError):
    """The person has an account already."""


class SensorExistsError(AlreadyExistsError):
    """The sensor's id is taken."""


class AccountNotFoundError(NotFoundError):
    """There is no such account, or the caller may not know that there is."""


class SignInNotFoundError(NotFoundError):
    """The account has no such sign-in."""


class DocumentExistsError(AlreadyExistsError):
    """The agency has this version already, or one that takes effect at the same moment."""


class DocumentNotFoundError(NotFoundError):
    """The agency has no such document."""


class UnitExistsError(AlreadyExistsError):
    """The agency has a unit of this code already."""


class UnitNotFoundError(NotFoundError):
    """The agency has no such unit."""


class OfferNotFoundError(NotFoundError):
    """There is no such offer of the office to the caller."""


class EscortNotFoundError(NotFoundError):
    """There is no such escort, or it is another's."""


class RecordNotFoundError(NotFoundError):
    """The agency has no such incident, contract or request."""


class DeclarationNotFoundError(NotFoundError):
    """There is no such declaration, or the caller may not know that there is."""


class SettingNotFoundError(NotFoundError):
    """There is no such setting."""


class EntryNotFoundError(NotFoundError):
    """There is no such entry, or it is of another service."""


class AgencyNotFoundError(NotFoundError):
    """The agency is not registered."""


class AgreementNotFoundError(NotFoundError):
    """There is no such agreement."""


class UnknownSensorGroupError(NotFoundError):
    """The agency has no sensor of that group."""


class UnknownSensorError(NotFoundError):
    """There is no such sensor."""


class PlacementNotFoundError(NotFoundError):
    """The sensor has no such period."""


class CertificateNotFoundError(NotFoundError):
    """The sensor has no such certificate."""


class CertificateExistsError(AlreadyExistsError):
    """The certificate is on record already."""

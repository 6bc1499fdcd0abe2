"""What agencies agreed to share (ENF-051 III.B.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DataClass(StrEnum):
    """What an agreement gives."""

    HOT_LIST_HITS = "HOT_LIST_HITS"
    MOTOR_CARRIER_HITS = "MOTOR_CARRIER_HITS"
    READS = "READS"


class AgreementState(StrEnum):
    """How far an agreement is."""

    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Terms:
    """What two agencies agree on; it counts from `start_time` up to, not including, `end_time`."""

    provider_ori: str
    recipient_ori: str
    data_classes: tuple[DataClass, ...]
    document_sha256: bytes
    start_time: datetime
    end_time: datetime

    def party(self, ori: str) -> str:
        """`ori` when it is a party, else the provider: whose matter it is in the eyes of the policies."""
        return ori if ori == self.recipient_ori else self.provider_ori

    def other_party(self, ori: str) -> str:
        """The party that is not `ori`, one of the two."""
        return self.recipient_ori if ori == self.provider_ori else self.provider_ori


@dataclass(frozen=True, slots=True)
class Agreement:
    """Terms that one party has put before the other, and how far that is."""

    agreement_id: str
    terms: Terms
    state: AgreementState
    proposed_by_ori: str

    def is_active(self, moment: datetime) -> bool:
        """True when it counts at `moment`."""
        return self.state is AgreementState.ACCEPTED and self.terms.start_time <= moment < self.terms.end_time

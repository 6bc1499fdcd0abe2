"""Statements about acts, signed for the archive, which carries out no other ones (ENF-051 IV.E.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.audit.app_authorize import Terms
from services.audit.core.actions import is_of_motor_carrier, is_signed
from services.audit.store_log import StoredEntry
from services.common.canonical import act_digest
from services.common.clock import Clock
from services.common.permit import SignedAct, act_text

STATEMENT_LIFE: Final = timedelta(seconds=60)


class Statements:
    """Signs acts with the keys of permits: whoever may check a permit may check an act."""

    def __init__(self, terms: Terms, clock: Clock) -> None:
        self._terms = terms
        self._clock = clock

    def of(self, intent: StoredEntry, details: Mapping[str, str]) -> str:
        """The statement that the recorded intent was allowed; "" for an act that no database checks.

        `details` are those of the request. They are the recorded ones: with others its id would be refused.
        """
        entry = intent.entry
        action = entry.value("action")
        if not is_signed(action):
            return ""
        case = entry.value("case_number_kind"), entry.value("case_number")
        act = SignedAct(
            intent_id=UUID(entry.entry_id),
            action=action,
            account_id=UUID(entry.value("actor")),
            agency_ori=entry.value("actor_agency"),
            digest=act_digest(entry.value("resource"), case, details),
            expires_at=self._clock.now() + STATEMENT_LIFE,
        )
        return act_text(act, self._key(action))

    def _key(self, action: str) -> bytes:
        return self._terms.mcs_permit_key if is_of_motor_carrier(action) else self._terms.permit_key

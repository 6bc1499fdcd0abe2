"""Every call of a vendor is recorded before it is answered, and shown to the escort (ENF-051 III.B.3.p)."""

from __future__ import annotations

from dataclasses import replace

from services.audit.app_log import Draft, Log
from services.audit.core.claims import Identity
from services.audit.core.entry import EntryKind
from services.audit.core.escort import VendorCall
from services.audit.core.person import Account, Role
from services.audit.store_escorts import EscortStore
from services.common.clock import Clock


class VendorCalls:
    """Notes calls of vendors. Other people's are none of its business."""

    def __init__(self, journal: Log, store: EscortStore, clock: Clock) -> None:
        self._log = journal
        self._store = store
        self._clock = clock

    async def seen(self, identity: Identity, account: Account, values: dict[str, str]) -> Account:
        """The account as this call may use it, once a vendor's call is on record.

        Raises:
            AuditUnavailableError: It could not be recorded; then it must not be answered.
        """
        if Role.VENDOR_SUPPORT not in account.roles:
            return account
        escorted = account.escorted
        # The time of issue is in whole seconds. A sign-in of before the escort is worth nothing in it.
        if escorted and identity.issued_at < escorted.begin_time.replace(microsecond=0):
            escorted = None
        about = {"action": "support.call", "subject": values.get("action", "")}
        details = {"detail.escort": escorted.escort_id if escorted else "none"}
        made = await self._log.append(Draft(EntryKind.EVENT, "", {**values, **about, **details}))
        if escorted:
            call = VendorCall(
                entry_id=made.entry.entry_id,
                number=0,
                call_time=self._clock.now(),
                action=about["subject"],
                service=values.get("service", ""),
            )
            await self._store.called(escorted.escort_id, call)
        return replace(account, escorted=escorted)

"""Legal holds of both data sets: acts as audit signs them, written a second time, and what they place."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from services.search.acts import Intent
from services.search.core.holds import HoldRule, NewHold
from services.search.core.houses import ARCHIVE, MOTOR_CARRIER, HouseNames
from services.search.hold_keys import HoldKeys
from services.search.store_holds import HoldStore
from tests.support.databases import MCS_PERMIT_KEY, PERMIT_KEY
from tests.support.search_kit import ORI, General, canonical, now, permit_for, us

COORDINATOR = "0f0e0d0c-0b0a-4908-8706-050403020100"
HOUSES = (ARCHIVE, MOTOR_CARRIER)
LOGINS = {
    "archive": ("search_purge", "search_question"),
    "motor_carrier": ("search_mcs_purge", "search_mcs_question"),
}


def key_of(names: HouseNames) -> bytes:
    """The key of permits and acts of the data set."""
    return PERMIT_KEY if names is ARCHIVE else MCS_PERMIT_KEY


@dataclass(frozen=True)
class Act:
    """An act before it is signed; every field may be changed to see what the archive says."""

    action: str
    resource: str
    details: Mapping[str, str]
    case: tuple[str, str] = ("", "")
    intent_id: UUID | None = None
    account_id: str = COORDINATOR
    agency: str = ORI
    life: timedelta = timedelta(seconds=60)
    form: str = "act/v1"
    key: bytes = PERMIT_KEY

    def intent(self) -> Intent:
        """The intent as audit's answer gives it, with its statement."""
        intent_id = self.intent_id or uuid4()
        kind, number = self.case
        fields = [("resource", self.resource), ("case_number_kind", kind), ("case_number", number)]
        fields += sorted(self.details.items())
        text = canonical(*((name, value) for name, value in fields if value))
        digest = hashlib.sha256(text.encode()).hexdigest()
        named = (self.form, str(intent_id), self.action, self.account_id, self.agency, digest)
        body = "|".join((*named, str(us(now() + self.life))))
        mac = hmac.digest(self.key, body.encode(), "sha256").hex()
        return Intent(intent_id, self.account_id, self.agency, f"{body}|{mac}")


def moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f+00:00}"


def placing(names: HouseNames, hold: NewHold, **changes: object) -> Act:
    """The act that places the hold."""
    rule = hold.rule
    details = {
        "plates": ",".join(rule.plates),
        "sensors": ",".join(rule.sensor_ids),
        "from": moment(rule.from_time),
        "to": moment(rule.to_time),
        "document_sha256": hold.document_sha256.hex(),
        "reason": hold.reason,
    }
    case = (hold.case_number_kind, hold.case_number)
    act = Act(names.action("hold.place"), str(hold.hold_id), details, case, key=key_of(names))
    return replace(act, **changes)  # type: ignore[arg-type]


def releasing(names: HouseNames, hold_id: UUID, reason: str = "the case is closed", **changes: object) -> Act:
    """The act that releases the hold."""
    act = Act(names.action("hold.release"), str(hold_id), {"reason": reason}, key=key_of(names))
    return replace(act, **changes)  # type: ignore[arg-type]


def new_hold(rule: HoldRule) -> NewHold:
    return NewHold(uuid4(), rule, b"d" * 32, "order of the court", "CAD", "2026-004711")


async def place(store: HoldStore, keys: HoldKeys, names: HouseNames, hold: NewHold, **changes: object) -> int:
    """How many reads the hold covers, once it is in force."""
    return await store.place(placing(names, hold, **changes).intent(), hold, keys.new(hold.hold_id))


def held_question(names: HouseNames, hold_id: UUID, after: UUID | None = None, size: int = 100) -> General:
    """ "Which reads has this hold kept?" """
    named = (("hold_id", str(hold_id)), ("after_read_id", str(after or "")))
    return General(names.kind("held"), named, (hold_id, after), from_us=0, page_size=size)


def picture_question(names: HouseNames, hold_id: UUID, read_id: UUID) -> General:
    """ "Show me the picture of this held read." """
    named = (("hold_id", str(hold_id)), ("read_id", str(read_id)))
    return General(names.kind("heldimage"), named, (hold_id, read_id), from_us=0, page_size=1)


def held_permit(names: HouseNames, question: General, **changes: object) -> str:
    """A permit for the question with the data set's key; `changes` as the fields of Permit."""
    return permit_for(question, **{"key": key_of(names), **changes})

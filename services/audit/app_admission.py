"""Admits sign-ins: not ended, not too many, each on record once (ENF-051 III.B.3.k, CJIS AC-10, AU-2)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from services.audit.app_log import Draft, Log
from services.audit.core.claims import Identity
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of, rfc3339
from services.audit.core.person import Account
from services.audit.core.sign_in import (
    Interleaving,
    Limits,
    Sighting,
    SignIn,
    interleaved,
    sign_in_id,
    turned,
)
from services.audit.live_settings import LiveSettings
from services.audit.refused_tokens import RefusedTokens
from services.audit.store_sign_ins import SignInStore
from services.common.clock import Clock
from services.common.errors import NotPermittedError, UnauthenticatedError

_Value = TypeVar("_Value")

CLAUSE = "III.B.3.k"
# A sign-in in use is noted so often, and looked up no more often than that.
_NOTE_EVERY = timedelta(minutes=5)
# So many sign-ins, and people's last devices, are remembered; of others the database is asked.
_MOST_HELD = 20_000


class Admission:
    """Looks at every call's sign-in; only the first of some minutes costs more than a look into memory."""

    def __init__(
        self, journal: Log, store: SignInStore, settings: LiveSettings, longest: timedelta, clock: Clock
    ) -> None:
        self._log = journal
        self._store = store
        self._settings = settings
        self._longest = longest
        self._clock = clock
        self._noted: dict[str, datetime] = {}
        self.refused = RefusedTokens(journal, clock)
        """Tokens that do not even say whose they are."""
        self._sightings: dict[str, tuple[Sighting, ...]] = {}

    @property
    def longest(self) -> timedelta:
        """How long after it a sign-in is good."""
        return self._longest

    def limits(self) -> Limits:
        """How many sign-ins a person may have at once."""
        return Limits(
            sign_ins=self._settings.value("sign_ins_at_once"),
            devices=self._settings.value("devices_at_once"),
            quiet=self._settings.period("sign_in_quiet_minutes"),
        )

    def check(self, identity: Identity, account: Account) -> str:
        """The id of the sign-in, which nobody has ended.

        Raises:
            UnauthenticatedError: It was ended; a token of it is worth nothing, wherever it may be.
        """
        name = sign_in_id(account.account_id, identity)
        if account.signed_out.covers(name, identity.signed_in_at):
            msg = "this sign-in was ended; sign in anew, with password and second factor"
            raise UnauthenticatedError(msg, metadata={"clauses": CLAUSE})
        return name

    async def admit(self, identity: Identity, account: Account, values: Mapping[str, str]) -> None:
        """Returns once the sign-in is on record and the person may use it, for a call with those `values`.

        Raises:
            UnauthenticatedError: The sign-in was ended.
            NotPermittedError: The person is signed in too often, or on too many devices.
            AuditUnavailableError: It could not be recorded.
        """
        name = self.check(identity, account)
        await self._keep(name, identity, account, values)
        await self._look(Sighting(self._clock.now(), identity.device or name), account, values)

    async def stay(self, identity: Identity, account: Account, values: Mapping[str, str]) -> None:
        """As `admit`, for a stream that looks again: nobody need be at the device."""
        await self._keep(self.check(identity, account), identity, account, values)

    async def make_room(self, identity: Identity, account: Account, values: Mapping[str, str]) -> None:
        """As `admit`, for looking at sign-ins and ending them; one too many may do that, too."""
        name = self.check(identity, account)
        with suppress(NotPermittedError):
            await self._keep(name, identity, account, values)

    async def _keep(self, name: str, identity: Identity, account: Account, values: Mapping[str, str]) -> None:
        now, noted = self._clock.now(), self._noted.get(name)
        if noted is not None and now < noted + _NOTE_EVERY:
            return
        new = SignIn(
            sign_in_id=name,
            account_id=account.account_id,
            device=identity.device,
            methods=identity.methods,
            auth_time=identity.signed_in_at,
            first_time=now,
            seen_time=now,
        )
        if excess := await self._store.begin(new, self.limits(), now - self._longest):
            msg = f"You have too many {excess} at the same time. End one: platewarden sign-in list, then end."
            raise NotPermittedError(msg, metadata={"clauses": CLAUSE})
        if noted is None:
            await self._log.append(_begun(new, values))
        _remember(self._noted, name, now)

    async def _look(self, seen: Sighting, account: Account, values: Mapping[str, str]) -> None:
        """Notes from which device the person comes, and what looks like two people (a review decides)."""
        before = self._sightings.get(account.account_id, ())
        if before and before[-1].place == seen.place:
            return
        rule = Interleaving(
            self._settings.value("interleaved_changes"), self._settings.period("interleaved_minutes")
        )
        now = turned(before, seen, rule)
        _remember(self._sightings, account.account_id, now)
        if found := interleaved(now, rule):
            await self._log.append(_shared(found, account, values))
            _remember(self._sightings, account.account_id, now[-1:])


def _begun(new: SignIn, values: Mapping[str, str]) -> Draft:
    """The entry of a sign-in: one, however many replicas see it first."""
    known = {name: values.get(name, "") for name in ("actor", "actor_agency", "service", "detail.token_id")}
    about = {
        **known,
        "action": "sign_in.begin",
        "resource": new.sign_in_id,
        "agency": known["actor_agency"],
        "detail.auth_time": rfc3339(new.auth_time),
        "detail.methods": ",".join(new.methods),
        "detail.device": new.device,
        REQUEST_DIGEST: digest_of({"sign_in": new.sign_in_id}),
    }
    return Draft(EntryKind.EVENT, f"sign-in/{new.sign_in_id}", about)


def _shared(found: tuple[Sighting, ...], account: Account, values: Mapping[str, str]) -> Draft:
    """The event that an account looks shared: one a day."""
    day = found[-1].moment.date().isoformat()
    key = f"interleaved/{account.account_id}/{day}"
    about = {
        "actor": account.account_id,
        "actor_agency": account.profile.agency_ori,
        "service": values.get("service", ""),
        "action": "misuse.interleaved",
        "resource": account.account_id,
        "agency": account.profile.agency_ori,
        "detail.devices": ",".join(sorted({one.place for one in found})),
        "detail.changes": str(len(found) - 1),
        "detail.first_time": rfc3339(found[0].moment),
        "detail.last_time": rfc3339(found[-1].moment),
        REQUEST_DIGEST: digest_of({"interleaved": key}),
    }
    return Draft(EntryKind.EVENT, key, about)


def _remember(held: dict[str, _Value], name: str, value: _Value) -> None:
    if name not in held and len(held) >= _MOST_HELD:
        del held[next(iter(held))]
    held[name] = value

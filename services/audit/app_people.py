"""What acts about accounts share: where people are looked up, and which addresses they may have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.audit.core.email import LONGEST_EXCEPTION, EmailException, is_address, is_government_address
from services.audit.core.person import Account, Profile
from services.audit.core.policy import Thing
from services.audit.core.registry import Agency
from services.audit.core.unit import Unit
from services.audit.errors import AccountNotFoundError, AgencyNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_units import UnitStore
from services.common.errors import FieldViolation


@dataclass(frozen=True, slots=True)
class People:
    """Where accounts and units are kept."""

    accounts: AccountStore
    units: UnitStore

    async def account(self, account_id: str) -> Account:
        """The account. Raises AccountNotFoundError."""
        account = await self.accounts.by_id(account_id)
        if account is None:
            raise AccountNotFoundError("there is no such account", resource=account_id)
        return account

    async def agency_of(self, profile: Profile) -> Agency:
        """The agency that the profile names. Raises AgencyNotFoundError."""
        agency = await self.accounts.agency(profile.agency_ori)
        if agency is None:
            raise AgencyNotFoundError("this agency is not registered", resource=profile.agency_ori)
        return agency

    async def unit_of(self, profile: Profile, moment: datetime) -> Unit | None:
        """The unit that the profile names, as it stands at `moment`; None for one that is not registered."""
        return await self.units.by_code(profile.agency_ori, profile.unit, moment)

    async def thing(self, profile: Profile, unit: Unit | None, name: str, person: str = "") -> Thing:
        """What the policies know of an account with this profile, which is or would be in that unit."""
        return Thing(
            name,
            agency=profile.agency_ori,
            unit=profile.unit,
            person=person,
            lonely=not await self.accounts.has_coordinator(profile.agency_ori),
            coordinator=unit.coordinator if unit else "",
        )


def unknown_unit(field: str) -> FieldViolation:
    """What is wrong with a unit that is not registered."""
    text = "The agency has no unit of this code; the statewide coordinator registers it (III.C.1)."
    return FieldViolation(field, text)


def wrong_address(
    field: str, email: str, agency: Agency, exception: EmailException | None, now: datetime
) -> list[FieldViolation]:
    """What is wrong with `email` as the address of somebody of the agency (III.B.3.j)."""
    government = is_government_address(email, agency.email_domains)
    if exception is None:
        domains = ", ".join(agency.email_domains)
        text = f"Use an address of the agency: its domains are {domains} (III.B.3.j)."
        return [] if government else [FieldViolation(field, text)]
    wrong = wrong_exception(exception, now)
    if government or not is_address(email):
        text = "needs no exception" if government else "must be an address in plain letters"
        wrong.append(FieldViolation(field, text))
    return wrong


def wrong_exception(one: EmailException, now: datetime) -> list[FieldViolation]:
    """What is wrong with the life of an approval."""
    if now < one.valid_until <= now + LONGEST_EXCEPTION:
        return []
    text = f"must be ahead, by {LONGEST_EXCEPTION.days} days at most"
    return [FieldViolation("email_exception.valid_until", text)]

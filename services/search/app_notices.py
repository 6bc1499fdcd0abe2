"""Use cases: how notices fare on their way to recipients, and having one sent again (ENF-051 III.B.3.n)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.common.errors import NotFoundError, WrongStateError
from services.search.acts import ActPlan
from services.search.app_register import Acts, Call
from services.search.store_notices import Delivery, NoticeStore
from services.search.store_register import RecipientNotice, RegisterStore


@dataclass(frozen=True, slots=True)
class Resend:
    """A notice that is to be sent again; to its recipient's own address when `email` is ""."""

    call: Call
    notice_id: UUID
    email: str


@dataclass(frozen=True, slots=True)
class Followed:
    """A notice, and how its letter fares; None while the system sends none."""

    notice: RecipientNotice
    delivery: Delivery | None


class NoticeDesk:
    """Follows notices, and has them sent again."""

    def __init__(self, acts: Acts, register: RegisterStore, notices: NoticeStore) -> None:
        self._acts = acts
        self._register = register
        self._notices = notices

    async def followed(self, notices: Sequence[RecipientNotice]) -> list[Followed]:
        """The notices with how they fare."""
        deliveries: Mapping[UUID, Delivery] = await self._notices.deliveries(
            [one.notice_id for one in notices]
        )
        return [Followed(one, deliveries.get(one.notice_id)) for one in notices]

    async def resend(self, wish: Resend) -> Followed:
        """The notice, due now.

        Raises:
            NotFoundError: There is no such notice of the person's agency.
            WrongStateError: Its recipient was told already, or has no address.
            AlprError: Audit's refusal, unchanged.
        """
        details = {"by": "system", "other_address": "yes" if wish.email else "no"}
        call = wish.call
        intent = await self._acts.begin(
            ActPlan(call.request_id, "dissemination.tell", str(wish.notice_id), details, call.token)
        )
        state = await self._notices.resend(wish.notice_id, intent.agency_ori, wish.email)
        if state != "WAITING":
            await self._acts.failed(intent.intent_id)
            raise _refusal(state, wish.notice_id)
        await self._acts.done(intent.intent_id, {})
        found = await self._register.notices(intent.agency_ori, wish.notice_id, 0, 1, with_told=True)
        return (await self.followed(found))[0]


def _refusal(state: str, notice_id: UUID) -> NotFoundError | WrongStateError:
    if state == "NONE":
        return NotFoundError("your agency has no such notice", resource=str(notice_id))
    text = {
        "TOLD": "its recipient was told already",
        "NO_ADDRESS": "its recipient has no address; give one, or tell the recipient yourself",
    }[state]
    return WrongStateError(text, metadata={"state": state})

"""Whose entries: a person by name, badge number or account, and names of accounts for people to read."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Final

import grpc

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.console.door import Person

_PAGE: Final = 200
_MOST_PAGES: Final = 50
_MOST_NAMES: Final = 40
_GONE: Final = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED})


async def matching(person: Person, text: str) -> list[pb.Account]:
    """Accounts that `text` may mean: with that badge number, else with it in their name. Raises AlprError."""
    by_name, token, wanted = [], "", text.casefold()
    for _ in range(_MOST_PAGES):
        request = pb.ListAccountsRequest(page_size=_PAGE, page_token=token)
        answer = await person.call(rpc.AccountServiceStub, "ListAccounts", request)
        by_badge = [one for one in answer.accounts if one.badge_number.casefold() == wanted]
        if by_badge:
            return by_badge
        by_name += [one for one in answer.accounts if wanted in one.full_name.casefold()]
        token = answer.next_page_token
        if not token:
            break
    return by_name


def is_id(text: str) -> bool:
    """Whether `text` is the id of an account."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


async def names_of(person: Person, ids: Iterable[str]) -> Mapping[str, str]:
    """Names by account, of as many as a page has, as far as the person may know them. Raises AlprError."""
    wanted = sorted(filter(is_id, set(ids)))[:_MOST_NAMES]
    found = await asyncio.gather(*(_name(person, one) for one in wanted))
    return {one: name for one, name in zip(wanted, found, strict=True) if name}


async def _name(person: Person, account_id: str) -> str:
    request = pb.GetAccountRequest(account_id=account_id)
    try:
        answer = await person.call(rpc.AccountServiceStub, "GetAccount", request)
    except AlprError as error:
        if error.code in _GONE:
            return ""
        raise
    return str(answer.account.full_name)

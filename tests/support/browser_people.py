"""People of a test's own at the console: an account may have few sign-ins at the same time."""

from __future__ import annotations

import secrets
from pathlib import Path

from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import DevelopmentTokens
from services.common.errors import UnauthenticatedError
from tests.support.access_stack import person


async def new_person(folder: Path, role: str) -> str:
    """Subject of a new account with that role, certified for everything, in the statewide unit."""
    try:
        return await _made(folder, role, anew=False)
    except UnauthenticatedError:  # a test of sign-ins has ended the coordinator's
        return await _made(folder, role, anew=True)


async def _made(folder: Path, role: str, *, anew: bool) -> str:
    subject = f"{role}-{secrets.token_hex(4)}"
    tokens = DevelopmentTokens(folder, cast.COORDINATOR, anew=anew)
    async with Session(locate(folder), tokens, on_wait=print) as session:
        await person(session, subject, role)
    return subject

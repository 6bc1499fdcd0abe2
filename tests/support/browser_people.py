"""People of a test's own at the console: an account may have few sign-ins at the same time."""

from __future__ import annotations

import secrets
from pathlib import Path

from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import token_source
from tests.support.access_stack import person


async def new_person(folder: Path, role: str) -> str:
    """Subject of a new account with that role, certified for everything, in the statewide unit."""
    subject = f"{role}-{secrets.token_hex(4)}"
    async with Session(locate(folder), token_source(folder, cast.COORDINATOR), on_wait=print) as session:
        await person(session, subject, role)
    return subject

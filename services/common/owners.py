"""The roles that own schemas: who may act as one, and for how long.

Whoever may become a schema's owner may read its tables and change the functions that guard them. So a login
that runs migrations is let in for the time of the run, and shut out at its end (ADR-0002).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext

import asyncpg

from services.common.database import Connection, DatabaseError, admin_connection, quoted

_ME = "SELECT current_user::text"
_IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_GRANTORS = """
    SELECT g.rolname AS grantor FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.grantor
    WHERE m.roleid = $1::text::regrole AND m.member = $2::text::regrole
"""
_EXISTS = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
# MEMBER counts every way in, also the right to grant the role to oneself.
_IS_IN = "SELECT pg_has_role($1::name, $2::name, 'MEMBER')"


class OwnershipError(DatabaseError):
    """The login may not act as the owner, or may still do so after the run; one sentence for the operator."""


@asynccontextmanager
async def acting_as(
    admin: Connection, owners: Sequence[str], opener_url: str | None = None
) -> AsyncIterator[None]:
    """Lets the login of `admin` act as `owners` inside, and takes that back at the end.

    A superuser needs no leave and cannot be shut out. Any other login is let in by the superuser of
    `opener_url`, and cannot come back without one. Without `opener_url` it lets itself in, if it made the
    owners, and can do so again.

    Raises:
        OwnershipError: The login cannot be let in, or could not be shut out.
    """
    if await admin.fetchval(_IS_SUPERUSER):
        yield
        return
    login = await admin.fetchval(_ME)
    opening = admin_connection(opener_url) if opener_url else nullcontext(admin)
    async with opening as opener:
        try:
            for owner in owners:
                await _let_in(opener, login, owner)
        except asyncpg.InsufficientPrivilegeError:
            text = f"{login} may not act as {', '.join(owners)}; give a superuser with --opened-by"
            raise OwnershipError(text) from None
        try:
            yield
        finally:
            for owner in owners:
                await _shut_out(opener, login, owner, by_all=bool(opener_url))
        if opener_url:
            await _check_shut(opener, login, owners)


async def _let_in(opener: Connection, login: str, owner: str) -> None:
    if not await opener.fetchval(_EXISTS, owner):
        await opener.execute(f"CREATE ROLE {quoted(owner)} NOLOGIN")
    await opener.execute(f"GRANT {quoted(owner)} TO {quoted(login)} WITH ADMIN FALSE, INHERIT TRUE, SET TRUE")


async def _shut_out(opener: Connection, login: str, owner: str, *, by_all: bool) -> None:
    """Takes back what lets the login be the owner: what it granted itself, or what anybody granted it.

    Who makes a role is given the right to grant it; a grant is taken back in the name of who made it.
    """
    for grantor in [row["grantor"] for row in await opener.fetch(_GRANTORS, owner, login)]:
        # One revocation may take others with it: CASCADE. What is gone already is only a warning.
        if by_all or grantor == login:
            await opener.execute(
                f"REVOKE {quoted(owner)} FROM {quoted(login)} GRANTED BY {quoted(grantor)} CASCADE"
            )


async def _check_shut(opener: Connection, login: str, owners: Sequence[str]) -> None:
    open_still = [owner for owner in owners if await opener.fetchval(_IS_IN, login, owner)]
    if open_still:
        text = f"{login} may still act as {', '.join(open_still)}; take that back by hand"
        raise OwnershipError(text)

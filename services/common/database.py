"""What an administrator does to a PostgreSQL server: connect, make a database, set a login's password."""

import base64
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

if TYPE_CHECKING:  # generic to the type checker alone
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

OLDEST_SERVER = 17
_CONNECT_SECONDS = 15.0
_SCRAM_ITERATIONS = 4096


class DatabaseError(Exception):
    """The server or database is not as it must be; its text is one sentence for the operator."""


@asynccontextmanager
async def admin_connection(url: str) -> AsyncIterator[Connection]:
    """A connection to the database of `url`.

    Raises:
        DatabaseError: It cannot be reached, refuses the login, does not exist, or is of a version before 17.
    """
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except asyncpg.InvalidCatalogNameError:
        msg = f"there is no database {database_of(url)} on {server_of(url)}"
        raise DatabaseError(msg) from None
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError):
        msg = f"the PostgreSQL server {server_of(url)} refused the administrator's login"
        raise DatabaseError(msg) from None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        msg = f"cannot reach the PostgreSQL server {server_of(url)}: {error or type(error).__name__}"
        raise DatabaseError(msg) from None
    try:
        version = connection.get_server_version()
        if version.major < OLDEST_SERVER:
            msg = (
                f"the PostgreSQL server {server_of(url)} is of version {version.major}.{version.minor}; "
                f"{OLDEST_SERVER} or newer is needed"
            )
            raise DatabaseError(msg)
        yield connection
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


def server_of(url: str) -> str:
    """Host and port of a database URL, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2] or "on this machine"


def database_of(url: str) -> str:
    """Name of the database of a URL; empty when it names none."""
    return unquote(urlsplit(url).path.removeprefix("/"))


def with_database(url: str, name: str) -> str:
    """`url` with database `name` in place of its own."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def with_login(url: str, name: str, password: str) -> str:
    """`url` with user `name` and `password`, which must need no quoting in a URL, in place of its own."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


async def create_database(url: str, *, template: str = "template0") -> bool:
    """Makes the database of `url`, through database `postgres`; False when it was there already.

    Nobody but its owner and superusers may connect to it until they are granted it.

    Raises:
        DatabaseError: As for `admin_connection`.
    """
    name = database_of(url)
    async with admin_connection(with_database(url, "postgres")) as admin:
        if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            return False
        try:
            await admin.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)}")
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            return False  # another run was faster
        await admin.execute(f"REVOKE ALL ON DATABASE {quoted(name)} FROM PUBLIC")
    return True


async def set_login(admin: Connection, name: str, password: str) -> None:
    """Sets the password of role `name` and lets it connect to the database of `admin`.

    The server gets the SCRAM verifier, not the password, so neither its log nor its statistics can hold it.
    """
    await admin.execute(f"ALTER ROLE {quoted(name)} PASSWORD '{scram_verifier(password, os.urandom(16))}'")
    await allow_connect(admin, name)


async def allow_connect(admin: Connection, name: str) -> None:
    """Lets role `name` connect to the database of `admin`."""
    database = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"GRANT CONNECT ON DATABASE {quoted(database)} TO {quoted(name)}")


def scram_verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL stores of `password` for SCRAM-SHA-256 (RFC 5803).

    Raises:
        ValueError: The password is not printable ASCII, so its normal form (RFC 4013) is not itself.
    """
    if not (password.isascii() and password.isprintable() and password):
        raise ValueError("a database password must be printable ASCII")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    words = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{words[0]}${words[1]}:{words[2]}"

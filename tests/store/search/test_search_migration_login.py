"""The login that runs migrations, attacked with: it made every function and reads no row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from services.common.database import DatabaseError, create_database, with_database, with_login
from services.common.migrate import migrate
from services.common.owners import OwnershipError
from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres
from services.search.core.reads import JudgedRead, shortcoming
from services.search.store_append import AppendStore
from services.search.wire_append import parse_append
from tests.support.databases import LOGINS, MCS_PERMIT_KEY, PASSWORD, PERMIT_KEY, fetch
from tests.support.search_kit import archive_pb, archived_read, now

LOGIN = "pw_migrate"
OWNERS = ("archive_owner", "motor_carrier_owner")

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Cluster:
    """A server of its own, migrated by a login that is no superuser."""

    def __init__(self, superuser_url: str) -> None:
        self.superuser_url = with_database(superuser_url, "platewarden")
        self.migration_url = with_login(self.superuser_url, LOGIN, PASSWORD)

    async def migrate(self, *, opened: bool = True) -> None:
        await migrate(
            self.migration_url,
            "search",
            logins=dict.fromkeys(LOGINS["search"], PASSWORD),
            permit_keys={"archive": [PERMIT_KEY], "motor_carrier": [MCS_PERMIT_KEY]},
            opener_url=self.superuser_url if opened else None,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("pg")) / "server", settings=WITHOUT_SYNC)
    server.start()
    try:
        create = f"CREATE ROLE {LOGIN} LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'"
        await fetch(server.admin_url, create)
        made = Cluster(server.admin_url)
        await create_database(made.migration_url)
        await made.migrate()
        purge = with_login(made.superuser_url, "search_purge", PASSWORD)
        await fetch(purge, "SELECT archive.ensure_partitions(2)")
        await store(with_login(made.superuser_url, "search_append", PASSWORD))
        await fetch(made.superuser_url, "ANALYZE")
        yield made
    finally:
        server.stop()


async def store(url: str) -> None:
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        parsed = parse_append(archive_pb.AppendReadsRequest(reads=[archived_read(plate="SECRET1")]))
        (result,) = await AppendStore(pool).append(
            [JudgedRead(one, shortcoming(one, now())) for one in parsed]
        )
        assert result.status == "STORED"


WAYS_IN = (
    *(f"SET ROLE {owner}" for owner in OWNERS),
    *(f"SET SESSION AUTHORIZATION {owner}" for owner in OWNERS),
    *(f"GRANT {owner} TO CURRENT_USER" for owner in OWNERS),
    *(f"ALTER ROLE {owner} LOGIN PASSWORD 'x'" for owner in OWNERS),
    *(f"REASSIGN OWNED BY {owner} TO CURRENT_USER" for owner in OWNERS),
    *(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO CURRENT_USER"
        for owner in OWNERS
    ),
    "GRANT pg_read_all_data TO CURRENT_USER",
    "GRANT pg_read_server_files TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER TABLE archive.read OWNER TO CURRENT_USER",
    "ALTER SCHEMA archive OWNER TO CURRENT_USER",
    "GRANT SELECT ON archive.read TO CURRENT_USER",
    "CREATE VIEW archive.mine AS SELECT * FROM archive.read",
    "CREATE FUNCTION archive.mine() RETURNS SETOF archive.read LANGUAGE sql SECURITY DEFINER "
    "RETURN (SELECT r FROM archive.read AS r LIMIT 1)",
    "CREATE OR REPLACE FUNCTION archive.refuse() RETURNS void LANGUAGE sql AS ''",
    "ALTER FUNCTION archive.refuse() OWNER TO CURRENT_USER",
    "CREATE TRIGGER mine AFTER INSERT ON archive.read EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE POLICY mine ON archive.read USING (true)",
    "CREATE RULE mine AS ON INSERT TO archive.permit_used DO ALSO SELECT 1",
    "CREATE PUBLICATION mine FOR TABLE archive.read",
    "CREATE STATISTICS mine ON plate, state FROM archive.read",
    "INSERT INTO archive.permit_key (key) VALUES (decode(repeat('00', 32), 'hex'))",
    "UPDATE archive.setting SET retention_days = 3660",
    "DO $$ BEGIN LOCK TABLE archive.read; END $$",
    "SELECT pg_read_file('PG_VERSION')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT archive.refuse()",
    "SELECT archive.opened_permit('x', 'reads')",
    "SELECT archive.ensure_partitions(1)",
)


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("way", WAYS_IN)
async def test_after_the_run_no_way_leads_from_the_migration_login_to_the_owners_or_the_rows(
    cluster: Cluster, way: str
) -> None:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await fetch(cluster.migration_url, way)

    assert refusal.value.sqlstate == "42501", (way, refusal.value)


@pytest.mark.clause("IV.A.5")
async def test_the_migration_login_reads_no_relation_and_no_statistics_of_the_archive(
    cluster: Cluster,
) -> None:
    relations = await fetch(
        cluster.superuser_url,
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S') "
        "AND relnamespace::regnamespace::text IN ('archive', 'motor_carrier') "
        "AND relname <> 'alembic_version'",
    )
    assert len(relations) > 95
    connection = await asyncpg.connect(cluster.migration_url)
    try:
        for relation in relations:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {relation['name']}")  # noqa: S608
        statistics = (
            "SELECT count(*) FROM pg_stats WHERE schemaname = 'archive' AND tablename <> 'alembic_version'"
        )
        assert await connection.fetchval(statistics) == 0
    finally:
        await connection.close()


@pytest.mark.clause("IV.A.5")
async def test_the_logins_that_the_migration_made_open_nothing_to_it_without_a_permit(
    cluster: Cluster,
) -> None:
    connection = await asyncpg.connect(cluster.migration_url)
    try:
        await connection.execute("GRANT search_question TO CURRENT_USER")
        await connection.execute("SET ROLE search_question")
        for statement in (
            "SELECT * FROM archive.general_reads('v1|x', 'reads')",
            "SELECT archive.find_read('v1|x', 0, 1, 1, gen_random_uuid())",
            "SELECT * FROM archive.read",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(statement)
    finally:
        await connection.execute("RESET ROLE")
        await connection.close()


@pytest.mark.clause("IV.A.5")
async def test_a_copy_of_the_database_shows_the_migration_login_no_more(cluster: Cluster) -> None:
    copy = with_database(cluster.migration_url, "pw_copy")
    postgres = with_database(cluster.migration_url, "postgres")
    await fetch(postgres, "CREATE DATABASE pw_copy TEMPLATE platewarden")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch(copy, "SELECT * FROM archive.read")
    finally:
        await fetch(postgres, "DROP DATABASE pw_copy")


async def test_the_next_run_needs_to_be_opened_again_and_is_shut_again(cluster: Cluster) -> None:
    with pytest.raises(OwnershipError, match="--opened-by"):
        await cluster.migrate(opened=False)

    await cluster.migrate()

    may = "SELECT pg_has_role(current_user, 'archive_owner', 'MEMBER')"
    assert [row[0] for row in await fetch(cluster.migration_url, may)] == [False]


async def test_a_run_that_fails_shuts_the_login_out_too(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "0000_roles.sql").write_text("SELECT 1;")

    with pytest.raises(DatabaseError):
        await migrate(cluster.migration_url, "search", folder=tmp_path, opener_url=cluster.superuser_url)

    may = "SELECT pg_has_role(current_user, 'archive_owner', 'MEMBER')"
    assert [row[0] for row in await fetch(cluster.migration_url, may)] == [False]


async def test_a_login_that_made_the_owners_itself_is_shut_out_by_whoever_opens_the_next_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    """As on a server that was set up without a superuser: creators of roles may grant them to themselves."""
    (tmp_path / "0000_roles.sql").write_text(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'matcher_owner') THEN "
        "CREATE ROLE matcher_owner NOLOGIN; END IF; END $$; ALTER SCHEMA matcher OWNER TO matcher_owner;"
    )
    await migrate(cluster.migration_url, "matcher", folder=tmp_path)
    await fetch(cluster.migration_url, "GRANT matcher_owner TO CURRENT_USER")

    await migrate(cluster.migration_url, "matcher", folder=tmp_path, opener_url=cluster.superuser_url)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fetch(cluster.migration_url, "GRANT matcher_owner TO CURRENT_USER")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fetch(cluster.migration_url, "SET ROLE matcher_owner")

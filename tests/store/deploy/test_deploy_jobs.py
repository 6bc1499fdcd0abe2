"""The jobs of the overlays as they are rendered, run against a PostgreSQL that is as the overlay has it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from services.common.database import with_database
from services.dev.postgres import EmbeddedPostgres
from tests.support.databases import LOGINS, fetch
from tests.support.manifests_kit import ROOT, Pod, Rendered, rendered

PERSON = {
    "subject": "c",
    "full_name": "C. C.",
    "badge_number": "1",
    "email": "c@isp.illinois.gov",
    "unit": "All",
}
OTHER = {
    "subject": "a",
    "full_name": "A. A.",
    "badge_number": "2",
    "email": "a@isp.illinois.gov",
    "unit": "All",
}
FOUNDING = {
    "AGENCY_ORI": "ILISP0000",
    "AGENCY_NAME": "Illinois State Police",
    "EMAIL_DOMAIN": "isp.illinois.gov",
    "OFFICIAL": "Deputy Director, Division of Patrol",
    "DOCUMENT_SHA256": "a" * 64,
    "COORDINATOR": json.dumps({"office": "coordinator", **PERSON}),
    "ADMINISTRATOR": json.dumps({"office": "administrator", **OTHER}),
}
# As Kubernetes puts variables into arguments.
VARIABLE = re.compile(r"\$\(([A-Z0-9_]+)\)")
# What leads to a file of a volume.
PATH = re.compile(r"(?<=[=@])(?=/)")
_WHO = """
    SELECT current_user::text AS me,
        (SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole) AS owned
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Place:
    """A database of an overlay on a server of this machine, and the jobs that work on it."""

    def __init__(self, whole: Rendered, cluster: str, folder: Path) -> None:
        self.whole, self.cluster, self.folder = whole, cluster, folder
        self.is_operators = ("Cluster", cluster) in whole.by_name
        self.server = EmbeddedPostgres(folder / "server", settings=self.settings())
        self.migrated: subprocess.CompletedProcess[str]

    def settings(self) -> Mapping[str, str]:
        """Those of `dev`, whose server reads files of its own; none where CloudNativePG makes the server."""
        if self.is_operators:
            return {}
        files = Pod(self.whole, self.cluster, self.folder / "pod").root
        config, rules = (files / "config" / name for name in ("postgresql.conf", "pg_hba.conf"))
        # The server that tests have is built without TLS; `make k8s-smoke` has one with it.
        text = config.read_text(encoding="utf-8")
        config.write_text(
            "".join(line for line in text.splitlines(keepends=True) if line[:3] != "ssl"), "utf-8"
        )
        rules.write_text(rules.read_text(encoding="utf-8").replace("hostssl", "host"), encoding="utf-8")
        return {"config_file": str(config), "hba_file": str(rules)}

    async def begin(self) -> None:
        """Starts the server, and makes what is there before the jobs."""
        self.server.prepare()
        self.own_files()
        self.server.launch()
        while not self.server.is_ready():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
        word = self.password("postgres")
        await fetch(self.server.admin_url, f"ALTER ROLE postgres PASSWORD '{word}'")
        self.admin = f"postgresql://postgres:{word}@localhost:{self.server.port}/postgres"
        if self.is_operators:
            await self.do_as_operator()

    def own_files(self) -> None:
        """Gives the server its files, as the group of its volumes does in a cluster."""
        owner = (self.folder / "server" / "data").stat()
        for file in (self.folder, *(self.folder / "pod").rglob("*")):
            os.chown(file, owner.st_uid, owner.st_gid)
            file.chmod(0o700 if file.is_dir() else 0o400)

    async def do_as_operator(self) -> None:
        """What CloudNativePG does with its Cluster before it says that it is ready."""
        spec = self.whole.one("Cluster", self.cluster)["spec"]
        (role,), begun = spec["managed"]["roles"], spec["bootstrap"]["initdb"]
        word = self.password(role["name"])
        await fetch(self.admin, f"CREATE ROLE {role['name']} LOGIN CREATEROLE PASSWORD '{word}'")
        await fetch(self.admin, f"CREATE DATABASE {begun['database']} OWNER {begun['owner']}")
        for statement in begun["postInitApplicationSQL"]:
            await fetch(with_database(self.admin, begun["database"]), statement)

    def password(self, login: str) -> str:
        """That of an administrator, from the Secret that the database is given."""
        return self.whole.data("Secret", f"{self.cluster}-{login}")["password"]

    def here(self, text: str, files: Path) -> str:
        """An argument or variable with this machine's places in it."""
        if not text.startswith("postgresql://"):
            return PATH.sub(str(files), text)
        url = urlsplit(text)
        where = url.netloc.rpartition("@")[0] + f"@localhost:{self.server.port}"
        return url._replace(netloc=where, query="sslmode=disable").geturl()

    def run(
        self, job: str, given: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        """The container of a job, with these variables besides."""
        files = Pod(self.whole, job, self.folder / job).root
        told = {**self.whole.environment(job), **given}
        told = {
            name: f"{files}{value}"
            if value.startswith("/")
            else self.here(value, files)
            if value.startswith("postgresql://")
            else value
            for name, value in told.items()
        }
        (container,) = self.whole.template(job)["spec"]["containers"]
        arguments = [
            VARIABLE.sub(lambda found: told[found[1]], self.here(one, files)) for one in container["args"]
        ]
        return subprocess.run(  # noqa: S603 - our own program and arguments
            [sys.executable, "-m", *arguments],
            env=told,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def url(self, secret: str, key: str) -> str:
        """An address of the database that a Secret holds."""
        name = re.compile(f"{secret}-[a-z0-9]{{10}}")
        (held,) = (one for kind, one in self.whole.by_name if kind == "Secret" and name.fullmatch(one))
        return self.here(self.whole.data("Secret", held)[key], self.folder)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[("dev", "records"), ("production", "records"), ("production", "reads")],
    ids="-".join,
)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    overlay, cluster = request.param
    # Not in pytest's own folder: the server runs as another account, which cannot go into that.
    with tempfile.TemporaryDirectory(prefix="pw-", ignore_cleanup_errors=True) as folder:
        made = Place(rendered(overlay), cluster, Path(folder))
        try:
            await made.begin()
            made.migrated = made.run(f"migrate-{cluster}")
            assert made.migrated.returncode == 0, made.migrated.stderr
            yield made
        finally:
            made.server.stop()


async def test_a_migration_that_is_run_again_finds_nothing_to_do(place: Place) -> None:
    again = place.run(f"migrate-{place.cluster}")

    assert again.returncode == 0, again.stderr
    assert again.stdout == place.migrated.stdout


async def test_each_service_logs_in_with_the_address_that_it_is_given_and_owns_nothing(place: Place) -> None:
    services = {"records": ("audit", "alerts", "matcher"), "reads": ("search",)}[place.cluster]

    for login in (login for service in services for login in LOGINS[service]):
        (row,) = await fetch(place.url("database", login), _WHO)
        assert row["me"] == login
        assert row["owned"] == 0


async def test_after_its_run_the_login_of_the_migration_is_no_owner_of_production(place: Place) -> None:
    url = place.url("database-admin", place.cluster)
    owner = {"records": "audit_owner", "reads": "archive_owner"}[place.cluster]

    (row,) = await fetch(url, f"SELECT pg_has_role(current_user, '{owner}', 'MEMBER') AS may")

    assert row["may"] is not place.is_operators  # dev is migrated by its superuser


async def test_the_system_is_founded_once_by_its_job(place: Place) -> None:
    if place.cluster == "reads":
        return  # nothing begins there
    assert place.whole.workloads["found"]["spec"]["suspend"] is True

    first, second = (place.run("found", FOUNDING) for _ in range(2))

    assert first.returncode == 0, first.stderr
    said = [line.split()[0] for line in first.stdout.splitlines()]
    assert said == ["coordinator", "administrator", "verifier-key"]
    assert second.returncode == 1
    assert "has begun already" in second.stderr

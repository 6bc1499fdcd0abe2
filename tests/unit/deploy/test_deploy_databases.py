"""Databases and their backups, as the overlays have them."""

import re
from typing import Any

import pytest

from services.dev.postgres import QUIET_LOG
from tests.support.manifests_kit import Document, rendered

CLUSTERS = ("records", "reads")
EACH = pytest.mark.parametrize("cluster", CLUSTERS)


def spec_of(kind: str, name: str) -> Document:
    """What production says of one."""
    spec: Document = rendered("production").one(kind, name)["spec"]
    return spec


@EACH
def test_a_commit_waits_for_a_standby_on_another_machine(cluster: str) -> None:
    spec = spec_of("Cluster", cluster)

    synchronous = spec["postgresql"]["synchronous"]
    assert synchronous["method"] == "any"
    assert synchronous["number"] == 1
    assert synchronous["dataDurability"] == "required"
    assert spec["instances"] > synchronous["number"] + 1  # so that the loss of one holds nobody up
    assert spec["affinity"]["podAntiAffinityType"] == "required"
    assert "synchronous_commit" not in spec["postgresql"]["parameters"]


@EACH
def test_the_login_that_migrates_owns_the_database_makes_roles_and_is_no_superuser(cluster: str) -> None:
    whole, spec = rendered("production"), spec_of("Cluster", cluster)
    (role,) = spec["managed"]["roles"]
    begun = spec["bootstrap"]["initdb"]

    assert (begun["database"], begun["owner"]) == (cluster, role["name"])
    assert role["createrole"]
    assert role["login"]
    assert "superuser" not in role
    for secret, login in ((role["passwordSecret"], role["name"]), (spec["superuserSecret"], "postgres")):
        held = whole.data("Secret", secret["name"])
        (administrators,) = (
            name for kind, name in whole.by_name if kind == "Secret" and name.startswith("database-admin")
        )
        urls = whole.data("Secret", administrators).values()
        assert held["username"] == login
        assert whole.one("Secret", secret["name"])["metadata"]["labels"]["cnpg.io/reload"] == "true"
        assert any(f"//{login}:{held['password']}@{cluster}-rw:5432/{cluster}?" in url for url in urls)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_databases_of_dev_and_production_log_no_content(cluster: str) -> None:
    parameters = spec_of("Cluster", cluster)["postgresql"]["parameters"]
    (config,) = (
        name for kind, name in rendered("dev").by_name if kind == "ConfigMap" and name.startswith("postgres-")
    )

    assert QUIET_LOG.items() <= parameters.items()
    assert (
        QUIET_LOG.items() <= settings_in(rendered("dev").data("ConfigMap", config)["postgresql.conf"]).items()
    )


def settings_in(text: str) -> dict[str, str]:
    """Settings of a postgresql.conf."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    parts = (line.partition("=") for line in lines if line)
    return {name.strip(): value.strip().strip("'") for name, _, value in parts}


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_nobody_comes_over_the_network_without_tls(cluster: str) -> None:
    (config,) = (
        name for kind, name in rendered("dev").by_name if kind == "ConfigMap" and name.startswith("postgres-")
    )
    rules = [
        line.split()
        for line in rendered("dev").data("ConfigMap", config)["pg_hba.conf"].splitlines()
        if line[:1].isalpha()
    ]

    assert "hostnossl all all all reject" in spec_of("Cluster", cluster)["postgresql"]["pg_hba"]
    assert {rule[0] for rule in rules} == {"local", "hostssl"}
    assert {rule[-1] for rule in rules} == {"scram-sha-256"}


def test_a_purge_certificate_says_how_long_a_purged_read_may_be_in_a_backup() -> None:
    told = int(rendered("production").environment("search")["PW_BACKUP_DAYS"])

    kept, every = days(spec_of("ObjectStore", "reads")["retentionPolicy"]), 1
    # The oldest backup that is kept lies up to one interval before the window; it goes with the next one.
    assert told == kept + 2 * every
    assert spec_of("ScheduledBackup", "reads")["schedule"].split()[3:] == ["*", "*", "*"]


def test_records_are_kept_in_backups_far_longer_than_reads_and_elsewhere() -> None:
    stores: dict[str, Any] = {cluster: spec_of("ObjectStore", cluster) for cluster in CLUSTERS}

    assert days(stores["records"]["retentionPolicy"]) > 4 * days(stores["reads"]["retentionPolicy"])
    paths = {one["configuration"]["destinationPath"] for one in stores.values()}
    assert len(paths | {rendered("production").environment("ocr")["PW_IMAGE_STORE_URL"]}) == 3


@EACH
def test_every_database_has_its_log_archived_and_a_backup_each_day(cluster: str) -> None:
    (plugin,) = spec_of("Cluster", cluster)["plugins"]
    backup = spec_of("ScheduledBackup", cluster)

    assert plugin["isWALArchiver"]
    assert plugin["parameters"] == {"barmanObjectName": cluster}
    assert backup["cluster"] == {"name": cluster}
    assert backup["pluginConfiguration"]["name"] == plugin["name"]
    for part in ("wal", "data"):
        assert spec_of("ObjectStore", cluster)["configuration"][part]["encryption"]


def days(text: str) -> int:
    """A window of backups in days."""
    found = re.fullmatch(r"(\d+)d", text)
    assert found
    return int(found[1])

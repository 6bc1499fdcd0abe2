"""Which migrations may run while the last release does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.common import migration_file
from tools.migrations import OUTSIDE, findings, key_of, statements, unreleased
from tools.release import ROOT, Release, load

RELEASE = Release("1.3.0", "0" * 40, "", {"audit": {"0000_roles.sql": "", "0001_log.sql": ""}})
UNUSED = "-- unused since {}: the column that sensor_unit replaced\n-- squawk-ignore ban-drop-column\n"
DROP = "ALTER TABLE alerts.hit DROP COLUMN unit;\n"

Rules = Callable[[str], list[str]]


@pytest.fixture
def rules_of(tmp_path: Path) -> Rules:
    """Names of the rules that a migration breaks."""

    def rules(text: str) -> list[str]:
        file = tmp_path / "0099_change.sql"
        file.write_text(text)
        return [one.rule for one in findings([file], RELEASE)]

    return rules


def test_the_migrations_of_this_tree_may_run_beside_the_last_release() -> None:
    release = load(ROOT)

    assert [str(one) for one in findings(unreleased(ROOT, release), release)] == []


def test_only_what_came_after_the_release_is_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "services" / "audit" / "sql"
    folder.mkdir(parents=True)
    for name in ("0000_roles.sql", "0001_log.sql", "0002_new.sql"):
        (folder / name).write_text("SELECT 1;")

    assert [path.name for path in unreleased(tmp_path, RELEASE)] == ["0002_new.sql"]


@pytest.mark.parametrize(
    "text",
    [
        "SET LOCAL ROLE alerts_owner;\nALTER TABLE alerts.hit ADD COLUMN unit text NOT NULL DEFAULT '';",
        "CREATE TABLE alerts.x (a bigint PRIMARY KEY);\nCREATE INDEX x_a ON alerts.x (a);",
        "ALTER TABLE alerts.hit ADD CONSTRAINT c CHECK (unit <> '') NOT VALID;",
        "CREATE OR REPLACE FUNCTION alerts.f() RETURNS int LANGUAGE sql AS $$ DELETE FROM alerts.x $$;",
        "REVOKE ALL ON FUNCTION alerts.f() FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION alerts.f() TO alerts_app;",
        "UPDATE alerts.head SET epoch = 2 WHERE only_row;",
        "-- the agency's own; it isn't ours\nINSERT INTO alerts.head VALUES ('it''s; DROP TABLE x');",
        f"{OUTSIDE}\nCREATE INDEX CONCURRENTLY IF NOT EXISTS hit_unit ON alerts.hit (unit);",
    ],
)
def test_what_adds_may_run(rules_of: Rules, text: str) -> None:
    assert rules_of(text) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (DROP, "ban-drop-column"),
        ("DROP TABLE alerts.hit;", "ban-drop-table"),
        ("DROP FUNCTION alerts.f(uuid);", "ban-drop-function"),
        ("ALTER TABLE alerts.hit RENAME COLUMN unit TO zone;", "renaming-column"),
        ("ALTER TABLE alerts.hit RENAME TO hits;", "renaming-table"),
        ("ALTER FUNCTION alerts.f(uuid) RENAME TO g;", "renaming-object"),
        ("ALTER TABLE alerts.hit ALTER COLUMN unit TYPE varchar(9);", "changing-column-type"),
        ("ALTER TABLE alerts.hit ALTER COLUMN unit SET NOT NULL;", "adding-not-nullable-field"),
        ("ALTER TABLE alerts.hit ADD COLUMN unit text NOT NULL;", "adding-required-field"),
        ("ALTER TABLE alerts.hit ADD CONSTRAINT c CHECK (unit <> '');", "constraint-missing-not-valid"),
        ("CREATE INDEX hit_unit ON alerts.hit (unit);", "require-concurrent-index-creation"),
        ("REVOKE SELECT ON alerts.hit FROM alerts_app;", "platewarden"),
        ("LOCK TABLE alerts.hit;", "platewarden"),
        ("UPDATE alerts.hit SET unit = '';", "platewarden"),
        ("DELETE FROM alerts.hit;", "platewarden"),
        ("REFRESH MATERIALIZED VIEW alerts.v;", "platewarden"),
        (f"{OUTSIDE}\nSELECT 1;\nSELECT 2;", "platewarden"),
        (
            "SELECT 1;\nCREATE INDEX CONCURRENTLY i ON alerts.hit (a);",
            "ban-concurrent-index-creation-in-transaction",
        ),
    ],
)
def test_what_locks_for_long_or_takes_away_what_the_release_uses_is_found(
    rules_of: Rules, text: str, rule: str
) -> None:
    assert rule in rules_of(text)


def test_what_an_older_release_used_last_may_go(rules_of: Rules) -> None:
    assert rules_of(UNUSED.format("1.2.0") + DROP) == []


@pytest.mark.parametrize("version", ["1.3.0", "1.3.1", "2.0.0"])
def test_what_the_last_release_uses_may_not_go(rules_of: Rules, version: str) -> None:
    assert rules_of(UNUSED.format(version) + DROP) == ["platewarden"]


@pytest.mark.parametrize(
    "comment",
    [
        "-- squawk-ignore ban-drop-column\n",
        "-- unused since 1.2.0: why\n-- squawk-ignore-file ban-drop-column\n",
        "-- unused since 1.2.0: why\n-- squawk-ignore ban-drop-column, renaming-column\n",
        "-- unused since long ago\n-- squawk-ignore ban-drop-column\n",
    ],
)
def test_no_rule_is_ignored_otherwise(rules_of: Rules, comment: str) -> None:
    assert "platewarden" in rules_of(comment + DROP)


def test_a_finding_names_file_line_and_rule(tmp_path: Path) -> None:
    file = tmp_path / "0099_change.sql"
    file.write_text("SELECT 1;\n\n" + DROP)

    (one,) = findings([file], RELEASE)

    assert str(one).startswith(f"{file}:3: ban-drop-column: ")


def test_bodies_of_functions_are_no_statements_of_the_migration() -> None:
    text = "SELECT 1;\nDO $do$ BEGIN\n DELETE FROM x; END $do$;\n-- it's; nothing\nSELECT ';';"

    assert [line for line, _ in statements(text)] == [1, 2, 5]


def test_versions_are_ordered_with_their_candidates_first() -> None:
    ordered = ["0.9.0", "1.0.0a1", "1.0.0rc1", "1.0.0", "1.0.1", "1.10.0"]

    assert sorted(reversed(ordered), key=key_of) == ordered


def test_lint_and_runner_mean_the_same_by_outside_a_transaction() -> None:
    assert OUTSIDE == migration_file.OUTSIDE

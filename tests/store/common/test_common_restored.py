"""After a restore each schema does what it must before its service starts again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.common.canonical import to_microseconds
from services.common.permit import signed
from services.common.restored import after_restore, main
from tests.support.databases import PERMIT_KEY, Databases, MigratedDatabase, fetch

RESTORED_TO = datetime(2026, 11, 20, 12, tzinfo=UTC)
_LIST = "11111111-1111-4111-8111-111111111111"
_ACTS = [f"22222222-2222-4222-8222-22222222222{n}" for n in range(4)]


async def _value(database: MigratedDatabase, statement: str, *arguments: object) -> object:
    return (await fetch(database.admin_url, statement, *arguments))[0][0]


@pytest.mark.clause("IV.D.3")
async def test_alerts_begin_an_epoch_and_say_from_when_to_read(databases: Databases) -> None:
    database = await databases.make("alerts")
    before = await _value(database, "SELECT epoch FROM alerts.feed_head")

    said = await after_restore(database.admin_url, "alerts", RESTORED_TO)

    (head,) = await fetch(database.admin_url, "SELECT epoch, resync_from FROM alerts.feed_head")
    assert head["epoch"] > before
    assert head["resync_from"] == RESTORED_TO
    assert str(head["epoch"]) in said


_LISTS = """
    INSERT INTO matcher.act (intent_id, request_id, action, hot_list_id, account_id, details, act_time)
    SELECT one::uuid, one::uuid, 'hot_list.create', $1::uuid, 'a', '{}', now()
      FROM unnest($2::text[]) AS t (one)
"""


async def _list_in_use(database: MigratedDatabase) -> None:
    """A list that came into use by the third act, and its fourth act is free."""
    url = database.admin_url
    await fetch(url, _LISTS, _LIST, _ACTS)
    await fetch(
        url,
        "INSERT INTO matcher.hot_list (hot_list_id, agency_ori, name, source, intent_id, latest_version)"
        " VALUES ($1::uuid, 'ILISP0000', 'a list', 1, $2::uuid, 1)",
        _LIST,
        _ACTS[0],
    )
    await fetch(
        url,
        "INSERT INTO matcher.hot_list_version (hot_list_id, version, intent_id, upload_time, format, sha256,"
        " size_bytes, attestation, row_count, entry_count, added_count, removed_count, categories,"
        " category_counts) VALUES ($1::uuid, 1, $2::uuid, now(), 1, $3, 1, 'x', 1, 1, 1, 0, '{}', '{}')",
        _LIST,
        _ACTS[1],
        bytes(32),
    )
    await fetch(
        url,
        "INSERT INTO matcher.activation (match_revision, hot_list_id, version, intent_id, activated_at)"
        " VALUES (40, $1::uuid, 1, $2::uuid, now())",
        _LIST,
        _ACTS[2],
    )
    await fetch(url, "UPDATE matcher.look_back SET done_at = now()")
    await fetch(url, "UPDATE matcher.revision SET match_revision = 40")


@pytest.mark.clause("II.D")
async def test_lists_in_use_are_looked_back_for_as_a_whole_by_the_act_that_brought_them_into_use(
    databases: Databases,
) -> None:
    database = await databases.make("matcher")
    await _list_in_use(database)

    said = await after_restore(database.admin_url, "matcher", RESTORED_TO)

    (one,) = await fetch(database.admin_url, "SELECT * FROM matcher.look_back WHERE done_at IS NULL")
    assert (str(one["changed_id"]), str(one["intent_id"])) == (_LIST, _ACTS[2])
    assert (one["kind"], one["version"], one["previous_version"]) == (1, 1, 0)
    assert one["changed_at"] == RESTORED_TO
    assert one["match_revision"] == await _value(database, "SELECT match_revision FROM matcher.revision")
    assert "1 lists and local entries" in said


@pytest.mark.clause("II.D")
async def test_a_list_that_is_out_of_use_is_not_looked_back_for(databases: Databases) -> None:
    database = await databases.make("matcher")
    await _list_in_use(database)
    await fetch(
        database.admin_url,
        "INSERT INTO matcher.activation (match_revision, hot_list_id, version, intent_id, activated_at)"
        " VALUES (41, $1::uuid, NULL, $2::uuid, now())",
        _LIST,
        _ACTS[3],
    )
    await fetch(database.admin_url, "UPDATE matcher.look_back SET done_at = now()")

    await after_restore(database.admin_url, "matcher", RESTORED_TO)

    assert not await fetch(database.admin_url, "SELECT FROM matcher.look_back WHERE done_at IS NULL")


@pytest.mark.clause("II.D")
async def test_revisions_go_on_beyond_any_that_was_handed_out(databases: Databases) -> None:
    database = await databases.make("matcher")
    await fetch(database.admin_url, "UPDATE matcher.revision SET match_revision = 40")

    await after_restore(database.admin_url, "matcher", RESTORED_TO)
    first = await _value(database, "SELECT match_revision FROM matcher.revision")
    await after_restore(database.admin_url, "matcher", RESTORED_TO)

    # Nobody hands out a revision a millisecond for as long as there are restores.
    assert isinstance(first, int)
    assert first > to_microseconds(datetime.now(UTC) - timedelta(days=1)) // 1000
    assert await _value(database, "SELECT match_revision FROM matcher.revision") >= first  # type: ignore[operator]


def _statement(revision: int, days: int) -> str:
    return signed(f"retention/v1|{revision}|{days}", PERMIT_KEY)


@pytest.mark.clause("IV.E.1")
async def test_search_waits_for_the_purge_and_takes_audits_next_word_whatever_its_number(
    databases: Databases,
) -> None:
    database = await databases.make("search")
    url = database.admin_url
    assert await _value(database, "SELECT archive.follow_retention($1)", _statement(7, 30)) == 30
    assert await _value(database, "SELECT archive.follow_retention($1)", _statement(5, 60)) == 30
    await fetch(url, "SELECT archive.purge_was_run()")
    assert not await _value(database, "SELECT archive.restore_is_open()")

    await after_restore(url, "search", RESTORED_TO)

    assert await _value(database, "SELECT archive.restore_is_open()")
    assert await _value(database, "SELECT archive.purge_is_due()")
    assert await _value(database, "SELECT archive.follow_retention($1)", _statement(5, 60)) == 60
    await fetch(url, "SELECT archive.purge_was_run()")
    assert not await _value(database, "SELECT archive.restore_is_open()")
    assert not await _value(database, "SELECT archive.purge_is_due()")


@pytest.mark.clause("IV.E.1", "IV.E.3")
async def test_a_day_that_came_back_ends_by_a_purge_that_the_log_does_not_have_yet(
    databases: Databases,
) -> None:
    """The drill found it: under an id that the log knows, no purge could be recorded, and none ever again."""
    database = await databases.make("search")
    url, day = database.admin_url, RESTORED_TO.date()
    before = await _value(database, "SELECT archive.purges_of($1)", day)
    await fetch(
        url,
        "INSERT INTO archive.purge (purge_id, intent_id, day, begun_at)"
        " VALUES ($1::uuid, $2::uuid, $3, now())",
        _ACTS[0],
        _ACTS[1],
        day,
    )

    await after_restore(url, "search", RESTORED_TO)

    assert await _value(database, "SELECT result FROM archive.purge") == "FAILED"
    numbers = {before, await _value(database, "SELECT archive.purges_of($1)", day)}
    await after_restore(url, "search", RESTORED_TO)
    numbers.add(await _value(database, "SELECT archive.purges_of($1)", day))
    assert len(numbers) == 3
    assert before == 0


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-20T12:00", "2999-01-01T00:00Z"])
def test_a_moment_without_time_zone_or_in_the_future_is_refused(
    moment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--admin-url", "postgresql://x", "--service", "alerts", "--restored-to", moment])

    assert "--restored-to" in capsys.readouterr().err


def test_audit_has_a_command_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--admin-url", "postgresql://x", "--service", "audit", "--restored-to", "2026-11-20T12:00Z"])

    assert "invalid choice: 'audit'" in capsys.readouterr().err

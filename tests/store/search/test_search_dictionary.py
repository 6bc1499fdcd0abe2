"""The dictionary: which plates and places were seen on which days, and that nobody reads it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import asyncpg
import pytest

from tests.support.search_kit import archived_read, now

LIKE = "SELECT plate, days FROM archive.dictionary_like($1, $2, $3, 100) ORDER BY plate"
ANY = "SELECT plate, days FROM archive.dictionary_any($1, $2, $3) ORDER BY plate"
SENSORS = "SELECT sensor_id, days FROM archive.dictionary_sensors($1, $2, $3, $4, $5, $6) ORDER BY sensor_id"
KEPT = "SELECT days FROM archive.plate_seen WHERE plate = $1"


def noon(days_ago: int) -> datetime:
    """A moment that is on the same day for all of a test."""
    return (now() - timedelta(days=days_ago)).replace(hour=12, minute=0, second=0, microsecond=0)


def day(days_ago: int) -> date:
    return noon(days_ago).date()


async def ask(connection, statement, *arguments):
    return {row[0]: row[1] for row in await connection.fetch(statement, *arguments)}


async def test_a_plate_is_in_the_dictionary_with_each_of_its_days_once(append, connect, plate) -> None:
    for days_ago in (3, 5, 3, 4):
        await append([archived_read(noon(days_ago), plate=plate), archived_read(noon(days_ago), plate=plate)])

    admin = await connect("admin")
    assert await ask(admin, ANY, [plate], day(90), day(0)) == {plate: [day(5), day(4), day(3)]}


async def test_what_is_not_stored_is_not_in_the_dictionary(append, connect, plate) -> None:
    too_old = archived_read(now() - timedelta(days=91), plate=plate)
    incomplete = archived_read(plate=plate)
    incomplete.read.ClearField("place")
    first = archived_read(seed=f"first-{plate}")
    clash = archived_read(seed=f"first-{plate}")
    clash.read.CopyFrom(first.read)
    clash.read.plate = plate

    results = await append([first, too_old, incomplete, clash])

    assert [r.status for r in results] == ["STORED", "OUT_OF_RETENTION", "QUARANTINED", "CONFLICT"]
    admin = await connect("admin")
    assert await ask(admin, ANY, [plate], day(100), day(0)) == {}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("QD1?W1", {"QD12W1", "QD13W1"}),
        ("QD1*", {"QD12W1", "QD13W1", "QD1"}),
        ("*W1", {"QD12W1", "QD13W1", "XQD12W1"}),
        ("*D12*", {"QD12W1", "XQD12W1"}),
        ("?D1*1", {"QD12W1", "QD13W1"}),
        ("QD1", {"QD1"}),
        ("QD1????", set()),
    ],
)
async def test_unknown_characters_are_looked_up_in_the_dictionary(append, connect, pattern, found) -> None:
    await append([archived_read(noon(2), plate=text) for text in ("QD12W1", "QD13W1", "XQD12W1", "QD1")])

    admin = await connect("admin")
    assert set(await ask(admin, LIKE, pattern, day(90), day(0))) == found


@pytest.mark.parametrize("pattern", ["", "%", "A_1", "a1", "A'1", "\u0410\u0031", "A\\1", "?" * 41])
async def test_what_is_no_pattern_finds_nothing(append, connect, pattern) -> None:
    await append([archived_read(noon(2), plate="A21")])

    admin = await connect("admin")
    assert await ask(admin, LIKE, pattern, day(90), day(0)) == {}


async def test_only_days_of_the_window_are_given(append, connect, plate) -> None:
    await append([archived_read(noon(days_ago), plate=plate) for days_ago in (9, 7, 5)])

    admin = await connect("admin")
    assert await ask(admin, LIKE, plate, day(8), day(6)) == {plate: [day(7)]}
    assert await ask(admin, ANY, [plate], day(6), day(6)) == {}


async def test_one_character_off_is_one_replaced_left_out_or_added(connect) -> None:
    admin = await connect("admin")

    texts = await admin.fetchval("SELECT archive.one_off_texts('AB1')")

    assert {"AB1", "AC1", "B1", "AB", "AB12", "XAB1", "AXB1"} <= set(texts)
    assert "A1B" not in texts
    assert len(texts) == len(set(texts)) == 1 + 3 * 35 + 3 + 4 * 36 - 3


@pytest.mark.clause("II.C")
async def test_a_box_names_the_sensors_that_had_reads_near_it(append, connect, plate) -> None:
    def read(sensor: str, latitude: float, days_ago: int):
        made = archived_read(noon(days_ago), plate=plate)
        made.read.sensor_id, made.read.place.latitude, made.read.place.longitude = sensor, latitude, -61.5
        return made

    await append(
        [read("fixed", 33.005, 3), read("fixed", 33.005, 2), read("car", 33.105, 3), read("car", 33.5, 2)]
    )

    admin = await connect("admin")
    box = (33.0, -61.6, 33.2, -61.4)
    assert await ask(admin, SENSORS, *box, day(90), day(0)) == {"fixed": [day(3), day(2)], "car": [day(3)]}
    assert await ask(admin, SENSORS, *box, day(2), day(2)) == {"fixed": [day(2)]}


@pytest.mark.clause("IV.E.1")
async def test_the_dictionary_forgets_days_that_are_past_and_keeps_the_others(append, connect, plate) -> None:
    gone, kept = f"{plate}A", f"{plate}B"
    await append([archived_read(noon(80), plate=text) for text in (gone, kept)])
    await append([archived_read(noon(20), plate=kept)])
    admin, purge = await connect("admin"), await connect("search_purge")
    places = "SELECT count(*) FROM archive.place_seen WHERE $1 = ANY (days)"
    assert await admin.fetchval(places, day(80)) > 0

    await admin.execute("UPDATE archive.setting SET retention_days = 30")
    try:
        while await purge.fetchval("SELECT archive.dictionary_forget(1)"):
            pass
    finally:
        await admin.execute("UPDATE archive.setting SET retention_days = 90")

    assert await admin.fetchval("SELECT count(*) FROM archive.plate_to_forget") == 0
    assert await admin.fetch(KEPT, gone) == []
    assert await admin.fetchval(KEPT, kept) == [day(20)]
    assert await admin.fetchval("SELECT min(first_day) FROM archive.plate_seen") >= day(30)
    assert await admin.fetchval(places, day(80)) == 0


async def test_a_plate_that_is_seen_again_while_it_is_being_forgotten_keeps_its_new_day(
    append, connect, plate
) -> None:
    old, other = f"{plate}C", f"{plate}D"
    await append([archived_read(noon(80), plate=text) for text in (old, other)])
    admin, purge = await connect("admin"), await connect("search_purge")

    await admin.execute("UPDATE archive.setting SET retention_days = 30")
    try:
        await purge.execute("SELECT archive.dictionary_forget(0)")  # has looked, and forgotten nothing yet
        await append([archived_read(noon(1), plate=old)])
        while await purge.fetchval("SELECT archive.dictionary_forget(1)"):
            pass
    finally:
        await admin.execute("UPDATE archive.setting SET retention_days = 90")

    assert await admin.fetchval(KEPT, old) == [day(1)]
    assert await admin.fetch(KEPT, other) == []


async def test_forgetting_leaves_what_is_within_the_retention_period(append, connect, plate) -> None:
    await append([archived_read(noon(89), plate=plate)])

    purge, admin = await connect("search_purge"), await connect("admin")
    assert await purge.fetchval("SELECT archive.dictionary_forget(1000)") == 0
    assert await admin.fetchval(KEPT, plate) == [day(89)]


@pytest.mark.clause("IV.C.6")
@pytest.mark.parametrize("login", ["search_append", "search_question", "search_purge"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT plate FROM archive.plate_seen",
        "SELECT sensor_id FROM archive.place_seen",
        "SELECT * FROM archive.dictionary_like('*', '-infinity', 'infinity', 1000)",
        "SELECT * FROM archive.dictionary_any('{A1}', '-infinity', 'infinity')",
        "SELECT * FROM archive.dictionary_sensors(-90, -180, 90, 180, '-infinity', 'infinity')",
        "SELECT archive.note_plates('{A1}', '{2026-01-01}')",
        "SELECT archive.note_places('{1}', '{1}', '{s}', '{g}', '{2026-01-01}')",
        "DELETE FROM archive.plate_seen",
        "SELECT plate FROM archive.plate_to_forget",
    ],
)
async def test_no_login_reads_or_writes_the_dictionary(connect, login, statement) -> None:
    connection = await connect(login)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)

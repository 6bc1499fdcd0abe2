"""That a run would notice what it is there to notice."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc

from services.common.errors import StoppingError
from tests.rolling.checks import compare
from tests.rolling.ledger import Ledger, words_of
from tests.rolling.names import Names
from tests.support.databases import MigratedDatabase

GONE = "018f0000-0000-7000-8000-000000000001"


async def test_a_read_and_an_alert_that_were_answered_and_are_not_stored_are_counted(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
) -> None:
    database = await migrated_database("search", "alerts")
    ledger = Ledger(reads={GONE: "AB12345"}, listed={"ACACAC"}, delivered={"dispatcher": Counter()})

    differences = await compare(ledger, database.admin_url)

    assert differences == {
        "reads_lost": 1,
        "reads_double": 0,
        "reads_wrong": 0,
        "alerts_lost": 1,
        "alerts_double": 0,
        "deliveries_lost": 1,
        "deliveries_double": 0,
    }
    await database.drop()


async def test_an_alert_that_came_twice_to_one_subscriber_is_counted(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
) -> None:
    database = await migrated_database("search", "alerts")
    ledger = Ledger(delivered={"dispatcher": Counter({"ACACAC": 2}), "officer": Counter({"ACACAC": 1})})

    assert (await compare(ledger, database.admin_url))["deliveries_double"] == 1
    await database.drop()


def test_a_failure_is_told_with_its_phase_and_no_failure_is_forgotten() -> None:
    ledger = Ledger(phase="audit to now")
    for _ in range(30):
        ledger.failed("Authorize", StoppingError("stopping"))
    ledger.answered("Authorize", 0.25)
    ledger.answered("Authorize", 0.125)

    told = ledger.as_json()

    assert told["failed_calls"] == 30
    assert told["failures"][0] == {
        "phase": "audit to now",
        "what": "Authorize",
        "why": "UNAVAILABLE: stopping",
    }
    assert (told["calls"], told["longest_ms"]) == ({"Authorize": 2}, {"Authorize": 250})


def test_an_error_of_the_transport_is_told_by_its_code() -> None:
    error = grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), grpc.aio.Metadata(), "ended")

    assert words_of(error) == "CANCELLED: ended"


def test_a_name_has_the_addresses_of_the_replicas_that_are_ready_in_the_file_that_is_mounted(
    tmp_path: Path,
) -> None:
    names = Names(tmp_path / "hosts")
    before = (tmp_path / "hosts").stat()

    names.add("audit", "127.1.1.1")
    names.add("audit", "127.1.1.2")
    names.remove("audit", "127.1.1.1")

    after = (tmp_path / "hosts").stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    lines = (tmp_path / "hosts").read_text().split("\n")
    assert [line for line in lines if line] == ["127.0.0.1 localhost", "127.1.1.2 audit"]

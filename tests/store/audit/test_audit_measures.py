"""Gauges of the log, as the database has it."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import REGISTRY

from services.audit.app_log import Draft, Log
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import EntryKind
from services.audit.measures import AuditMeasures
from services.audit.store_log import LogStore
from services.audit.store_witness import WitnessStore
from services.common.clock import SystemClock
from services.common.pg import Pool


def gauge(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"platewarden_{name}", labels)
    assert value is not None, name
    return value


async def test_the_size_of_the_log_and_what_a_witness_has_signed_of_it_are_gauges(pool: Pool) -> None:
    log = Log(LogStore(pool), Signer("audit.test/log", Ed25519PrivateKey.generate()), SystemClock())
    await log.open()
    measures, before = AuditMeasures(pool), gauge("audit_entries_total", kind="event")
    for number in range(5):
        await log.append(Draft(EntryKind.EVENT, f"{number}", {}))
    await measures.take()
    unsigned = [gauge("audit_log_size"), gauge("audit_witnesses"), gauge("audit_witnessed_size")]

    await WitnessStore(pool).add("w1", 3, "checkpoint")
    await WitnessStore(pool).add("w2", 4, "checkpoint")
    await measures.take()

    assert unsigned == [5, 0, 0]
    assert [gauge("audit_log_size"), gauge("audit_witnesses"), gauge("audit_witnessed_size")] == [5, 2, 4]
    assert abs(gauge("audit_witnessed_timestamp_seconds") - datetime.now(UTC).timestamp()) < 60
    assert gauge("audit_entries_total", kind="event") - before == 5
    assert gauge("database_size_bytes", cluster="records") > 1_000_000


async def test_a_log_that_takes_no_entry_is_a_gauge(pool: Pool) -> None:
    measures = AuditMeasures(pool)
    await measures.take()
    before = gauge("audit_log_closed")

    await WitnessStore(pool).close_log("checkpoint")
    await measures.take()

    assert (before, gauge("audit_log_closed")) == (0, 1)

"""Holds what the load was told against what is stored in the end."""

import asyncpg

from tests.rolling.ledger import Ledger

_READS = """SELECT read_id::text AS id, plate, count(*) AS times FROM archive.read
            WHERE read_id = ANY ($1::uuid[]) GROUP BY read_id, plate"""
_ALERTS = "SELECT plate, count(*) AS times FROM alerts.alert WHERE plate = ANY ($1::text[]) GROUP BY plate"


async def compare(ledger: Ledger, admin_url: str) -> dict[str, int]:
    """How many reads and alerts are lost, double or wrong; all must be 0."""
    database = await asyncpg.connect(admin_url)
    try:
        reads = await database.fetch(_READS, list(ledger.reads))
        alerts = await database.fetch(_ALERTS, list(ledger.listed))
    finally:
        await database.close()
    stored = {row["id"]: row["plate"] for row in reads}
    raised = {row["plate"]: row["times"] for row in alerts}
    return {
        "reads_lost": sum(read_id not in stored for read_id in ledger.reads),
        "reads_double": sum(row["times"] - 1 for row in reads),
        "reads_wrong": sum(stored.get(key, plate) != plate for key, plate in ledger.reads.items()),
        "alerts_lost": len(ledger.listed - raised.keys()),
        "alerts_double": sum(times - 1 for times in raised.values()),
        "deliveries_lost": sum(len(ledger.listed - count.keys()) for count in ledger.delivered.values()),
        "deliveries_double": sum(count[plate] - 1 for count in ledger.delivered.values() for plate in count),
    }

"""Holds what the load was told against what is stored in the end."""

import subprocess
import sys
from pathlib import Path

import asyncpg

from services.cli.demo import cast
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


def log_holds(data_dir: Path, folder: Path) -> tuple[bool, int]:
    """Whether the log is whole and bears out every receipt that was given, and how many those are.

    The public key lies in `folder`/log.pub, the receipts in `folder`/receipts.
    """
    receipts = sorted((folder / "receipts").glob("*.json"))
    out = folder / "log.jsonl"
    export = ("export", "--out", str(out), "--as", cast.AUDITOR.subject, "--data-dir", str(data_dir))
    proofs = [argument for path in receipts for argument in ("--receipt", str(path))]
    verify = ("verify", str(out), "--public-key", str(folder / "log.pub"), *proofs)
    return all(_platewarden("audit", *words) for words in (export, verify)), len(receipts)


def _platewarden(*arguments: str) -> bool:
    command = [str(Path(sys.executable).with_name("platewarden")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode == 0

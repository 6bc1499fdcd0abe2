"""The reckoning: everything that was answered is held against what is stored, and the log against itself."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from services.audit import verifier
from services.cli.audit import export_log, verifier_key
from services.cli.session import Session
from services.common.database import Connection
from services.witness.store import WitnessStore
from tests.chaos.answers import KEPT, Answers
from tests.chaos.check_alerts import check_deliveries, check_hits, check_look_backs
from tests.chaos.findings import Findings
from tests.chaos.stack import Stack

_SETTLE_SECONDS: Final = 150.0
_PAUSE_SECONDS: Final = 3.0


@dataclass
class LogEntry:
    """An entry of the exported log, opened."""

    index: int
    leaf: bytes
    fields: Mapping[str, str]


@dataclass
class Log:
    """The exported log by entry id, and outcomes by what they are outcomes of."""

    entries: dict[str, LogEntry] = field(default_factory=dict)
    outcomes: dict[str, list[LogEntry]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, file: Path) -> Log:
        """The log of an export."""
        made = cls()
        for line in file.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            if item["type"] != "entry":
                continue
            fields = {one["name"]: one["value"] for one in item["fields"]}
            entry = LogEntry(item["log_index"], base64.b64decode(item["leaf"]), fields)
            made.entries[fields["entry_id"]] = entry
            if fields["kind"] == "outcome":
                made.outcomes[fields["subject"]].append(entry)
        return made


async def everything(stack: Stack, answers: Answers, auditor: Session, witness: Path) -> Findings:
    """What was checked, and what is wrong."""
    found = Findings()
    for text in answers.contradictions:
        found.bad(f"a read's answer was taken back: {text}")
    for text in answers.gaps:
        found.bad(f"a follower was sent back to the start: {text}")
    for text, count in answers.unknown_errors.items():
        found.bad(f"a service answered {text} {count} times")
    base: Connection = await asyncpg.connect(stack.database.admin_url)
    try:
        await _check_reads(stack, answers, base, found)
        await check_look_backs(base, found)
        await check_hits(answers, base, found)
        await check_deliveries(answers, base, found)
        log = await _settled_log(stack, auditor, base)
        await _check_acts(answers, base, log, found)
        _check_questions(answers, log, found)
        await _check_permits(base, log, found)
    finally:
        await base.close()
    await _check_log(stack, answers, auditor, witness, found)
    return found


async def _check_reads(stack: Stack, answers: Answers, base: Connection, found: Findings) -> None:
    rows = await base.fetch("SELECT read_id::text, plate, sensor_id FROM archive.read")
    stored = {row["read_id"]: (row["plate"], row["sensor_id"]) for row in rows}
    for one in answers.reads.values():
        found.checked["reads"] += 1
        if one.status not in KEPT:
            found.bad(
                f"read {one.read_id} of {one.sensor_id} was refused for good: {one.status}, {one.reason}"
            )
        elif stored.get(one.read_id) != (one.plate, one.sensor_id):
            found.bad(f"read {one.read_id} was answered as stored and is not")
        if one.image:
            found.checked["pictures"] += 1
            file = stack.places.images / "days" / f"{one.captured:%Y-%m-%d}" / one.image.hex()
            if not file.exists():
                found.bad(f"the picture of read {one.read_id} is not kept")


async def _settled_log(stack: Stack, auditor: Session, base: Connection) -> Log:
    """The log, once every act that was done has its outcome in it, or is past the time for that."""
    file = stack.folder / "log.jsonl"
    async with asyncio.timeout(2 * _SETTLE_SECONDS):
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _SETTLE_SECONDS
        while True:
            await export_log(auditor, file)
            log = await asyncio.to_thread(Log.read, file)
            if loop.time() > give_up or not await _without_outcome(base, log):
                return log
            await asyncio.sleep(_PAUSE_SECONDS)


async def _done(base: Connection) -> dict[str, str]:
    """Every act of people that is stored: request id by intent."""
    steps = await base.fetch("SELECT intent_id::text, request_id::text FROM alerts.alert_step")
    acts = await base.fetch("SELECT intent_id::text, request_id::text FROM matcher.act")
    return {row["intent_id"]: row["request_id"] for row in [*steps, *acts]}


async def _without_outcome(base: Connection, log: Log) -> list[str]:
    return [intent for intent in await _done(base) if not log.outcomes.get(intent)]


async def _check_acts(answers: Answers, base: Connection, log: Log, found: Findings) -> None:
    done = await _done(base)
    for intent in done:
        found.checked["stored acts"] += 1
        if intent not in log.entries:
            found.bad(f"an act is stored whose intent {intent} is not in the log")
        if len(log.outcomes.get(intent, ())) != 1:
            found.bad(f"intent {intent} of a stored act has {len(log.outcomes.get(intent, ()))} outcomes")
    requests = set(done.values())
    for act in answers.acts:
        found.checked["answered acts"] += 1
        if act.request_id not in requests:
            found.bad(f"{act.what} {act.request_id} was answered and is not stored")


def _check_questions(answers: Answers, log: Log, found: Findings) -> None:
    by_plate: dict[str, list[Any]] = defaultdict(list)
    for one in answers.reads.values():
        by_plate[one.plate].append(one)
    for asked in answers.questions:
        found.checked["questions"] += 1
        found.checked["rows"] += len(asked.read_ids)
        for receipt in asked.receipts:
            _check_receipt(receipt, log, found)
        # A try that failed, and the next one's answer, are outcomes of the same question.
        outcome = log.entries.get(asked.receipts[1].entry_id)
        said = outcome.fields if outcome is not None else {}
        if (said.get("subject"), said.get("result"), said.get("row_count")) != (
            *(asked.receipts[0].entry_id, "DONE", str(len(asked.read_ids))),
        ):
            found.bad(f"question {asked.request_id}: the log has no outcome with the rows that were shown")
        must = {
            one.read_id
            for one in by_plate[asked.plate]
            if one.status in KEPT and one.answered_at < asked.asked_at and one.captured < asked.searched_to
        }
        if asked.is_whole and not must <= set(asked.read_ids):
            found.bad(
                f"question {asked.request_id} did not show {len(must - set(asked.read_ids))} stored reads"
            )
    for read_id, receipt in answers.looks:
        found.checked["pictures shown"] += 1
        _check_receipt(receipt, log, found)
        outcome = log.entries.get(receipt.entry_id)
        if outcome is None or outcome.fields.get("subject") not in log.entries:
            found.bad(f"the picture of {read_id} was shown without a question")


def _check_receipt(receipt: Any, log: Log, found: Findings) -> None:
    found.checked["receipts"] += 1
    entry = log.entries.get(receipt.entry_id)
    if entry is None or (entry.index, entry.leaf) != (receipt.log_index, receipt.leaf):
        found.bad(f"the log does not have the entry of receipt {receipt.entry_id}")


async def _check_permits(base: Connection, log: Log, found: Findings) -> None:
    """Whatever rows left the archive left by a permit that stands in the log."""
    for row in await base.fetch("SELECT permit_id::text FROM archive.permit_used"):
        found.checked["permits"] += 1
        if log.entries.get(row["permit_id"]) is None:
            found.bad(f"permit {row['permit_id']} was used and is not in the log")


async def _check_log(
    stack: Stack, answers: Answers, auditor: Session, witness: Path, found: Findings
) -> None:
    folder = stack.folder
    key = folder / "log.pub"
    key.write_text(f"{verifier_key(folder)}\n", encoding="ascii")
    store = WitnessStore(witness / "store", only_read=True)
    try:
        (origin,) = store.origins()
        signed, refused = store.witnessed(origin), store.refused(origin)
    finally:
        store.close()
    await export_log(auditor, folder / "log.jsonl")  # after the newest checkpoint that is held against it
    for one in refused:
        found.bad(f"the witness refused a checkpoint that the log signed: {one.note.splitlines()[1]} entries")
    found.checked["witnessed checkpoints"] = len(signed)
    found.checked["seen checkpoints"] = len(answers.checkpoints)
    _write_notes(folder / "seen.jsonl", answers.checkpoints)
    _write_notes(folder / "witnessed.jsonl", signed)
    command = [sys.executable, "-I", verifier.__file__, "--public-key", str(key), "--complete"]
    command += ["--checkpoint", str(folder / "seen.jsonl"), "--checkpoint", str(folder / "witnessed.jsonl")]
    done = await asyncio.to_thread(
        subprocess.run, [*command, str(folder / "log.jsonl")], capture_output=True, text=True, check=False
    )
    found.checked["log entries"] = sum(
        '"type":"entry"' in line for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    )
    if done.returncode != 0:
        found.bad(f"the verifier says: {done.stderr.strip()}")


def _write_notes(file: Path, notes: Iterable[str]) -> None:
    file.write_text("".join(json.dumps({"checkpoint": one}) + "\n" for one in notes), encoding="utf-8")

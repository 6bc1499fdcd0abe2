"""The log's tables as a restore changes them, with the migration credential, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.audit.core.entry import Entry
from services.audit.core.log_question import REDACTION
from services.common.database import Connection
from services.common.merkle import Frontier, leaf_hash

_HEAD = "SELECT size, frontier FROM audit.log_head FOR UPDATE"
_LEAVES = """
    INSERT INTO audit.log_leaf (log_index, entry_id, request_key, record_time, leaf, leaf_hash)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[], $6::bytea[])
"""
_FIELDS = """
    INSERT INTO audit.log_field (log_index, name, salt, value)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[])
"""
_SET_HEAD = "UPDATE audit.log_head SET size = $1, frontier = $2, checkpoint = $3"
_REOPEN = "DELETE FROM audit.log_closed"
# What people change in matcher and alerts, whose tables are in the same database as the log: a restored one
# has forgotten all of it that was recorded since. Looks are acts, too, and need not be done again.
_CHANGES_BESIDE = (
    *(f"hot_list.{word}" for word in ("create", "upload", "approve", "activate", "deactivate")),
    *("hot_list.immigration_file", "local_list.add", "local_list.remove", "scope.set"),
    *(f"{kind}alert.{word}" for kind in ("", "mcs_") for word in ("acknowledge", "verify", "dispose")),
    *(f"{kind}subscription.{word}" for kind in ("", "mcs_") for word in ("create", "change", "end")),
    *(f"asset.{word}" for word in ("register", "retire", "board", "leave")),
    *("dispatch.broadcast", "dispatch.cancel", "dispatch.acknowledge"),
    *(f"webhook.{word}" for word in ("create", "approve", "end", "rotate", "retry")),
)
# Of hits the log knows that they were raised; matcher finds them again in the archive.
_RAISED = """
    SELECT count(*) FROM audit.log_leaf AS l
    JOIN audit.log_field AS action ON action.log_index = l.log_index AND action.name = 'action'
    WHERE l.log_index >= $1 AND action.value IN ('hit.raised', 'hit.added')
"""
# Acts of people on records of audit and of its neighbours which a restored database has forgotten.
_UNDONE = """
    SELECT l.log_index, action.value AS action, l.entry_id
    FROM audit.log_leaf AS l
    JOIN audit.log_field AS kind ON kind.log_index = l.log_index AND kind.name = 'kind'
    JOIN audit.log_field AS action ON action.log_index = l.log_index AND action.name = 'action'
    WHERE l.log_index >= $1 AND kind.value = 'intent'
      AND (action.value = ANY ($2)
           OR NOT EXISTS (SELECT FROM audit.log_field AS s
                          WHERE s.log_index = l.log_index AND s.name = 'service' AND s.value <> ''))
      AND action.value NOT LIKE 'log.%'
      AND NOT EXISTS (SELECT FROM audit.change AS c WHERE c.intent_id = l.entry_id)
    ORDER BY l.log_index
"""
_CLOSED = (
    "SELECT count(*) FROM pg_tables WHERE schemaname = 'audit' AND tablename LIKE 'closed%\\_log\\_head'"
)
# The old tables go aside under another name, whole and with their guards; the new ones are made like them.
_BEGIN = """
    ALTER TABLE audit.log_leaf RENAME TO {old}_log_leaf;
    ALTER TABLE audit.log_field RENAME TO {old}_log_field;
    ALTER TABLE audit.log_head RENAME TO {old}_log_head;
    ALTER TABLE audit.redaction RENAME TO {old}_redaction;
    ALTER TABLE audit.log_witnessed RENAME TO {old}_log_witnessed;
    REVOKE INSERT, UPDATE ON audit.{old}_log_leaf, audit.{old}_log_field FROM audit_app;
    REVOKE INSERT, UPDATE ON audit.{old}_log_head, audit.{old}_log_witnessed FROM audit_app;
    CREATE TABLE audit.log_leaf (LIKE audit.{old}_log_leaf INCLUDING ALL);
    CREATE TABLE audit.log_field (LIKE audit.{old}_log_field INCLUDING ALL);
    CREATE TABLE audit.log_head (LIKE audit.{old}_log_head INCLUDING ALL);
    INSERT INTO audit.log_head (size, frontier, checkpoint) VALUES (0, '', '');
    CREATE TABLE audit.redaction (LIKE audit.{old}_redaction INCLUDING ALL);
    ALTER TABLE audit.redaction ADD FOREIGN KEY (log_index) REFERENCES audit.log_leaf;
    CREATE TABLE audit.log_witnessed (LIKE audit.{old}_log_witnessed INCLUDING ALL);
    GRANT SELECT, INSERT ON audit.log_leaf, audit.log_field TO audit_app;
    GRANT SELECT, UPDATE (size, frontier, checkpoint) ON audit.log_head TO audit_app;
    GRANT SELECT ON audit.redaction TO audit_app;
    GRANT SELECT, INSERT, UPDATE (size, checkpoint, added_at) ON audit.log_witnessed TO audit_app;
"""
_GUARDS = (
    ("log_leaf", "keep", "UPDATE OR DELETE", "ROW", "refuse_change"),
    ("log_leaf", "keep_all", "TRUNCATE", "STATEMENT", "refuse_change"),
    ("log_field", "keep", "UPDATE OR DELETE", "ROW", "refuse_unless_redacted"),
    ("log_field", "keep_all", "TRUNCATE", "STATEMENT", "refuse_change"),
    ("log_head", "grow", "UPDATE", "ROW", "only_grow"),
    ("log_head", "keep", "DELETE", "ROW", "refuse_change"),
    ("log_head", "keep_all", "TRUNCATE", "STATEMENT", "refuse_change"),
    ("redaction", "acts", "INSERT", "ROW", "only_acts_redact"),
    ("redaction", "keep", "UPDATE OR DELETE", "ROW", "refuse_change"),
    ("redaction", "keep_all", "TRUNCATE", "STATEMENT", "refuse_change"),
)


@dataclass(frozen=True, slots=True)
class Restored:
    """How many entries came back, which acts among them the tables know nothing of, and how many hits."""

    entries: int
    undone: tuple[str, ...]
    hits: int = 0


async def locked_head(connection: Connection) -> Frontier:
    """The log's frontier; nobody appends until the transaction ends."""
    row = await connection.fetchrow(_HEAD)
    if row is None:
        return Frontier()
    return Frontier.from_bytes(row["size"], row["frontier"])


async def replay_in(
    connection: Connection,
    lost: Sequence[tuple[int, Entry, datetime]],
    frontier: Frontier,
    checkpoint: str,
) -> Restored:
    """Puts lost entries back in their places and opens the log, whose head is then the given one."""
    fields = [(place, field) for place, entry, _ in lost for field in entry.fields]
    if lost:
        await connection.execute(
            _LEAVES,
            [place for place, _, _ in lost],
            [entry.entry_id for _, entry, _ in lost],
            [entry.request_key for _, entry, _ in lost],
            [time for _, _, time in lost],
            [entry.leaf for _, entry, _ in lost],
            [leaf_hash(entry.leaf) for _, entry, _ in lost],
        )
        await connection.execute(
            _FIELDS,
            [place for place, _ in fields],
            [field.name for _, field in fields],
            [field.salt for _, field in fields],
            [field.value for _, field in fields],
        )
        await connection.execute(_SET_HEAD, frontier.size, frontier.to_bytes(), checkpoint)
    await connection.execute(_REOPEN)
    for intent_id in [entry.entry_id for _, entry, _ in lost if _is_redaction(entry)]:
        # An older state of the database has what was taken out since.
        await connection.execute("SELECT audit.redact($1::uuid)", intent_id)
    if not lost:
        return Restored(0, ())
    rows = await connection.fetch(_UNDONE, lost[0][0], _CHANGES_BESIDE)
    undone = tuple(f"{row['action']} (entry {row['log_index']}, {row['entry_id']})" for row in rows)
    return Restored(len(lost), undone, await connection.fetchval(_RAISED, lost[0][0]))


def _is_redaction(entry: Entry) -> bool:
    return (entry.value("action"), entry.value("kind")) == (REDACTION, "intent")


async def close_and_begin(connection: Connection) -> str:
    """Puts the log's tables aside and makes new, empty ones with the same guards; prefix of the old ones."""
    old = f"closed{1 + await connection.fetchval(_CLOSED)}"
    await connection.execute("SET LOCAL ROLE audit_owner")
    await connection.execute(_BEGIN.format(old=old))
    for table, guard, when, each, function in _GUARDS:
        await connection.execute(
            f"CREATE TRIGGER {guard} BEFORE {when} ON audit.{table}"
            f" FOR EACH {each} EXECUTE FUNCTION audit.{function}();"
            f" ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER {guard}"
        )
    await connection.execute(_REOPEN)
    await connection.execute("RESET ROLE")
    return old

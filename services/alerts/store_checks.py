"""Answers of LEADS and NCIC about alerts: kept for ever, and cited by the steps that rest on them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from services.alerts.core.model import Actor, EntryKey, StepRequest
from services.alerts.core.record_check import RecordAnswer, RecordCheck
from services.alerts.rows import Row
from services.alerts.store_batch import Batch, OutboxItem
from services.common.errors import NotFoundError, RequestIdReusedError, WrongStateError
from services.common.pg import Pool, connection

_COLUMNS = "check_id, alert_id, entry_id, list_version, agency_ori, answer, system, response_id, answer_time"
_BY_ID = f"SELECT {_COLUMNS} FROM alerts.record_check WHERE check_id = $1"  # noqa: S608 - constants
_INSERT = """
INSERT INTO alerts.record_check (check_id, request_id, alert_id, entry_id, list_version, intent_id,
    account_id, agency_ori, answer, system, response_id, answer_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
_CITE = """
INSERT INTO alerts.step_check (alert_id, step_number, check_id)
SELECT alert_id, step_number, $2 FROM alerts.alert_step WHERE request_id = $1
"""


@dataclass(frozen=True, slots=True)
class CheckAnswered:
    """An answer that came for `actor`, with the intent that the log holds already."""

    check: RecordCheck
    request_id: UUID
    intent_id: UUID
    actor: Actor

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """Id of the check, stored now or before under the same request id."""
        check = self.check
        known = await batch.conn.fetchrow(_BY_ID, check.check_id)
        if known is not None:
            if (known["alert_id"], known["entry_id"]) != (check.alert_id, check.entry.entry_id):
                raise RequestIdReusedError(
                    "this request id came before with other content", resource=str(self.request_id)
                )
            return check.check_id
        await batch.conn.execute(
            _INSERT,
            check.check_id,
            self.request_id,
            check.alert_id,
            check.entry.entry_id,
            check.entry.list_version,
            self.intent_id,
            self.actor.account_id,
            check.agency_ori,
            int(check.answer),
            check.system,
            check.response_id,
            check.answer_time,
        )
        batch.report(
            OutboxItem(
                item_id=new_id(),
                action="alert.ask",
                resource=str(check.alert_id),
                agency_ori=check.agency_ori,
                event_time=batch.now,
                subject_id=self.intent_id,
                result=1,
            )
        )
        return check.check_id


class CheckStore:
    """Reads answers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, check_id: UUID) -> RecordCheck | None:
        """The answer; None when there is none of that id."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_BY_ID, check_id)
        return None if row is None else _check(row)


async def resting_on_check(batch: Batch, request: StepRequest, actor: Actor) -> StepRequest:
    """`request` with the system and response id of the answer that it names; as it is when it names none.

    Raises:
        NotFoundError: There is no such answer about that alert, or another agency asked for it.
        WrongStateError: The answer is too old, or bears out another state.
    """
    if request.check_id is None:
        return request
    row = await batch.conn.fetchrow(_BY_ID, request.check_id)
    check = None if row is None else _check(row)
    if check is None or (check.alert_id, check.agency_ori) != (request.alert_id, actor.agency_ori):
        raise NotFoundError("no such answer about this alert", resource=str(request.check_id))
    resting = replace(request, system=check.system, response_id=check.response_id)
    if request.verification is not check.bears_out:
        state = {"state": check.bears_out.name}
        raise WrongStateError(f"the answer bears out {check.bears_out.name} and no other", metadata=state)
    if not check.is_good(batch.now) and not await _was_cited(batch, request):
        raise WrongStateError("the answer is older than ten minutes; ask again", metadata={"state": "OLD"})
    return resting


async def cite_check(batch: Batch, request: StepRequest) -> None:
    """Notes in the database that the step of `request`, just written, rests on its answer."""
    if request.check_id is not None:
        await batch.conn.execute(_CITE, request.request_id, request.check_id)


async def _was_cited(batch: Batch, request: StepRequest) -> bool:
    """Whether the step is there already: a request that comes again gets its answer also when that is old."""
    found = "SELECT EXISTS (SELECT FROM alerts.alert_step WHERE request_id = $1)"
    return bool(await batch.conn.fetchval(found, request.request_id))


def _check(row: Row) -> RecordCheck:
    return RecordCheck(
        check_id=row["check_id"],
        alert_id=row["alert_id"],
        entry=EntryKey(row["entry_id"], row["list_version"]),
        agency_ori=row["agency_ori"],
        answer=RecordAnswer(row["answer"]),
        system=row["system"],
        response_id=row["response_id"],
        answer_time=row["answer_time"],
    )

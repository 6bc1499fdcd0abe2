"""Use case: LEADS or NCIC is asked about an alert, in a person's name (ENF-051 III.D.4, IV.D.4)."""

from uuid import UUID, uuid5

from services.alerts.app_acts import AlertActs
from services.alerts.audit import Act
from services.alerts.connector import Connector
from services.alerts.core.record_check import RecordCheck, asked_match
from services.alerts.store_checks import CheckAnswered, CheckStore
from services.alerts.wire_checks import Question
from services.common.clock import Clock
from services.common.errors import AlprError, NotFoundError, RequestIdReusedError
from services.common.identity import AccessToken

# The same request of the same person asks once, however often it is sent.
_NAMES = UUID("c0b6c1f7-0d0e-4f0e-8b83-0d6f1d4f7a11")


class RecordChecks:
    """Asks the connector with the intent in the log before, and keeps what it answered."""

    def __init__(self, acts: AlertActs, store: CheckStore, connector: Connector, clock: Clock) -> None:
        self._acts = acts
        self._store = store
        self._connector = connector
        self._clock = clock

    async def ask(self, question: Question, token: AccessToken) -> RecordCheck:
        """The answer, on disk; the same one for a request that came before.

        Raises:
            NotFoundError: There is no such alert, it is another agency's, or has no such entry.
            WrongStateError: There is no connector.
            DependencyUnavailableError: It did not answer; nothing was recorded but that somebody asked.
            AlprError: What audit refuses with, or that it does not answer. Nobody was asked.
        """
        actor, alert = await self._acts.person_and_alert(question.alert_id, token, "alert.ask")
        self._connector.require()
        act = Act(question.request_id, "alert.ask", alert.alert_id, actor.agency_ori, _details(question))
        intent = await self._acts.intend(act, alert, token)
        check_id = uuid5(_NAMES, f"{intent.actor.account_id}/{question.request_id}")
        known = await self._store.get(check_id)
        if known is not None:
            return _same(known, question)
        view = await self._acts.seen_by(intent.actor, alert.alert_id)
        match = asked_match(view, question.entry_id)
        if match is None:
            await self._acts.report_failure(intent, act.action, act.alert_id)
            raise NotFoundError("the alert has no such entry", resource=str(question.entry_id))
        try:
            answered = await self._connector.ask(question.request_id, match.entry, intent.actor)
        except AlprError:
            await self._acts.report_failure(intent, act.action, act.alert_id)
            raise
        now = self._clock.now()
        check = RecordCheck(
            check_id=check_id,
            alert_id=alert.alert_id,
            entry=match.entry.key,
            agency_ori=intent.actor.agency_ori,
            answer=answered.answer,
            system=answered.system,
            response_id=answered.response_id,
            answer_time=min(answered.moment or now, now),
        )
        change = CheckAnswered(check, question.request_id, intent.subject_id, intent.actor)
        await self._acts.carry_out(change, act, intent)
        return await self._store.get(check_id) or check


def _details(question: Question) -> dict[str, str]:
    return {"entry_id": str(question.entry_id)} if question.entry_id else {}


def _same(known: RecordCheck, question: Question) -> RecordCheck:
    if known.alert_id != question.alert_id or question.entry_id not in {None, known.entry.entry_id}:
        raise RequestIdReusedError(
            "this request id came before with other content", resource=str(question.request_id)
        )
    return known

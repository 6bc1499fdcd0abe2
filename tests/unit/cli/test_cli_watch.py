"""What `platewarden watch` says of an alert, and that it goes on after a break."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from services.cli.output import Output
from services.cli.session import Session
from services.cli.watch import lines as watch
from services.cli.watch.lines import alerts, listing
from services.common.errors import AlprError, DependencyUnavailableError, NotPermittedError, StoppingError
from services.common.wire import to_timestamp

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.clause("II.D", "III.B.3.o")
def test_label_and_ages_are_told_and_a_check_is_called_one() -> None:
    entry = hit_pb2.MatchedEntry(
        list_time=to_timestamp(NOW - timedelta(hours=30)),
        entry_date="2026-11-01",
        match_label=hit_pb2.MATCH_LABEL_LATTICE,
        match_grade=hit_pb2.MATCH_GRADE_CHECK,
    )

    assert listing(entry, NOW) == ", to check only, lattice, list of 30 h ago, entered 2026-11-01"


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert listing(hit_pb2.MatchedEntry(match_grade=hit_pb2.MATCH_GRADE_SOUND), NOW) == ""


class BrokenOnce:
    """A session whose feed ends with an error after two messages, and goes on when it is asked again."""

    def __init__(self, error: AlprError) -> None:
        self.asked: list[str] = []
        self._error = error

    def channel(self, _: str) -> Any:
        return SimpleNamespace(unary_stream=lambda *_, **__: None, unary_unary=lambda *_, **__: None)

    async def stream(
        self, _: Any, request: pb.SubscribeAlertsRequest
    ) -> AsyncIterator[pb.SubscribeAlertsResponse]:
        self.asked.append(request.resume_token)
        for number in (1, 2):
            token = f"{request.resume_token}{number}"
            yield pb.SubscribeAlertsResponse(resume_token=token, heartbeat=pb.Heartbeat())
        raise self._error


async def watched(session: BrokenOnce, messages: int) -> list[str]:
    """The tokens of so many messages."""
    found: list[str] = []
    feed = alerts(cast("Session", session), "start-", [], Output(as_json=True))
    async with aclosing(cast("AsyncGenerator[Any]", feed)):
        async for message in feed:
            found.append(message.resume_token)
            if len(found) == messages:
                break
    return found


@pytest.mark.clause("IV.D.1")
@pytest.mark.parametrize("error", [StoppingError("stopping"), DependencyUnavailableError("away")])
async def test_after_a_break_it_goes_on_after_the_last_message_that_came(
    error: AlprError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_PAUSE_SECONDS", 0)
    session = BrokenOnce(error)

    found = await watched(session, 4)

    assert session.asked == ["start-", "start-2"]
    assert found == ["start-1", "start-2", "start-21", "start-22"]


async def test_what_trying_again_does_not_mend_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_PAUSE_SECONDS", 0)
    session = BrokenOnce(NotPermittedError("no", metadata={"clauses": "IV.A.4"}))

    with pytest.raises(NotPermittedError):
        await watched(session, 4)

    assert session.asked == ["start-"]

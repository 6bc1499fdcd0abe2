"""The console's feed of alerts: server-sent events over a real alerts service, to go on after any of them."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request

from services.common.database import admin_connection
from services.common.errors import InvalidFieldError
from services.console.board.feed import follow
from services.console.config import ConsoleSettings
from services.console.door import Person
from services.console.pages import Pages
from services.console.services import Services
from services.console.sessions import Session
from tests.support.alerts_rig import entry_message, hit_message

IDLE = 1800.0


@pytest.fixture
def session() -> Session:
    """A dispatcher's sign-in."""
    return replace(Session.begin("dispatch", "", 3600), exempt=True)


@pytest.fixture
async def services(rig, tls, folder):
    """The console's ways to the services; only alerts is there."""
    files = tls.service("console")
    settings = ConsoleSettings(
        **{"tls_cert": files.cert_file, "tls_key": files.key_file, "tls_ca": files.ca_file},
        **{"console_listen": "127.0.0.1:0", "console_url": "https://localhost"},
        **{"oidc_issuer": "https://issuer.test", "oidc_client_id": "console"},
        **dict.fromkeys(("audit_target", "search_target", "matcher_target"), "127.0.0.1:1"),
        console_key_file=folder / "token.key",
        alerts_target=f"127.0.0.1:{rig.server.user_port}",
    )
    made = Services(settings)
    yield made
    await made.close()


@pytest.mark.clause("IV.D.3")
async def test_who_comes_back_with_the_id_of_an_event_gets_what_came_after_it_and_nothing_twice(
    rig, services, session
) -> None:
    first, second = await rig.raise_hits(_hit(), _hit())
    before = await _events(services, session, enough=_has(second))
    (third,) = await rig.raise_hits(_hit())

    after = await _events(services, session, token=_of(before, first)["id"], enough=_has(third))

    assert _alerts(before)[-2:] == [first, second]
    assert _alerts(after) == [second, third]


async def test_each_event_has_no_more_of_an_alert_than_the_board_shows(rig, services, session) -> None:
    hit = _hit()
    hit.matches[0].entry.hot_list_name = "X\u2028id: forged"
    (alert_id,) = await rig.raise_hits(hit)

    event = _of(await _events(services, session, enough=_has(alert_id)), alert_id)

    alert = event["data"]["alert"]
    assert alert["listed"]["name"] == "X\u2028id: forged"
    assert alert["standing"] == "unverified"
    assert not {"read", "entries", "record_number", "sensor_agency_ori"} & set(alert)


@pytest.mark.clause("IV.D.3")
async def test_a_feed_that_cannot_go_on_says_from_when_alerts_may_be_missing_and_goes_on(
    rig, services, session, database
) -> None:
    (alert_id,) = await rig.raise_hits(_hit())
    before = await _events(services, session, enough=_has(alert_id))
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SELECT alerts.begin_epoch(now() - interval '1 hour')")
    (later,) = await rig.raise_hits(_hit())

    after = await _events(services, session, token=before[-1]["id"], enough=_has(later))

    assert after[0]["event"] == "gap"
    assert after[0]["data"]["since"]
    assert later in _alerts(after)


@pytest.mark.clause("IV.D.3")
async def test_a_board_that_was_open_when_the_feed_was_restored_is_told_to_come_back_and_then_of_the_gap(
    rig, services, session, database
) -> None:
    await rig.raise_hits(_hit())
    begun = asyncio.Event()

    def more(seen: list[dict[str, Any]]) -> bool:
        begun.set()
        return seen[-1]["event"] == "over"

    reading = asyncio.create_task(_events(services, session, enough=more))
    await begun.wait()
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SELECT alerts.begin_epoch(now() - interval '1 hour')")
    events = await reading
    last = [event["id"] for event in events if "id" in event][-1]
    after = await _events(services, session, token=last, enough=bool)

    assert events[-1]["event"] == "over"
    assert events[-1]["data"]["final"] is False
    assert after[0]["event"] == "gap"


async def test_a_sign_in_that_has_ended_ends_the_feed_for_good(rig, services, session, audit) -> None:
    audit.neighbour.end("dispatch")

    (event,) = await _events(services, session)

    assert event["event"] == "over"
    assert event["data"]["final"] is True
    assert event["data"]["sentence"]


async def test_a_service_that_is_away_ends_it_for_a_while(rig, services, session) -> None:
    await rig.stop()

    (event,) = await _events(services, session)

    assert event["event"] == "over"
    assert event["data"]["final"] is False


@pytest.mark.parametrize("exempt", [False, True])
async def test_a_feed_ends_when_the_screen_locks_but_not_at_a_telecommunication_centre(
    rig, services, session, exempt: bool
) -> None:
    almost = replace(session, exempt=exempt, used_at=time.time() - IDLE + 0.5)

    events = await _events(services, almost, enough=lambda seen: _beats(seen) > 5)

    assert events[-1]["event"] == ("beat" if exempt else "again")


async def test_a_feed_ends_before_its_token_does_so_that_the_next_one_has_a_new_token(
    rig, services, session
) -> None:
    events = await _events(services, replace(session, expires_at=time.time() + 61))

    assert events[-1]["event"] == "again"


async def test_a_category_that_does_not_exist_is_a_wrong_field(services, session) -> None:
    with pytest.raises(InvalidFieldError):
        await _events(services, session, query="category=x")


def _hit() -> Any:
    return hit_message(entry_message())


async def _events(
    services: Services,
    session: Session,
    *,
    token: str = "",
    query: str = "",
    enough: Callable[[list[dict[str, Any]]], bool] = lambda _seen: False,
) -> list[dict[str, Any]]:
    """Events until there are `enough` or the feed has ended."""
    headers = [(b"last-event-id", token.encode())] if token else []
    scope = {"type": "http", "method": "GET", "query_string": query.encode(), "headers": headers}
    person = Person(session, services, Pages(), {}, IDLE)
    response: Any = await follow(Request(scope), person)
    events: list[dict[str, Any]] = []
    async with aclosing(response.body_iterator) as texts:
        async for text in texts:
            events.append(_parsed(text))
            if enough(events):
                break
    return events


def _has(alert_id: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda seen: alert_id in _alerts(seen)


def _parsed(text: str) -> dict[str, Any]:
    assert text.endswith("\n\n")
    event: dict[str, Any] = dict(line.split(": ", 1) for line in text[:-2].split("\n"))
    return {**event, "data": json.loads(event["data"])}


def _alerts(events: list[dict[str, Any]]) -> list[str]:
    return [one["data"]["alert"]["id"] for one in events if one["event"] == "alert"]


def _of(events: list[dict[str, Any]], alert_id: str) -> dict[str, Any]:
    return next(one for one in events if one["event"] == "alert" and one["data"]["alert"]["id"] == alert_id)


def _beats(events: list[dict[str, Any]]) -> int:
    return sum(one["event"] == "beat" for one in events)

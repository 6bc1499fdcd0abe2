"""Recipients are told by the system: real audit, real PostgreSQL, a real mail server with TLS."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.search.v1 import dissemination_service_pb2 as pb
from alpr.type.v1.sensor_pb2 import PARTITION_MOTOR_CARRIER
from services.audit import verify_notice
from services.audit.verifier import VerificationError, read_public_key
from services.common.clock import SystemClock
from services.common.objects import FileObjectStore
from services.dev.pki import DevelopmentAuthority
from services.search.acts import Acts
from services.search.core.houses import MOTOR_CARRIER
from services.search.core.notice import MOST_ATTEMPTS
from services.search.events import AttemptEvents
from services.search.mail import Relay, SmtpMailer
from services.search.notifier import Notifier
from services.search.store_notices import NoticeStore
from tests.support.audit_kit import ORI, justification
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.mail_server import PASSWORD, USER, Post, mail_server
from tests.support.search_house import running_house
from tests.support.search_leaving import Leaving, agency, refusal
from tests.support.search_motor_carrier import scale_read
from tests.support.search_retention import plant_image

PLATE = "NT1234"
ADDRESS = "records@sheriff.example.gov"
AUDIT_FILES = Path(verify_notice.__file__).parent
WAITING, SENT, GIVEN_UP, BY_PERSON = (
    pb.NOTICE_DELIVERY_STATE_WAITING,
    pb.NOTICE_DELIVERY_STATE_SENT,
    pb.NOTICE_DELIVERY_STATE_GIVEN_UP,
    pb.NOTICE_DELIVERY_STATE_BY_PERSON,
)


class Desk:
    """The house with a notifier of the test's own, and a mail server."""

    def __init__(self, leaving: Leaving, pool: asyncpg.Pool, relay: Relay) -> None:
        self.leaving = leaving
        self.store = NoticeStore(pool)
        self.relay = relay

    def notifier(self, **relay: Any) -> Notifier:
        """What sends, over the relay with changes."""
        stub = self.leaving.house.audit.service(AuthorizationServiceStub)
        mailer = SmtpMailer(replace(self.relay, **relay), SystemClock())
        return Notifier(
            self.store, (Acts(stub, 5), AttemptEvents(stub, 5)), mailer, SystemClock(), timedelta(minutes=1)
        )

    async def corrected(self, email: str = ADDRESS) -> str:
        """Id of a new notice: a read was wrong that a recipient with this address has."""
        ids = await self.leaving.store(await self.leaving.pictured_read(plate=PLATE))
        await self.leaving.report(ids, recipient=agency(email=email))
        wrong = pb.RecordCorrectionRequest(
            request_id=str(uuid4()),
            justification=justification(),
            read_id=ids[0],
            statement="the third character was misread",
        )
        metadata = self.leaving.officer.metadata
        assert (await self.leaving.register.RecordCorrection(wrong, metadata=metadata)).notice_count == 1
        return (await self.notices())[-1].notice_id

    async def notices(self) -> list[pb.RecipientNotice]:
        """All notices, told or not."""
        request = pb.ListRecipientNoticesRequest(request_id=str(uuid4()), with_told=True, page_size=500)
        answer = await self.leaving.register.ListRecipientNotices(
            request, metadata=self.leaving.officer.metadata
        )
        return list(answer.notices)

    async def notice(self, notice_id: str) -> pb.RecipientNotice:
        """The notice as the register shows it."""
        return next(one for one in await self.notices() if one.notice_id == notice_id)

    async def due_now(self, notice_id: str) -> None:
        """Lets the time until the next attempt pass."""
        await self.leaving.rows(
            "UPDATE archive.notice_delivery SET next_attempt = clock_timestamp(), leased_until = NULL"
            " WHERE notice_id = $1::text::uuid AND state = 'WAITING'",
            notice_id,
        )

    async def logged(self, notice_id: str, action: str) -> list[dict[str, str]]:
        """What the log has of a notice, in order."""
        rows = await self.leaving.rows(
            "SELECT r.log_index, f.name, f.value FROM audit.log_field AS r JOIN audit.log_field AS f"
            " USING (log_index) WHERE r.name = 'resource' AND r.value = $1 ORDER BY r.log_index",
            notice_id,
        )
        entries: dict[int, dict[str, str]] = {}
        for row in rows:
            entries.setdefault(row["log_index"], {})[row["name"]] = row["value"]
        return [one for one in entries.values() if one.get("action") == action]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(leaving: Leaving) -> AsyncIterator[Desk]:
    async with asyncpg.create_pool(leaving.house.database.url("search_register"), min_size=1) as pool:
        relay = Relay("localhost", 0, "notices@isp.example.gov", ca_file=leaving.house.audit.tls.ca_file)
        yield Desk(leaving, pool, relay)


@pytest_asyncio.fixture(loop_scope="session")
async def post(tls: DevelopmentAuthority) -> AsyncIterator[Post]:
    async with mail_server(tls.server("mail")) as running:
        yield running


@pytest.mark.clause("III.B.3.n", "III.B.3.m")
async def test_a_recipient_is_told_of_a_correction_by_a_letter_that_proves_itself_offline(
    desk: Desk, post: Post, tmp_path: Path
) -> None:
    notice_id = await desk.corrected()

    tried = await desk.notifier(port=post.port).run_once()

    assert tried == 1
    (letter,) = post.letters
    assert post.recipients == [ADDRESS]
    assert letter["To"] == ADDRESS
    assert "a read was wrong" in letter["Subject"]
    assert letter["Auto-Submitted"] == "auto-generated"
    body = letter.get_body(("plain",))
    assert body is not None
    assert "the third character was misread" in body.get_content()
    assert PLATE not in letter.as_string()
    assert justification().case_number not in letter.as_string()
    shown = await desk.notice(notice_id)
    assert (shown.delivery.state, shown.delivery.attempt_count) == (SENT, 1)
    assert shown.HasField("told_time")
    assert post.notice()["file"]["sha256"] == shown.sha256.hex()
    proof = offline(desk, post, tmp_path)
    assert proof.returncode == 0, proof.stderr
    assert notice_id in proof.stdout


def offline(desk: Desk, post: Post, folder: Path) -> subprocess.CompletedProcess[str]:
    """The stand-alone program's word on the last letter, with nothing but Python."""
    for name in ("notice.json", "receipt.json"):
        (folder / name).write_bytes(post.attachment(name))
    for name in ("verify_notice.py", "verifier.py"):
        (folder / name).write_bytes((AUDIT_FILES / name).read_bytes())
    (folder / "log.pub").write_text(desk.leaving.log_key)
    command = [sys.executable, "verify_notice.py", "--public-key", "log.pub", "notice.json", "receipt.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.clause("III.B.3.n")
async def test_a_letter_that_was_changed_is_not_genuine(desk: Desk, post: Post) -> None:
    await desk.corrected()
    await desk.notifier(port=post.port).run_once()
    key = read_public_key(desk.leaving.log_key)
    notice, receipt = post.attachment("notice.json"), post.attachment("receipt.json").decode()

    digest = sha256(notice).hexdigest()
    other_digest = sha256(notice.replace(b"third", b"first")).hexdigest()

    assert verify_notice.verify(notice, receipt, key)["kind"] == "CORRECTED"
    assert digest in receipt
    for other, proof in (
        (notice.replace(b"third", b"first"), receipt),
        (b"{}", receipt),
        (b"no JSON", receipt),
        (notice.replace(b"third", b"first"), receipt.replace(digest, other_digest)),
    ):
        with pytest.raises(VerificationError):
            verify_notice.verify(other, proof, key)


@pytest.mark.clause("III.B.3.n", "III.B.3.d")
async def test_notice_and_every_attempt_stand_in_the_log(desk: Desk, post: Post) -> None:
    notice_id = await desk.corrected()
    notifier = desk.notifier(port=post.port)
    post.to_recipient = "451 later"
    await notifier.run_once()
    put_off = await desk.notice(notice_id)
    post.to_recipient = "250 OK"
    await desk.due_now(notice_id)
    await notifier.run_once()
    await notifier.run_once()

    told = [one for one in await desk.logged(notice_id, "dissemination.notify") if "detail.sha256" in one]
    attempts = await desk.logged(notice_id, "dissemination.delivery")

    assert put_off.delivery.state == WAITING
    assert put_off.delivery.problem == "the mail system refused the recipient (451)"
    assert put_off.delivery.HasField("next_attempt_time")
    assert [one["actor"] for one in told] == ["search"]
    assert [(one["detail.attempt"], one["detail.result"]) for one in attempts] == [
        ("1", "PUT_OFF"),
        ("2", "SENT"),
    ]
    assert ADDRESS not in str(told) + str(attempts)


@pytest.mark.clause("III.B.3.n")
async def test_an_address_that_is_refused_for_good_is_given_up_and_can_be_sent_to_another(
    desk: Desk, post: Post
) -> None:
    notice_id = await desk.corrected("gone@sheriff.example.gov")
    notifier = desk.notifier(port=post.port)
    post.to_recipient = "550 no such user"
    await notifier.run_once()
    given_up = await desk.notice(notice_id)
    post.to_recipient = "250 OK"
    assert await notifier.run_once() == 0

    request = pb.ResendNoticeRequest(request_id=str(uuid4()), notice_id=notice_id, email=ADDRESS)
    metadata = desk.leaving.officer.metadata
    first = await desk.leaving.register.ResendNotice(request, metadata=metadata)
    await notifier.run_once()

    assert given_up.delivery.state == GIVEN_UP
    assert given_up.delivery.problem == "the mail system refused the recipient (550)"
    assert not given_up.HasField("told_time")
    assert first.notice.delivery.state == WAITING
    assert post.recipients == [ADDRESS]
    assert (await desk.notice(notice_id)).delivery.state == SENT


@pytest.mark.clause("III.B.3.n")
async def test_a_mail_system_that_is_away_is_tried_ten_times_and_then_given_up(
    desk: Desk, post: Post
) -> None:
    notice_id = await desk.corrected()
    notifier = desk.notifier(port=1)
    waits = []
    for _ in range(MOST_ATTEMPTS):
        await notifier.run_once()
        delivery = (await desk.notice(notice_id)).delivery
        if delivery.HasField("next_attempt_time"):
            wait = delivery.next_attempt_time.ToDatetime() - delivery.last_attempt_time.ToDatetime()
            waits.append(round(wait.total_seconds() / 60))
        await desk.due_now(notice_id)

    assert waits == [1, 4, 16, 64, 256, 1024, 1440, 1440, 1440]
    assert (delivery.state, delivery.attempt_count) == (GIVEN_UP, MOST_ATTEMPTS)
    assert await desk.notifier(port=post.port).run_once() == 0

    request = pb.ResendNoticeRequest(request_id=str(uuid4()), notice_id=notice_id)
    await desk.leaving.register.ResendNotice(request, metadata=desk.leaving.officer.metadata)
    await notifier.run_once()
    assert (await desk.notice(notice_id)).delivery.state == WAITING, "sent again, it has as many attempts"
    await desk.due_now(notice_id)
    assert await desk.notifier(port=post.port).run_once() == 1


@pytest.mark.clause("III.B.3.n")
async def test_a_relay_that_takes_for_ever_is_left_while_the_letter_is_still_with_one_sender(
    desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice_id = await desk.corrected()
    monkeypatch.setattr("services.search.mail.LONGEST_SECONDS", 0.5)
    post.hangs = True

    async with asyncio.timeout(20):  # and not for the half minute that each answer of a relay may take
        await desk.notifier(port=post.port).run_once()

    delivery = (await desk.notice(notice_id)).delivery
    assert (delivery.state, delivery.problem) == (WAITING, "the relay did not take it (TimeoutError)")
    post.hangs = False
    await desk.due_now(notice_id)
    assert await desk.notifier(port=post.port).run_once() == 1


@pytest.mark.clause("III.B.3.n")
async def test_a_recipient_without_address_is_told_by_a_person(desk: Desk, post: Post) -> None:
    notice_id = await desk.corrected("")

    assert await desk.notifier(port=post.port).run_once() == 0

    assert (await desk.notice(notice_id)).delivery.state == BY_PERSON
    request = pb.ResendNoticeRequest(request_id=str(uuid4()), notice_id=notice_id)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await desk.leaving.register.ResendNotice(request, metadata=desk.leaving.officer.metadata)
    assert refusal(error.value)[0] is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.clause("III.B.3.n")
async def test_a_recipient_whom_a_person_told_first_gets_no_letter(desk: Desk, post: Post) -> None:
    notice_id = await desk.corrected()
    told = pb.RecordToldRequest(request_id=str(uuid4()), notice_id=notice_id, statement="by telephone")
    answer = await desk.leaving.register.RecordTold(told, metadata=desk.leaving.officer.metadata)

    assert await desk.notifier(port=post.port).run_once() == 0

    assert answer.notice.delivery.state == BY_PERSON
    assert not post.letters


@pytest.mark.clause("III.B.3.n")
@pytest.mark.parametrize("way", ["plain", "another authority", "another name"])
async def test_no_letter_leaves_without_tls_or_to_a_server_that_is_not_the_relay(
    desk: Desk, tls: DevelopmentAuthority, tmp_path: Path, way: str
) -> None:
    notice_id = await desk.corrected()
    changes: dict[str, Any] = {}
    if way == "another authority":
        changes["ca_file"] = DevelopmentAuthority(tmp_path).ca_file
    if way == "another name":
        changes["host"] = "127.0.0.2"
    async with mail_server(tls.server("mail"), plain=way == "plain", host=changes.get("host")) as post:
        await desk.notifier(port=post.port, **changes).run_once()

    assert not post.letters
    assert (await desk.notice(notice_id)).delivery.state == WAITING
    await desk.leaving.rows("UPDATE archive.notice_delivery SET state = 'SENT', next_attempt = NULL")


@pytest.mark.clause("III.B.3.n")
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
async def test_a_relay_that_wants_a_password_gets_it_and_a_wrong_one_is_no_fault_of_the_recipient(
    desk: Desk, post: Post, tmp_path: Path, password: str
) -> None:
    notice_id = await desk.corrected()

    await desk.notifier(port=post.port, user=USER, password=password).run_once()

    delivery = (await desk.notice(notice_id)).delivery
    assert delivery.state == (SENT if password == PASSWORD else WAITING)
    await desk.leaving.rows(
        "UPDATE archive.notice_delivery SET state = 'SENT', next_attempt = NULL WHERE state = 'WAITING'"
    )


@pytest.mark.clause("III.B.3.n")
async def test_tls_from_the_first_byte_is_spoken_where_it_is_asked_for(
    desk: Desk, tls: DevelopmentAuthority
) -> None:
    notice_id = await desk.corrected()

    async with mail_server(tls.server("mail"), tls=True) as post:
        await desk.notifier(port=post.port, tls="tls").run_once()

    assert (await desk.notice(notice_id)).delivery.state == SENT


@pytest.mark.clause("III.B.3.n")
async def test_a_notice_that_is_sent_again_while_a_letter_is_on_its_way_is_tried_at_once(
    desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice_id = await desk.corrected("slow@sheriff.example.gov")
    monkeypatch.setattr("services.search.mail.LONGEST_SECONDS", 3.0)
    post.hangs = True
    sending = asyncio.create_task(desk.notifier(port=post.port).run_once())
    await asyncio.wait_for(post.hanging.wait(), 60)

    request = pb.ResendNoticeRequest(request_id=str(uuid4()), notice_id=notice_id, email=ADDRESS)
    await desk.leaving.register.ResendNotice(request, metadata=desk.leaving.officer.metadata)
    post.hangs = False

    assert await sending == 2
    assert post.recipients == [ADDRESS]
    assert (await desk.notice(notice_id)).delivery.state == SENT


@pytest.mark.clause("III.B.3.n")
async def test_two_senders_at_the_same_time_send_each_letter_once(desk: Desk, post: Post) -> None:
    made = {await desk.corrected() for _ in range(6)}

    tried = await asyncio.gather(*(desk.notifier(port=post.port).run_once() for _ in range(3)))

    assert sum(tried) == 6
    assert sorted(post.notice(n)["notice_id"] for n in range(6)) == sorted(made)


@pytest.mark.clause("III.B.3.n")
async def test_a_letter_whose_sender_died_is_sent_again_as_the_same_letter_and_both_are_known(
    desk: Desk, post: Post
) -> None:
    notice_id = await desk.corrected()
    post.hangs = True
    sending = asyncio.create_task(desk.notifier(port=post.port).run_once())
    await asyncio.wait_for(post.hanging.wait(), 60)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    post.hangs = False

    assert await desk.notifier(port=post.port).run_once() == 0, "its lease lasts"
    await desk.due_now(notice_id)
    await desk.notifier(port=post.port).run_once()

    attempts = await desk.logged(notice_id, "dissemination.delivery")
    assert {one["detail.attempt"]: one["detail.result"] for one in attempts} == {"1": "UNKNOWN", "2": "SENT"}
    assert [one["Message-ID"] for one in post.letters] == [f"<{notice_id}@notices.platewarden.invalid>"]


@pytest.mark.clause("III.B.3.n", "III.B.3.d")
async def test_no_letter_leaves_while_audit_cannot_record_it(desk: Desk, post: Post) -> None:
    notice_id = await desk.corrected()
    away = AuthorizationServiceStub(grpc.aio.insecure_channel("127.0.0.1:1"))
    mailer = SmtpMailer(replace(desk.relay, port=post.port), SystemClock())
    notifier = Notifier(
        desk.store, (Acts(away, 1), AttemptEvents(away, 1)), mailer, SystemClock(), timedelta(seconds=1)
    )

    with pytest.raises(Exception, match="did not record"):
        await notifier.run_once()

    assert not post.letters
    delivery = (await desk.notice(notice_id)).delivery
    assert (delivery.state, delivery.attempt_count) == (WAITING, 0)
    await desk.due_now(notice_id)
    await desk.notifier(port=post.port).run_once()
    assert len(post.letters) == 1


@pytest.mark.parametrize(
    "email", ["x", "a@b", "a b@c.gov", "a@c.gov\r\nBcc: x@y.z", "<a@c.gov>", f"{'a' * 65}@c.gov", "ä@c.gov"]
)
async def test_what_is_no_plain_address_is_refused(desk: Desk, email: str) -> None:
    ids = await desk.leaving.store(await desk.leaving.pictured_read(plate=PLATE))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await desk.leaving.report(ids, recipient=agency(email=email))
    assert refusal(error.value) == (grpc.StatusCode.INVALID_ARGUMENT, {"recipient.email"})

    request = pb.ResendNoticeRequest(request_id=str(uuid4()), notice_id=str(uuid4()), email=email)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await desk.leaving.register.ResendNotice(request, metadata=desk.leaving.officer.metadata)
    assert refusal(error.value) == (grpc.StatusCode.INVALID_ARGUMENT, {"email"})


@pytest.mark.clause("III.B.3.f", "III.B.3.l")
async def test_nobody_has_the_notice_of_another_agency_sent(desk: Desk) -> None:
    notice_id = await desk.corrected()
    stranger = await desk.leaving.house.audit.head_of("ILX000043")
    no_role = await desk.leaving.house.audit.person(audit_pb.ROLE_HOT_LIST_MANAGER)

    for person, code in (
        (stranger, grpc.StatusCode.NOT_FOUND),
        (no_role, grpc.StatusCode.PERMISSION_DENIED),
    ):
        request = pb.ResendNoticeRequest(request_id=str(uuid4()), notice_id=notice_id)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await desk.leaving.register.ResendNotice(request, metadata=person.metadata)
        assert refusal(error.value)[0] is code


@asynccontextmanager
async def _sending(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    folder: Path,
    post: Post,
) -> AsyncIterator[Leaving]:
    database = await migrated_database("audit", "search")
    (folder / "password").write_text(f"{PASSWORD}\n")
    settings = {
        "PW_SMTP_TARGET": f"localhost:{post.port}",
        "PW_SMTP_CA": str(tls.ca_file),
        "PW_SMTP_USER": USER,
        "PW_SMTP_PASSWORD_FILE": str(folder / "password"),
        "PW_SMTP_FROM": "notices@isp.example.gov",
        "PW_NOTICE_SECONDS": "0.1",
    }
    async with running_house(database, tls, issuer, folder, **settings) as house:
        yield Leaving(house, await house.audit.person(audit_pb.ROLE_USER), folder)


@pytest.mark.clause("III.B.3.n", "IV.E.1")
async def test_a_service_with_a_mail_server_tells_recipients_of_purge_and_correction_by_itself(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
    post: Post,
) -> None:
    async with _sending(migrated_database, tls, issuer, tmp_path, post) as leaving:  # noqa: SIM117
        async with asyncpg.create_pool(leaving.house.database.url("search_register"), min_size=1) as pool:
            desk = Desk(leaving, pool, Relay("localhost", 0, ""))
            await desk.corrected()
            await leaving.rows(
                "UPDATE archive.dissemination SET first_capture = first_capture - interval '400 days',"
                " last_capture = last_capture - interval '400 days'"
            )
            await leaving.rows("SELECT archive.make_notices()")
            async with asyncio.timeout(60):
                while len(post.letters) < 2:  # noqa: ASYNC110 - a letter sends no event
                    await asyncio.sleep(0.1)

    assert {post.notice(n)["kind"] for n in (0, 1)} == {"CORRECTED", "PURGED"}
    assert set(post.recipients) == {ADDRESS}


@pytest.mark.clause("II.H", "III.B.3.n")
async def test_recipients_of_motor_carrier_safety_are_told_from_its_own_register(
    desk: Desk, post: Post
) -> None:
    leaving = desk.leaving
    while await desk.notifier(port=post.port).run_once():
        pass  # what an earlier test has left to be told
    officer = await leaving.house.audit.person(audit_pb.ROLE_CVEO)
    read = scale_read("SCALE77", agency=ORI)
    await plant_image(FileObjectStore(leaving.folder / "images"), read, MOTOR_CARRIER)
    ids = await leaving.store(read)
    await leaving.report(ids, by=officer, recipient=agency(email=ADDRESS), partition=PARTITION_MOTOR_CARRIER)
    wrong = pb.RecordCorrectionRequest(
        request_id=str(uuid4()),
        justification=justification(),
        read_id=ids[0],
        statement="the trailer's plate, not the truck's",
        partition=PARTITION_MOTOR_CARRIER,
    )
    await leaving.register.RecordCorrection(wrong, metadata=officer.metadata)

    assert await desk.notifier(port=post.port).run_once() == 0, "the archive's register knows nothing of it"
    async with asyncpg.create_pool(leaving.house.database.url("search_mcs_register"), min_size=1) as pool:
        apart = Desk(leaving, pool, desk.relay)
        apart.store = NoticeStore(pool, "motor_carrier")
        assert await apart.notifier(port=post.port).run_once() == 1

    request = pb.ListRecipientNoticesRequest(
        request_id=str(uuid4()), with_told=True, partition=PARTITION_MOTOR_CARRIER
    )
    (notice,) = (await leaving.register.ListRecipientNotices(request, metadata=officer.metadata)).notices
    assert notice.delivery.state == SENT
    assert post.notice()["notice_id"] == notice.notice_id
    assert verify_notice.verify(
        post.attachment("notice.json"),
        post.attachment("receipt.json").decode(),
        read_public_key(leaving.log_key),
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.register.ListRecipientNotices(request, metadata=leaving.officer.metadata)
    assert refusal(error.value)[0] is grpc.StatusCode.PERMISSION_DENIED

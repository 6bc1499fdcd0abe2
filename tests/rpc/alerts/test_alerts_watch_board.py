"""`platewarden watch` on a real terminal, against the real service: what is seen, heard and typed."""

import asyncio
import io
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.client import bearer
from services.common.database import admin_connection
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message, settings_for, start_rig
from tests.support.cutting_proxy import cutting_proxy
from tests.support.terminal import DOWN, ENTER, ESCAPE, Terminal, on_terminal

# A board that starts beside other tests takes its time.
pytestmark = pytest.mark.timeout(240)
Board = Callable[..., AbstractAsyncContextManager[Terminal]]
PLATEWARDEN = str(Path(sys.executable).with_name("platewarden"))
WAITS = re.compile(r"unseen (\d+):(\d\d)")


@pytest_asyncio.fixture(loop_scope="session")
async def rig(database, audit, tls, folder) -> AsyncIterator[AlertsRig]:
    """A service whose timers are long: no alert of an earlier test escalates on the board of a later one."""
    settings = settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3, acknowledge_seconds=600)
    running = await start_rig(settings, tls)
    yield running
    await running.stop()


@pytest.fixture
def board(rig: AlertsRig, tls: Any, tmp_path: Path) -> Board:
    """Opens a board of the officer that begins with the next alert, and is live."""

    @asynccontextmanager
    async def opened(
        *arguments: str, target: str = "", command: tuple[str, ...] = (PLATEWARDEN,), **window: int
    ) -> AsyncIterator[Terminal]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PW_ALERTS_TARGET": target or f"127.0.0.1:{rig.server.user_port}",
            "PW_CA_FILE": str(tls.ca_file),
            "PW_TOKEN": "officer",
        }
        given = arguments or ("--hours", "0")
        async with on_terminal(*command, "watch", *given, environment=environment, **window) as terminal:
            await terminal.shows(" LIVE ")
            yield terminal

    return opened


async def look(rig: AlertsRig, alert_id: str) -> pb.GetAlertResponse:
    """The alert as the service has it."""
    request = pb.GetAlertRequest(request_id="7c1e4a52-6d5f-4f7e-9d56-0000000000aa", alert_id=alert_id)
    answer: pb.GetAlertResponse = await rig.person.GetAlert(
        request, metadata=(bearer("officer"),), timeout=10
    )
    return answer


@pytest.mark.clause("II.A", "III.B.3.r", "IV.C.1")
async def test_an_alert_stands_on_the_board_unverified_with_its_doubts_before_its_plate(rig, board) -> None:
    hit = hit_message()
    hit.matches[0].warnings.append(hit_pb2.HIT_WARNING_STATE_MISMATCH)

    async with board() as terminal:
        await rig.raise_hits(hit)
        await terminal.shows("UNVERIFIED: confirm with LEADS/NCIC")
        text, colors = terminal.text, terminal.colors_of("URGENT  STATE")

    plate = hit.captured_read.read.plate
    assert 0 < text.index("STATE MISMATCH") < text.index("UNVERIFIED") < text.index(plate)
    assert text.index("UNVERIFIED: confirm with LEADS/NCIC") < text.index(f"read   {plate}")
    assert colors[1] not in {"default", "black"}


async def test_loudness_has_its_colours_and_the_loudest_stands_first(rig, board) -> None:
    kinds = (
        hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION,
        hit_pb2.HOT_LIST_CATEGORY_WANTED,
        hit_pb2.HOT_LIST_CATEGORY_AMBER,
    )
    async with board() as terminal:
        await rig.raise_hits(*(hit_message(entry_message(kind)) for kind in kinds))
        await terminal.shows("EXPIRED REGISTRATION")
        await terminal.shows("AMBER")
        text = terminal.text
        colors = {terminal.colors_of(word)[1] for word in ("URGENT  UNV", "HIGH    UNV", "NOTICE  UNV")}

    assert text.index("AMBER") < text.index("WANTED") < text.index("EXPIRED REGISTRATION")
    assert len(colors) == 3


async def test_how_long_an_alert_waits_is_counted_up(rig, board) -> None:
    async with board() as terminal:
        await rig.raise_hits(hit_message())
        await terminal.until(lambda t: WAITS.search(t.text))
        await terminal.until(lambda t: int(WAITS.search(t.text).group(2)) >= 3)  # type: ignore[union-attr]


@pytest.mark.clause("III.D.4", "IV.D.4")
async def test_keys_acknowledge_verify_and_dispose_and_the_service_has_it(rig, board) -> None:
    async with board() as terminal:
        (alert_id,) = await rig.raise_hits(hit_message())
        await terminal.shows("unseen ")
        terminal.press("a")
        await terminal.shows("unverified ")
        assert "UNVERIFIED" in terminal.text
        terminal.press("v")
        await terminal.shows("Verify this alert")
        terminal.press(f"2LEADS{ENTER}R-778{ENTER}")
        await terminal.until(lambda t: "undisposed" in t.text and "UNVERIFIED" not in t.text)
        terminal.press("d")
        await terminal.shows("What was done")
        terminal.press("1")
        await terminal.shows("Report number")
        terminal.press(f"26-0042{ENTER}Unit 12{ENTER}")
        await terminal.shows("No alerts wait.")

    stored = await look(rig, alert_id)
    assert stored.alert.acknowledged
    assert stored.alert.disposition == pb.DISPOSITION_STOPPED
    assert (stored.history[-1].report_number, stored.history[-1].reported_by) == ("26-0042", "Unit 12")
    steps = [(step.verification_state, step.system, step.response_id) for step in stored.history]
    assert (notice_pb2.VERIFICATION_STATE_CONFIRMED, "LEADS", "R-778") in steps
    begun = [state for state, _, _ in steps].index(notice_pb2.VERIFICATION_STATE_VERIFYING)
    assert begun < [state for state, _, _ in steps].index(notice_pb2.VERIFICATION_STATE_CONFIRMED)


@pytest.mark.clause("III.D.4", "IV.D.4")
async def test_an_enforcement_before_the_confirmation_is_refused_and_the_board_says_so(rig, board) -> None:
    async with board() as terminal:
        (alert_id,) = await rig.raise_hits(hit_message())
        await terminal.shows("unseen ")
        terminal.press("d")
        await terminal.shows("refused before LEADS or NCIC confirmed it")
        terminal.press(f"2{ENTER}{ENTER}")
        await terminal.shows("REFUSED")
        assert "UNVERIFIED" in terminal.text

    assert (await look(rig, alert_id)).alert.disposition == pb.DISPOSITION_UNSPECIFIED


async def test_escape_records_nothing(rig, audit, board) -> None:
    async with board() as terminal:
        await rig.raise_hits(hit_message())
        await terminal.shows("unseen ")
        terminal.press("v")
        await terminal.shows("Verify this alert")
        terminal.press("2")
        await terminal.shows("Who answered")
        terminal.press(ESCAPE)
        await terminal.until(lambda t: "Verify this alert" not in t.text)

    assert audit.neighbour.intents == []


@pytest.mark.clause("II.A")
async def test_an_urgent_alert_rings_again_and_again_until_somebody_has_seen_it(rig, board) -> None:
    async with board() as terminal:
        await rig.raise_hits(hit_message())
        await terminal.until(lambda t: t.bells >= 4)
        terminal.press("a")
        await terminal.shows("unverified ")
        rung = terminal.bells
        await asyncio.sleep(7)
        assert terminal.bells == rung


@pytest.mark.clause("IV.D.3")
async def test_what_nobody_acknowledged_in_time_is_called_escalated(
    database, audit, tls, folder, board
) -> None:
    hasty = settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3, acknowledge_seconds=1)
    other = await start_rig(hasty, tls)
    try:
        async with board(target=f"127.0.0.1:{other.server.user_port}") as terminal:
            await other.raise_hits(hit_message())
            await terminal.shows("ESCALATED")
            await terminal.shows("not acknowledged by")
    finally:
        await other.stop()


@pytest.mark.clause("II.A", "IV.D.2")
async def test_sound_goes_by_category_and_the_floor_keeps_it(rig, board) -> None:
    async with board("--hours", "0", "--silent", "wanted") as terminal:
        assert "no sound: wanted" in terminal.text
        await rig.raise_hits(hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_WANTED)))
        await terminal.shows("WANTED")
        await asyncio.sleep(1)
        assert terminal.bells == 0
        terminal.press("c")
        await terminal.shows("wanted: without sound")
        assert "amber" not in terminal.text
        terminal.press("1")
        await terminal.until(lambda t: t.bells == 1)


async def test_a_floor_category_cannot_be_silenced_from_the_command_line(rig, tls, tmp_path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PW_TOKEN": "officer"}
    environment |= {"PW_ALERTS_TARGET": "127.0.0.1:1", "PW_CA_FILE": str(tls.ca_file)}
    async with on_terminal(PLATEWARDEN, "watch", "--silent", "amber", environment=environment) as terminal:
        assert await terminal.ended() == 2
        await terminal.shows("IV.D.2")


async def test_all_sound_is_switched_off_only_for_all_to_see(rig, board) -> None:
    async with board() as terminal:
        terminal.press("s")
        await terminal.shows("SOUND OFF")
        await rig.raise_hits(hit_message())
        await terminal.until(lambda t: WAITS.search(t.text) and "unseen 0:00" not in t.text)
        assert terminal.bells == 0
        terminal.press("s")
        await terminal.until(lambda t: t.bells > 0 and "SOUND OFF" not in t.text)


@pytest.mark.clause("IV.D.3")
async def test_over_a_link_that_keeps_dropping_every_alert_comes_and_every_key_counts(
    rig, audit, board
) -> None:
    async def drop(proxy: Any) -> None:
        while True:
            await asyncio.sleep(1.2)
            proxy.cut()

    async with cutting_proxy(rig.server.user_port) as proxy, board(target=proxy.target, rows=60) as terminal:
        dropping = asyncio.ensure_future(drop(proxy))
        raised = []
        for _ in range(12):
            raised += await rig.raise_hits(hit_message())
            await asyncio.sleep(0.4)
        await terminal.shows("12 open")
        for left in range(11, 5, -1):
            terminal.press("n")
            terminal.press("a")
            await terminal.shows(f"{left} URGENT UNSEEN")
        dropping.cancel()

    seen = [(await look(rig, alert_id)).alert.acknowledged for alert_id in raised]
    assert proxy.connections > 8
    assert seen.count(True) == 6
    keys = [one for one in audit.neighbour.intents if one.action == "alert.acknowledge"]
    assert len({one.request_id for one in keys}) == 6


async def test_a_link_that_went_silent_is_shown_and_an_act_gets_through_when_it_is_back(rig, board) -> None:
    async with cutting_proxy(rig.server.user_port) as proxy, board(target=proxy.target) as terminal:
        (alert_id,) = await rig.raise_hits(hit_message())
        await terminal.shows("unseen ")
        port, proxy.port = proxy.port, 1
        proxy.silence()
        terminal.press("a")
        await terminal.shows("acknowledge: sending")
        await terminal.until(lambda t: "LINK LOST" in t.text or "CONNECTING" in t.text)
        terminal.press("q")
        await terminal.shows("1 not recorded yet")
        proxy.port = port
        await terminal.shows(" LIVE ")
        await terminal.shows("unverified")

    assert (await look(rig, alert_id)).alert.acknowledged


@pytest.mark.clause("IV.A.4")
async def test_when_the_entitlement_ends_the_board_says_so_and_goes_on_when_it_is_back(
    rig, audit, board
) -> None:
    async with board() as terminal:
        audit.neighbour.end("officer")
        await terminal.shows("THE FEED ENDED")
        assert " LIVE " not in terminal.text
        audit.neighbour.ended.clear()
        terminal.press("r")
        await terminal.shows(" LIVE ")
        await rig.raise_hits(hit_message())
        await terminal.shows("unseen ")


async def test_a_restored_feed_is_told_and_the_board_goes_on(rig, database, board) -> None:
    async with board() as terminal:
        async with admin_connection(database.admin_url) as admin:
            await admin.execute("SELECT alerts.begin_epoch(now())")
        await terminal.shows("ALERTS MAY BE MISSING from before")
        await rig.raise_hits(hit_message())
        await terminal.shows("unseen ")


async def test_a_board_that_is_opened_later_has_what_came_before(rig, board) -> None:
    hit = hit_message()
    await rig.raise_hits(hit)

    async with board("--hours", "1", rows=60) as terminal:
        terminal.press("G")
        await terminal.shows(hit.captured_read.read.plate)


@pytest.mark.clause("III.D.4")
async def test_a_key_acts_on_the_alert_that_was_selected_whatever_came_meanwhile(rig, board) -> None:
    quiet = hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION))
    async with board() as terminal:
        (first,) = await rig.raise_hits(quiet)
        await terminal.shows("unseen ")
        (louder,) = await rig.raise_hits(hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_AMBER)))
        await terminal.shows("AMBER")
        terminal.press("a")
        await terminal.shows("unverified")

    assert (await look(rig, first)).alert.acknowledged
    assert not (await look(rig, louder)).alert.acknowledged


async def test_a_look_shows_the_plate_as_the_camera_saw_it_and_is_recorded(rig, audit, board) -> None:
    picture = Image.new("RGB", (60, 20), (250, 0, 0))
    picture.paste((0, 0, 250), (30, 0, 60, 20))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    hit = hit_message(pictures=(file.getvalue(), file.getvalue()))

    async with board(rows=50) as terminal:
        await rig.raise_hits(hit)
        await terminal.shows("unseen ")
        terminal.press(ENTER)
        await terminal.shows("Nobody did anything yet.")
        left, _ = terminal.colors_of("▀")

    assert int(left[:2], 16) > 200
    assert int(left[4:], 16) < 60
    assert [one.action for one in audit.neighbour.intents] == ["alert.get"]


@pytest.mark.clause("I")
async def test_nothing_of_the_board_stays_on_the_terminal(rig, board) -> None:
    hit = hit_message()
    async with board() as terminal:
        await rig.raise_hits(hit)
        await terminal.shows("unseen ")
        terminal.press("q")
        assert await terminal.ended() == 0
        await terminal.until(lambda t: b"\x1b[?1049l" in t.raw)
        before, _, after = terminal.raw.rpartition(b"\x1b[?1049l")

    assert b"\x1b[?1049h" in before
    assert hit.captured_read.read.plate.encode() not in after


async def test_where_a_part_of_it_goes_to_a_file_there_are_lines_and_no_board(rig, tls, tmp_path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PW_TOKEN": "officer"}
    environment |= {"PW_ALERTS_TARGET": f"127.0.0.1:{rig.server.user_port}", "PW_CA_FILE": str(tls.ca_file)}
    errors = tmp_path / "errors.txt"
    command = f"exec {PLATEWARDEN} watch 2>{errors}"
    async with on_terminal("/bin/sh", "-c", command, environment=environment) as terminal:
        # Lines begin with the next alert; when the stream is live, nothing says.
        while "UNVERIFIED: confirm with LEADS/NCIC" not in terminal.text:
            await rig.raise_hits(hit_message())
            await asyncio.sleep(0.5)

    assert errors.read_text() == ""
    assert b"\x1b[?1049h" not in terminal.raw


async def test_it_ends_at_once_when_its_terminal_or_its_machine_goes(rig, board) -> None:
    for ending in (signal.SIGTERM, signal.SIGHUP):
        async with board() as terminal:
            terminal.process.send_signal(ending)
            assert await terminal.ended() == 0
            await terminal.until(lambda t: b"\x1b[?1049l" in t.raw)


BROKEN = """
import services.cli.watch.app as app
def fail(alert, now): raise ValueError(alert.plate)
app.details = fail
from services.cli.main import main
main()
"""


async def test_a_board_that_fails_shows_no_plate_in_doing_so(rig, board) -> None:
    hit = hit_message()
    async with board(command=(sys.executable, "-c", BROKEN)) as terminal:
        await rig.raise_hits(hit)
        code = await terminal.ended()
        await terminal.shows("the board failed (ValueError)")

    assert code == 2
    assert hit.captured_read.read.plate.encode() not in terminal.raw.rpartition(b"\x1b[?1049l")[2]


async def test_a_small_window_still_shows_doubt_verification_and_plate(rig, board) -> None:
    hit = hit_message()
    hit.matches[0].warnings.extend(
        [hit_pb2.HIT_WARNING_STATE_MISMATCH, hit_pb2.HIT_WARNING_OLD_LIST, hit_pb2.HIT_WARNING_LOOK_ALIKE]
    )
    async with board() as terminal:
        await rig.raise_hits(hit)
        await terminal.shows("unseen ")
        terminal.resize(60, 20)
        await terminal.until(lambda t: "…" in t.text)
        row = terminal.line_with("URGENT  LOOK")

    assert "UNVERIFIED" in row
    assert "unseen" in row
    assert hit.captured_read.read.plate in terminal.text


async def test_arrows_move_the_selection_and_it_stays_with_its_alert(rig, board) -> None:
    async with board() as terminal:
        await rig.raise_hits(hit_message())
        await terminal.shows("1 open")
        second = hit_message()
        await rig.raise_hits(second)
        await terminal.shows("2 open")
        terminal.press(DOWN)
        await terminal.shows(f"read   {second.captured_read.read.plate}")
        await rig.raise_hits(hit_message())
        await terminal.shows("3 open")
        assert f"read   {second.captured_read.read.plate}" in terminal.text

"""What auditors look at, made to happen: a witness signs, a day is purged; and the form that asks."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Download, Locator, Page

from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import log_witness_service_pb2 as witness_pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import retention_service_pb2 as retention_pb
from services.cli.demo import cast
from services.common.tlog import Cosigner, Note
from tests.support.access_stack import World, methods
from tests.support.browser import Desk, barriers, picture
from tests.support.search_kit import archived_read

WITNESS: Final = "witness.test/browser"
HOSTILE: Final = '"><script>window.stolen = 1</script><img src=x onerror="window.stolen = 1">'
_METHODS: Final = {method.name: method for method in methods()}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to the log: under which case number, and which entries."""

    case_number: str
    purpose: str = "Look at what the unit asked about in the week, as the yearly audit wants it"

    async def write(self, page: Page, **which: str) -> None:
        """Fills the form and sends it."""
        await page.select_option("[name=case_number_kind]", label="CAD")
        await page.fill("[name=case_number]", self.case_number)
        await page.select_option("[name=offence_code]", "OTHER_PUBLIC_SAFETY")
        await page.fill("[name=purpose]", self.purpose)
        for name, value in which.items():
            if name in ("kind", "page_size"):
                await page.select_option(f"[name={name}]", value)
            else:
                await page.fill(f"[name={name}]", value)
        await press(page.get_by_role("button", name="Ask the log"))


def new_case() -> str:
    """A case number that nobody has used."""
    return f"2026-{uuid.uuid4().int % 10**9:09}"


async def answer(world: World, who: str, name: str, request: Any) -> Any:
    """The answer of an RPC to one of the world's people or machines."""
    principal = next(one for one in world.principals if one.name == who)
    return await world.callers.answer(principal, _METHODS[name], request)


async def witnessed(world: World) -> str:
    """Public key of a witness that has just signed the newest checkpoint."""
    newest = await answer(world, "service witness", "GetCheckpoint", log_pb.GetCheckpointRequest())
    note, cosigner = Note.parse(newest.checkpoint), Cosigner(WITNESS, Ed25519PrivateKey.generate())
    signed = note.with_only([*note.signatures, cosigner.cosign(note.body, int(time.time()))])
    request = witness_pb.AddWitnessedCheckpointRequest(checkpoint=signed.text())
    await answer(world, "service witness", "AddWitnessedCheckpoint", request)
    return cosigner.verifier_key.text()


async def purged(world: World) -> str:
    """The oldest day of which reads were kept, which has been purged; retention is as before."""
    now = await answer(world, "system-administrator", "GetRetention", settings_pb.GetRetentionRequest())
    captured = datetime.now(UTC) - timedelta(days=now.retention.days - 1)
    day = captured.date().isoformat()
    if await _is_purged(world, day):
        return day
    read = archived_read(captured, agency=cast.AGENCY_ORI, seed=str(uuid.uuid4()))
    await answer(world, "service matcher", "AppendReads", archive_pb.AppendReadsRequest(reads=[read]))
    await _keep(world, now.retention.days - 2, now.retention.days)
    administrator = next(one for one in world.principals if one.name == "system-administrator")
    try:
        while not await _is_purged(world, day):
            request = retention_pb.RunPurgeRequest(request_id=str(uuid.uuid4()))
            # Where it takes long, it goes on by itself.
            await world.callers.outcome(administrator, _METHODS["RunPurge"], request)
    finally:
        await _keep(world, now.retention.days, now.retention.days - 2)
    return day


async def _is_purged(world: World, day: str) -> bool:
    request = retention_pb.ListPurgesRequest(page_size=500)
    listed = await answer(world, "system-administrator", "ListPurges", request)
    return any(one.day == day and one.done for one in listed.purges)


async def _keep(world: World, days: int, before: int) -> None:
    request = settings_pb.SetRetentionRequest(
        request_id=str(uuid.uuid4()),
        days=days,
        days_before=before,
        reason="to see a day end",
        confirm_days=days,
    )
    await answer(world, "system-administrator", "SetRetention", request)
    followed = 0
    while followed != days:  # search follows within seconds
        check = retention_pb.CheckRetentionRequest(request_id=str(uuid.uuid4()))
        followed = (await answer(world, "system-administrator", "CheckRetention", check)).retention_days


async def press(button: Locator) -> None:
    """Presses a button or link, and returns with the page that answers."""
    async with button.page.expect_navigation():
        await button.click()


async def taken(page: Page, button: str, folder: Path) -> Path:
    """The file that a button or link of the page gives, kept in the folder."""
    async with page.expect_download() as coming:
        await page.locator(
            f"main button:has-text('{button}'), main a[download]:has-text('{button}')"
        ).first.click()
    download: Download = await coming.value
    file = folder / download.suggested_filename
    await download.save_as(file)
    return file


async def looked_at(desk: Desk, name: str) -> None:
    """The page as a picture, without barriers and without what the policy of content forbids."""
    await picture(desk.page, f"auditor-{name}")
    assert await barriers(desk.page) == []
    assert not await stolen(desk.page)
    desk.check_quiet()


async def stolen(page: Page) -> bool:
    """Whether a text of the page ran as a script."""
    return bool(await page.evaluate("'stolen' in window"))


async def run(*command: object, folder: Path) -> str:
    """What a program says when all holds; it runs in `folder`."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=folder
    )
    out, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return out.decode()


def entries_of(*exports: Path) -> list[dict[str, Any]]:
    """The entries of files of the log."""
    lines = [json.loads(line) for one in exports for line in one.read_text("utf-8").splitlines()]
    return [one for one in lines if one["type"] == "entry"]


def shown_of(*exports: Path) -> list[dict[str, str]]:
    """What files of the log show of each entry: values by field."""
    return [{field["name"]: field["value"] for field in one["fields"]} for one in entries_of(*exports)]


def next_index(export: Path) -> int:
    """Where the file goes on: behind its last entry."""
    return 1 + max(int(one["log_index"]) for one in entries_of(export))

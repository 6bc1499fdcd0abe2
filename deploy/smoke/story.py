"""The story, told from outside of the pods: people, a sensor, a hot list, an alert, a question, its proof."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.smoke.terminal import StoryError, Terminals
from services.cli.demo.material import leads_file
from services.cli.scenes import draw_scene

AGENCY, DOMAIN, UNIT, SENSOR = "ILISP0000", "isp.illinois.gov", "Zone 1", "i90-mile-79"
COORDINATOR, ADMINISTRATOR = "coordinator", "administrator"
OFFICER, DISPATCHER, LIST_MANAGER, AUDITOR = "officer", "dispatcher", "list-manager", "auditor"
ROLES = {OFFICER: "user", DISPATCHER: "telecom-center", LIST_MANAGER: "hot-list-manager", AUDITOR: "auditor"}
PEOPLE = (COORDINATOR, ADMINISTRATOR, *ROLES)
_CERTIFICATIONS = ("alpr-training", "leads", "security-awareness", "background-check")
CASE, PURPOSE = (
    "2026-004711",
    "Stolen vehicle seen on the expressway, looking for where it was before the stop",
)
WHY = ("--case-kind", "cad", "--offence", "STOLEN_VEHICLE")
_ALERT_S = 60.0
_KILLED, _AT_ONCE = ("ocr", "matcher", "search", "alerts", "audit"), 2
_KEPT = ("stored", "duplicate")
_RECEIPTS = 2  # of a question and of its outcome
Kill = Callable[[str], Awaitable[None]]


def _appointed(office: str, badge: str) -> str:
    return json.dumps(
        {
            "office": office,
            "subject": office,
            "full_name": f"{office.title()} Smoke",
            "badge_number": badge,
            "email": f"{office}@{DOMAIN}",
            "unit": "Statewide",
        }
    )


# What the operator puts into the Secret that the founding waits for.
FOUNDING = {
    "AGENCY_ORI": AGENCY,
    "AGENCY_NAME": "Illinois State Police",
    "EMAIL_DOMAIN": DOMAIN,
    "OFFICIAL": "Deputy Director, Division of Patrol",
    "DOCUMENT_SHA256": hashlib.sha256(b"appointment").hexdigest(),
    "COORDINATOR": _appointed(COORDINATOR, "1"),
    "ADMINISTRATOR": _appointed(ADMINISTRATOR, "2"),
}


def _listed() -> list[str]:
    """Plates of the first photograph and of the last."""
    return [draw_scene(number).plate for number in (0, len(_KILLED) * _AT_ONCE - 1)]


@dataclass
class Story:
    """The story on a founded system; `kill` kills a replica of a service, `recovered` waits for them."""

    terminals: Terminals
    issuer: str
    log_key: str
    witness: str
    """Its address, https://..."""
    kill: Kill
    recovered: Callable[[], Awaitable[None]]
    folder: Path
    say: Callable[[str], None]
    plates: dict[str, str] = field(default_factory=dict)
    """Plate by the id of its read."""
    alert: Any = None
    _raised: dict[str, str] = field(default_factory=dict)

    async def tell(self) -> None:
        """Tells it.

        Raises:
            StoryError: Something did not happen that must, or happened that must not.
        """
        await self._enrol()
        await self._connect_a_camera()
        await self._upload_a_list()
        await self._photograph()
        await self.recovered()
        await self._verify_and_dispose()
        await self._ask()
        await self._prove()

    async def _enrol(self) -> None:
        one, who = self.terminals.one, COORDINATOR
        own = await one(who, "account", "show")
        (self.folder / "appointment.pdf").write_bytes(b"appointment")
        await one(who, "unit", "register", UNIT, "--agency", AGENCY, "--name", UNIT, "--kind", "zone")
        appointed = ("--agency", AGENCY, "--commander", "Captain A. Hill", "--document", "appointment.pdf")
        await one(who, "unit", "appoint", UNIT, own["account_id"], *appointed)
        people = enumerate(ROLES.items(), start=1001)
        await asyncio.gather(*(self._admit(person, role, badge) for badge, (person, role) in people))
        self.say(f"{len(ROLES)} people have accounts and sign in at the agency's provider")

    async def _admit(self, person: str, role: str, badge: int) -> None:
        one, who = self.terminals.one, COORDINATOR
        profile = ("--issuer", self.issuer, "--name", f"{person.title()} Smoke", "--badge", str(badge))
        where = ("--email", f"{person}@{DOMAIN}", "--agency", AGENCY, "--unit", UNIT)
        made = await one(who, "account", "create", person, *profile, *where)
        for kind in _CERTIFICATIONS:
            await one(who, "account", "certify", made["account_id"], kind, "--reference", "T-1")
        await one(who, "account", "grant", made["account_id"], role)
        await one(who, "account", "enable", made["account_id"])

    async def _connect_a_camera(self) -> None:
        one, who = self.terminals.one, COORDINATOR
        place = ("--latitude", "41.98", "--longitude", "-87.87", "--place", "mile 79")
        await one(who, "sensor", "register", SENSOR, "--agency", AGENCY, "--group", "expressway", *place)
        await one(who, "sensor", "approve", SENSOR)
        await one(who, "sensor", "certify", SENSOR, "--out", ".")
        self.say("a camera is approved and has a certificate of audit's authority")

    async def _upload_a_list(self) -> None:
        one, who = self.terminals.one, LIST_MANAGER
        (self.folder / "list.txt").write_bytes(leads_file(_listed()))
        made = await one(who, "hotlist", "create", "LEADS stolen", "--source", "leads")
        file = ("list.txt", "--format", "il-leads", "--attest", "Invented rows.", "--activate")
        await self.terminals.run(who, "hotlist", "upload", made["hot_list_id"], *file)
        self.say("a hot list of 1,000 entries is active")

    async def _photograph(self) -> None:
        """Photographs while a replica of every service is killed in turn; none of them may be lost."""
        async with self.terminals.following(DISPATCHER, "watch") as events:
            for number, name in enumerate(_KILLED):
                await self._send(number * _AT_ONCE, killed=name)
            first, last = [await self._next_alert(events, plate) for plate in _listed()]
        self.alert = first
        self._raised = dict(zip(_listed(), (first["alert_id"], last["alert_id"]), strict=True))
        self.say(f"{len(self.plates)} photographs, a replica of each service killed meanwhile: all stored")
        self.say("alerts of both listed plates, before and after the kills, came to the dispatcher")

    async def _send(self, first: int, *, killed: str) -> None:
        scenes = [draw_scene(first + number) for number in range(_AT_ONCE)]
        folder = self.folder / f"pictures-{first}"
        folder.mkdir()
        for number, scene in enumerate(scenes):
            (folder / f"{number}.jpg").write_bytes(scene.image)
        camera = ("--sensor", SENSOR, "--cert", f"{SENSOR}.pem", "--key", f"{SENSOR}-key.pem")
        sending = asyncio.create_task(self.terminals.run("", "capture", folder.name, *camera))
        await self.kill(killed)
        for line, scene in zip(await sending, scenes, strict=True):
            kept = {one["read_id"]: one["text"] for one in line["plates"] if one["status"] in _KEPT}
            if scene.plate not in kept.values():
                raise StoryError(f"a photograph that was sent while {killed} was killed is not stored")
            self.plates |= kept

    async def _next_alert(self, events: asyncio.Queue[Any], plate: str) -> Any:
        try:
            async with asyncio.timeout(_ALERT_S):
                while True:
                    event = await events.get()
                    if event.get("alert", {}).get("plate") == plate:
                        return event["alert"]
        except TimeoutError:
            raise StoryError("no alert came for a listed plate") from None

    async def _verify_and_dispose(self) -> None:
        run, alert_id = self.terminals.run, self.alert["alert_id"]
        for plate, raised in self._raised.items():
            found = await self.terminals.one(DISPATCHER, "alert", "list", "--plate", plate)
            if [one["alert_id"] for one in found["alerts"]] != [raised]:
                raise StoryError("a listed plate was photographed once and has not exactly one alert")
        await run(OFFICER, "alert", "dispose", alert_id, "stopped", refused=True)
        await run(OFFICER, "alert", "verify", alert_id, "verifying")
        answered = ("--system", "LEADS", "--response", "R-1")
        await run(OFFICER, "alert", "verify", alert_id, "confirmed", *answered)
        await run(OFFICER, "alert", "dispose", alert_id, "stopped", "--report", "SMOKE-1")
        self.say(
            "one alert a listed plate; no disposition before its verification; then verified and disposed"
        )

    async def _ask(self) -> None:
        run, plate = self.terminals.run, _listed()[0]
        without = await run(OFFICER, "search", "plate", plate, *WHY, "--purpose", PURPOSE, refused=True)
        if "error" not in without[-1]:
            raise StoryError("a question without a case number was not refused by the service")
        why = (*WHY, "--case", CASE, "--purpose", PURPOSE)
        (answer,) = await run(OFFICER, "search", "plate", plate, *why, "--receipts", "receipts")
        found = {one["read"]["read_id"] for one in answer["reads"]}
        for other in set(self.plates.values()) - {plate}:
            (answer,) = await run(OFFICER, "search", "plate", other, *why)
            found |= {one["read"]["read_id"] for one in answer["reads"]}
        if lost := self.plates.keys() - found:
            raise StoryError(f"{len(lost)} of {len(self.plates)} stored reads are not found")
        self.say(f"no answer without a case number; with one, receipts and all {len(self.plates)} reads")

    async def _prove(self) -> None:
        (self.folder / "log.pub").write_text(f"{self.log_key}\n", encoding="ascii")
        (self.folder / "witness.pub").write_text(await self.terminals.page(f"{self.witness}/public-key"))
        signed = (await self.terminals.page(f"{self.witness}/checkpoints")).splitlines()
        (self.folder / "checkpoint").write_text(json.loads(signed[-1])["checkpoint"], encoding="utf-8")
        await self.terminals.run(AUDITOR, "audit", "export", "--out", "log.jsonl")
        receipts = sorted((self.folder / "receipts").iterdir())
        given = [part for one in receipts for part in ("--receipt", str(one))]
        keys = ("--public-key", "log.pub", "--witness-key", "witness.pub")
        said = await self.terminals.prove(
            "audit", "verify", "log.jsonl", *keys, "--checkpoint", "checkpoint", *given
        )
        if len(receipts) != _RECEIPTS or said.count("good: receipt") != _RECEIPTS:
            raise StoryError(f"the receipts do not hold: {said}")
        self.say(
            "the exported log, both receipts and what the witness signed hold offline, by public keys alone"
        )

"""Pages of a full export, checked offline: pages of reads, and pages of what a service keeps besides.

Beside each page `NNNNNN.jsonl` lies `NNNNNN.receipts.json` with the log entries by which it left. It needs
verifier.py in the same folder, and nothing but Python.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

if __package__:
    from services.audit import verifier
else:  # alone, with verifier.py in the same folder
    import verifier  # type: ignore[no-redef, import-not-found]

PAGE_FORMAT = "platewarden.reads/v1"
READ_RECEIPTS = ("question", "outcome", "dissemination")
PAGE_RECEIPTS = ("look", "leaving")
# What a page says of itself, and the log of it.
_POSITION = ("part", "of", "after", "until", "last", "row_count", "has_more")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class ReadPages:
    """Pages of reads that belong together: their folder, kind of question, action by which they left.

    `hold` is the hold that kept them, else "".
    """

    folder: str = "reads"
    kind: str = "export"
    action: str = "dissemination.everything"
    hold: str = ""


@dataclass(frozen=True)
class Page:
    """A page of reads that holds: its reads, and what its recorded question asked for."""

    read_ids: tuple[UUID, ...]
    images: tuple[tuple[str, str], ...]
    question: Mapping[str, str]

    @property
    def is_last(self) -> bool:
        """True when it has fewer reads than it might have, so that there are no more."""
        return len(self.read_ids) < int(self.question["page_size"])


def read_pages(folder: Path, names: set[str], key: verifier.PublicKey, pages: ReadPages) -> Iterator[Page]:
    """The pages in order, each of which is what the log says and goes on where the one before ended."""
    before: Page | None = None
    for name in pages_in(pages.folder, names):
        page = _read_page(folder, name, key, pages)
        _check_order(name, page, before)
        # A hold may get more while its pages are asked for, and only after the last of them.
        if before and not pages.hold and page.question["to_us"] != before.question["to_us"]:
            raise verifier.VerificationError(f"{name} is of another window than the page before it")
        yield page
        before = page
    if before is not None and not before.is_last:
        raise verifier.VerificationError("the last page is full, so the export broke off")


def pages_in(folder: str, names: set[str]) -> list[str]:
    """The files of pages in that folder, in order."""
    return sorted(one for one in names if one.rpartition("/")[0] == folder and one.endswith(".jsonl"))


def _check_order(name: str, page: Page, before: Page | None) -> None:
    """The page goes on where the one before ended."""
    if before and not before.read_ids:
        raise verifier.VerificationError(f"{name} comes after a page that proves the end")
    after = before.read_ids[-1] if before else None
    if page.question["after_read_id"] != (str(after) if after else ""):
        raise verifier.VerificationError(f"{name} does not go on where the page before it ended")
    in_order = [*([after] if after else []), *page.read_ids]
    if any(one >= other for one, other in pairwise(in_order)):
        raise verifier.VerificationError(f"{name} has its reads in another order")


def _read_page(folder: Path, name: str, key: verifier.PublicKey, pages: ReadPages) -> Page:
    """The page, if it is what the log says."""
    raw = (folder / name).read_bytes()
    about, *reads = [json_object(line, f"a line of {name}") for line in raw.splitlines()] or [{}]
    if about.get("format") != PAGE_FORMAT:
        raise verifier.VerificationError(f"{name} is not in the format {PAGE_FORMAT}")
    receipts = _receipts(folder / name.replace(".jsonl", ".receipts.json"), key, READ_RECEIPTS)
    question, outcome, left = (receipts[one] for one in READ_RECEIPTS)
    read_ids = tuple(_read_id(one, name) for one in reads)
    rows = hashlib.sha256(b"".join(one.bytes for one in read_ids)).hexdigest()
    asked = dict(_question(question.get("question", "")))
    for holds, sentence in (
        (left.get("action") == pages.action, "is not a page of a full export"),
        (left.get("detail.sha256") == hashlib.sha256(raw).hexdigest(), "is not the page that is in the log"),
        (left.get("detail.question_entry") == question["entry_id"], "answers another question"),
        (about.get("question_entry") == question["entry_id"], "names another question"),
        (asked.get("kind") == pages.kind, "answers a question of another kind"),
        (asked.get("hold_id", "") == pages.hold, "is of another hold"),
        (outcome.get("subject") == question["entry_id"], "has the answer of another question"),
        (outcome.get("row_count") == str(len(read_ids)), "has another number of reads than the log says"),
        (outcome.get("rows_digest") == rows, "has other reads than the log says"),
        ({"from_us", "to_us", "page_size", "after_read_id"} <= set(asked), "has no whole question"),
    ):
        if not holds:
            raise verifier.VerificationError(f"{name} {sentence}")
    return Page(read_ids, tuple(_images(reads)), asked)


@dataclass(frozen=True)
class Pages:
    """Pages that belong together: their folder, the action by which they left, what they are and of what."""

    folder: str
    action: str
    part: str
    of: str = ""

    def among(self, names: set[str]) -> list[str]:
        """Their files in order."""
        return pages_in(self.folder, names)


@dataclass(frozen=True)
class House:
    """What an export of one data set has, and by which acts it leaves."""

    format: str
    seal: str
    kind: str
    held: str
    leave: str
    lists: tuple[str, ...]
    alerts: tuple[Pages, ...]
    hot_lists: tuple[Pages, ...] = ()


# Beside the entries of each hot list.
_HOT_LISTS = (
    Pages("hot_lists/lists", "hot_list.leave", "hot_lists"),
    Pages("hot_lists/local", "hot_list.leave", "local_entries"),
    Pages("hot_lists/quarantined", "hot_list.leave", "quarantined_uploads"),
    Pages("hot_lists/findings", "hot_list.leave", "findings"),
    Pages("hot_lists/tuning", "hot_list.leave", "tuning"),
)
# What belongs to alerts, by the name of its folder; of Motor Carrier Safety the first two.
ALERT_PARTS = (
    "alerts", "subscriptions", "assets", "deliveries", "escalations", "webhooks", "webhook_messages",
)  # fmt: skip
APART_ALERT_PARTS = ALERT_PARTS[:2]


def _alert_pages(action: str, names: Sequence[str]) -> tuple[Pages, ...]:
    return tuple(Pages("alerts" if name == "alerts" else f"alerts/{name}", action, name) for name in names)


DEPARTMENT = House(
    format="platewarden.department/v1",
    seal="export.seal",
    kind="export",
    held="held",
    leave="dissemination.everything",
    lists=(
        "accounts", "agencies", "agreements", "contracts", "declarations", "documents", "escorts", "evidence",
        "government_requests", "group_limits", "holds", "incidents", "leavers", "maintenance", "models",
        "policies", "purges", "recipient_notices", "register", "retention", "reviews", "sensor_groups",
        "sensors", "settings", "support_requests", "transparency_reports", "units",
    ),
    alerts=_alert_pages("alert.leave", ALERT_PARTS),
    hot_lists=_HOT_LISTS,
)  # fmt: skip
MOTOR_CARRIER_HOUSE = House(
    format="platewarden.motor_carrier/v1",
    seal="mcs_export.seal",
    kind="mcsexport",
    held="mcsheld",
    leave="mcs_dissemination.everything",
    lists=("evidence", "holds", "maintenance", "recipient_notices", "register"),
    alerts=_alert_pages("mcs_alert.leave", APART_ALERT_PARTS),
)


def rows_of(
    folder: Path, names: set[str], key: verifier.PublicKey, pages: Pages
) -> Iterator[Mapping[str, Any]]:
    """The records of all pages, each of which is what the log says and goes on where the one before ended."""
    before: Mapping[str, str] = {}
    for name in pages.among(names):
        about, rows = _logged_page(folder, name, key, pages)
        if before.get("has_more", "yes") != "yes":
            raise verifier.VerificationError(f"{name} comes after the last page")
        if about["after"] != before.get("last", "") or about["until"] != before.get("until", about["until"]):
            raise verifier.VerificationError(f"{name} does not go on where the page before it ended")
        yield from rows
        before = about
    if before.get("has_more", "no") != "no":
        raise verifier.VerificationError(f"the last page of {pages.folder} is missing")


def _logged_page(
    folder: Path, name: str, key: verifier.PublicKey, pages: Pages
) -> tuple[Mapping[str, str], list[dict[str, Any]]]:
    raw = (folder / name).read_bytes()
    about, *rows = [json_object(line, f"a line of {name}") for line in raw.splitlines()] or [{}]
    receipts = _receipts(folder / name.replace(".jsonl", ".receipts.json"), key, PAGE_RECEIPTS)
    look, left = (receipts[one] for one in PAGE_RECEIPTS)
    for holds, sentence in (
        (left.get("action") == pages.action, "is not a page of a full export"),
        (left.get("detail.sha256") == hashlib.sha256(raw).hexdigest(), "is not the page that is in the log"),
        (left.get("detail.look_entry") == look["entry_id"], "belongs to another look"),
        ((about.get("part"), about.get("of")) == (pages.part, pages.of), "holds other records"),
        (all(about.get(one) == left.get(f"detail.{one}", "") for one in _POSITION), "is of another place"),
        (about.get("row_count") == str(len(rows)), "has another number of records than the log says"),
        (about.get("after") == look.get("detail.after", ""), "is not what was asked for"),
    ):
        if not holds:
            raise verifier.VerificationError(f"{name} {sentence}")
    return about, rows


def hit_images(alert: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Day and SHA-256 of each picture of an alert's hits."""
    for hit in alert.get("hits", []):
        for one in ("crop", "overview"):
            if picture := hit["read"].get(one):
                if not _DAY.fullmatch(picture["day"]):
                    raise verifier.VerificationError("a hit's picture is of no day")
                yield picture["day"], picture["sha256"]


def _receipts(path: Path, key: verifier.PublicKey, wanted: Sequence[str]) -> dict[str, dict[str, str]]:
    receipts = json_object(path.read_bytes(), path.name)
    try:
        return {name: verifier.verify_receipt(json.dumps(receipts[name]), key) for name in wanted}
    except KeyError as error:
        raise verifier.VerificationError(f"{path.name} lacks the receipt {error}") from None


def receipt_of(path: Path, name: str, key: verifier.PublicKey) -> dict[str, str]:
    """The fields of one receipt in a file of receipts, if it holds."""
    return _receipts(path, key, (name,))[name]


def _question(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of a question as the log has it, a line `name:length:value` each."""
    for line in text.split("\n"):
        name, _, rest = line.partition(":")
        yield name, rest.partition(":")[2]


def _read_id(read: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(str(read["read"]["read_id"]))
    except (KeyError, TypeError, ValueError):
        raise verifier.VerificationError(f"{name} has a line that is no read") from None


def _images(reads: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Day and SHA-256 of each read's picture."""
    for one in reads:
        image = one["read"].get("image", {})
        try:
            day, sha256 = str(image["day"]), base64.b64decode(image["sha256"]).hex()
        except (KeyError, TypeError, ValueError):
            raise verifier.VerificationError("a read has no picture of its own") from None
        if not _DAY.fullmatch(day):
            raise verifier.VerificationError("a read's picture is of no day")
        yield day, sha256


def json_object(raw: bytes, what: str) -> dict[str, Any]:
    """The JSON object, or an error that names `what`."""
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise verifier.VerificationError(f"{what} is not a JSON object")
    return found

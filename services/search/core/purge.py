"""The end of a day of reads, and the certificate that says what is gone (ENF-051 IV.E.1, IV.E.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

FORM: Final = "platewarden.purge/v1"
_NAMESPACE: Final = UUID("6d2f0c1e-8a34-5e0b-9a7b-3f1de0c7a5b1")
_EMPTY: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_GONE: Final = (
    "Gone: no table, index, dictionary or quarantine of the running database holds a read of this range, "
    "no object of the image store a picture of it, and the key of its pictures is destroyed. Not gone, each "
    "under a record of its own: reads that a legal hold keeps (held_reads), hits and alerts (IV.E.2), "
    "evidence packages and what was disseminated. Backups and write-ahead logs may hold rows, and wrapped "
    "keys, until backups_until."
)


@dataclass(frozen=True, slots=True)
class PurgeTerms:
    """By which rules a day was purged."""

    records_series: str
    retention_days: int
    setting_revision: int
    backup_days: int


def purge_id(day: date, number: int) -> UUID:
    """The id of the day's purge of that number, from 0; whoever begins it again comes to the same one."""
    return uuid5(_NAMESPACE, f"{day.isoformat()}/{number}")


def certificate(
    day: date, begun_at: datetime, terms: PurgeTerms, steps: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """What the log says about the purge, as names and values.

    Args:
        day: The UTC day of capture; for what was quarantined, of arrival.
        begun_at: When the purge began.
        terms: The rules.
        steps: What each step wrote down (services/search/sql/0012_retention.sql).
    """
    start = datetime.combine(day, time(), UTC)
    rows, apart = steps.get("rows", {}), steps.get("motor_carrier", {})
    images, held = steps.get("images", {}), steps.get("held_images", {})
    evidence = steps.get("evidence", {})
    apart_images = steps.get("motor_carrier_held_images", {})
    apart_evidence = steps.get("motor_carrier_evidence", {})
    until = (begun_at + timedelta(days=terms.backup_days)).date()
    return {
        "certificate": FORM,
        "records_series": terms.records_series,
        "range_from": _moment(start),
        "range_to": _moment(start + timedelta(days=1)),
        "retention_days": str(terms.retention_days),
        "setting_revision": str(terms.setting_revision),
        "begun_at": _moment(begun_at),
        **_table("reads", rows.get("read", {})),
        **_table("quarantined", rows.get("quarantine", {})),
        **_table("motor_carrier_reads", apart.get("read", {})),
        **_table("motor_carrier_quarantined", apart.get("quarantine", {})),
        "dictionary_words": str(steps.get("dictionary", {}).get("words", 0)),
        "images": str(images.get("objects", 0)),
        "image_bytes": str(images.get("bytes", 0)),
        "day_key": "destroyed" if images.get("key") else "none",
        **_kept("", rows, held, evidence),
        **_kept("motor_carrier_", apart, apart_images, apart_evidence),
        "backup_days": str(terms.backup_days),
        "backups_until": until.isoformat(),
        "gone": _GONE,
    }


def _table(name: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Rows, digest of their read ids in order, and bytes of one kind of table."""
    return {
        name: str(content.get("rows", 0)),
        f"{name}_digest": str(content.get("digest", _EMPTY)),
        f"{name}_bytes": str(content.get("bytes", 0)),
    }


def _kept(
    house: str, rows: Mapping[str, Any], images: Mapping[str, Any], evidence: Mapping[str, Any]
) -> dict[str, str]:
    """What of one data set outlives the day, by holds and as evidence."""
    held = rows.get("held", {})
    return {
        f"{house}holds": str(held.get("holds", 0)),
        f"{house}held_reads": str(held.get("rows", 0)),
        f"{house}held_images": str(images.get("parted", 0)),
        f"{house}held_images_missing": str(images.get("missing", 0)),
        f"{house}evidence_packages": str(evidence.get("packages", 0)),
        f"{house}evidence_digest": str(evidence.get("digest", _EMPTY)),
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

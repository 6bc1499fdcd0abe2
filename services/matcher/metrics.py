"""What the matcher counts. No label holds anything of a read, list or person."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

READS: Final = Counter("platewarden_matcher_reads", "Reads answered, by what became of them.", ["status"])
HITS: Final = Counter("platewarden_matcher_hits", "Reads that matched at least one entry.")
MATCHES: Final = Counter(
    "platewarden_matcher_matches",
    "Entries matched, over all reads, by where the list comes from and what it is for.",
    ["source", "category"],
)
BATCH_READS: Final = Histogram(
    "platewarden_matcher_batch_reads", "Reads in a batch.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
INDEX_REVISION: Final = Gauge("platewarden_matcher_index_revision", "Revision of the hot lists in memory.")
STORED_REVISION: Final = Gauge(
    "platewarden_matcher_stored_revision", "Revision of the hot lists in the database."
)
INDEX_CONFIRMED: Final = Gauge(
    "platewarden_matcher_index_confirmed_timestamp_seconds",
    "When the hot lists in memory were last known to be the newest; after 30 seconds no read is compared.",
)
INDEX_ENTRIES: Final = Gauge("platewarden_matcher_index_entries", "Entries of the hot lists in memory.")
LOCAL_SUSPENDED: Final = Counter(
    "platewarden_matcher_local_suspended", "Entries of local lists suspended for matching too much."
)
VERDICTS: Final = Counter("platewarden_matcher_verdicts", "Judgements of alerts heard, by alert and list.")
TUNINGS: Final = Counter(
    "platewarden_matcher_tunings", "Budgets of lists put right, by whether tightened or relaxed.", ["way"]
)
LOOK_BACKS: Final = Counter(
    "platewarden_matcher_look_backs",
    "Changes of hot lists that are looked back from, by how it ended.",
    ["end"],
)
LOOK_BACK_READS: Final = Counter("platewarden_matcher_look_back_reads", "Archived reads compared again.")
LOOK_BACK_HITS: Final = Counter("platewarden_matcher_look_back_hits", "Of those, reads that matched.")
LOOK_BACK_WITHOUT_PICTURE: Final = Counter(
    "platewarden_matcher_look_back_without_picture", "Hits of look-backs whose image could not be had."
)
LOOK_BACK_OPEN: Final = Gauge("platewarden_matcher_look_back_open", "Changes not looked back from yet.")

for _status in ("stored", "duplicate", "out_of_retention", "conflict", "quarantined"):
    READS.labels(_status)
for _end in ("done", "refused"):
    LOOK_BACKS.labels(_end)

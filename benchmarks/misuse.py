"""Rules about misuse on a simulated year of questions: how often a flag is right, how much misuse is found.

The year is drawn from a seed: patrols on shifts that change, investigations alone and shared, analysts,
dispatchers, details, large crimes that everybody works on, leave, people who come and go; and hidden in it
episodes of misuse of the kinds that have come to light elsewhere. Rules were written on years of other seeds;
TEST_SEED was drawn when they were frozen (RULES_SHA256), and `rules_frozen` says whether they are still the
same. What is simulated is no agency: the figures compare rules with one another and with a plain threshold,
and promise nothing about one's own.

Run it with `make bench NAME=misuse`; SEED and PEOPLE in the environment draw another year. One JSON line:
    precision, recall       of all flags, and of all episodes by whichever rule
    by_rule                 the same for each rule: precision of its flags, recall of its episodes
    volume                  a plain threshold of plates a day that raises about as many flags
    volume_at_60            and one at 60 plates a day
    precision_at_tenth      precision if misuse were ten times as rare, with as many false flags
INTERLEAVED is not in it: its flags come from the detector of devices, which has tests of its own.
"""

from __future__ import annotations

import json
import os
import random
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks._misuse_episodes import Misuse
from benchmarks._misuse_people import Agency
from benchmarks._misuse_score import Flag, flags_by_volume, flags_of, judged
from services.audit.policies import load

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = 200
EPISODES = 12
FROZEN = ("services/audit/core/misuse.py", "services/audit/core/conduct.py")
# Of the files in FROZEN when TEST_SEED was drawn from the system's own randomness.
RULES_SHA256 = "4e222aaf713fcf04cb139b39eb43defa647c06e9df8dcf1060628597ec5673ba"
TEST_SEED = 811041379


def rules_sha256() -> str:
    """SHA-256 of the rules as they are now."""
    return sha256(b"".join((ROOT / name).read_bytes() for name in FROZEN)).hexdigest()


def main() -> None:
    """Draws a year, runs the rules over it, and prints how they did."""
    seed = int(os.environ.get("SEED") or TEST_SEED)
    people = int(os.environ.get("PEOPLE") or PEOPLE)
    agency = Agency(random.Random(seed), people)  # noqa: S311 - a simulation
    asks, episodes = list(agency.lawful()), []
    for episode, hidden in Misuse(agency).of_year(EPISODES):
        episodes.append(episode)
        asks += hidden
    asks.sort(key=lambda ask: ask.moment)
    flags = flags_of(agency, asks, load(ROOT / "services/audit/policy").rules)
    found = judged(episodes, flags)
    wrong = sum(1 for one in flags) - round(found["precision"] * found["flags"])
    right = found["flags"] - wrong
    least, volume = _as_many(asks, len(flags))
    line = {
        "seed": seed,
        "rules_frozen": rules_sha256() == RULES_SHA256 and seed == TEST_SEED,
        "people": people,
        "questions": len(asks),
        **found,
        "precision_at_tenth": round(right / 10 / (right / 10 + wrong), 3),
        "volume": {"plates_a_day": least, **judged(episodes, volume)},
        "volume_at_60": judged(episodes, flags_by_volume(asks, 60)),
    }
    for each in ("volume", "volume_at_60"):
        line[each].pop("by_rule")
    sys.stdout.write(json.dumps(line) + "\n")


def _as_many(asks: list, most: int) -> tuple[int, list[Flag]]:  # type: ignore[type-arg]
    """The lowest threshold that raises no more flags than the rules do, and its flags."""
    low, high = 1, 400
    while low < high:
        middle = (low + high) // 2
        if len(flags_by_volume(asks, middle)) <= most:
            high = middle
        else:
            low = middle + 1
    return low, flags_by_volume(asks, low)


if __name__ == "__main__":
    main()

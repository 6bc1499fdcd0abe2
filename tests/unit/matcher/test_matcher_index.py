"""Lists packed and put into tables; budgets; compiled code that is carried along."""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
import textwrap
import uuid
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matcher.core import index as index_module
from services.matcher.core.budget import Budget, ratio_for
from services.matcher.core.columns import columns_of
from services.matcher.core.copied import CopiedEntries
from services.matcher.core.entry import Category, Entry, Source, Vehicle
from services.matcher.core.grammar import grammar_of
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndex
from services.matcher.core.match import Grade, Match, find_matches
from services.matcher.core.packed import codes_of, pack, packed, pattern_of, unpacked
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Lattice, Sighting
from services.matcher.core.table import Segment, Table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLATES = st.text(ALPHABET, min_size=1, max_size=12)


def entry(plate: str, number: int = 1, state: str = "IL") -> Entry:
    return Entry(uuid.UUID(int=number), plate, state, Category.WANTED, f"W{number}", Vehicle())


def active(number: int, *entries: Entry, version: int = 1) -> ActiveList:
    header = ListHeader(uuid.UUID(int=number), "x", "IL0160000", Source.AGENCY, version, NOW, NOW)
    return ActiveList(header, ListIndex(columns_of(entries)))


def found(index: Index, plate: str, *, sure: float = 0.9995) -> list[Match]:
    seen = Sighting(Lattice(plate, tuple(((one, sure),) for one in plate)), (("IL", 0.97),), NOW)
    allowed = frozenset(range(len(index.lists)))
    return [*find_matches(seen, index, allowed, NOW, MatchSettings())]


@given(PLATES)
def test_a_packed_plate_comes_back_letter_for_letter(plate: str) -> None:
    key, o_mask, pattern = packed(plate)

    assert 0 < key < 1 << 64
    assert unpacked(key, o_mask) == plate
    assert pattern == int("1" + "".join("1" if one.isalpha() else "0" for one in plate), 2)


@settings(deadline=None)
@given(st.lists(PLATES, min_size=1, max_size=5))
def test_compiled_packing_is_the_same_as_plain_packing(plates: list[str]) -> None:
    keys, masks = np.zeros(len(plates), np.uint64), np.zeros(len(plates), np.uint16)
    patterns = np.zeros(len(plates), np.int32)

    pack(codes_of(np.array(plates, dtype="S12")), keys, masks, patterns)

    rows = zip(keys.tolist(), masks.tolist(), patterns.tolist(), strict=True)
    assert [*rows] == [packed(plate) for plate in plates]
    assert [pattern_of(key, mask) for key, mask in zip(keys, masks, strict=True)] == patterns.tolist()


@settings(deadline=None, max_examples=30)
@given(st.lists(PLATES, max_size=40), st.lists(PLATES, max_size=5))
def test_a_list_finds_all_entries_of_its_plates_and_no_others(listed: list[str], others: list[str]) -> None:
    one = ListIndex(columns_of(entry(plate, number) for number, plate in enumerate(listed)))

    for plate in {*listed, *others}:
        same = [other for other in listed if other.replace("O", "0") == plate.replace("O", "0")]
        assert sorted(match.plate for match in one.find(plate)) == sorted(same)
    assert one.plate_count == len({plate.replace("O", "0") for plate in listed})


def test_a_million_rows_of_one_plate_are_entered_as_one() -> None:
    columns = columns_of(entry("AB12345", number) for number in range(5000))

    table = Table([Segment(columns, False)])

    assert len(table) == 5000
    assert np.count_nonzero(table.arrays.slot_key) == 1


def test_an_entry_takes_at_most_24_bytes_of_index() -> None:
    rng = np.random.default_rng(1)
    plates = {"".join(rng.choice([*ALPHABET], 7)) for _ in range(20_000)}
    columns = columns_of(entry(plate, number) for number, plate in enumerate(plates))

    assert Table([Segment(columns, False)]).index_bytes / len(columns) <= 24


def test_a_wrong_plate_is_refused_when_a_list_is_packed() -> None:
    with pytest.raises(ValueError, match="plate"):
        columns_of([entry("AB 12")])


def test_entries_of_a_plate_on_several_lists_and_in_both_tables_are_all_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "SMALL_LIST", 2)
    large = active(1, *(entry(plate, n) for n, plate in enumerate(("AB12345", "AB12345", "CD99999"))))
    index = Index(1, NOW, (large, active(2, entry("AB12345", 7)), active(3, entry("AB12345", 8))))

    matches = found(index, "AB12345")

    assert [len(tier.table) for tier in index.tiers] == [3, 2]
    assert {(one.header.hot_list_id.int, one.entry.entry_id.int) for one in matches} == {
        (1, 0),
        (1, 1),
        (2, 7),
        (3, 8),
    }


def test_a_change_of_a_small_list_leaves_the_table_of_the_large_ones_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "SMALL_LIST", 2)
    large = active(9, *(entry(plate, n) for n, plate in enumerate(("AB12345", "AB12346", "CD99999"))))
    before = Index(1, NOW, (large, active(2, entry("XX12345"))))

    after = Index(
        2, NOW, (active(1, entry("ZZ12345")), active(2, entry("YY12345"), version=2), large), like=before
    )

    assert after.tiers[0].table is before.tiers[0].table
    assert after.grammar is before.grammar
    assert [
        one.entry.plate
        for plate in ("AB12345", "YY12345", "XX12345", "ZZ12345")
        for one in found(after, plate)
    ] == [
        "AB12345",
        "YY12345",
        "ZZ12345",
    ]
    assert found(after, "AB12345")[0].header == large.header


def test_a_pattern_that_the_lists_are_full_of_becomes_usual() -> None:
    plates = [f"Q{letter}{digit}Q" for letter in ALPHABET[10:] for digit in ALPHABET[:10]] * 20
    grammar = grammar_of([columns_of(entry(plate, n) for n, plate in enumerate(plates))])

    pattern = packed("QA1Q")[2]

    assert grammar.arrays.prior[pattern] > grammar_of([]).arrays.prior[pattern]
    assert grammar.arrays.bound[4, 1] >= grammar.arrays.prior[pattern]


@pytest.mark.clause("III.B.3.o")
def test_the_more_plates_a_list_has_the_more_a_match_must_be_worth_to_sound() -> None:
    usual = grammar_of([]).usual

    small, large = ratio_for(1.0, 1000, usual), ratio_for(1.0, 1_000_000, usual)

    assert large == pytest.approx(1000 * small)
    assert ratio_for(10.0, 1000, usual) < small


@pytest.mark.clause("III.B.3.o")
def test_large_lists_share_the_budget_of_all() -> None:
    budget = Budget()

    assert budget.sounding_of_one(1) == budget.sounding_of_one(10) == 1.0
    assert budget.sounding_of_one(100) == 0.1


@pytest.mark.clause("III.B.3.o")
def test_an_unsure_read_sounds_for_a_small_list_and_is_to_be_checked_for_a_large_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = Index(1, NOW, (active(1, entry("AB12345")),))
    (small,) = found(index, "AB12345", sure=0.93)

    monkeypatch.setattr(ListIndex, "entry_count", property(lambda _: 10_000_000), raising=False)
    (large,) = found(index, "AB12345", sure=0.93)

    assert small.probability == large.probability
    assert (small.grade, large.grade) == (Grade.SOUND, Grade.CHECK)


def test_a_text_without_a_state_is_no_hit_of_a_large_list_of_which_any_text_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = Index(1, NOW, (active(1, entry("AB12345", state="WI")),))
    seen = Sighting(Lattice("AB12345"), (), NOW)

    small = find_matches(seen, index, frozenset({0}), NOW, MatchSettings())
    monkeypatch.setattr(ListIndex, "entry_count", property(lambda _: 10_000_000), raising=False)
    large = find_matches(seen, index, frozenset({0}), NOW, MatchSettings())

    assert (len(small), len(large)) == (1, 0)


def row(*values: bytes | None) -> bytes:
    fields = (struct.pack(">i", -1) if one is None else struct.pack(">i", len(one)) + one for one in values)
    return struct.pack(">h", len(values)) + b"".join(fields)


HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = struct.pack(">h", -1)
ONE = row(
    uuid.UUID(int=5).bytes,
    b"OB1",
    b"NE",
    struct.pack(">h", 6),
    b"MC",
    struct.pack(">i", -1),
    struct.pack(">q", 1_500_000),
    b"R1\x1f2019\x1fFORD\x1f\x1f\x1fRED",
)
TWO = row(uuid.UUID(int=6).bytes, b"?B1", b"", struct.pack(">h", 11), b"", None, None, b"\x1f" * 5)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(HEAD + ONE + TWO + ONE + END)), max_size=6))
def test_a_copy_is_read_wherever_its_parts_begin(cuts: list[int]) -> None:
    data = HEAD + ONE + TWO + ONE + END
    bounds = [0, *sorted(cuts), len(data)]
    copied = CopiedEntries()

    for start, end in itertools.pairwise(bounds):
        copied.add(data[start:end])

    columns = copied.columns()
    first, second, third = (columns.entry(place) for place in range(3))
    assert (first.plate, first.state, first.entry_date, first.expires_at) == ("?B1", "", None, None)
    assert second == third
    assert second == Entry(
        uuid.UUID(int=5),
        "OB1",
        "NE",
        Category.AMBER,
        "R1",
        Vehicle("2019", "FORD", "", "", "RED"),
        "MC",
        datetime(1999, 12, 31, tzinfo=UTC).date(),
        datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 30,
        HEAD + row(b"short", *[b""] * 7),
        HEAD + row(uuid.UUID(int=5).bytes, b"A" * 13, b"", bytes(2), b"", None, None, b""),
        HEAD + row(b"1", b"2"),
    ],
)
def test_a_copy_of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="cop"):
        CopiedEntries().add(data + END)


def test_a_copy_that_breaks_off_is_no_list() -> None:
    copied = CopiedEntries()
    copied.add(HEAD + ONE)

    with pytest.raises(ValueError, match="no end"):
        copied.columns()


_CARRIED = """
    import os, pathlib, sys
    folder = pathlib.Path(os.environ["NUMBA_CACHE_DIR"])
    if sys.argv[1] == "carried":
        is_allowed = os.access
        os.access = lambda path, mode: pathlib.Path(path) != folder and is_allowed(path, mode)
    import two_functions
    from services.matcher.core import compiled
    kept = sorted(folder.rglob("*.nbc"))
    assert compiled.CARRIED is (sys.argv[1] == "carried")
    assert two_functions.first(2) == 4
    if sys.argv[1] == "carried":
        assert two_functions.second(2) == 6
        assert two_functions.first.stats.cache_hits, "it was compiled again"
        assert sorted(folder.rglob("*.nbc")) == kept, "the folder was written to"
"""
_FUNCTIONS = """
    from services.matcher.core.compiled import compiled

    @compiled
    def first(value: int) -> int:
        return value * 2

    @compiled
    def second(value: int) -> int:
        return value * 3
"""


def test_code_that_an_image_carries_is_used_and_what_it_lacks_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "two_functions.py").write_text(textwrap.dedent(_FUNCTIONS))
    (tmp_path / "cache").mkdir()
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": f".:{tmp_path}"}

    for how in ("made", "carried"):
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", textwrap.dedent(_CARRIED), how],
            check=True,
            env=environment,
            cwd=Path(__file__).parents[3],
        )

"""Whose list is compared on whose camera: own lists, agreements, the matrix, and the two partitions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import Category, Source
from services.matcher.core.hot_list import FileFormat
from services.matcher.core.scope import (
    Agreement,
    GroupMode,
    GroupRow,
    Partition,
    Rules,
    Scope,
    may_hold,
    partition_of,
    takes_layout,
)

ISP, CHICAGO, IDOT = "IL0160000", "ILCPD0000", "ILDOT0000"
GROUP, OTHER_GROUP = "expressway", "downtown"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
GENERAL, MOTOR_CARRIER = Partition.GENERAL, Partition.MOTOR_CARRIER
CRIME = (Source.NCIC, Source.LEADS, Source.SOS, Source.AGENCY)
SAFETY = (Source.FEDERAL_DOT, Source.ICC)


@dataclass(frozen=True)
class AList:
    agency_ori: str = ISP
    source: Source = Source.LEADS
    hot_list_id: uuid.UUID = field(default_factory=uuid.uuid4)


def an_agreement(
    sensors: str = ISP,
    lists: str = CHICAGO,
    partitions: frozenset[Partition] = frozenset({GENERAL}),
    start: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + timedelta(days=1),
) -> Agreement:
    return Agreement(uuid.uuid4(), sensors, lists, partitions, start, end)


def compared(
    rules: Rules, *lists: AList, agency: str = ISP, group: str = GROUP, apart: bool = False
) -> set[int]:
    partition = MOTOR_CARRIER if apart else GENERAL
    return set(rules.lists_for(agency, group, partition, lists))


def agreed(*agreements: Agreement, moment: datetime = NOW) -> Rules:
    return Scope(agreements).rules_at(moment)


def with_row(mode: GroupMode, *lists: AList, group: str = GROUP, agency: str = ISP) -> Rules:
    row = GroupRow(agency, group, mode, frozenset(one.hot_list_id for one in lists))
    return Scope((an_agreement(),), (row,)).rules_at(NOW)


@pytest.mark.clause("II.D")
def test_without_an_agreement_an_agencys_lists_meet_its_own_sensors_only() -> None:
    lists = (AList(ISP), AList(CHICAGO), AList(ISP, Source.AGENCY))

    assert compared(Rules(), *lists) == {0, 2}
    assert compared(Rules(), *lists, agency=CHICAGO) == {1}
    assert compared(Rules(), *lists, agency=IDOT) == set()


@pytest.mark.clause("III.B.1")
def test_an_agreement_lets_the_other_agencys_lists_in_and_not_the_other_way_round() -> None:
    lists = (AList(ISP), AList(CHICAGO), AList(IDOT))
    rules = agreed(an_agreement(sensors=ISP, lists=CHICAGO))

    assert compared(rules, *lists) == {0, 1}
    assert compared(rules, *lists, agency=CHICAGO) == {1}
    assert compared(rules, *lists, agency=IDOT) == {2}


@pytest.mark.clause("III.B.1")
@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        (timedelta(microseconds=-1), False),
        (timedelta(), True),
        (timedelta(hours=1, microseconds=-1), True),
        (timedelta(hours=1), False),
    ],
)
def test_an_agreement_counts_from_its_start_to_before_its_end(moment: timedelta, counts: bool) -> None:
    agreement = an_agreement(start=NOW, end=NOW + timedelta(hours=1))

    assert compared(agreed(agreement, moment=NOW + moment), AList(CHICAGO)) == ({0} if counts else set())


@pytest.mark.clause("II.H")
@pytest.mark.parametrize(("source", "agency"), list(product(CRIME, (ISP, CHICAGO))))
def test_no_other_list_ever_meets_a_motor_carrier_safety_sensor(source: Source, agency: str) -> None:
    both = frozenset({GENERAL, MOTOR_CARRIER})
    rules = agreed(an_agreement(partitions=both), an_agreement(sensors=CHICAGO, lists=ISP, partitions=both))

    assert compared(rules, AList(agency, source), apart=True) == set()
    assert compared(rules, AList(agency, source)) == {0}


@pytest.mark.clause("II.H")
@pytest.mark.parametrize(("source", "agency"), list(product(SAFETY, (ISP, CHICAGO))))
def test_no_motor_carrier_safety_list_ever_meets_another_sensor(source: Source, agency: str) -> None:
    rules = agreed(an_agreement(partitions=frozenset({GENERAL, MOTOR_CARRIER})))

    assert compared(rules, AList(agency, source)) == set()
    assert compared(rules, AList(agency, source), apart=True) == {0}


@pytest.mark.clause("II.H", "III.B.1")
def test_an_agreement_on_one_partition_gives_nothing_of_the_other() -> None:
    crime, safety = AList(CHICAGO, Source.LEADS), AList(CHICAGO, Source.ICC)
    general, apart = agreed(an_agreement()), agreed(an_agreement(partitions=frozenset({MOTOR_CARRIER})))

    assert (compared(general, crime, safety), compared(general, crime, safety, apart=True)) == ({0}, set())
    assert (compared(apart, crime, safety), compared(apart, crime, safety, apart=True)) == (set(), {1})


@pytest.mark.clause("II.H")
def test_every_source_belongs_to_exactly_one_partition() -> None:
    assert {source for source in Source if partition_of(source) is MOTOR_CARRIER} == set(SAFETY)


@pytest.mark.clause("II.H")
def test_motor_carrier_safety_lists_say_nothing_of_crimes_and_persons() -> None:
    allowed = {Category.SUSPENDED, Category.REVOKED, Category.EXPIRED_REGISTRATION, Category.OTHER}

    for source in SAFETY:
        assert {one for one in Category if may_hold(source, one)} == allowed
    for source in CRIME:
        assert {one for one in Category if may_hold(source, one)} == set(Category)


@pytest.mark.clause("II.H")
def test_motor_carrier_safety_lists_take_no_file_in_a_layout_of_the_crime_files() -> None:
    for source in SAFETY:
        assert {one for one in FileFormat if takes_layout(source, one)} == {
            FileFormat.CSV,
            FileFormat.JSON_LINES,
        }
    for source in CRIME:
        assert all(takes_layout(source, one) for one in FileFormat)


def test_a_group_that_admits_only_named_lists_admits_no_list_that_is_made_later() -> None:
    named, later, foreign = AList(ISP), AList(ISP), AList(CHICAGO)
    rules = with_row(GroupMode.ONLY, named, foreign)

    assert compared(rules, named, later, foreign) == {0, 2}
    assert compared(rules, named, later, foreign, group=OTHER_GROUP) == {0, 1, 2}


def test_a_group_that_excludes_named_lists_admits_all_others() -> None:
    excluded, other = AList(ISP), AList(ISP)

    assert compared(with_row(GroupMode.ALL_BUT, excluded), excluded, other) == {1}
    assert compared(with_row(GroupMode.ALL_BUT), excluded, other) == {0, 1}
    assert compared(with_row(GroupMode.ONLY), excluded, other) == set()


def test_an_agencys_row_does_not_touch_another_agencys_group_of_the_same_name() -> None:
    one = AList(ISP)

    assert compared(with_row(GroupMode.ONLY, agency=CHICAGO), one) == {0}


@pytest.mark.clause("II.H", "III.B.1")
@given(st.sampled_from(Source), st.sampled_from([ISP, CHICAGO]), st.sampled_from(Partition))
def test_the_matrix_never_lets_in_what_partition_or_agency_keeps_out(
    source: Source, agency: str, partition: Partition
) -> None:
    one = AList(agency, source)
    row = GroupRow(ISP, GROUP, GroupMode.ONLY, frozenset({one.hot_list_id}))
    found = Scope((), (row,)).rules_at(NOW).lists_for(ISP, GROUP, partition, (one,))

    assert bool(found) == (agency == ISP and partition_of(source) is partition)


@pytest.mark.clause("III.B.1")
def test_rules_hold_until_an_agreement_begins_or_ends_or_the_lists_change() -> None:
    scope = Scope((an_agreement(end=NOW + timedelta(hours=1)),))
    before, now, after = (AList(CHICAGO),), (AList(ISP), AList(CHICAGO)), NOW + timedelta(hours=1)

    assert scope.rules_at(NOW) is scope.rules_at(NOW + timedelta(minutes=59))
    assert set(scope.rules_at(NOW).lists_for(ISP, GROUP, GENERAL, before)) == {0}
    assert set(scope.rules_at(NOW).lists_for(ISP, GROUP, GENERAL, now)) == {0, 1}
    assert set(scope.rules_at(NOW).lists_for(CHICAGO, GROUP, GENERAL, now)) == {1}
    assert set(scope.rules_at(after).lists_for(ISP, GROUP, GENERAL, now)) == {0}
    assert set(scope.rules_at(NOW).lists_for(ISP, GROUP, GENERAL, now)) == {0, 1}
    assert scope == Scope(scope.agreements)


@pytest.mark.clause("III.B.1")
def test_only_an_agreement_in_effect_makes_an_agency_depend_on_audits_word() -> None:
    scope = Scope((an_agreement(),))

    assert scope.admits_others(ISP, NOW)
    assert not scope.admits_others(CHICAGO, NOW)
    assert not scope.admits_others(ISP, NOW + timedelta(days=2))
    assert not Scope((replace(an_agreement(), sensor_agency_ori=IDOT),)).admits_others(ISP, NOW)

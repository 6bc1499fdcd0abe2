"""Whose reads a question may look at, from groups, grant and offence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.core.scope import (
    NO_GROUP,
    Group,
    LeftOut,
    LeftOutReason,
    Reach,
    Scope,
    scope_in,
    scope_of,
    scope_values,
)

OWN, PARTNER = "IL0000001", "IL0000002"
NO_ACCESS, PURPOSE = LeftOutReason.NO_NON_AGENCY_ACCESS, LeftOutReason.PURPOSE_LIMIT


def group(name: str, ori: str = OWN, *codes: str, commercial: bool = False) -> Group:
    return Group(ori, name, commercial, frozenset(codes))


def reach(*, non_agency: bool = False, offence: str = "HOMICIDE") -> Reach:
    return Reach(OWN, non_agency, offence)


groups = st.lists(
    st.builds(
        Group,
        st.sampled_from([OWN, PARTNER, "IL0000003"]),
        st.sampled_from(["", "north", "south", "vendor"]),
        st.booleans(),
        st.frozensets(st.sampled_from(["HOMICIDE", "ARSON"])),
    ),
    unique_by=lambda one: (one.agency_ori, one.name),
)


@pytest.mark.clause("III.B.3.f", "II.F")
def test_without_the_grant_only_the_own_agencys_reads_are_looked_at_and_the_rest_is_said() -> None:
    scope = scope_of(reach(), [group("north"), group("south", PARTNER)])

    assert scope == Scope((OWN,), (), (LeftOut(PARTNER, "", NO_ACCESS),))


@pytest.mark.clause("III.B.3.f", "II.F", "III.B.1")
def test_with_the_grant_the_reads_of_those_that_share_are_looked_at_too() -> None:
    scope = scope_of(reach(non_agency=True), [group("north"), group("south", PARTNER)])

    assert scope == Scope((OWN, PARTNER))


@pytest.mark.clause("III.B.3.f", "II.F")
def test_what_a_company_reads_is_no_data_of_the_agency() -> None:
    known = [group("north"), group("vendor", commercial=True)]

    assert scope_of(reach(), known) == Scope((OWN,), ("north",), (LeftOut(OWN, "vendor", NO_ACCESS),))
    assert scope_of(reach(non_agency=True), known) == Scope((OWN,))


def test_a_group_that_serves_other_offences_is_left_out_and_said() -> None:
    known = [group("north"), group("school", OWN, "KIDNAPPING", "AMBER_ALERT")]

    assert scope_of(reach(), known) == Scope((OWN,), ("north",), (LeftOut(OWN, "school", PURPOSE),))
    assert scope_of(reach(offence="AMBER_ALERT"), known) == Scope((OWN,))


def test_where_every_group_is_left_out_the_permit_opens_none_instead_of_all() -> None:
    scope = scope_of(reach(), [group("school", OWN, "AMBER_ALERT")])

    assert scope.sensor_groups == (NO_GROUP,)


def test_a_name_that_is_left_out_for_one_agency_is_left_out_for_all_and_said_for_all() -> None:
    known = [group("school"), group("school", PARTNER, "AMBER_ALERT"), group("north")]

    scope = scope_of(reach(non_agency=True), known)

    assert scope.sensor_groups == ("north",)
    assert scope.left_out == (LeftOut(OWN, "school", PURPOSE), LeftOut(PARTNER, "school", PURPOSE))


def test_who_wants_the_own_agencys_reads_only_gets_those_and_is_told_of_limits_alone() -> None:
    known = [
        group("north"),
        group("vendor", commercial=True),
        group("school", OWN, "ARSON"),
        group("x", PARTNER),
    ]

    scope = scope_of(Reach(OWN, non_agency=True, offence_code="HOMICIDE", own_only=True), known)

    assert scope == Scope((OWN,), ("north",), (LeftOut(OWN, "school", PURPOSE),))


@given(groups, st.booleans())
def test_nothing_that_is_barred_is_in_the_scope_and_everything_else_is_in_it_or_said(
    known: list[Group], non_agency: bool
) -> None:
    scope = scope_of(reach(non_agency=non_agency), known)

    said = {(one.agency_ori, one.sensor_group) for one in scope.left_out}
    for one in known:
        inside = one.agency_ori in scope.agency_oris and (
            not scope.sensor_groups or one.name in scope.sensor_groups
        )
        barred = (one.commercial and not non_agency) or (
            one.offence_codes and "HOMICIDE" not in one.offence_codes
        )
        if one.name and (barred or (one.agency_ori != OWN and not non_agency)):
            assert not inside
        if one.name and not inside:
            assert said & {(one.agency_ori, one.name), (one.agency_ori, "")}


@given(groups, st.booleans())
def test_a_scope_survives_the_way_into_the_log_and_back(known: list[Group], non_agency: bool) -> None:
    scope = scope_of(reach(non_agency=non_agency), known)

    assert scope_in(scope_values(scope).__getitem__) == scope

"""Who may do what: every role against every action, and the gates that no role opens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from services.audit.config import POLICY_FOLDER
from services.audit.core.actions import ACTIONS
from services.audit.core.person import (
    MOTOR_CARRIER_ROLES,
    Account,
    AccountState,
    Certification,
    CertificationKind,
    Profile,
    Role,
)
from services.audit.core.policy import Policies, PolicyError, Thing
from services.audit.core.refusal import ADVICE, advice
from services.audit.policies import load
from services.common.config import ConfigError

POLICIES = load(POLICY_FOLDER).policies
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ORI, OTHER = "IL0000001", "IL0000002"

QUESTIONS = {"question.reads", "question.image", "question.alerts"}
ALERTS = {"alerts.subscribe", "alert.get", "alert.acknowledge", "alert.verify"}
LOCAL = {"local_list.add", "local_list.remove", "local_list.show"}
LISTS = {
    f"hot_list.{act}" for act in ("create", "upload", "approve", "activate", "deactivate", "diff", "list")
}
ACCOUNTS = {
    f"account.{act}"
    for act in (
        *(
            "create",
            "certify",
            "grant",
            "revoke",
            "enable",
            "suspend",
            "end",
            "review",
            "update",
            "get",
            "list",
        ),
    )
} | {"policy.explain"}
SENSORS = {
    f"sensor.{act}" for act in ("register", "approve", "suspend", "place", "survey", "certify", "revoke")
}
EVERYBODY = {
    "office.get",
    "setting.list",
    "agency.list",
    "sensor.list",
    "retention.get",
    "policy.list",
    "log.own",
    "review.own",
    "transparency.list",
}
READERS = {"document.readers"}
REVIEWS = {f"review.{act}" for act in ("open", "list", "take", "close", "sign")} | {"packet.get"}
REQUESTS = {"government_request.record", "government_request.list"}
INCIDENTS = {f"incident.{act}" for act in ("open", "tell", "close", "list")}
SIGN_INS = {"sign_in.list", "sign_in.end"}
UNITS = {"unit.register", "unit.appoint", "unit.end", "office.offer", "account.except"} | {
    "roster.submit",
    "roster.end",
    "roster.list",
}
SUPPORT = {f"support.{act}" for act in ("request", "close", "list")}
ESCORTS = {"escort.begin", "escort.cut", "escort.list"}
HELD = {"question.held", "question.heldimage"}
HOLDS = {"hold.place", "hold.release"}
PURGES = {"hold.list", "purge.list", "retention.check"}
LOG = {"question.log", "log.disclose", "log.unfinished"}
SUBSCRIPTIONS = {"subscription.create", "subscription.change", "subscription.end"}
APART_SUBSCRIPTIONS = {f"mcs_{act}" for act in SUBSCRIPTIONS}
APART_ALERTS = (
    {"question.mcsalerts", "mcs_alerts.subscribe"}
    | {f"mcs_alert.{act}" for act in ("get", "acknowledge", "verify", "dispose", "list")}
    | APART_SUBSCRIPTIONS
)
APART = {"question.mcsreads", "question.mcsimage"} | APART_ALERTS
APART_SENSORS = {f"mcs_{act}" for act in SENSORS | {"sensor.health", "sensor.show"}} | {
    "mcs_document.publish",
    "mcs_document.readers",
    "mcs_contract.record",
    "mcs_contract.use",
}
EXPORTS = {"dissemination.export", "dissemination.evidence", "dissemination.share", "question.evidencecopy"}
EXPORTS_OF_THE_HEAD = {
    "dissemination.government",
    "dissemination.public",
    "dissemination.everything",
    "question.export",
    "alert.export",
    "alert.leave",
    "hot_list.export",
    "hot_list.leave",
    "export.seal",
}
# What the head of the agency takes along besides (IV.A.3).
TAKEN_ALONG = HELD | {"question.evidencecopy", "dissemination.export"}
APART_LEAVING = {
    f"question.mcs{kind}" for kind in ("report", "evidence", "evidencecopy", "held", "heldimage")
} | {f"mcs_dissemination.{act}" for act in ("export", "evidence", "share")}
APART_REGISTER = {f"mcs_dissemination.{act}" for act in ("list", "delete", "correct", "tell")} | {
    "mcs_evidence.list"
}
APART_HOLDS = {"mcs_hold.place", "mcs_hold.release", "mcs_hold.list"}
APART_RELEASES = {"mcs_dissemination.government", "mcs_dissemination.public"}
APART_HOUSE = APART_LEAVING | APART_REGISTER | APART_HOLDS | APART_RELEASES
APART_EXPORT = {
    "question.mcsexport",
    "mcs_dissemination.everything",
    "mcs_export.seal",
    "mcs_alert.export",
    "mcs_alert.leave",
}
REGISTER = {"dissemination.list", "dissemination.delete", "dissemination.tell", "evidence.list"}
WEBHOOKS = {"webhook.create", "webhook.rotate", "webhook.retry"}
WEBHOOKS_SEEN = {"webhook.end", "webhook.list"}
DISPATCHING = {"asset.register", "asset.retire", "asset.list"} | {
    f"dispatch.{act}" for act in ("propose", "broadcast", "cancel", "show")
}
CREW = {"asset.board", "asset.leave", "asset.report", "dispatch.receive", "dispatch.acknowledge"}
COORDINATION = (
    ACCOUNTS
    | SENSORS
    | {"sensor.health", "sensor.show"}
    | EVERYBODY
    | {"matcher.state", "model.list", "hot_list.list", "local_list.remove", "local_list.show"}
)
SHARING = {"agreement.propose", "agreement.accept", "agreement.end", "scope.set"}
OVERSIGHT = {"agreement.list", "scope.list"}
MATRIX = {
    Role.STATEWIDE_COORDINATOR: {"escalations.watch", "packet.sign"}
    | REVIEWS
    | COORDINATION
    | SHARING
    | OVERSIGHT
    | HOLDS
    | PURGES
    | EXPORTS_OF_THE_HEAD
    | TAKEN_ALONG
    | REGISTER
    | WEBHOOKS_SEEN
    | {"webhook.approve"}
    | REQUESTS
    | LOG
    | READERS
    | ESCORTS
    | INCIDENTS
    | SUPPORT
    | {"transparency.publish", "transparency.preview"}
    | UNITS
    | SIGN_INS
    | {"unit.list"}
    | {
        "agency.register",
        "declaration.record",
        "declaration.end",
        "log.redact",
        "document.publish",
        "contract.record",
        "contract.list",
    },
    Role.WORK_UNIT_COORDINATOR: READERS
    | REQUESTS
    | REVIEWS
    | {"packet.sign"}
    | SIGN_INS
    | ESCORTS
    | INCIDENTS
    | SUPPORT
    | {"escalations.watch", "contract.list", "unit.list"}
    | COORDINATION
    | OVERSIGHT
    | REGISTER,
    Role.USER: QUESTIONS
    | SUBSCRIPTIONS
    | {"alert.list"}
    | CREW
    | HELD
    | ALERTS
    | LOCAL
    | EVERYBODY
    | EXPORTS
    | REGISTER
    | {"alert.ask", "probe.report"}
    | {"alert.dispose", "dissemination.correct", "hot_list.list", "matcher.state", "model.list"},
    Role.TELECOM_CENTER: DISPATCHING
    | SUBSCRIPTIONS
    | {"alert.list"}
    | {"escalations.watch"}
    | WEBHOOKS
    | WEBHOOKS_SEEN
    | {"alert.ask"}
    | ALERTS
    | EVERYBODY
    | {"alert.dispose", "question.alerts", "matcher.state"},
    Role.SYSTEM_ADMINISTRATOR: EVERYBODY
    | ESCORTS
    | INCIDENTS
    | {"contract.list"}
    | PURGES
    | {"retention.set", "setting.set", "purge.run", "sensor.health", "sensor.show"}
    | {"matcher.state", "model.list", "model.activate", "model.roll_back", "hot_list.immigration_file"},
    Role.AUDITOR: EVERYBODY
    | REVIEWS
    | READERS
    | {
        "escort.list",
        "government_request.list",
        "incident.list",
        "support.list",
        "contract.list",
        "unit.list",
        "roster.list",
        "sign_in.list",
    }
    | OVERSIGHT
    | PURGES
    | {"webhook.list", "sensor.show"}
    | LOG
    | {"transparency.preview"}
    | {"log.export", "account.list", "account.get", "policy.explain", "dissemination.list", "evidence.list"},
    Role.HOT_LIST_MANAGER: LISTS | EVERYBODY | OVERSIGHT | {"matcher.state"},
    # Without an escort a vendor may do nothing (III.B.3.p).
    Role.VENDOR_SUPPORT: set(),
    # Whoever operates equipment sees no data, and who stands for a partner asks nothing.
    Role.SENSOR_OPERATOR: EVERYBODY
    | {"sensor.health", "model.list", "asset.board", "asset.leave", "asset.report"},
    Role.PARTNER_AGENCY: EVERYBODY | OVERSIGHT,
    Role.CVEO: EVERYBODY | APART | APART_LEAVING | APART_REGISTER,
    Role.CVEO_SUPERVISOR: EVERYBODY
    | APART
    | APART_SENSORS
    | APART_EXPORT
    | APART_LEAVING
    | APART_REGISTER
    | APART_HOLDS
    | APART_RELEASES,
}
SERVICE_ACTIONS = {
    "reads.purge",
    "dissemination.notify",
    "look_back.run",
    "alert.escalate",
    "local_list.suspend",
    "hot_list.tune",
}
# All that somebody may have been given at once; with a vendor's role nothing of it would count.
GIVEN = tuple(set(Role) - {Role.VENDOR_SUPPORT})
ACTIONS_OF_PEOPLE = sorted(set().union(*MATRIX.values()))
OWN = Thing("x", agency=ORI, unit="D1", person="somebody-else", coordinator="account-1")


def certified(*kinds: CertificationKind) -> tuple[Certification, ...]:
    return tuple(Certification(kind, NOW - timedelta(days=1), NOW + timedelta(days=1), "x") for kind in kinds)


def person(
    *roles: Role, without: CertificationKind | None = None, state: AccountState = AccountState.ENABLED
) -> Account:
    kinds = [kind for kind in CertificationKind if kind is not without]
    profile = Profile("sub", "iss", "Name", "B1", "a@b.gov", ORI, "D1")
    return Account("account-1", profile, state, frozenset(roles), certified(*kinds))


def clauses(
    account: Account, action: str, thing: Thing | None = None, moment: datetime = NOW
) -> tuple[str, ...]:
    """The clauses that refuse; empty when it is allowed. Without `thing` it is the own unit's."""
    # A list that is one person's own is another's to no role; a unit's is its members'.
    thing = thing or (replace(OWN, person="") if action in LOCAL else OWN)
    # A subscription is nobody's but its owner's, and so is what stands in the log under somebody's account.
    if thing is OWN and action in SUBSCRIPTIONS | APART_SUBSCRIPTIONS | {"log.own", "review.own"}:
        thing = replace(OWN, person="account-1")
    decision = POLICIES.decide_person(account, action, thing, moment)
    return () if decision.allowed else decision.clauses


@pytest.mark.clause("III.B.3.l", "I")
@pytest.mark.parametrize(("role", "action"), sorted(product(Role, ACTIONS_OF_PEOPLE)))
def test_a_role_allows_what_the_matrix_says_and_nothing_else(role: Role, action: str) -> None:
    assert (not clauses(person(role), action)) == (action in MATRIX[role])


@pytest.mark.clause("I")
@pytest.mark.parametrize("action", ACTIONS_OF_PEOPLE)
def test_nobody_without_a_role_may_do_anything(action: str) -> None:
    assert clauses(person(), action)


@pytest.mark.parametrize(
    "action", ["", "question", "plate", "question.plate2", 'x"; permit', "account.delete"]
)
def test_an_action_that_is_not_known_is_refused_to_everybody(action: str) -> None:
    assert clauses(person(*GIVEN), action)


@pytest.mark.clause("IV.C.4")
def test_there_is_no_action_that_moves_a_camera() -> None:
    acts = [action.rpartition(".")[2] for action in ACTIONS_OF_PEOPLE]

    assert not [act for act in acts if act.startswith(("move", "adjust", "turn", "zoom"))]


@pytest.mark.clause("III.D.1", "III.C.2.c")
@pytest.mark.parametrize(
    "action",
    sorted(
        QUESTIONS
        | HELD
        | ALERTS
        | LISTS
        | LOCAL
        | EXPORTS
        | EXPORTS_OF_THE_HEAD
        | SUBSCRIPTIONS
        | {"alert.dispose", "alert.list", "log.export"}
    ),
)
def test_without_training_there_is_no_data(action: str) -> None:
    untrained = person(
        Role.USER, Role.HOT_LIST_MANAGER, Role.AUDITOR, without=CertificationKind.ALPR_TRAINING
    )

    assert clauses(untrained, action) == ("III.D.1",)


@pytest.mark.clause("III.D.1", "IV.A.4")
@pytest.mark.parametrize("action", sorted(WEBHOOKS | {"webhook.approve", "alert.ask"}))
def test_without_training_or_certification_no_webhook_is_kept_and_nobody_is_asked(action: str) -> None:
    roles = (Role.TELECOM_CENTER, Role.STATEWIDE_COORDINATOR, Role.USER)

    assert clauses(person(*roles, without=CertificationKind.ALPR_TRAINING), action) == ("III.D.1",)
    assert clauses(person(*roles, without=CertificationKind.LEADS), action) == ("IV.A.4",)


@pytest.mark.clause("III.D.1", "IV.A.4", "IV.D.3")
@pytest.mark.parametrize("action", sorted(DISPATCHING | CREW - {"asset.leave"} | {"escalations.watch"}))
def test_without_training_or_certification_nobody_dispatches_or_is_dispatched(action: str) -> None:
    roles = (Role.TELECOM_CENTER, Role.USER)

    assert clauses(person(*roles, without=CertificationKind.ALPR_TRAINING), action) == ("III.D.1",)
    assert clauses(person(*roles, without=CertificationKind.LEADS), action) == ("IV.A.4",)


@pytest.mark.clause("IV.D.3")
def test_a_patrol_asset_is_boarded_by_its_own_unit_only() -> None:
    assert clauses(person(Role.USER), "asset.board", replace(OWN, unit="D2")) == ("IV.D.3",)
    assert clauses(person(Role.USER), "asset.board", replace(OWN, unit="")) == ("IV.D.3",)
    assert not clauses(person(Role.USER), "asset.board")


@pytest.mark.clause("IV.D.1")
@pytest.mark.parametrize("action", sorted(SUBSCRIPTIONS | APART_SUBSCRIPTIONS))
def test_a_subscription_is_changed_by_nobody_but_its_owner(action: str) -> None:
    roles = set(GIVEN) - {Role.SYSTEM_ADMINISTRATOR}

    assert not clauses(person(*roles), action)
    assert clauses(person(*roles), action, replace(OWN, person="account-2")) == ("IV.D.1",)
    assert clauses(person(*roles), action, replace(OWN, person="")) == ("IV.D.1",)


@pytest.mark.clause("III.E.4")
@pytest.mark.parametrize("action", sorted(APART | APART_SENSORS | APART_EXPORT | APART_HOUSE))
def test_without_its_own_training_there_is_nothing_of_motor_carrier_safety(action: str) -> None:
    untrained = person(*GIVEN, without=CertificationKind.MOTOR_CARRIER_TRAINING)
    alpr_only = person(Role.CVEO_SUPERVISOR, without=CertificationKind.ALPR_TRAINING)

    assert clauses(untrained, action) == ("III.E.4",)
    assert clauses(alpr_only, action) == ()


@pytest.mark.clause("II.H", "III.E.5")
def test_the_roles_of_motor_carrier_safety_and_all_others_share_no_read_and_no_list() -> None:
    theirs = MATRIX[Role.CVEO] | MATRIX[Role.CVEO_SUPERVISOR]
    others = set().union(*(actions for role, actions in MATRIX.items() if role not in MOTOR_CARRIER_ROLES))

    assert theirs & others == EVERYBODY
    assert not any(clauses(person(*MOTOR_CARRIER_ROLES), action) == () for action in others - EVERYBODY)
    assert not any(
        clauses(person(*(set(GIVEN) - MOTOR_CARRIER_ROLES)), action) == ()
        for action in APART | APART_SENSORS | APART_EXPORT | APART_HOUSE
    )


@pytest.mark.clause("IV.A.4")
@pytest.mark.parametrize("action", sorted(APART | APART_EXPORT | APART_LEAVING | APART_RELEASES))
def test_without_leads_certification_motor_carrier_safety_answers_nothing(action: str) -> None:
    assert clauses(person(Role.CVEO_SUPERVISOR, without=CertificationKind.LEADS), action) == ("IV.A.4",)


@pytest.mark.clause("IV.A.4")
@pytest.mark.parametrize(
    "action",
    sorted(
        QUESTIONS | ALERTS | LISTS | LOCAL | SUBSCRIPTIONS | {"alert.dispose", "alert.list", "log.export"}
    ),
)
def test_without_leads_certification_there_is_no_data(action: str) -> None:
    uncertified = person(Role.USER, Role.HOT_LIST_MANAGER, Role.AUDITOR, without=CertificationKind.LEADS)

    assert clauses(uncertified, action) == ("IV.A.4",)


@pytest.mark.clause("IV.A.4", "III.D.1")
def test_a_certification_ends_at_its_moment() -> None:
    officer = person(Role.USER)
    end = officer.certifications[0].valid_until

    assert not clauses(officer, "question.reads", moment=end - timedelta(microseconds=1))
    assert "IV.A.4" in clauses(officer, "question.reads", moment=end)


@pytest.mark.clause("III.B.3.a", "III.B.3.b")
@pytest.mark.parametrize("role", sorted(Role))
def test_without_screening_and_awareness_nothing_is_allowed_but_to_see_the_own_account(role: Role) -> None:
    for kind, clause in (
        (CertificationKind.BACKGROUND_CHECK, "III.B.3.a"),
        (CertificationKind.SECURITY_AWARENESS, "III.B.3.b"),
    ):
        lacking = person(role, without=kind)
        own = Thing("account-1", agency=ORI, unit="D1", person="account-1")
        assert all(clause in clauses(lacking, action) for action in MATRIX[role])
        assert not clauses(lacking, "account.get", own)
        assert not clauses(lacking, "policy.explain", own)


@pytest.mark.clause("III.C.2.b", "IV.A.2")
@pytest.mark.parametrize(
    ("state", "clause"), [(AccountState.PENDING, "III.C.2.b"), (AccountState.SUSPENDED, "IV.A.2")]
)
def test_an_account_that_is_not_enabled_may_not_be_used(state: AccountState, clause: str) -> None:
    assert clauses(person(Role.USER, state=state), "question.reads") == (clause,)


@pytest.mark.clause("III.B.3.f")
@pytest.mark.parametrize(
    "action", sorted((QUESTIONS | ALERTS | LISTS | SENSORS | ACCOUNTS) - {"account.list"})
)
def test_agencies_stay_apart(action: str) -> None:
    everything = person(*(set(GIVEN) - {Role.SYSTEM_ADMINISTRATOR}))

    assert clauses(everything, action, replace(OWN, agency=OTHER)) == ("III.B.3.f",)


@pytest.mark.clause("III.B.3.g")
def test_the_statewide_coordinator_keeps_the_accounts_of_an_agency_until_it_has_a_coordinator() -> None:
    new_agency = Thing("x", agency=OTHER, unit="HQ", person="somebody", lonely=True)

    assert not clauses(person(Role.STATEWIDE_COORDINATOR), "account.enable", new_agency)
    assert clauses(person(Role.WORK_UNIT_COORDINATOR), "account.enable", new_agency)
    assert clauses(person(Role.STATEWIDE_COORDINATOR), "sensor.approve", new_agency) == ("III.B.3.f",)


@pytest.mark.clause("III.B.3.g")
@pytest.mark.parametrize("act", ["certify", "grant", "revoke", "enable", "suspend", "update"])
def test_nobody_grants_to_himself(act: str) -> None:
    self = replace(OWN, person="account-1")

    assert "III.B.3.g" in clauses(person(Role.STATEWIDE_COORDINATOR), f"account.{act}", self)


@pytest.mark.clause("III.B.3.g")
def test_a_system_administrator_grants_nothing_even_as_a_coordinator() -> None:
    both = person(Role.STATEWIDE_COORDINATOR, Role.SYSTEM_ADMINISTRATOR)

    for act in ("create", "certify", "grant", "revoke", "enable", "suspend", "update"):
        assert clauses(both, f"account.{act}") == ("III.B.3.g",)


@pytest.mark.clause("III.C.2.a")
def test_a_work_unit_coordinator_reaches_the_own_unit_only() -> None:
    other_unit = replace(OWN, unit="D2")

    for act in ("enable", "update"):
        refusing = clauses(person(Role.WORK_UNIT_COORDINATOR), f"account.{act}", other_unit)
        assert refusing == ("III.C.2.a",)
        assert not clauses(person(Role.STATEWIDE_COORDINATOR), f"account.{act}", other_unit)


@pytest.mark.clause("III.C.1")
def test_a_coordinator_keeps_the_accounts_of_the_own_unit_while_its_commanders_appointment_lasts() -> None:
    coordinator = person(Role.WORK_UNIT_COORDINATOR)

    assert not clauses(coordinator, "account.enable")
    assert clauses(coordinator, "account.enable", replace(OWN, coordinator="")) == ("III.C.1",)
    for act in ("create", "update"):
        served = replace(OWN, coordinator="account-2")
        assert clauses(coordinator, f"account.{act}", served) == ("III.C.1",)
    assert not clauses(person(Role.STATEWIDE_COORDINATOR), "account.enable", replace(OWN, coordinator=""))


@pytest.mark.clause("III.A", "III.D.1", "IV.A.4", "III.B.3.g")
def test_the_office_is_taken_by_whom_it_was_offered_to_with_every_certification() -> None:
    to_him, to_another = replace(OWN, person="account-1"), replace(OWN, person="account-2")

    assert not clauses(person(Role.USER), "office.accept", to_him)
    assert not clauses(person(), "office.accept", to_him)
    assert clauses(person(Role.USER), "office.accept", to_another) == ("III.B.3.l",)
    assert clauses(person(Role.USER, Role.SYSTEM_ADMINISTRATOR), "office.accept", to_him) == ("III.B.3.g",)
    for kind, clause in ((CertificationKind.ALPR_TRAINING, "III.D.1"), (CertificationKind.LEADS, "IV.A.4")):
        assert clauses(person(Role.USER, without=kind), "office.accept", to_him) == (clause,)


@pytest.mark.clause("IV.A.4", "III.D.1")
@pytest.mark.parametrize("action", ["sensor.health", "asset.board", "asset.report"])
def test_nobody_operates_equipment_without_training_and_leads_certification(action: str) -> None:
    for kind, clause in ((CertificationKind.ALPR_TRAINING, "III.D.1"), (CertificationKind.LEADS, "IV.A.4")):
        assert clauses(person(Role.SENSOR_OPERATOR, without=kind), action) == (clause,)
    assert not clauses(person(Role.SENSOR_OPERATOR), action)


@pytest.mark.clause("IV.B.2", "III.B.3.l")
@pytest.mark.parametrize("action", sorted(QUESTIONS | ALERTS | LISTS | LOCAL))
def test_who_stands_for_a_partner_agency_or_operates_equipment_sees_no_data(action: str) -> None:
    assert clauses(person(Role.PARTNER_AGENCY, Role.SENSOR_OPERATOR), action) == ("III.B.3.l",)


@pytest.mark.clause("III.B.3.j")
@pytest.mark.parametrize("role", sorted(Role))
def test_when_the_approval_of_an_address_has_run_out_nothing_is_allowed_but_the_own_account(
    role: Role,
) -> None:
    excepted = replace(person(role), email_until=NOW)
    own = Thing("account-1", agency=ORI, unit="D1", person="account-1")

    assert all("III.B.3.j" in clauses(excepted, action) for action in MATRIX[role])
    assert not clauses(excepted, "account.get", own)
    lasting = replace(excepted, email_until=NOW + timedelta(seconds=1))
    assert not any(clauses(lasting, action) for action in MATRIX[role])


@pytest.mark.clause("III.A", "III.C.2.a")
def test_a_units_coordinator_has_no_power_over_the_statewide_coordinator() -> None:
    head = replace(OWN, head=True)

    for act in ("suspend", "update"):
        assert clauses(person(Role.WORK_UNIT_COORDINATOR), f"account.{act}", head) == ("III.A",)
    assert not clauses(person(Role.STATEWIDE_COORDINATOR), "account.suspend", head)


@pytest.mark.clause("III.B.3.l")
@pytest.mark.parametrize("role", sorted(Role))
def test_roles_that_reach_beyond_a_unit_are_the_statewide_coordinators_to_give(role: Role) -> None:
    narrow = {Role.USER, Role.TELECOM_CENTER, Role.HOT_LIST_MANAGER, Role.CVEO, Role.SENSOR_OPERATOR}
    thing = replace(OWN, role=role.value)

    assert (not clauses(person(Role.WORK_UNIT_COORDINATOR), "account.grant", thing)) == (role in narrow)
    assert not clauses(person(Role.STATEWIDE_COORDINATOR), "account.grant", thing)


@pytest.mark.parametrize(
    ("service", "action"), sorted(product(("alerts", "matcher", "ocr", "search"), SERVICE_ACTIONS))
)
def test_a_service_acts_by_itself_only_in_its_own_ways(service: str, action: str) -> None:
    own = {
        "search": {"reads.purge", "dissemination.notify", "look_back.run"},
        "matcher": {"local_list.suspend", "hot_list.tune"},
        "alerts": {"alert.escalate"},
    }

    assert POLICIES.decide_service(service, action, Thing()).allowed == (action in own.get(service, set()))


def test_no_service_may_do_by_itself_what_needs_a_person() -> None:
    for service, actions in ACTIONS.items():
        for action in actions - SERVICE_ACTIONS:
            assert not POLICIES.decide_service(service, action, Thing()).allowed


def test_every_action_that_services_record_is_one_of_the_policies() -> None:
    assert set().union(*ACTIONS.values()) <= set(ACTIONS_OF_PEOPLE) | SERVICE_ACTIONS


def test_every_gate_has_words_that_say_what_to_do() -> None:
    gates = (POLICY_FOLDER / "gates.cedar").read_text(encoding="utf-8")
    ids = {line.split('"')[1] for line in gates.splitlines() if line.startswith("@id")}

    assert ids <= set(ADVICE)
    assert advice(("something.else",)) == ADVICE["III.B.3.l"]


def test_policies_that_speak_of_unknown_things_stop_the_start(tmp_path: Path) -> None:
    for file in POLICY_FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "more.cedar").write_text('permit (principal, action == Action::"account.delete", resource);')

    with pytest.raises(ConfigError, match="PW_POLICY_DIR"):
        load(tmp_path)
    with pytest.raises(PolicyError):
        Policies(["permit ("], (POLICY_FOLDER / "platewarden.cedarschema").read_text(encoding="utf-8"))


def test_a_policy_without_its_clause_stops_the_start() -> None:
    schema = (POLICY_FOLDER / "platewarden.cedarschema").read_text(encoding="utf-8")

    with pytest.raises(PolicyError, match="@id"):
        Policies(['permit (principal is Person, action == Action::"account.get", resource);'], schema)


@pytest.mark.clause("II.D", "III.C.2.a")
@pytest.mark.parametrize("action", ["local_list.add", "local_list.remove"])
def test_a_local_list_is_its_owners_and_a_coordinator_only_takes_entries_off(action: str) -> None:
    officer, coordinator = person(Role.USER), person(Role.WORK_UNIT_COORDINATOR)
    own, anothers = replace(OWN, person="account-1"), OWN
    of_another_unit = replace(OWN, unit="D2", person="")
    removing = action == "local_list.remove"

    assert not clauses(officer, action, own)
    assert clauses(officer, action, anothers) == ("II.D",)
    assert clauses(officer, action, of_another_unit) == ("II.D",)
    assert (not clauses(coordinator, action, anothers)) == removing
    assert "II.D" in clauses(coordinator, action, of_another_unit)
    assert (not clauses(person(Role.STATEWIDE_COORDINATOR), action, of_another_unit)) == removing

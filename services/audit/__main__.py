"""The audit service: `python -m services.audit`. Wiring only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from alpr.audit.v1.account_service_pb2_grpc import add_AccountServiceServicer_to_server
from alpr.audit.v1.authorization_service_pb2_grpc import add_AuthorizationServiceServicer_to_server
from alpr.audit.v1.contract_service_pb2_grpc import add_ContractServiceServicer_to_server
from alpr.audit.v1.declaration_service_pb2_grpc import add_DeclarationServiceServicer_to_server
from alpr.audit.v1.document_service_pb2_grpc import add_DocumentServiceServicer_to_server
from alpr.audit.v1.escort_service_pb2_grpc import add_EscortServiceServicer_to_server
from alpr.audit.v1.governance_service_pb2_grpc import add_GovernanceServiceServicer_to_server
from alpr.audit.v1.government_request_service_pb2_grpc import add_GovernmentRequestServiceServicer_to_server
from alpr.audit.v1.health_service_pb2_grpc import add_HealthServiceServicer_to_server
from alpr.audit.v1.incident_service_pb2_grpc import add_IncidentServiceServicer_to_server
from alpr.audit.v1.log_query_service_pb2_grpc import add_LogQueryServiceServicer_to_server
from alpr.audit.v1.log_service_pb2_grpc import add_LogServiceServicer_to_server
from alpr.audit.v1.log_witness_service_pb2_grpc import add_LogWitnessServiceServicer_to_server
from alpr.audit.v1.office_service_pb2_grpc import add_OfficeServiceServicer_to_server
from alpr.audit.v1.packet_service_pb2_grpc import add_PacketServiceServicer_to_server
from alpr.audit.v1.policy_service_pb2_grpc import add_PolicyServiceServicer_to_server
from alpr.audit.v1.probe_service_pb2_grpc import add_ProbeServiceServicer_to_server
from alpr.audit.v1.review_service_pb2_grpc import add_ReviewServiceServicer_to_server
from alpr.audit.v1.roster_service_pb2_grpc import add_RosterServiceServicer_to_server
from alpr.audit.v1.sensor_certificate_service_pb2_grpc import add_SensorCertificateServiceServicer_to_server
from alpr.audit.v1.sensor_placement_service_pb2_grpc import add_SensorPlacementServiceServicer_to_server
from alpr.audit.v1.sensor_service_pb2_grpc import add_SensorServiceServicer_to_server
from alpr.audit.v1.settings_service_pb2_grpc import add_SettingsServiceServicer_to_server
from alpr.audit.v1.sign_in_service_pb2_grpc import add_SignInServiceServicer_to_server
from alpr.audit.v1.support_service_pb2_grpc import add_SupportServiceServicer_to_server
from alpr.audit.v1.transparency_service_pb2_grpc import add_TransparencyServiceServicer_to_server
from alpr.audit.v1.unit_service_pb2_grpc import add_UnitServiceServicer_to_server
from services.audit import app_people
from services.audit.app_accounts import Accounts
from services.audit.app_act import Actor
from services.audit.app_admission import Admission
from services.audit.app_agreements import Agreements
from services.audit.app_authorize import Authorizer, Terms
from services.audit.app_declarations import Declarations
from services.audit.app_documents import Documents
from services.audit.app_escorts import Escorts
from services.audit.app_export import Exporter
from services.audit.app_gate import Gate, People
from services.audit.app_government import GovernmentRequests
from services.audit.app_group_limits import GroupLimits
from services.audit.app_log import Log
from services.audit.app_log_query import LogQuestions, Unfinishing, reconcile
from services.audit.app_look_back import LookBacks
from services.audit.app_misuse import Misuse, limits_of
from services.audit.app_office import Offices
from services.audit.app_packets import Packets, PacketsDue
from services.audit.app_placements import Placements
from services.audit.app_policy import Explainer
from services.audit.app_probe import Probes
from services.audit.app_profiles import Profiles
from services.audit.app_record import Recorder
from services.audit.app_records import Contracts, Incidents, Means, Support
from services.audit.app_registry import Agencies, Sensors
from services.audit.app_reviews import Reviews, ReviewsDue
from services.audit.app_rosters import Rosters
from services.audit.app_sensor_certificates import CertificateEnds, SensorCertificates
from services.audit.app_sensor_desk import SensorDesk
from services.audit.app_settings import Settings
from services.audit.app_sign_ins import SignIns
from services.audit.app_standing import Standing
from services.audit.app_statement import Statements
from services.audit.app_transparency import ReportsDue, Transparency, catalogue_of
from services.audit.app_units import Units
from services.audit.app_watch import Entitlements, Registry, Watch
from services.audit.app_witness import Witnesses
from services.audit.checkpoint_copies import CheckpointFolder
from services.audit.config import AuditSettings
from services.audit.core.justification import Rules
from services.audit.core.policy import Policies
from services.audit.core.records import Contacts
from services.audit.deadlines import Deadlines
from services.audit.live_settings import LiveSettings
from services.audit.measures import AuditMeasures
from services.audit.policies import PolicyFolder
from services.audit.policies import load as load_policies
from services.audit.remembered import Remembered
from services.audit.sensor_authority import SensorAuthority
from services.audit.server import AuthorizationServicer
from services.audit.server_declarations import DeclarationServicer
from services.audit.server_documents import DocumentServicer
from services.audit.server_escorts import EscortServicer
from services.audit.server_governance import GovernanceServicer
from services.audit.server_government import GovernmentRequestServicer
from services.audit.server_log_query import LogQueryServicer
from services.audit.server_office import OfficeServicer
from services.audit.server_people import AccountServicer
from services.audit.server_policy import PolicyServicer
from services.audit.server_probe import ProbeServicer
from services.audit.server_records import ContractServicer, IncidentServicer, SupportServicer
from services.audit.server_reviews import PacketServicer, ReviewServicer
from services.audit.server_rosters import RosterServicer
from services.audit.server_sensors import SensorCertificateServicer, SensorPlacementServicer
from services.audit.server_settings import SettingsServicer
from services.audit.server_sign_ins import SignInServicer
from services.audit.server_streams import HealthServicer, LogServicer, SensorServicer
from services.audit.server_transparency import TransparencyServicer
from services.audit.server_units import UnitServicer
from services.audit.server_witness import LogWitnessServicer
from services.audit.store_accounts import AccountStore
from services.audit.store_agreements import AgreementStore
from services.audit.store_conduct import ConductStore
from services.audit.store_declarations import DeclarationStore
from services.audit.store_documents import DocumentStore
from services.audit.store_escorts import EscortStore
from services.audit.store_government import GovernmentStore
from services.audit.store_log import LogStore
from services.audit.store_log_query import LogQueryStore
from services.audit.store_office import OfficeStore
from services.audit.store_packets import PacketStore
from services.audit.store_placements import PlacementStore
from services.audit.store_probe import ProbeStore
from services.audit.store_profiles import ProfileStore
from services.audit.store_records import ContractStore, IncidentStore, SupportStore
from services.audit.store_registry import RegistryStore
from services.audit.store_reviews import ReviewStore
from services.audit.store_rosters import RosterStore
from services.audit.store_scope import ScopeStore
from services.audit.store_sensor_certificates import SensorCertificateStore
from services.audit.store_sensors import SensorStore
from services.audit.store_settings import SettingStore
from services.audit.store_sign_ins import SignInStore
from services.audit.store_transparency import TransparencyStore
from services.audit.store_units import UnitStore
from services.audit.store_use import UseStore
from services.audit.store_witness import WitnessStore
from services.audit.tokens import ProviderKeys, TokenVerifier
from services.audit.vendor_calls import VendorCalls
from services.common import logs
from services.common.clock import Clock, SystemClock
from services.common.clock_check import clock_check
from services.common.config import ConfigError
from services.common.errors import StorageUnavailableError
from services.common.pg import Pool, is_healthy, open_pool
from services.common.server import ServerBuilder, run, serve


async def assemble(settings: AuditSettings, clock: Clock) -> ServerBuilder:
    """The server on an open database, with the log read; not started.

    Raises:
        ConfigError: A setting does not fit this log, or a file does not hold what it should.
        StorageUnavailableError: The database cannot be reached.
    """
    folder = load_policies(settings.policy_dir)
    permit_key, signer = settings.permit_key(), settings.signer()
    url = settings.database_url.get_secret_value()
    pool = await open_pool(url, application_name="audit", max_size=settings.database_connections)

    settings_kept, live = await _open_settings(pool, folder)
    accounts, sensors, agreements = (
        AccountStore(pool, live, folder.out_of_state),
        SensorStore(pool),
        AgreementStore(pool),
    )
    remembered, journal = await _remembered(pool), await _open_log(settings, pool, clock)
    registry = Registry(sensors)
    await registry.open()

    provider = ProviderKeys(settings.oidc_jwks_url)
    verifier = TokenVerifier(provider, settings.expected(), settings.algorithms, clock)
    admission = Admission(journal, SignInStore(pool), live, settings.expected().longest, clock)
    people = People(accounts, remembered, VendorCalls(journal, EscortStore(pool), clock), admission)
    gate = Gate(journal, verifier, people, folder.policies, clock)
    actor = Actor(journal, gate)
    scopes = ScopeStore(pool)
    terms = Terms(settings_kept, scopes, remembered, folder.rules, permit_key, settings.mcs_permit_key())
    authorizer = Authorizer(journal, gate, terms, clock)
    look_backs = LookBacks(journal, gate, terms, agreements, clock)

    builder = ServerBuilder(settings, name="audit").measure("audit", AuditMeasures(pool).take)
    builder.health_check(clock_check(pool)).health_check(lambda: _check(pool)).on_stop(pool.close).on_stop(
        journal.close
    ).on_stop(registry.close).on_stop(live.close)
    recorder = Recorder(journal, gate, folder.rules, GovernmentStore(pool))
    authorization = AuthorizationServicer(gate, authorizer, look_backs, recorder, Statements(terms, clock))
    agreement_watch = Watch(registry, sensors.revisions, lambda now: now.agreements, agreements.since)
    agreed = Agreements(gate, actor, agreements)
    limits = GroupLimits(gate, actor, scopes, folder.rules)
    governance = GovernanceServicer(
        Agencies(gate, actor, accounts, folder.email), agreed, limits, agreement_watch
    )
    standing = Standing(journal, gate, accounts)
    entitlements = HealthServicer(Entitlements(registry, gate, standing, clock))
    setting_watch = Watch(registry, sensors.revisions, lambda now: now.settings, settings_kept.since)
    setting = SettingsServicer(Settings(gate, actor, settings_kept, live), setting_watch, permit_key)
    witnesses = Witnesses(journal, WitnessStore(pool), signer.public, settings.sealer())
    log = LogServicer(gate, journal, Exporter(journal, gate, frozenset(folder.rules.codes)), witnesses)
    builder.add(
        "alpr.audit.v1.AuthorizationService", add_AuthorizationServiceServicer_to_server, authorization
    )
    builder.add("alpr.audit.v1.GovernanceService", add_GovernanceServiceServicer_to_server, governance)
    builder.add("alpr.audit.v1.HealthService", add_HealthServiceServicer_to_server, entitlements)
    builder.add("alpr.audit.v1.SettingsService", add_SettingsServiceServicer_to_server, setting)
    core = _Core(gate, actor, accounts, pool, clock, live)
    _add_people(builder, core, settings.oidc_issuer)
    _add_sign_ins(builder, core, admission)
    _add_sensors(builder, core, registry, sensors)
    _add_certificates(builder, core, journal, (sensors, settings.sensor_authority()))
    _add_conduct(builder, core, folder.policies)
    _add_declarations(builder, core, folder)
    _add_records(builder, core, journal, folder.contacts)
    builder.add("alpr.audit.v1.LogService", add_LogServiceServicer_to_server, log)
    _add_log_questions(builder, core, journal, folder.rules)
    _add_transparency(builder, core, journal, folder.rules)
    builder.add(
        "alpr.audit.v1.LogWitnessService",
        add_LogWitnessServiceServicer_to_server,
        LogWitnessServicer(witnesses),
    )
    return builder


@dataclass(frozen=True, slots=True)
class _Core:
    """What every service for people is made of."""

    gate: Gate
    actor: Actor
    accounts: AccountStore
    pool: Pool
    clock: Clock
    live: LiveSettings


def _add_people(builder: ServerBuilder, core: _Core, issuer: str) -> None:
    """Adds people and where they belong: accounts, units, the office at their head, who left."""
    gate, actor, accounts, clock = core.gate, core.actor, core.accounts, core.clock
    units = UnitStore(core.pool)
    people = app_people.People(accounts, units)
    kept = Accounts(gate, actor, people, clock, issuer)
    account = AccountServicer(kept, Profiles(gate, actor, people, ProfileStore(core.pool), clock))
    builder.add("alpr.audit.v1.AccountService", add_AccountServiceServicer_to_server, account)
    unit = UnitServicer(Units(gate, actor, units, accounts, clock))
    builder.add("alpr.audit.v1.UnitService", add_UnitServiceServicer_to_server, unit)
    rosters = Rosters(gate, actor, RosterStore(core.pool), kept, clock)
    roster = RosterServicer(rosters)
    builder.add("alpr.audit.v1.RosterService", add_RosterServiceServicer_to_server, roster)
    office = OfficeServicer(Offices(gate, actor, OfficeStore(core.pool), accounts, clock))
    builder.add("alpr.audit.v1.OfficeService", add_OfficeServiceServicer_to_server, office)


def _add_sign_ins(builder: ServerBuilder, core: _Core, admission: Admission) -> None:
    """Adds where people are signed in."""
    stores = SignInStore(core.pool), core.accounts
    servicer = SignInServicer(SignIns(core.gate, core.actor, stores, admission, core.clock))
    builder.add("alpr.audit.v1.SignInService", add_SignInServiceServicer_to_server, servicer)
    watching = asyncio.create_task(admission.refused.watch())
    builder.on_stop(lambda: _ended(watching))


def _add_sensors(builder: ServerBuilder, core: _Core, registry: Registry, sensors: SensorStore) -> None:
    """Adds the registry of sensors, and where they stand."""
    gate, actor, pool, clock = core.gate, core.actor, core.pool, core.clock
    desk = SensorDesk(gate, actor, sensors, clock)
    watch = Watch(registry, sensors.revisions, lambda now: now.sensors, sensors.since)
    sensor = SensorServicer(Sensors(gate, actor, sensors, desk), watch)
    builder.add("alpr.audit.v1.SensorService", add_SensorServiceServicer_to_server, sensor)
    placed = SensorPlacementServicer(Placements(desk, PlacementStore(pool), EscortStore(pool), clock))
    builder.add("alpr.audit.v1.SensorPlacementService", add_SensorPlacementServiceServicer_to_server, placed)


def _add_certificates(
    builder: ServerBuilder, core: _Core, journal: Log, means: tuple[SensorStore, SensorAuthority | None]
) -> None:
    """Adds certificates of sensors, and what tells of their ends."""
    sensors, authority = means
    desk, kept = SensorDesk(core.gate, core.actor, sensors, core.clock), SensorCertificateStore(core.pool)
    servicer = SensorCertificateServicer(SensorCertificates(desk, kept, core.clock, authority))
    add = add_SensorCertificateServiceServicer_to_server
    builder.add("alpr.audit.v1.SensorCertificateService", add, servicer)
    warning = partial(core.live.period, "sensor_certificate_warning_days")
    watching = asyncio.create_task(CertificateEnds(journal, kept, core.clock, warning).watch())
    builder.on_stop(lambda: _ended(watching))


def _add_conduct(builder: ServerBuilder, core: _Core, policies: Policies) -> None:
    """Adds what people are held to: policies, documents, escorts."""
    gate, actor, accounts, clock = core.gate, core.actor, core.accounts, core.clock
    policy = PolicyServicer(Explainer(gate, actor, accounts, policies, clock))
    builder.add("alpr.audit.v1.PolicyService", add_PolicyServiceServicer_to_server, policy)
    document = DocumentServicer(Documents(gate, actor, DocumentStore(core.pool), accounts, clock))
    builder.add("alpr.audit.v1.DocumentService", add_DocumentServiceServicer_to_server, document)
    escorts = Escorts(gate, actor, EscortStore(core.pool), accounts, clock)
    escort = EscortServicer(escorts, core.live)
    builder.add("alpr.audit.v1.EscortService", add_EscortServiceServicer_to_server, escort)


def _add_declarations(builder: ServerBuilder, core: _Core, folder: PolicyFolder) -> None:
    """Adds what agencies of other states declare, and what government entities ask for."""
    means, store = Means(core.gate, core.actor, core.clock), DeclarationStore(core.pool)
    law, codes = folder.out_of_state, frozenset(folder.rules.codes)
    declarations = Declarations(means, store, core.accounts, law, codes)
    servicer = DeclarationServicer(declarations, core.clock)
    add = add_DeclarationServiceServicer_to_server
    builder.add("alpr.audit.v1.DeclarationService", add, servicer)
    requests = GovernmentRequests(means, GovernmentStore(core.pool), folder.rules)
    asked = GovernmentRequestServicer(requests)
    add_asked = add_GovernmentRequestServiceServicer_to_server
    builder.add("alpr.audit.v1.GovernmentRequestService", add_asked, asked)


def _add_probes(builder: ServerBuilder, core: _Core, journal: Log) -> None:
    """Adds the comparison of effective access with what the log says was agreed on."""
    probes = Probes(Means(core.gate, core.actor, core.clock), journal, ProbeStore(core.pool))
    add = add_ProbeServiceServicer_to_server
    builder.add("alpr.audit.v1.ProbeService", add, ProbeServicer(probes))


def _add_log_questions(builder: ServerBuilder, core: _Core, journal: Log, rules: Rules) -> None:
    """Adds questions to the log, and what notes that an act was never said to have ended."""
    found = LogQueryStore(core.pool)
    questions = LogQuestions(journal, core.gate, core.actor, (found, WitnessStore(core.pool)), rules)
    servicer = LogQueryServicer(questions, core.clock)
    builder.add("alpr.audit.v1.LogQueryService", add_LogQueryServiceServicer_to_server, servicer)
    _add_probes(builder, core, journal)
    reconciling = asyncio.create_task(reconcile(Unfinishing(journal, found, core.clock)))
    builder.on_stop(lambda: _ended(reconciling))
    _add_reviews(builder, core, journal, rules)


def _add_transparency(builder: ServerBuilder, core: _Core, journal: Log, rules: Rules) -> None:
    """Adds transparency reports."""
    means, store = Means(core.gate, core.actor, core.clock), TransparencyStore(core.pool)
    servicer = TransparencyServicer(Transparency(means, journal, store, catalogue_of(rules)))
    builder.add("alpr.audit.v1.TransparencyService", add_TransparencyServiceServicer_to_server, servicer)
    watching = asyncio.create_task(ReportsDue(journal, store, core.clock).watch())
    builder.on_stop(lambda: _ended(watching))


def _add_records(builder: ServerBuilder, core: _Core, journal: Log, contacts: Contacts) -> None:
    """Adds incidents, contracts and requests for support, and what watches their deadlines."""
    means, pool = Means(core.gate, core.actor, core.clock), core.pool
    incidents, contracts = IncidentStore(pool), ContractStore(pool)
    incident = IncidentServicer(Incidents(means, incidents, AgreementStore(pool), contacts))
    builder.add("alpr.audit.v1.IncidentService", add_IncidentServiceServicer_to_server, incident)
    contract = ContractServicer(Contracts(means, contracts, UseStore(pool)))
    builder.add("alpr.audit.v1.ContractService", add_ContractServiceServicer_to_server, contract)
    support = SupportServicer(Support(means, SupportStore(pool), contacts))
    builder.add("alpr.audit.v1.SupportService", add_SupportServiceServicer_to_server, support)
    people = UnitStore(pool), RosterStore(pool)
    deadlines = Deadlines(journal, incidents, contracts, people, core.clock)
    watching = asyncio.create_task(deadlines.watch())
    builder.on_stop(lambda: _ended(watching))


def _add_reviews(builder: ServerBuilder, core: _Core, journal: Log, rules: Rules) -> None:
    """Adds reviews and weekly packets, and what watches for misuse and for what nobody concludes or signs."""
    means, pool, clock = Means(core.gate, core.actor, core.clock), core.pool, core.clock
    store, period = ReviewStore(pool), partial(core.live.period, "misuse_review_days")
    review = ReviewServicer(Reviews(means, store, core.accounts, period))
    builder.add("alpr.audit.v1.ReviewService", add_ReviewServiceServicer_to_server, review)
    packets = PacketStore(pool)
    packet = PacketServicer(Packets(means, packets))
    builder.add("alpr.audit.v1.PacketService", add_PacketServiceServicer_to_server, packet)
    misuse = Misuse(journal, ConductStore(pool), rules, lambda: limits_of(core.live))
    due, unsigned = ReviewsDue(journal, store, clock, period), PacketsDue(journal, packets, clock)
    for watch in (misuse.watch(), due.watch(), unsigned.watch()):
        watching = asyncio.create_task(watch)
        builder.on_stop(lambda task=watching: _ended(task))  # type: ignore[misc]


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _remembered(pool: Pool) -> Remembered:
    store = RegistryStore(pool)
    if uncounted := await store.uncounted():
        await pool.close()
        raise ConfigError(f"the database does not count changes of: {', '.join(sorted(uncounted))}")
    return Remembered(store.revision)


async def _open_settings(pool: Pool, folder: PolicyFolder) -> tuple[SettingStore, LiveSettings]:
    kept = SettingStore(pool, folder.retention, folder.settings)
    live = LiveSettings(kept)
    try:
        await live.open()
    except BaseException:
        await pool.close()
        raise
    return kept, live


async def _open_log(settings: AuditSettings, pool: Pool, clock: Clock) -> Log:
    copies = CheckpointFolder(settings.log_checkpoint_dir, settings.log_origin)
    journal = Log(LogStore(pool), settings.signer(), clock, copies)
    try:
        await journal.open()
    except BaseException:
        await pool.close()
        raise
    return journal


async def _check(pool: Pool) -> None:
    if not await is_healthy(pool):
        raise StorageUnavailableError("the database does not answer")


async def main() -> None:
    """Serves until told to stop."""
    settings = AuditSettings.from_environment()
    logs.configure("audit", level=settings.log_level, log_format=settings.log_format)
    await serve(await assemble(settings, SystemClock()))


if __name__ == "__main__":
    run(main())

"""People who sign in at a real OpenID Connect provider: who is let in, and who is not."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import sign_in_service_pb2 as sign_in_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.sign_in_service_pb2_grpc import SignInServiceStub
from services.audit import tokens
from services.common.client import bearer
from services.common.errors import AlprError
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    COORDINATOR,
    RunningAudit,
    begin,
    refused,
    request_id,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.oidc_provider import (
    AUDIENCE,
    OTHER_RESOURCE,
    PASSWORD_POLICY,
    RESOURCE,
    TWO_FACTORS,
    Browser,
    OidcProvider,
    claims_of,
    forged,
    new_key,
    running_provider,
    unsigned,
    with_secret,
)

CODE = "271828"
pytestmark = [pytest.mark.clause("III.B.3.k"), pytest.mark.timeout(120)]
Replica = Callable[..., AbstractAsyncContextManager[RunningAudit]]


class Provided:
    """The provider as the kit knows issuers."""

    acr, amr, audience, password_policy = TWO_FACTORS, "otp,hwk", AUDIENCE, PASSWORD_POLICY

    def __init__(self, provider: OidcProvider) -> None:
        self.iss, self.jwks_url = provider.issuer, provider.jwks_url


class Ahead:
    """A clock that can be put ahead."""

    by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def provider(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OidcProvider]:
    folder = tmp_path_factory.mktemp("provider")
    async with running_provider(folder, {COORDINATOR: CODE, "stranger": CODE}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replica(
    provider: OidcProvider,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Replica:
    """Starts an audit service that knows this provider and holds none of its keys yet."""
    database, issuer = await migrated_database("audit"), Provided(provider)
    settings = settings_for(database, tls, issuer, tmp_path_factory.mktemp("audit"))  # type: ignore[arg-type]
    await begin(settings, database, issuer)  # type: ignore[arg-type]
    return lambda clock=None: running_audit(settings, database, tls, issuer, clock)  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def audit(replica: Replica) -> AsyncIterator[RunningAudit]:
    async with replica() as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nobody_is_signed_in(audit: RunningAudit, provider: OidcProvider) -> None:
    """Every test signs people in anew, and nobody may be signed in as often as that at once."""
    stub, token = audit.people(SignInServiceStub), await provider.token(COORDINATOR, code=CODE)
    request = sign_in_pb.EndSignInsRequest(request_id=request_id(), reason="the test before is over")
    await stub.EndSignIns(request, metadata=(bearer(token),))


async def own_account(audit: RunningAudit, token: str) -> pb.Account:
    call = audit.people(AccountServiceStub).GetAccount(pb.GetAccountRequest(), metadata=(bearer(token),))
    return (await call).account


async def refusal(audit: RunningAudit, token: str) -> AlprError:
    return await refused(own_account(audit, token))


async def test_who_signs_in_with_two_factors_is_let_in(audit: RunningAudit, provider: OidcProvider) -> None:
    account = await own_account(audit, await provider.token(COORDINATOR, code=CODE))

    assert account.subject == COORDINATOR


async def test_renewed_tokens_are_of_the_same_sign_in(audit: RunningAudit, provider: OidcProvider) -> None:
    async with Browser(provider, COORDINATOR, CODE) as browser:
        first = await browser.sign_in()
        renewed = await browser.exchange(
            grant_type="refresh_token", refresh_token=first["refresh_token"], resource=RESOURCE
        )

    before, after = claims_of(first["access_token"]), claims_of(renewed["access_token"])
    assert await own_account(audit, renewed["access_token"])
    assert before["jti"] != after["jti"]
    assert (before["sid"], before["auth_time"]) == (after["sid"], after["auth_time"])


async def test_who_has_signed_in_without_the_second_factor_is_asked_to_step_up(
    audit: RunningAudit, provider: OidcProvider
) -> None:
    async with Browser(provider, COORDINATOR, "") as browser:
        weak = str((await browser.sign_in())["access_token"])
    error = await refusal(audit, weak)

    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert "acr" in error.message
    assert await own_account(audit, await provider.token(COORDINATOR, code=CODE))


async def test_who_has_no_account_is_told_so(audit: RunningAudit, provider: OidcProvider) -> None:
    error = await refusal(audit, await provider.token("stranger", code=CODE))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert "no account" in error.message


async def test_a_token_for_another_system_of_the_agency_is_refused(
    audit: RunningAudit, provider: OidcProvider
) -> None:
    error = await refusal(audit, await provider.token(COORDINATOR, code=CODE, resource=OTHER_RESOURCE))

    assert "aud" in error.message


async def test_an_id_token_is_no_access_token(audit: RunningAudit, provider: OidcProvider) -> None:
    async with Browser(provider, COORDINATOR, CODE) as browser:
        id_token = str((await browser.sign_in())["id_token"])

    assert (await refusal(audit, id_token)).code is grpc.StatusCode.UNAUTHENTICATED


async def test_what_the_provider_did_not_sign_is_refused(audit: RunningAudit, provider: OidcProvider) -> None:
    good = await provider.token(COORDINATOR, code=CODE)
    ours, public = new_key("first"), provider.keys[0].as_pem(private=False)
    tokens_of_others = [
        unsigned(good),
        forged(good, ours),
        forged(good, ours, kid="unknown"),
        forged(good, ours, kid="../first"),
        with_secret(good, public),
        good[:-4] + "AAAA",
    ]

    for one in tokens_of_others:
        assert (await refusal(audit, one)).code is grpc.StatusCode.UNAUTHENTICATED
    assert await own_account(audit, good)


async def test_what_the_development_issuer_signed_is_refused(
    audit: RunningAudit, provider: OidcProvider, issuer: RunningIssuer
) -> None:
    good, kid = await provider.token(COORDINATOR, code=CODE), issuer.jwks["keys"][0]["kid"]
    claims = json.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))
    of_development = [
        issuer.token(COORDINATOR),
        issuer.token(COORDINATOR, iss=claims["iss"], aud=claims["aud"]),
        issuer.token(COORDINATOR, **claims),
        forged(good, issuer.issuer._key, kid=kid),
    ]

    for one in of_development:
        assert (await refusal(audit, one)).code is grpc.StatusCode.UNAUTHENTICATED
    assert await own_account(audit, good)


@pytest.mark.clause("III.D.6")
async def test_once_the_password_rules_changed_passwords_under_the_old_ones_are_not_good_enough(
    audit: RunningAudit, provider: OidcProvider
) -> None:
    await provider.set(passwordPolicy="SRV-218/2019")
    old = await provider.token(COORDINATOR, code=CODE)
    await provider.set(passwordPolicy=PASSWORD_POLICY)

    assert "password rules" in (await refusal(audit, old)).message
    assert await own_account(audit, await provider.token(COORDINATOR, code=CODE))


async def test_a_token_that_lives_longer_than_ten_minutes_is_refused(
    audit: RunningAudit, provider: OidcProvider
) -> None:
    await provider.set(seconds=3600)
    long = await provider.token(COORDINATOR, code=CODE)
    await provider.set(seconds=600)

    assert "ten minutes" in (await refusal(audit, long)).message


async def test_a_token_ends_with_its_time_and_a_sign_in_after_twelve_hours(
    replica: Replica, provider: OidcProvider
) -> None:
    clock = Ahead()
    async with replica(clock) as audit:
        token = await provider.token(COORDINATOR, code=CODE)
        assert await own_account(audit, token)

        clock.by = timedelta(minutes=11)
        expired = await refusal(audit, token)
        clock.by = timedelta(hours=12, minutes=1)
        later = forged(token, provider.keys[0], iat=_in(clock), exp=_in(clock) + 600)
        old_sign_in = await refusal(audit, later)

    assert "expired" in expired.message
    assert "12 hours" in old_sign_in.message


def _in(clock: Ahead) -> int:
    return int(clock.now().timestamp())


async def test_a_new_key_is_taken_up_and_one_that_was_taken_back_is_worth_nothing(
    replica: Replica, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = provider.keys[0], new_key("second")
    monkeypatch.setattr(tokens, "_REFETCH_SECONDS", 0.0)
    async with replica() as audit:
        old = await provider.token(COORDINATOR, code=CODE)
        assert await own_account(audit, old)

        await provider.sign_with(second, first)
        new = await provider.token(COORDINATOR, code=CODE)
        both = [await own_account(audit, one) for one in (new, old)]

        await provider.sign_with(second)
        monkeypatch.setattr(tokens, "_REFRESH_SECONDS", 0.0)
        gone = await refusal(audit, old)
        assert await own_account(audit, new)
        await provider.sign_with(first)

    assert [one.subject for one in both] == [COORDINATOR, COORDINATOR]
    assert gone.code is grpc.StatusCode.UNAUTHENTICATED


async def test_unknown_keys_do_not_make_us_ask_the_provider_again_and_again(
    replica: Replica, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, fetched = await provider.token(COORDINATOR, code=CODE), 0
    fetch = tokens.ProviderKeys._fetch

    async def counted(keys: Any) -> None:
        nonlocal fetched
        fetched += 1
        await fetch(keys)

    monkeypatch.setattr(tokens.ProviderKeys, "_fetch", counted)
    async with replica() as audit:
        assert await own_account(audit, good)
        stray = new_key("stray")
        calls = [refusal(audit, forged(good, stray, kid=f"stray-{number}")) for number in range(20)]
        assert {one.code for one in await asyncio.gather(*calls)} == {grpc.StatusCode.UNAUTHENTICATED}

    assert fetched == 1


async def test_while_the_provider_is_away_who_is_known_goes_on_and_nobody_else_gets_in(
    replica: Replica, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await provider.token(COORDINATOR, code=CODE)
    monkeypatch.setattr(tokens, "_REFETCH_SECONDS", 0.0)
    async with replica() as knowing, replica() as fresh:
        assert await own_account(knowing, token)
        await provider.stop()
        unreachable = await refusal(fresh, token)
        goes_on = await own_account(knowing, token)
        await provider.start()
        assert await own_account(fresh, token)

    assert unreachable.code is grpc.StatusCode.UNAVAILABLE
    assert goes_on.subject == COORDINATOR

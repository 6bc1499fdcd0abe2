"""A token whose signature was looked at once is asked every time whether it is in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from joserfc.jwk import KeySet

from services.audit.core.claims import Expected
from services.audit.tokens import ProviderKeys, TokenVerifier
from services.common.errors import UnauthenticatedError
from tests.support.issuer import RunningIssuer


class Ahead:
    """A clock that can be put ahead."""

    by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


def verifier(issuer: RunningIssuer, clock: Ahead, keys: ProviderKeys | None = None) -> TokenVerifier:
    expected = Expected(
        issuer.iss, issuer.audience, issuer.acr, frozenset({issuer.amr}), issuer.password_policy
    )
    return TokenVerifier(keys or ProviderKeys(issuer.jwks_url), expected, ("RS256", "ES256"), clock)


@pytest.mark.clause("III.B.3.k")
async def test_a_token_that_was_accepted_is_refused_once_its_time_has_come(issuer: RunningIssuer) -> None:
    clock = Ahead()
    verifying, token = verifier(issuer, clock), issuer.token("officer")
    first, again = await verifying.verify(token), await verifying.verify(token)

    clock.by = timedelta(minutes=11)

    assert first == again
    with pytest.raises(UnauthenticatedError, match="expired"):
        await verifying.verify(token)


@pytest.mark.clause("III.B.3.k")
async def test_a_token_that_was_accepted_is_refused_once_the_provider_has_taken_its_key_back(
    issuer: RunningIssuer,
) -> None:
    keys = ProviderKeys(issuer.jwks_url)
    verifying, token = verifier(issuer, Ahead(), keys), issuer.token("officer")
    await verifying.verify(token)

    keys._keys = KeySet([])  # as the next look at the provider finds them
    with pytest.raises(UnauthenticatedError):
        await verifying.verify(token)


async def test_a_token_with_one_changed_character_is_another_token(issuer: RunningIssuer) -> None:
    verifying, token = verifier(issuer, Ahead()), issuer.token("officer")
    await verifying.verify(token)
    head, claims, signature = token.split(".")

    for forged in (f"{head}.{claims}.{signature[:-2]}AA", f"{head}.{claims[:-2]}AA.{signature}"):
        with pytest.raises(UnauthenticatedError):
            await verifying.verify(forged)

"""The development issuer inside the test's own process."""

from dataclasses import dataclass
from typing import Any

from services.common.issuers import (
    DEVELOPMENT_ACR,
    DEVELOPMENT_AMR,
    DEVELOPMENT_ISSUER,
    DEVELOPMENT_PASSWORD_POLICY,
)
from services.dev.issuer import DevelopmentIssuer
from services.dev.places import AUDIENCE


@dataclass(frozen=True, slots=True)
class RunningIssuer:
    """The issuer and its address."""

    issuer: DevelopmentIssuer
    url: str
    iss: str = DEVELOPMENT_ISSUER
    acr: str = DEVELOPMENT_ACR
    amr: str = DEVELOPMENT_AMR
    password_policy: str = DEVELOPMENT_PASSWORD_POLICY
    audience: str = AUDIENCE

    @property
    def jwks_url(self) -> str:
        """Where its key set is."""
        return f"{self.url}/jwks"

    @property
    def jwks(self) -> dict[str, Any]:
        """Its key set."""
        return self.issuer.jwks

    def token(self, subject: str, **claims: Any) -> str:
        """A token; `claims` go over the usual ones, and None takes one away."""
        return self.issuer.token(subject, **claims)

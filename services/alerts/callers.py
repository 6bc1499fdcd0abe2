"""Who calls."""

from services.common.errors import UnauthenticatedError
from services.common.identity import AccessToken, Context, require_token


def token_of(context: Context) -> AccessToken:
    """The access token of the person who calls.

    Raises:
        UnauthenticatedError: The call came without one.
    """
    token = require_token(context).access_token
    if token is None:
        raise UnauthenticatedError("this call needs an access token")
    return token

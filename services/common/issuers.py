"""What marks the tokens of the development issuer, so that a production audit service can refuse them."""

# The address leads nowhere: ".invalid" never resolves (RFC 2606).
DEVELOPMENT_ISSUER = "https://development.platewarden.invalid"
DEVELOPMENT_ACR = "urn:platewarden:dev:mfa"
DEVELOPMENT_AMR = "otp"
DEVELOPMENT_PASSWORD_POLICY = "development"  # noqa: S105 - the name of a policy

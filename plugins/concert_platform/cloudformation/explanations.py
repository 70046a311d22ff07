"""What a person at the command line reads of an error: one line with what failed, why, and what to do."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from concert_platform.cloudformation.errors import CloudFormationError, one_line

SIGN_IN = "sign in to AWS (aws sso login, AWS_PROFILE or AWS_ACCESS_KEY_ID), then run this again"
CREDENTIALS = (NoCredentialsError, PartialCredentialsError, TokenRetrievalError)
# The services' words -> what to do; the first that fits.
ADVICE = (
    (("AccessDenied", "UnauthorizedOperation", "NotAuthorized"),
     "use credentials that may do this, or let an administrator run it"),
    (("ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient", "SignatureDoesNotMatch", "AuthFailure"), SIGN_IN),
    (("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown"),
     "AWS asks for patience: run this again in a minute, it goes on where it stopped"),
    (("LimitExceeded", "QuotaExceeded"), "raise the quota or delete what is not needed, then run this again"),
    (("ServiceUnavailable", "InternalFailure", "InternalError"), "AWS has a problem: run this again later"),
)  # fmt: skip
UNKNOWN = "look at the stack's events in the console, then run this again"


def explained(error: Exception) -> str:
    """One line about an error; empty for one that is a mistake of the program, whose traceback is wanted."""
    if isinstance(error, CloudFormationError):
        return one_line(error)
    if isinstance(error, ClientError):
        said = error.response["Error"]
        why = f"{said['Code']}: {one_line(said['Message']).rstrip('.')}"
        return f"{error.operation_name} failed: {why}; {_advice(said['Code'])}"
    if isinstance(error, CREDENTIALS):
        return f"AWS was not asked: {one_line(error).rstrip('.')}; {SIGN_IN}"
    if isinstance(error, EndpointConnectionError):
        return f"AWS was not reached: {one_line(error).rstrip('.')}; check the region's name and the network"
    if isinstance(error, BotoCoreError):
        return f"AWS was not asked: {one_line(error).rstrip('.')}; check credentials, region and ~/.aws/config"
    return ""


def _advice(code: str) -> str:
    return next((advice for parts, advice in ADVICE if any(part in code for part in parts)), UNKNOWN)

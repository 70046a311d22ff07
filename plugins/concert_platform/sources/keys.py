"""Keys of the source APIs from Secrets Manager, and the ways in which a request bears them.

A key stands in no error, log, manifest or page: whoever holds one says so by `secrets`, and the client hides those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

from concert_platform.settings import settings
from concert_platform.sources.errors import SourceKeyError


class Credentials(Protocol):
    """What makes a request acceptable to an API."""

    def headers(self) -> Mapping[str, str]:
        """Headers of a request."""

    def query(self) -> Mapping[str, str]:
        """Query parameters of a request; they are left out of the address that is kept."""

    def secrets(self) -> tuple[str, ...]:
        """Texts that no log may show."""

    def renew(self) -> bool:
        """Get new credentials after a refusal; whether that may help."""


class ApiKey:
    """A key that stays the same.

    :param header: name of the header that bears it; else
    :param parameter: name of the query parameter
    """

    def __init__(self, key: str, *, header: str | None = None, parameter: str | None = None) -> None:
        self._key, self._header, self._parameter = key, header, parameter

    def headers(self) -> Mapping[str, str]:
        return {self._header: self._key} if self._header else {}

    def query(self) -> Mapping[str, str]:
        return {self._parameter: self._key} if self._parameter else {}

    def secrets(self) -> tuple[str, ...]:
        return (self._key,)

    def renew(self) -> bool:
        return False


def source_keys(source: str, *names: str) -> tuple[str, ...]:
    """Values of a source's secret, such as ``api_key``.

    :raises SourceKeyError: when the secret cannot be read or lacks one of them
    """
    import boto3
    from botocore.exceptions import ClientError

    secret = settings().source_secret(source)
    try:
        # The secret's text goes into no variable, since a traceback in a log may show those.
        return _values(boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"], names)
    except ClientError as error:
        reason = error.response["Error"]["Code"]
    except (ValueError, KeyError, TypeError):
        reason = "the secret is no such JSON"
    wanted = ", ".join(f'"{name}": ...' for name in names)
    raise SourceKeyError(f"no key of {source} ({reason}): put {{{wanted}}} into secret {secret}")


def _values(text: str, names: tuple[str, ...]) -> tuple[str, ...]:
    known = json.loads(text)
    return tuple(str(known[name]) for name in names)

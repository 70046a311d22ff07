"""Which validators there are, and which are named already but do not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from concert_platform.validate.findings import Finding, ValidatorError

# A validator is a module with the two names of the protocol; it is imported when somebody asks for it.
VALIDATORS = {"cloudformation-templates": "concert_platform.validate.templates"}
# Announced, so that a script that calls one too early learns why; a name moves up when its module arrives.
NOT_YET = (
    "api-gateway",
    "lambda-handlers",
    "kinesis",
    "redshift",
    "governance",
    "recommendation-engine",
    "web-deployment",
)


class Validator(Protocol):
    """What each module of VALIDATORS offers."""

    SUMMARY: str  # what it looks at, in a few words for the list of validators

    def validate(self, targets: Sequence[str] = ()) -> list[Finding]:
        """Everything found, in the order of files and lines.

        :param targets: names of what to look at, as the validator understands them; all when empty
        :raises ValidatorError: when it cannot look
        """


def load(name: str) -> Validator:
    """A validator by its name.

    :raises ValidatorError: when there is none of that name, or not yet
    """
    if name in NOT_YET:
        raise ValidatorError(f"validator {name} does not exist yet: today there is {', '.join(VALIDATORS)}")
    if name not in VALIDATORS:
        raise ValidatorError(f"validator {name!r} is unknown: choose one of {', '.join(VALIDATORS)}")
    return cast("Validator", import_module(VALIDATORS[name]))

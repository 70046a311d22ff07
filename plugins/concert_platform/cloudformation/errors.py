"""What can go wrong with a stack. Every message is one line: which stack, why, what to do next."""

from __future__ import annotations

from collections.abc import Sequence


def one_line(text: object) -> str:
    """What AWS or a parser says in several lines, as one."""
    return " ".join(str(text).split())


class CloudFormationError(RuntimeError):
    """A stack could not be brought to the wanted state."""


class UnreadableFileError(CloudFormationError):
    """A template or a parameter file is no YAML or JSON."""


class ParameterError(CloudFormationError):
    """A template's parameter has no value, or a value names no parameter."""


class MissingParameterError(ParameterError):
    """Parameters have neither a value nor a default.

    :param names: the parameters
    """

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


class MissingOutputError(ParameterError):
    """Parameters take outputs of a stack that is not deployed yet, or not as its template is now."""


class ChangeSetError(CloudFormationError):
    """CloudFormation did not accept a change set."""


class StackBusyError(CloudFormationError):
    """An operation has begun since the stack was ready: wait for it, then try again.

    :param stack: full name of the stack
    """

    def __init__(self, stack: str, status: str) -> None:
        super().__init__(f"stack {stack} is {status}: wait for its end, then deploy again")
        self.stack = stack


class UnderReviewError(CloudFormationError):
    """A new stack belongs to another run, which has not executed its change set yet."""


class DryRunEndsError(CloudFormationError):
    """What is to come cannot be shown without changing a stack first."""


class ReplacementRefusedError(CloudFormationError):
    """A change set would replace or remove a resource that holds data, and nobody has allowed it."""


class StackFailedError(CloudFormationError):
    """An operation ended in a failed or rolled back stack."""


class StackTimeoutError(CloudFormationError):
    """An operation has not ended within the time that was granted."""

"""What can go wrong with a stack. Every message is one line: which stack, why, what to do next."""

from __future__ import annotations


class CloudFormationError(RuntimeError):
    """A stack could not be brought to the wanted state."""


class ParameterError(CloudFormationError):
    """A template's parameter has no value, or a value names no parameter."""


class ChangeSetError(CloudFormationError):
    """CloudFormation did not accept a change set."""


class StackFailedError(CloudFormationError):
    """An operation ended in a failed or rolled back stack."""


class StackTimeoutError(CloudFormationError):
    """An operation has not ended within the time that was granted."""

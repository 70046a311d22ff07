"""What is wrong with the data: an error that trying again does not cure."""

from __future__ import annotations


class CurationError(Exception):
    """A run's data cannot be published; the message is one line with the file or gate at fault."""


class GateError(CurationError):
    """Curated data does not pass its expectations."""
